"""A key-encryption key in memory (spec/keys.md, "Content keys at rest").

    provider = SoftwareKeyProvider(key_encryption_key)
    blob = provider.wrap(content_key, aad=b"content-key/...")

Whoever can read this process or the file that the key came from has the key. An owner
who wants more than that takes a token (``kms.pkcs11``).
"""

from __future__ import annotations

from strongroom.crypto import segment
from strongroom.errors import FormatError, IntegrityError
from strongroom.kms.interface import KEY_BYTES, context, name_key, verify_size


class SoftwareKeyProvider:
    """A key-encryption key in memory. Its repr shows nothing."""

    __slots__ = ("_key", "_key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise FormatError(f"a key-encryption key has {KEY_BYTES} bytes")
        self._key = key
        self._key_id = name_key(b"software", key)

    @property
    def key_id(self) -> str:
        """Return the name of the key-encryption key: a digest of 32 random bytes gives nothing away."""
        return self._key_id

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key; ``aad`` says what it is the key of.

        Raises:
            UsageError: the key has another size (code ``key-size``).
        """
        verify_size(key)
        blob = bytearray(segment.encrypted_size(KEY_BYTES))
        segment.encrypt_into(self._key, context(aad), key, blob)
        return bytes(blob)

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what ``wrap`` returned, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose (code
                ``wrapped-key``).
        """
        key = bytearray(KEY_BYTES)
        try:
            segment.decrypt_into(self._key, context(aad), blob, key)
        except IntegrityError as error:
            raise IntegrityError(
                "a key at rest does not open with this key-encryption key", code="wrapped-key"
            ) from error
        return bytes(key)

    def __repr__(self) -> str:
        return "SoftwareKeyProvider(...)"
