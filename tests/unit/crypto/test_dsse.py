from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from strongroom._encoding import canonical_json, parse_canonical_json, to_base64
from strongroom._limits import LIMITS
from strongroom.crypto.dsse import Envelope, pre_authentication_encoding, sign
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TYPE = "application/vnd.in-toto+json"
SECRETS = [SigningSecret.generate() for _ in range(3)]
PUBLICS = [secret.public for secret in SECRETS]
ENVELOPE = sign(b"payload", TYPE, SECRETS)


def refused(envelope: Envelope, keys: list[SigningPublic] = PUBLICS, threshold: int = 1) -> str:
    with pytest.raises(VerificationError) as caught:
        envelope.verify(TYPE, keys, threshold=threshold)
    return caught.value.code


def test_the_encoding_of_the_dsse_specification() -> None:
    # The example of protocol.md.
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_type_and_payload_cannot_flow_into_one_another() -> None:
    assert pre_authentication_encoding("a", b"b c") != pre_authentication_encoding("a b", b"c")


def test_an_envelope_round_trips() -> None:
    data = ENVELOPE.to_bytes()
    assert Envelope.from_bytes(data) == ENVELOPE
    assert Envelope.from_bytes(data).to_bytes() == data
    assert ENVELOPE.verify(TYPE, PUBLICS, threshold=3) == b"payload"


def test_the_form_is_the_one_of_other_tools() -> None:
    members = parse_canonical_json(sign(b"payload", TYPE, SECRETS[:1]).to_bytes())
    assert set(members) == {"payload", "payloadType", "signatures"}
    assert members["payload"] == to_base64(b"payload")
    assert set(members["signatures"][0]) == {"keyid", "sig"}


def test_another_implementation_verifies_the_signature() -> None:
    key = serialization.load_pem_public_key(PUBLICS[0].to_pem())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    ((_, signature),) = sign(b"payload", TYPE, SECRETS[:1]).signatures
    key.verify(signature, pre_authentication_encoding(TYPE, b"payload"), ec.ECDSA(hashes.SHA256()))


def test_signatures_are_sorted_and_each_key_signs_once() -> None:
    key_ids = [key_id for key_id, _ in ENVELOPE.signatures]
    assert key_ids == sorted(public.key_id for public in PUBLICS)
    assert len(sign(b"", TYPE, [SECRETS[0]] * 3).signatures) == 1


class TestVerify:
    @pytest.mark.parametrize("threshold", [1, 2, 3])
    def test_a_threshold_counts_keys(self, threshold: int) -> None:
        enough = sign(b"payload", TYPE, SECRETS[:threshold])
        assert enough.verify(TYPE, PUBLICS, threshold=threshold) == b"payload"
        if threshold > 1:
            assert (
                refused(sign(b"payload", TYPE, SECRETS[: threshold - 1]), threshold=threshold)
                == "wrong-signer"
            )

    def test_the_same_key_given_twice_counts_once(self) -> None:
        one = sign(b"payload", TYPE, SECRETS[:1])
        assert refused(one, [PUBLICS[0], PUBLICS[0]], threshold=2) == "wrong-signer"

    def test_the_same_signature_given_twice_counts_once(self) -> None:
        one = sign(b"payload", TYPE, SECRETS[:1])
        doubled = replace(one, signatures=one.signatures * 2)
        with pytest.raises(FormatError):
            Envelope.from_bytes(doubled.to_bytes())

    def test_a_threshold_of_nothing_is_refused(self) -> None:
        assert refused(ENVELOPE, threshold=0) == "threshold"
        assert refused(ENVELOPE, [], threshold=1) == "wrong-signer"

    def test_another_type_is_refused(self) -> None:
        with pytest.raises(FormatError) as caught:
            ENVELOPE.verify("application/json", PUBLICS)
        assert caught.value.code == "wrong-kind"
        assert refused(replace(sign(b"payload", "other", SECRETS), payload_type=TYPE)) == "signature"

    def test_another_payload_is_refused(self) -> None:
        assert refused(replace(ENVELOPE, unverified_payload=b"payloaD")) == "signature"

    def test_a_strangers_signature_counts_for_nothing(self) -> None:
        stranger = SigningSecret.generate()
        mixed = sign(b"payload", TYPE, [SECRETS[0], stranger])
        assert mixed.verify(TYPE, PUBLICS) == b"payload"
        assert refused(mixed, threshold=2) == "wrong-signer"

    def test_a_wrong_signature_by_a_known_key_fails_all(self) -> None:
        wrong = tuple(
            (key_id, SECRETS[0].sign_der(b"other") if key_id == PUBLICS[0].key_id else signature)
            for key_id, signature in ENVELOPE.signatures
        )
        assert refused(replace(ENVELOPE, signatures=wrong)) == "signature"

    def test_the_malleated_twin_is_refused(self) -> None:
        one = sign(b"payload", TYPE, SECRETS[:1])
        key_id, signature = one.signatures[0]
        r, s = decode_dss_signature(signature)
        assert refused(replace(one, signatures=((key_id, encode_dss_signature(r, ORDER - s)),))) == (
            "signature-malleable"
        )


class TestForm:
    @pytest.mark.parametrize(
        "change",
        [
            {"signatures": []},
            {"payload": "!"},
            {"payload": "cGF5bG9hZA"},
            {"payloadType": 1},
            {"extra": 1},
            {"signatures": [{"keyid": "a", "sig": "AA==", "extra": 1}]},
            {"signatures": [{"sig": "AA=="}]},
            {"signatures": [{"keyid": "b", "sig": "AA=="}, {"keyid": "a", "sig": "AA=="}]},
            {"signatures": [{"keyid": "a", "sig": "AA=="}, {"keyid": "a", "sig": "AA=="}]},
            {"signatures": [{"keyid": f"{n:03}", "sig": "AA=="} for n in range(LIMITS.max_roots * 2 + 1)]},
            {"signatures": [{"keyid": "a", "sig": "A"}]},
        ],
    )
    def test_another_form_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(FormatError):
            Envelope.from_bytes(canonical_json({**parse_canonical_json(ENVELOPE.to_bytes()), **change}))

    @pytest.mark.parametrize(
        "data", [b"", b"{}", b"[]", ENVELOPE.to_bytes() + b"\n", b" " + ENVELOPE.to_bytes()]
    )
    def test_other_bytes_are_refused(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            Envelope.from_bytes(data)
