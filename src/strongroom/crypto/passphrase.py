"""Wrapping a secret under a pass-phrase: Argon2id, then Cobblestone-256.

    blob = wrap(secret, "correct horse battery staple", label=b"key-file")
    secret = unwrap(blob, "correct horse battery staple", label=b"key-file")

Argon2id runs with the second recommended profile of RFC 9106 section 4 (3 passes,
64 MiB, 4 lanes). The profile is a version byte and not a set of parameters: a
hostile file cannot ask for a terabyte of memory. Cobblestone commits to its key,
so one blob cannot open under two pass-phrases.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.crypto import labels, segment
from strongroom.errors import FormatError, IntegrityError, NoMatchingKey, UsageError

_PROFILE_1: Final = 1
_SALT_BYTES: Final = 16
_HEAD_BYTES: Final = 1 + _SALT_BYTES


def wrap(secret: bytes, passphrase: str, *, label: bytes) -> bytes:
    """Encrypt a secret under a pass-phrase; ``label`` says for what use.

    The result is ``01 || salt (16) || Cobblestone-256 message``.

    Raises:
        UsageError: the pass-phrase is not valid Unicode.
    """
    head = bytes([_PROFILE_1]) + secrets.token_bytes(_SALT_BYTES)
    message = bytearray(segment.encrypted_size(len(secret)))
    segment.encrypt_into(_derive(passphrase, head), _context(head, label), secret, message)
    return head + bytes(message)


def unwrap(blob: bytes, passphrase: str, *, label: bytes) -> bytes:
    """Decrypt what ``wrap`` made.

    Raises:
        FormatError: too short, or an unknown profile.
        NoMatchingKey: wrong pass-phrase, other label, or altered: they look alike.
        UsageError: the pass-phrase is not valid Unicode.
    """
    # Secrets are short; a message of one chunk also bounds the work.
    size = len(blob) - _HEAD_BYTES - segment.encrypted_size(0)
    if not 0 <= size < 16_384:
        raise FormatError("a pass-phrase blob has an impossible size")
    if blob[0] != _PROFILE_1:
        raise FormatError("a pass-phrase blob of an unknown profile")
    head, message = blob[:_HEAD_BYTES], blob[_HEAD_BYTES:]
    secret = bytearray(size)
    try:
        segment.decrypt_into(_derive(passphrase, head), _context(head, label), message, secret)
    except IntegrityError as error:
        raise NoMatchingKey("the pass-phrase does not open this", code="passphrase-wrong") from error
    return bytes(secret)


def _derive(passphrase: str, head: bytes) -> bytes:
    kdf = Argon2id(salt=head[1:], length=segment.KEY_BYTES, iterations=3, lanes=4, memory_cost=64 << 10)
    return kdf.derive(_encode(passphrase))


def _encode(passphrase: str) -> bytes:
    # Two keyboards give "é" in two ways (RFC 8265 section 4.2.2 asks for NFC, too). The
    # error is raised outside of the handler: the other one holds the pass-phrase.
    try:
        encoded: bytes | None = unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError:
        encoded = None
    if encoded is None:
        raise UsageError("a pass-phrase is not valid Unicode", code="passphrase-encoding")
    return encoded


def _context(head: bytes, label: bytes) -> bytes:
    return labels.bind(labels.PASSPHRASE_FILE, head, label)
