"""Compact JWS (RFC 7515) with ES256, one ``typ`` per kind of document.

    token = sign("strongroom-license+jws", payload, secret)
    payload = verify(token, "strongroom-license+jws", [public])

The header is fixed to ``{"alg":"ES256","kid":...,"typ":...}`` in canonical JSON,
the payload is whatever bytes the caller gives, and the signature has the lower s.
A token therefore has one spelling. No header ever chooses an algorithm or brings
a key: ``verify`` takes the candidate keys and compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from strongroom._encoding import canonical_json, from_base64url, parse_canonical_json, to_base64url
from strongroom._limits import LIMITS
from strongroom.crypto.signature import SIGNATURE_BYTES, SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError

_ALGORITHM = "ES256"
_MAX_HEADER_BYTES = 4096
_MAX_LIBRARY_KEYS = 1024


class _Registry(joserfc_jws.JWSRegistry):
    # The library's own limits are lower than ours: a token that we sign must verify.
    max_header_length = _MAX_HEADER_BYTES * 4 // 3 + 4
    max_payload_length = LIMITS.max_token_bytes


_REGISTRY: Final = _Registry(algorithms=[_ALGORITHM])


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token claims. Nothing here has been checked against any key."""

    typ: str
    key_id: str
    payload: bytes
    signature: bytes
    signing_input: bytes


def sign(typ: str, payload: bytes, secret: SigningSecret) -> str:
    """Sign a payload as a document of the given kind; returns the compact token.

    Raises:
        FormatError: the token would be larger than any reader accepts.
    """
    signing_input = f"{_header(typ, secret.public.key_id)}.{to_base64url(payload)}"
    # Signed by our own key object, not by joserfc: it gives the lower s.
    token = f"{signing_input}.{to_base64url(secret.sign(signing_input.encode('ascii')))}"
    _check_size(token)
    return token


@lru_cache(maxsize=256)
def _header(typ: str, key_id: str) -> str:
    # A runtime that gives receipts signs one kind of document with one key, thousands of times.
    return to_base64url(canonical_json({"alg": _ALGORITHM, "kid": key_id, "typ": typ}))


def read_unverified(token: str) -> UnverifiedToken:
    """Take a token apart without checking its signature.

    Raises:
        FormatError: not a compact JWS with exactly our header.
    """
    _check_size(token)
    parts = token.split(".")
    if len(parts) != 3:
        raise FormatError("not a compact JWS: it has not three parts")
    raw_header, payload, signature = (from_base64url(part) for part in parts)
    header = parse_canonical_json(raw_header, max_bytes=_MAX_HEADER_BYTES)
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"} or header["alg"] != _ALGORITHM:
        raise FormatError("a token's header must be alg ES256, kid and typ, nothing else")
    if not isinstance(header["typ"], str) or not isinstance(header["kid"], str):
        raise FormatError("a token's kid and typ must be strings")
    if len(signature) != SIGNATURE_BYTES:
        raise FormatError("a token's signature must have 64 bytes")
    return UnverifiedToken(
        typ=header["typ"],
        key_id=header["kid"],
        payload=payload,
        signature=signature,
        signing_input=token[: token.rindex(".")].encode("ascii"),
    )


def verify(token: str, typ: str, keys: Iterable[SigningPublic]) -> bytes:
    """Check a token against the keys that may sign this kind; returns its payload.

    Raises:
        FormatError: not a token, or a token of another kind.
        VerificationError: signed by none of the keys, or altered.
    """
    unverified = read_unverified(token)
    if unverified.typ != typ:
        raise FormatError(f"expected a document of kind {typ}, got one of another kind", code="wrong-kind")
    for key in keys:
        if key.key_id == unverified.key_id:
            key.verify(unverified.signature, unverified.signing_input)
            _verify_with_library(token, key)
            return unverified.payload
    raise VerificationError("a document is signed by a key that may not sign it", code="wrong-signer")


def _verify_with_library(token: str, key: SigningPublic) -> None:
    # A second opinion from an implementation that is not ours: the two must agree
    # on what a JWS is, or a document means something else to other tools.
    try:
        joserfc_jws.deserialize_compact(token, _library_key(key), registry=_REGISTRY)
    except JoseError as error:
        raise VerificationError("a signature does not match its key and text", code="signature") from error


@lru_cache(maxsize=_MAX_LIBRARY_KEYS)
def _library_key(key: SigningPublic) -> ECKey:
    # Reading a key takes longer than checking a signature with it, and a broker hears from
    # the same runtimes again and again.
    return ECKey.import_key(key.to_pem())


def _check_size(token: str) -> None:
    if len(token) > LIMITS.max_token_bytes:
        raise FormatError(f"a token is larger than {LIMITS.max_token_bytes} bytes")
