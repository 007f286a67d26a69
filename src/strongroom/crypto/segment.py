"""One segment: a C2SP Cobblestone-256 message, made and opened in the caller's buffers.

    context = bind(SEGMENT_CONTEXT, package_id, b"payload", (7).to_bytes(8, "big"))
    encrypted = bytearray(encrypted_size(len(plain)))
    encrypt_into(key, context, plain, encrypted)
    decrypt_into(key, context, encrypted, out)      # out: len(plain) bytes

The cipher is AES-256-GCM in chunks of 16 KiB under a key derived from a random
salt; the message commits to its key and its context, so no second key or place
opens it (C2SP chunked-encryption). Both calls release the interpreter lock.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from strongroom.crypto.digest import Buffer
from strongroom.errors import IntegrityError

KEY_BYTES: Final = 32
_CHUNK_BYTES: Final = 16_384
_TAG_BYTES: Final = 16
# A 24-byte salt, a 32-byte commitment, and the tag of the last, always partial, chunk.
_FIXED_BYTES: Final = 72


def generate_key() -> bytes:
    """Return a fresh random 32-byte key."""
    return secrets.token_bytes(KEY_BYTES)


def encrypted_size(plain_bytes: int) -> int:
    """Return the size in bytes of a message that holds ``plain_bytes`` of plaintext."""
    return plain_bytes + _FIXED_BYTES + _TAG_BYTES * (plain_bytes // _CHUNK_BYTES)


def encrypt_into(key: bytes, context: bytes, plain: Buffer, out: bytearray | memoryview) -> None:
    """Encrypt ``plain`` into ``out``, which must have exactly ``encrypted_size(len(plain))`` bytes.

    Raises:
        ValueError: the buffer or the key has another size (a bug of the caller).
    """
    if len(out) != encrypted_size(len(plain)):
        raise ValueError("the output buffer does not fit the message")
    encryptor = Cobblestone256Encryptor(key, context)
    written = encryptor.update_into(plain, out)
    last = encryptor.finalize()
    out[written:] = last


def decrypt_into(key: bytes, context: bytes, encrypted: Buffer, out: bytearray | memoryview) -> None:
    """Decrypt a whole message into ``out``, which must have exactly the size of the plaintext.

    On failure ``out`` is zeroed: it may hold plaintext of chunks that did pass.

    Raises:
        IntegrityError: altered, truncated, other key, other context, or other size.
    """
    if len(encrypted) != encrypted_size(len(out)):
        raise IntegrityError("an encrypted segment has the wrong size", code="segment-size")
    decryptor = Cobblestone256Decryptor(key, context)
    try:
        written = decryptor.update_into(encrypted, out)
        last = decryptor.finalize()
        out[written:] = last
    except (InvalidTag, ValueError) as error:
        out[:] = bytes(len(out))
        raise IntegrityError("an encrypted segment fails authentication", code="segment-tag") from error
