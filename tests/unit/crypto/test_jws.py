from __future__ import annotations

import hmac
import json
import re
from typing import Any

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from strongroom._encoding import canonical_json, from_base64url, to_base64url
from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TYP = "strongroom-test+jws"
SECRET = SigningSecret.generate()
TOKEN = jws.sign(TYP, b'{"a":1}', SECRET)


def header(**members: Any) -> bytes:
    return canonical_json({"alg": "ES256", "kid": SECRET.public.key_id, "typ": TYP, **members})


def signed(raw_header: bytes, payload: bytes = b"{}") -> str:
    signing_input = f"{to_base64url(raw_header)}.{to_base64url(payload)}"
    return f"{signing_input}.{to_base64url(SECRET.sign(signing_input.encode()))}"


def refused(token: str, keys: list[SigningPublic] | None = None) -> str:
    with pytest.raises(VerificationError) as caught:
        jws.verify(token, TYP, [SECRET.public] if keys is None else keys)
    return caught.value.code


class TestSign:
    def test_the_form_is_pinned(self) -> None:
        head, payload, signature = TOKEN.split(".")
        expected = f'{{"alg":"ES256","kid":"{SECRET.public.key_id}","typ":"strongroom-test+jws"}}'
        assert from_base64url(head).decode() == expected
        assert from_base64url(payload) == b'{"a":1}'
        assert len(from_base64url(signature)) == 64

    def test_a_token_verifies(self) -> None:
        assert jws.verify(TOKEN, TYP, [SigningSecret.generate().public, SECRET.public]) == b'{"a":1}'

    @pytest.mark.parametrize("size", [0, 1, 200_000])
    def test_a_payload_of_any_size_verifies(self, size: int) -> None:
        """The second opinion must not have a lower limit than the first."""
        assert jws.verify(jws.sign(TYP, b"a" * size, SECRET), TYP, [SECRET.public]) == b"a" * size

    def test_a_token_that_nobody_reads_is_not_made(self) -> None:
        with pytest.raises(FormatError, match="larger"):
            jws.sign(TYP, b"a" * LIMITS.max_token_bytes, SECRET)


class TestAgreement:
    def test_joserfc_accepts_ours(self) -> None:
        key = ECKey.import_key(SECRET.public.to_pem())
        result = joserfc_jws.deserialize_compact(TOKEN, key, algorithms=["ES256"])
        assert result.payload == b'{"a":1}'
        assert result.headers()["typ"] == TYP

    def test_we_accept_the_signatures_of_joserfc_that_have_the_lower_s(self) -> None:
        number = SECRET.to_bytes()
        key = ECKey.import_key(
            {
                "kty": "EC",
                "crv": "P-256",
                **json.loads(json.dumps(ECKey.import_key(SECRET.public.to_pem()).as_dict())),
                "d": to_base64url(number),
            }
        )
        outcomes = set()
        for _ in range(40):
            token = joserfc_jws.serialize_compact(
                {"alg": "ES256", "kid": SECRET.public.key_id, "typ": TYP}, b"{}", key, algorithms=["ES256"]
            )
            low = int.from_bytes(from_base64url(token.split(".")[2])[32:], "big") <= ORDER // 2
            outcomes.add(low)
            if low:
                assert jws.verify(token, TYP, [SECRET.public]) == b"{}"
            else:
                assert refused(token) == "signature-malleable"
        assert outcomes == {True, False}

    def test_the_second_opinion_can_refuse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(SigningPublic, "verify", lambda *_: None)
        head, _, signature = TOKEN.split(".")
        assert refused(f"{head}.{to_base64url(b'{}')}.{signature}") == "signature"


class TestVerify:
    def test_another_kind_is_refused(self) -> None:
        with pytest.raises(FormatError, match=re.escape(TYP)) as caught:
            jws.verify(jws.sign("strongroom-other+jws", b"", SECRET), TYP, [SECRET.public])
        assert caught.value.code == "wrong-kind"

    def test_another_key_is_refused(self) -> None:
        assert refused(TOKEN, [SigningSecret.generate().public]) == "wrong-signer"
        assert refused(TOKEN, []) == "wrong-signer"

    def test_a_key_id_does_not_make_a_signature(self) -> None:
        thief = SigningSecret.generate()
        signing_input = f"{to_base64url(header())}.{to_base64url(b'{}')}"
        forged = f"{signing_input}.{to_base64url(thief.sign(signing_input.encode()))}"
        assert refused(forged) == "signature"

    def test_the_malleated_twin_is_refused(self) -> None:
        front, _, signature = TOKEN.rpartition(".")
        raw = from_base64url(signature)
        other = ORDER - int.from_bytes(raw[32:], "big")
        twin = f"{front}.{to_base64url(raw[:32] + other.to_bytes(32, 'big'))}"
        assert refused(twin) == "signature-malleable"

    def test_a_changed_payload_is_refused(self) -> None:
        head, _, signature = TOKEN.split(".")
        assert refused(f"{head}.{to_base64url(b'{}')}.{signature}") == "signature"


class TestForm:
    def test_a_token_is_taken_apart(self) -> None:
        unverified = jws.read_unverified(TOKEN)
        assert (unverified.typ, unverified.key_id) == (TYP, SECRET.public.key_id)
        assert unverified.payload == b'{"a":1}'
        assert unverified.signing_input == TOKEN.rpartition(".")[0].encode()

    @pytest.mark.parametrize(
        "members",
        [
            {"alg": "none"},
            {"alg": "HS256"},
            {"alg": "ES384"},
            {"alg": None},
            {"jwk": {}},
            {"jku": "a"},
            {"x5c": []},
            {"crit": ["exp"]},
            {"b64": False},
            {"kid": 1},
            {"typ": None},
        ],
    )
    def test_a_header_chooses_nothing(self, members: dict[str, Any]) -> None:
        with pytest.raises(FormatError):
            jws.verify(signed(header(**members)), TYP, [SECRET.public])

    @pytest.mark.parametrize(
        "raw_header",
        [
            b"",
            b"[]",
            b"{}",
            b'"ES256"',
            b'{"alg":"ES256"}',
            header() + b" ",
            header().replace(b",", b", "),
            b'{"typ":"t","kid":"k","alg":"ES256"}',
            header(kid="a" * 5000),
        ],
        ids=["empty", "list", "nothing", "text", "bare", "space-after", "space-within", "order", "long"],
    )
    def test_another_header_is_refused(self, raw_header: bytes) -> None:
        with pytest.raises(FormatError):
            jws.read_unverified(signed(raw_header))

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "..",
            "a.b",
            TOKEN + ".",
            "." + TOKEN,
            TOKEN + "=",
            TOKEN + "\n",
            " " + TOKEN,
            TOKEN[:-1],
            TOKEN.rpartition(".")[0] + ".",
            TOKEN.rpartition(".")[0] + "." + to_base64url(bytes(63)),
            TOKEN.replace(".", ".\u00e9", 1),
            "." * 1000,
            "a" * (LIMITS.max_token_bytes + 1),
        ],
    )
    def test_what_is_no_token_is_refused(self, token: str) -> None:
        with pytest.raises(FormatError):
            jws.read_unverified(token)

    def test_a_symmetric_key_made_of_the_public_one_verifies_nothing(self) -> None:
        """The classic confusion: HS256 with the public key as secret."""
        signing_input = f"{to_base64url(header(alg='HS256'))}.{to_base64url(b'{}')}"
        tag = hmac.digest(SECRET.public.to_pem(), signing_input.encode(), "sha256")
        with pytest.raises(FormatError):
            jws.verify(f"{signing_input}.{to_base64url(tag)}", TYP, [SECRET.public])
