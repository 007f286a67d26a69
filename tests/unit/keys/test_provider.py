from __future__ import annotations

import secrets

import pytest

from strongroom.errors import FormatError, IntegrityError, UsageError
from strongroom.keys.provider import KeyProvider, SoftwareKeyProvider

KEY = secrets.token_bytes(32)


def provider() -> KeyProvider:
    return SoftwareKeyProvider(bytes(range(32)))


def test_a_wrapped_key_unwraps() -> None:
    blob = provider().wrap(KEY, b"package")
    assert provider().unwrap(blob, b"package") == KEY
    assert KEY not in blob


def test_wrapping_twice_gives_two_blobs() -> None:
    assert provider().wrap(KEY, b"package") != provider().wrap(KEY, b"package")


def test_a_blob_opens_only_with_its_key_and_purpose() -> None:
    blob = provider().wrap(KEY, b"package")
    for broken in (blob[:-1], blob + b"\0", bytes([blob[0] ^ 1]) + blob[1:], b""):
        with pytest.raises(IntegrityError) as caught:
            provider().unwrap(broken, b"package")
        assert caught.value.code == "wrapped-key"
    with pytest.raises(IntegrityError):
        provider().unwrap(blob, b"other package")
    with pytest.raises(IntegrityError):
        SoftwareKeyProvider(bytes(32)).unwrap(blob, b"package")


def test_keys_have_32_bytes() -> None:
    with pytest.raises(FormatError):
        SoftwareKeyProvider(bytes(31))
    with pytest.raises(UsageError):
        provider().wrap(bytes(31), b"package")


def test_the_repr_shows_nothing() -> None:
    assert repr(provider()) == "SoftwareKeyProvider(...)"
