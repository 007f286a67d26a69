from __future__ import annotations

import pytest

from strongroom.errors import FormatError
from strongroom.kms.key_ring import KeyRing
from strongroom.kms.software import SoftwareKeyProvider

KEY = bytes(range(32))


def test_a_key_encryption_key_has_32_bytes() -> None:
    with pytest.raises(FormatError):
        SoftwareKeyProvider(bytes(31))


def test_the_repr_shows_nothing() -> None:
    provider = SoftwareKeyProvider(KEY)
    assert repr(provider) == "SoftwareKeyProvider(...)"
    assert repr(KeyRing(provider, [provider])) == "KeyRing(... 2 keys)"


def test_the_name_and_the_wrapping_are_pinned() -> None:
    provider = SoftwareKeyProvider(KEY)
    assert provider.key_id == "kek-5pmtj5mwnh3a66gugfdxmt4t"
    assert len(provider.wrap(KEY, b"")) == 104
