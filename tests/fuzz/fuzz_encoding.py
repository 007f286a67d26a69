"""Fuzz the strict text encodings: any bytes give a value or a FormatError, and one spelling each."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom import _encoding
from strongroom.errors import FormatError

_TEXT_PAIRS = (
    (_encoding.from_base64, _encoding.to_base64),
    (_encoding.from_base64url, _encoding.to_base64url),
    (_encoding.from_base32, _encoding.to_base32),
    (_encoding.from_hex, _encoding.to_hex),
)


def fuzz(data: bytes) -> None:
    """Decode the bytes in every encoding; each that accepts them must give them back."""
    _canonical_json(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    for decode, encode in _TEXT_PAIRS:
        try:
            value = decode(text)
        except FormatError:
            continue
        assert encode(value) == text
    _instant(text)


def _canonical_json(data: bytes) -> None:
    try:
        value = _encoding.parse_json(data)
    except FormatError:
        return
    spelled = _encoding.canonical_json(value)
    assert _encoding.parse_canonical_json(spelled) == value


def _instant(text: str) -> None:
    try:
        moment = _encoding.from_instant(text)
    except FormatError:
        return
    assert _encoding.to_instant(moment) == text


def seeds() -> Iterable[bytes]:
    """One good text of each encoding."""
    yield b'{"a":[1,true,null,"\xc3\xa9"],"b":{"c":-1}}'
    yield b'{"a":1.5e3}'
    yield b"AAECAw=="
    yield b"AAECAw"
    yield b"aaaqeaya"
    yield b"00010203"
    yield b"2026-11-24T03:00:00Z"
