"""Fuzz DSSE envelopes: any bytes are an envelope in one spelling, or refused; no forged one verifies."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.crypto.dsse import Envelope, sign
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import FormatError, VerificationError

_SECRET = SigningSecret.from_bytes(bytes(31) + b"\x07")
_OTHER = SigningSecret.from_bytes(bytes(31) + b"\x08")
_TYPE = "application/vnd.in-toto+json"
_PAYLOAD = b'{"_type":"fuzz"}'


def fuzz(data: bytes) -> None:
    """Parse, write back, verify."""
    try:
        envelope = Envelope.from_bytes(data)
    except FormatError:
        return
    assert envelope.to_bytes() == data
    try:
        payload = envelope.verify(_TYPE, [_SECRET.public])
    except (FormatError, VerificationError):
        return
    assert payload == _PAYLOAD, "a forged envelope verifies"


def seeds() -> Iterable[bytes]:
    """Envelopes with one and with two signatures, and one of another type."""
    yield sign(_PAYLOAD, _TYPE, [_SECRET]).to_bytes()
    yield sign(_PAYLOAD, _TYPE, [_SECRET, _OTHER]).to_bytes()
    yield sign(_PAYLOAD, "text/plain", [_OTHER]).to_bytes()
