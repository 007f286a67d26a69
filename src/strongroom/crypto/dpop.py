"""Proofs of possession (DPoP, RFC 9449): a request is from whoever holds the key, and for this request only.

    header = make(device, method="POST", url="https://broker.example/v1/leases", issued_at=now,
                  nonce=nonce, access_token=token)
    proof = verify(header, method="POST", url="https://broker.example/v1/leases", now=now,
                   max_skew_seconds=300, access_token=token)
    proof.public                   # who proved it; whether that key may ask is the caller's question
    proof.nonce, proof.id          # the caller knows which nonces are good, and which proofs it has seen

This is the one place where a key out of a token's own header is used: that is what a proof
is. Everything else about it is fixed: the kind, ES256, a public P-256 key in four members.
A proof never says who somebody is; ``thumbprint`` ties it to an access token (``cnf.jkt``).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from strongroom._encoding import canonical_json, from_base64url, parse_json, to_base64url
from strongroom._limits import LIMITS
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError

TYP: Final = "dpop+jwt"
_ALGORITHM: Final = "ES256"
_ID_BYTES: Final = 16
_MAX_ID_CHARS: Final = 128
_JWK_MEMBERS: Final = {"kty", "crv", "x", "y"}
_COORDINATE_CHARS: Final = 43


class _Registry(joserfc_jws.JWSRegistry):
    # The library's own limits are for other tokens; the size was checked before.
    max_header_length = LIMITS.max_proof_bytes
    max_payload_length = LIMITS.max_proof_bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof whose signature, method, address, time and token hold."""

    public: SigningPublic
    """The key that made it."""
    id: str
    """Its ``jti``."""
    nonce: str | None
    """The nonce of a server that it answers."""


def thumbprint(public: SigningPublic) -> str:
    """Return the thumbprint of a key (RFC 7638), as access tokens name it."""
    return to_base64url(hashlib.sha256(canonical_json(_jwk(public))).digest())


def make(
    secret: SigningSecret,
    *,
    method: str,
    url: str,
    issued_at: datetime,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """Make the proof for one request.

    Args:
        secret: The key of whoever asks.
        method: The method of the request.
        url: Its address without query and fragment.
        issued_at: The time, as near to the server's as the caller knows it.
        nonce: The newest nonce that the server gave, if it gave one.
        access_token: The access token that goes with the request.

    Raises:
        FormatError: the instant has no time zone.
    """
    if issued_at.tzinfo is None:
        raise FormatError("an instant without a time zone")
    claims: dict[str, Any] = {
        "htm": method,
        "htu": url,
        "iat": int(issued_at.timestamp()),
        "jti": to_base64url(secrets.token_bytes(_ID_BYTES)),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = _digest(access_token)
    header = canonical_json({"alg": _ALGORITHM, "jwk": _jwk(secret.public), "typ": TYP})
    signing_input = f"{to_base64url(header)}.{to_base64url(canonical_json(claims))}"
    return f"{signing_input}.{to_base64url(secret.sign(signing_input.encode('ascii')))}"


def verify(
    proof: str, *, method: str, url: str, now: datetime, max_skew_seconds: int, access_token: str | None
) -> Proof:
    """Check a proof against the request that it came with.

    Args:
        proof: The value of the ``DPoP`` header.
        method: The method of the request.
        url: The address of the request as the server knows itself, never as a header claims.
        now: The server's time.
        max_skew_seconds: How far the proof's time may be from it, either way.
        access_token: The access token that came with the request; None where none is due.

    Raises:
        FormatError: no proof in the form of RFC 9449 with ES256 and a public P-256 key
            (code ``proof-format``).
        VerificationError: another key's signature (code ``proof-signature``), another method
            (``proof-method``), another address (``proof-url``), another time (``proof-stale``) or
            another access token (``proof-token``).
    """
    key, claims = _read(proof)
    try:
        joserfc_jws.deserialize_compact(proof, key, registry=_Registry(algorithms=[_ALGORITHM]))
    except JoseError as error:
        raise VerificationError("a proof is not signed by its own key", code="proof-signature") from error
    if claims["htm"] != method:
        raise VerificationError("a proof was made for another method", code="proof-method")
    if claims["htu"] != url:
        raise VerificationError(
            "a proof was made for another address",
            code="proof-url",
            hint="ask at the address that the invite names; behind a proxy the broker needs --url",
        )
    if abs(now.timestamp() - claims["iat"]) > max_skew_seconds:
        raise VerificationError(
            "a proof is too old, or from the future",
            code="proof-stale",
            hint="set the clock, or take the time from the Date of this answer",
        )
    if claims.get("ath") != (None if access_token is None else _digest(access_token)):
        raise VerificationError("a proof was made for another access token", code="proof-token")
    public = SigningPublic.from_bytes(
        key.public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    )
    return Proof(public=public, id=claims["jti"], nonce=claims.get("nonce"))


def _read(proof: str) -> tuple[ECKey, dict[str, Any]]:
    try:
        return _parse(proof)
    except FormatError as error:
        raise FormatError(f"not a DPoP proof: {error}", code="proof-format") from error


def _parse(proof: str) -> tuple[ECKey, dict[str, Any]]:
    # The size first: everything behind this line costs time that grows with it.
    if len(proof) > LIMITS.max_proof_bytes:
        raise FormatError(f"it is larger than {LIMITS.max_proof_bytes} bytes")
    parts = proof.split(".")
    if len(parts) != 3:
        raise FormatError("it has not three parts")
    header = parse_json(from_base64url(parts[0]))
    if not isinstance(header, dict) or set(header) != {"typ", "alg", "jwk"}:
        raise FormatError("its header must be typ, alg and jwk, nothing else")
    if header["typ"] != TYP or header["alg"] != _ALGORITHM:
        raise FormatError(f"its typ must be {TYP} and its alg {_ALGORITHM}")
    return _import(header["jwk"]), _claims(parse_json(from_base64url(parts[1])))


def _import(jwk: Any) -> ECKey:
    # Four members exactly: a key with its private part in a header is a key given away,
    # and whoever sends one must learn it at once.
    if not isinstance(jwk, dict) or set(jwk) != _JWK_MEMBERS:
        raise FormatError("its jwk must be kty, crv, x and y, nothing else")
    if jwk["kty"] != "EC" or jwk["crv"] != "P-256":
        raise FormatError("its key must be on P-256")
    if not all(isinstance(jwk[name], str) and len(jwk[name]) == _COORDINATE_CHARS for name in ("x", "y")):
        raise FormatError("its key has no coordinates of 32 bytes")
    try:
        key = ECKey.import_key(jwk)
        # Built now, not when first used: a point off the curve is found here.
        _ = key.public_key
    except (JoseError, ValueError) as error:
        raise FormatError("its key is no point on P-256") from error
    return key


def _claims(claims: Any) -> dict[str, Any]:
    if not isinstance(claims, dict):
        raise FormatError("its claims are no object")
    if not all(isinstance(claims.get(name), str) for name in ("jti", "htm", "htu")):
        raise FormatError("its jti, htm and htu must be strings")
    if not 0 < len(claims["jti"]) <= _MAX_ID_CHARS:
        raise FormatError(f"its jti must have 1 to {_MAX_ID_CHARS} characters")
    if type(claims.get("iat")) is not int:
        raise FormatError("its iat must be an integer")
    if not all(isinstance(claims.get(name, ""), str) for name in ("nonce", "ath")):
        raise FormatError("its nonce and ath must be strings")
    return claims


@lru_cache(maxsize=1024)
def _jwk(public: SigningPublic) -> dict[str, str]:
    members = ECKey.import_key(public.to_pem()).as_dict(private=False)
    return {name: str(members[name]) for name in sorted(_JWK_MEMBERS)}


def _digest(access_token: str) -> str:
    return to_base64url(hashlib.sha256(access_token.encode("utf-8")).digest())
