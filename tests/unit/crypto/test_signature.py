from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from strongroom.crypto.signature import PUBLIC_BYTES, SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 6979 appendix A.2.5: the key, and the signatures of "sample" and "test" with SHA-256.
RFC_SECRET = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
RFC_X = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
SAMPLE_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
SAMPLE_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
TEST_R = 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367
TEST_S = 0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083

RFC_KEY = SigningSecret.from_bytes(RFC_SECRET)
SECRET = SigningSecret.generate()


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def refused(signature: bytes, message: bytes = b"message", *, der: bool = False) -> str:
    verify = SECRET.public.verify_canonical_der if der else SECRET.public.verify
    with pytest.raises(VerificationError) as caught:
        verify(signature, message)
    return caught.value.code


class TestKnownAnswers:
    def test_the_public_key(self) -> None:
        assert RFC_KEY.public.to_bytes()[1:].hex().upper() == RFC_X

    def test_a_low_s_is_accepted(self) -> None:
        RFC_KEY.public.verify(raw(TEST_R, TEST_S), b"test")

    def test_the_high_s_of_the_rfc_is_refused_and_its_twin_accepted(self) -> None:
        with pytest.raises(VerificationError) as caught:
            RFC_KEY.public.verify(raw(SAMPLE_R, SAMPLE_S), b"sample")
        assert caught.value.code == "signature-malleable"
        RFC_KEY.public.verify(raw(SAMPLE_R, ORDER - SAMPLE_S), b"sample")
        RFC_KEY.public.verify_der(encode_dss_signature(SAMPLE_R, SAMPLE_S), b"sample")

    def test_the_key_id(self) -> None:
        label = b"\0\0\0\x14strongroom/key-id/v1"
        bound = label + b"\0\0\0\x21" + RFC_KEY.public.to_bytes()
        assert RFC_KEY.public.key_id == hashlib.sha256(bound).hexdigest()[:32]


class TestSignature:
    def test_it_verifies_in_both_encodings(self) -> None:
        for _ in range(20):  # half of all raw signatures have the higher s
            SECRET.public.verify(SECRET.sign(b"message"), b"message")
            SECRET.public.verify_canonical_der(SECRET.sign_der(b"message"), b"message")
            SECRET.public.verify_der(SECRET.sign_der(b"message"), b"message")

    def test_the_other_spelling_is_refused(self) -> None:
        r, s = decode_dss_signature(SECRET.sign_der(b"message"))
        assert s <= ORDER // 2
        assert refused(raw(r, ORDER - s)) == "signature-malleable"
        twin = encode_dss_signature(r, ORDER - s)
        assert refused(twin, der=True) == "signature-malleable"
        SECRET.public.verify_der(twin, b"message")

    def test_longer_der_is_refused(self) -> None:
        der = SECRET.sign_der(b"message")
        assert refused(der + b"\0", der=True) == "signature"
        padded = b"\x30" + bytes([der[1] + 1]) + b"\x02" + bytes([der[3] + 1]) + b"\0" + der[4:]
        assert refused(padded, der=True) in ("signature", "signature-malleable")

    @pytest.mark.parametrize("signature", [b"", b"\0" * 63, b"\0" * 65])
    def test_another_size_is_refused(self, signature: bytes) -> None:
        assert refused(signature) == "signature"

    @pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x06\x02\x01\xff\x02\x01\x01", b"junk" * 20])
    def test_what_is_no_der_is_refused(self, der: bytes) -> None:
        assert refused(der, der=True) == "signature"
        with pytest.raises(VerificationError):
            SECRET.public.verify_der(der, b"message")

    @pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, 1), (2**256 - 1, 1)])
    def test_degenerate_values_are_refused(self, r: int, s: int) -> None:
        assert refused(raw(r, s)) == "signature"

    def test_another_key_or_message_is_refused(self) -> None:
        signature = SECRET.sign(b"message")
        assert refused(signature, b"messagE") == "signature"
        with pytest.raises(VerificationError):
            SigningSecret.generate().public.verify(signature, b"message")
        assert refused(SECRET.sign_der(b"other"), der=True) == "signature"


class TestKeys:
    def test_they_round_trip(self) -> None:
        again = SigningSecret.from_bytes(SECRET.to_bytes())
        assert again.public == SECRET.public == SigningPublic.from_bytes(SECRET.public.to_bytes())
        assert len(SECRET.to_bytes()) == 32
        assert SigningSecret.from_bytes(bytes(31) + b"\x01").to_bytes() == bytes(31) + b"\x01"

    def test_only_the_compressed_point_is_a_key(self) -> None:
        point = serialization.load_pem_public_key(SECRET.public.to_pem()).public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        compressed = SECRET.public.to_bytes()
        for other in (
            point,
            point[1:],
            compressed[:-1],
            compressed + b"\0",
            b"\0",
            b"",
            b"\x04" + compressed[1:],
        ):
            with pytest.raises(FormatError):
                SigningPublic.from_bytes(other)

    def test_a_point_off_the_curve_is_refused(self) -> None:
        off = [x for x in range(1, 50) if not on_curve(x)]
        for x in (*off, 2**256 - 1):
            with pytest.raises(FormatError, match="not a point"):
                SigningPublic.from_bytes(b"\x02" + x.to_bytes(32, "big"))

    @pytest.mark.parametrize(
        "secret", [b"", bytes(31), bytes(33), bytes(32), ORDER.to_bytes(32, "big"), b"\xff" * 32]
    )
    def test_a_secret_out_of_range_is_refused(self, secret: bytes) -> None:
        with pytest.raises(FormatError):
            SigningSecret.from_bytes(secret)

    def test_other_tools_read_the_pem(self) -> None:
        key = serialization.load_pem_public_key(SECRET.public.to_pem())
        compressed = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        assert compressed == SECRET.public.to_bytes()
        assert len(compressed) == PUBLIC_BYTES

    def test_they_compare_by_their_bytes(self) -> None:
        again = SigningPublic.from_bytes(SECRET.public.to_bytes())
        assert again == SECRET.public
        assert hash(again) == hash(SECRET.public)
        assert again != SigningSecret.generate().public
        assert again != SECRET.public.to_bytes()

    def test_a_repr_shows_no_secret(self) -> None:
        assert repr(SECRET) == "SigningSecret(...)"
        assert repr(SECRET.public) == f"SigningPublic(key_id='{SECRET.public.key_id}')"


def on_curve(x: int) -> bool:
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    return pow(x**3 - 3 * x + b, (prime - 1) // 2, prime) == 1
