"""What wraps and unwraps content keys: two methods and a name (spec/keys.md, "Content keys at rest").

    blob = provider.wrap(content_key, aad=b"content-key/...")
    provider.key_id                                       # 'kek-q3sd...', stands beside the blob
    content_key = provider.unwrap(blob, aad=b"content-key/...")

The key-encryption key never leaves the provider: a file, a hardware token or a cloud
service can stand behind it.
"""

from __future__ import annotations

from typing import Final, Protocol

from strongroom._encoding import to_base32
from strongroom.crypto import digest, labels, segment
from strongroom.errors import UsageError

KEY_BYTES: Final = segment.KEY_BYTES
"""Size of a content key and of a key-encryption key."""

_ID_BYTES: Final = 15


class KeyProvider(Protocol):
    """Wraps 32-byte keys under one key-encryption key that it holds. Safe to share between threads."""

    @property
    def key_id(self) -> str:
        """Return the name of the key-encryption key; it tells nothing about it.

        Raises:
            NoMatchingKey: the provider refuses to be used, or has no such key.
            StorageUnavailable: the provider does not answer.
        """
        ...

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key; ``aad`` says what it is the key of.

        Raises:
            UsageError: the key has another size (code ``key-size``).
            NoMatchingKey: the provider refuses to be used, or has no such key.
            StorageUnavailable: the provider does not answer.
        """
        ...

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what ``wrap`` returned, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose (code
                ``wrapped-key``).
            NoMatchingKey: the provider refuses to be used, or has no such key.
            StorageUnavailable: the provider does not answer.
        """
        ...


def name_key(technology: bytes, what: bytes) -> str:
    """Return the id of the key-encryption key that ``what`` determines within its technology."""
    name = digest.sha256(labels.bind(labels.KEY_ENCRYPTION_ID, technology, what))[:_ID_BYTES]
    return f"kek-{to_base32(name)}"


def verify_size(key: bytes) -> None:
    """Check that a key to wrap has the one size there is.

    Raises:
        UsageError: it has not (code ``key-size``).
    """
    if len(key) != KEY_BYTES:
        raise UsageError(f"a key to wrap has {KEY_BYTES} bytes", code="key-size")


def context(aad: bytes) -> bytes:
    """Return the associated data under which a key with this purpose is wrapped."""
    return labels.bind(labels.KEY_ENCRYPTION, aad)
