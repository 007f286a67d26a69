"""Fuzz compact tokens: any text is taken apart or refused, and only what the key signed verifies."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom._encoding import to_base64url
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import FormatError, VerificationError

_SECRET = SigningSecret.from_bytes(bytes(31) + b"\x07")
_TYP = "strongroom-fuzz+jws"
_TOKEN = jws.sign(_TYP, b'{"format":"fuzz/v1"}', _SECRET)


def fuzz(data: bytes) -> None:
    """Read and verify the bytes as a token; nothing but the seed's own text may verify."""
    try:
        token = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    try:
        unverified = jws.read_unverified(token)
    except FormatError:
        return
    assert f"{unverified.signing_input.decode('ascii')}.{to_base64url(unverified.signature)}" == token
    try:
        payload = jws.verify(token, _TYP, [_SECRET.public])
    except (FormatError, VerificationError):
        return
    assert payload == unverified.payload
    assert unverified.signing_input.decode("ascii") == _TOKEN.rpartition(".")[0], "a forged token verifies"


def seeds() -> Iterable[bytes]:
    """A good token, one of another kind, and one by another key."""
    yield _TOKEN.encode("ascii")
    yield jws.sign("strongroom-other+jws", b"{}", _SECRET).encode("ascii")
    yield jws.sign(_TYP, b"", SigningSecret.from_bytes(bytes(31) + b"\x08")).encode("ascii")
