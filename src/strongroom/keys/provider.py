"""Where content keys rest: the seam between the owner's vault and its key-encryption key.

    provider = SoftwareKeyProvider(key_encryption_key)
    blob = provider.wrap(content_key, aad=b"package id")
    content_key = provider.unwrap(blob, aad=b"package id")

Two methods, so that a PKCS#11 token or a cloud service can stand behind it. The
key-encryption key never leaves the provider (spec/keys.md, "Keys at rest").
"""

from __future__ import annotations

from typing import Protocol

from strongroom.crypto import labels, segment
from strongroom.errors import FormatError, IntegrityError, UsageError


class KeyProvider(Protocol):
    """Wraps 32-byte keys under a key-encryption key that it holds."""

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key; ``aad`` says what it is the key of.

        Raises:
            StorageUnavailable: the provider does not answer.
        """
        ...

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what ``wrap`` returned, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose.
            StorageUnavailable: the provider does not answer.
        """
        ...


class SoftwareKeyProvider:
    """A key-encryption key in memory. Its repr shows nothing."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != segment.KEY_BYTES:
            raise FormatError(f"a key-encryption key has {segment.KEY_BYTES} bytes")
        self._key = key

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key; ``aad`` says what it is the key of.

        Raises:
            UsageError: the key has another size.
        """
        if len(key) != segment.KEY_BYTES:
            raise UsageError(f"a key to wrap has {segment.KEY_BYTES} bytes", code="key-size")
        blob = bytearray(segment.encrypted_size(segment.KEY_BYTES))
        segment.encrypt_into(self._key, _context(aad), key, blob)
        return bytes(blob)

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what ``wrap`` returned, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose.
        """
        key = bytearray(segment.KEY_BYTES)
        try:
            segment.decrypt_into(self._key, _context(aad), blob, key)
        except IntegrityError as error:
            raise IntegrityError(
                "a key at rest does not open with this key-encryption key", code="wrapped-key"
            ) from error
        return bytes(key)

    def __repr__(self) -> str:
        return "SoftwareKeyProvider(...)"


def _context(aad: bytes) -> bytes:
    return labels.bind(labels.KEY_ENCRYPTION, aad)
