"""The key-encryption key in force, and those before it (spec/keys.md, "Content keys at rest").

    ring = KeyRing(new, [old])
    ring.wrap(content_key, aad)            # always under the new one
    ring.unwrap(blob, aad)                 # under whichever it is
    ring.provider("kek-q3sd...").unwrap(blob, aad)

A ring is itself a provider. While keys are being wrapped anew, some rest under the old
key and some under the new one; who reads through a ring does not notice.
"""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.errors import IntegrityError, NoMatchingKey
from strongroom.kms.interface import KeyProvider


class KeyRing:
    """Several key-encryption keys; the first is in force."""

    __slots__ = ("_earlier", "_newest")

    def __init__(self, newest: KeyProvider, earlier: Iterable[KeyProvider] = ()) -> None:
        self._newest = newest
        self._earlier = tuple(earlier)

    @property
    def key_id(self) -> str:
        """Return the name of the key in force.

        Raises:
            NoMatchingKey: its provider refuses to be used, or has no such key.
            StorageUnavailable: its provider does not answer.
        """
        return self._newest.key_id

    def provider(self, key_id: str) -> KeyProvider:
        """Return the provider of one key of the ring.

        Raises:
            NoMatchingKey: the ring has no such key (code ``no-key-encryption-key``).
            StorageUnavailable: a provider does not answer.
        """
        for provider in self._all():
            if provider.key_id == key_id:
                return provider
        raise NoMatchingKey(
            f"a content key rests under {key_id}, which is not at hand",
            code="no-key-encryption-key",
            hint="put that key-encryption key back where it was: its file, or its token",
        )

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key under the key in force.

        Raises:
            UsageError: the key has another size (code ``key-size``).
            NoMatchingKey: the provider refuses to be used, or has no such key.
            StorageUnavailable: the provider does not answer.
        """
        return self._newest.wrap(key, aad)

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what some key of the ring wrapped, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose (code
                ``wrapped-key``).
            NoMatchingKey: a provider refuses to be used, or has no such key.
            StorageUnavailable: a provider does not answer.
        """
        try:
            return self._newest.unwrap(blob, aad)
        except IntegrityError as error:
            refused = error
        for provider in self._earlier:
            try:
                return provider.unwrap(blob, aad)
            except IntegrityError:
                continue
        raise refused

    def _all(self) -> tuple[KeyProvider, ...]:
        return (self._newest, *self._earlier)

    def __repr__(self) -> str:
        return f"KeyRing(... {1 + len(self._earlier)} keys)"
