from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from strongroom._encoding import from_base64url, to_base64url
from strongroom._limits import LIMITS
from strongroom.crypto import dpop
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import FormatError, VerificationError

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
URL = "https://broker.example:8443/v1/leases"
TOKEN = "header.payload.signature"
SECRET = SigningSecret.generate()
JWK: dict[str, str | list[str]] = {
    name: str(value)
    for name, value in ECKey.import_key(SECRET.public.to_pem()).as_dict(private=False).items()
    if name in ("kty", "crv", "x", "y")
}


def make(**changes: Any) -> str:
    options: dict[str, Any] = {
        "method": "POST",
        "url": URL,
        "issued_at": NOW,
        "nonce": "n-1",
        "access_token": TOKEN,
    }
    return dpop.make(SECRET, **{**options, **changes})


def verify(proof: str, **changes: Any) -> dpop.Proof:
    options: dict[str, Any] = {
        "method": "POST",
        "url": URL,
        "now": NOW,
        "max_skew_seconds": 300,
        "access_token": TOKEN,
    }
    return dpop.verify(proof, **{**options, **changes})


def refused(proof: str, **changes: Any) -> str:
    with pytest.raises((FormatError, VerificationError)) as caught:
        verify(proof, **changes)
    return caught.value.code


def signed(header: dict[str, Any], claims: Any, secret: SigningSecret = SECRET) -> str:
    """Sign anything at all as if it were a proof."""
    head, payload = (to_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{head}.{payload}.{to_base64url(secret.sign(f'{head}.{payload}'.encode()))}"


def header(**changes: Any) -> dict[str, Any]:
    return {"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK, **changes}


def claims(**changes: Any) -> dict[str, Any]:
    ath = to_base64url(hashlib.sha256(TOKEN.encode()).digest())
    good = {"jti": "a", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp()), "nonce": "n-1", "ath": ath}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


class TestHonestProofs:
    def test_a_proof_says_who_made_it(self) -> None:
        proof = verify(make())
        assert proof.public == SECRET.public
        assert proof.nonce == "n-1"
        assert len(proof.id) == 22

    def test_two_proofs_of_one_request_have_two_ids(self) -> None:
        assert verify(make()).id != verify(make()).id

    def test_nonce_and_token_may_be_absent_where_none_is_due(self) -> None:
        assert verify(make(nonce=None, access_token=None), access_token=None).nonce is None

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_the_clocks_may_differ_a_little(self, seconds: int) -> None:
        assert verify(make(issued_at=NOW + timedelta(seconds=seconds))).public == SECRET.public

    def test_a_time_zone_makes_no_difference(self) -> None:
        there = NOW.astimezone(timezone(timedelta(hours=5)))
        assert verify(make(issued_at=there)).public == SECRET.public

    def test_an_instant_without_a_time_zone_is_no_time(self) -> None:
        with pytest.raises(FormatError):
            make(issued_at=datetime(2026, 11, 24))

    def test_the_thumbprint_is_that_of_rfc_7638(self) -> None:
        assert dpop.thumbprint(SECRET.public) == ECKey.import_key(JWK).thumbprint()

    def test_proofs_of_another_library_hold(self) -> None:
        """It signs with either s: a proof is good once by its id, so its spelling does not matter."""
        key = ECKey.import_key({**JWK, "d": to_base64url(SECRET.to_bytes())})
        for _ in range(8):
            proof = jwt.encode(header(), claims(), key, algorithms=["ES256"])
            assert verify(proof).public == SECRET.public

    def test_another_library_accepts_ours(self) -> None:
        read = jwt.decode(make(), ECKey.import_key(JWK), algorithms=["ES256"])
        assert read.header == header()
        assert read.claims["htu"] == URL

    def test_the_example_of_rfc_9449_holds(self) -> None:
        """Section 4.1, figure 2: made by others with a key that we never saw."""
        proof = (
            "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
            "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
            "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
            "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
            "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
            "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg"
            "4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
        )
        found = verify(
            proof,
            url="https://server.example.com/token",
            now=datetime.fromtimestamp(1562262616, UTC),
            access_token=None,
        )
        assert dpop.thumbprint(found.public) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


class TestAttacks:
    def test_another_method(self) -> None:
        assert refused(make(method="GET")) == "proof-method"

    @pytest.mark.parametrize(
        "url",
        [
            "https://broker.example/v1/leases",
            "http://broker.example:8443/v1/leases",
            "https://evil.example:8443/v1/leases",
            URL + "/",
            URL + "?a=1",
            URL.upper(),
        ],
    )
    def test_another_address(self, url: str) -> None:
        assert refused(make(url=url)) == "proof-url"

    @pytest.mark.parametrize("seconds", [-301, 301, 10**9])
    def test_another_time(self, seconds: int) -> None:
        assert refused(make(issued_at=NOW + timedelta(seconds=seconds))) == "proof-stale"

    def test_another_access_token(self) -> None:
        assert refused(make(access_token="other")) == "proof-token"

    def test_no_access_token_where_one_is_due(self) -> None:
        assert refused(make(access_token=None)) == "proof-token"

    def test_an_access_token_where_none_is_due(self) -> None:
        assert refused(make(), access_token=None) == "proof-token"

    def test_signed_by_another_key_than_its_own(self) -> None:
        assert refused(signed(header(), claims(), SigningSecret.generate())) == "proof-signature"

    def test_an_altered_claim(self) -> None:
        head, _, signature = make().split(".")
        forged = to_base64url(json.dumps(claims(htm="GET")).encode())
        assert refused(f"{head}.{forged}.{signature}", method="GET") == "proof-signature"

    @pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES384", "EdDSA", "", None])
    def test_another_algorithm(self, algorithm: str | None) -> None:
        assert refused(signed(header(alg=algorithm), claims())) == "proof-format"

    def test_none_without_a_signature(self) -> None:
        head, payload = (to_base64url(json.dumps(x).encode()) for x in (header(alg="none"), claims()))
        assert refused(f"{head}.{payload}.") == "proof-format"

    def test_hs256_with_the_public_key_as_secret(self) -> None:
        head, payload = (to_base64url(json.dumps(x).encode()) for x in (header(alg="HS256"), claims()))
        mac = hmac.new(SECRET.public.to_pem(), f"{head}.{payload}".encode(), hashlib.sha256).digest()
        assert refused(f"{head}.{payload}.{to_base64url(mac)}") == "proof-format"

    def test_an_rsa_key(self) -> None:
        key = RSAKey.generate_key(2048)
        public = key.as_dict(private=False)
        proof = jwt.encode(header(alg="RS256", jwk=public), claims(), key, algorithms=["RS256"])
        assert refused(proof) == "proof-format"
        assert refused(signed(header(jwk=public), claims())) == "proof-format"

    def test_a_key_with_its_private_part(self) -> None:
        private = {**JWK, "d": to_base64url(SECRET.to_bytes())}
        assert refused(signed(header(jwk=private), claims())) == "proof-format"

    @pytest.mark.parametrize("typ", ["JWT", "at+jwt", "DPOP+JWT", "strongroom-lease+jws", None])
    def test_a_document_of_another_kind(self, typ: str | None) -> None:
        assert refused(signed(header(typ=typ), claims())) == "proof-format"

    @pytest.mark.parametrize(
        "jwk",
        [
            None,
            [],
            "P-256",
            {},
            {**JWK, "crv": "P-384"},
            {**JWK, "kty": "oct"},
            {**JWK, "x": JWK["y"]},
            {**JWK, "x": 7},
            {**JWK, "x": f"{JWK['x']}AA"},
            {**JWK, "x": "!" * 43},
            {**JWK, "kid": "k"},
            {"kty": "EC", "crv": "P-256", "x": JWK["x"]},
        ],
    )
    def test_a_key_that_is_none(self, jwk: Any) -> None:
        assert refused(signed(header(jwk=jwk), claims())) == "proof-format"

    @pytest.mark.parametrize("member", ["crit", "kid", "x5c", "jku", "b64"])
    def test_a_header_with_more(self, member: str) -> None:
        assert refused(signed(header(**{member: "x"}), claims())) == "proof-format"

    @pytest.mark.parametrize(
        "changes",
        [
            {"jti": None},
            {"jti": ""},
            {"jti": "x" * 129},
            {"jti": 7},
            {"htm": None},
            {"htu": ["https://broker.example"]},
            {"iat": None},
            {"iat": "1"},
            {"iat": True},
            {"iat": 1.5},
            {"nonce": 7},
            {"ath": False},
        ],
    )
    def test_claims_that_are_none(self, changes: dict[str, Any]) -> None:
        assert refused(signed(header(), claims(**changes))) == "proof-format"

    @pytest.mark.parametrize("value", [[], "x", 7, None])
    def test_claims_that_are_no_object(self, value: Any) -> None:
        assert refused(signed(header(), value)) == "proof-format"

    @pytest.mark.parametrize(
        "text", ["", "a.b", "a.b.c.d", "....", "é.é.é", base64.b64encode(b"{}" * 3).decode() * 3]
    )
    def test_what_is_no_token(self, text: str) -> None:
        assert refused(text) == "proof-format"

    def test_a_header_that_is_no_object(self) -> None:
        head = to_base64url(b"[]")
        assert refused(f"{head}.{head}.{head}") == "proof-format"

    def test_what_is_too_large_is_not_even_parsed(self) -> None:
        assert refused("a" * (LIMITS.max_proof_bytes + 1)) == "proof-format"

    def test_a_signature_of_another_length(self) -> None:
        head, payload, signature = make().split(".")
        short = to_base64url(from_base64url(signature)[:-1])
        assert refused(f"{head}.{payload}.{short}") == "proof-signature"

    def test_no_error_repeats_the_proof(self) -> None:
        secret = to_base64url(SECRET.to_bytes())
        with pytest.raises(FormatError) as caught:
            verify(signed(header(jwk={**JWK, "d": secret}), claims()))
        assert secret not in str(caught.value)
