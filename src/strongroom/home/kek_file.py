"""The file that holds the owner's key-encryption key, in the clear or under a pass-phrase.

    # strongroom key-encryption key, created 2026-11-24T03:00:00Z
    strongroom-key-encryption-secret.q3Zx...

    data = to_bytes(key, passphrase=None, created_at=now)
    key = from_bytes(data, passphrase=None)

Under a pass-phrase the last line is ``strongroom-encrypted-key.key-encryption.AQz8...``.
The form is that of every other key file (spec/keys.md, "Key file") without a public
line: the key is symmetric and belongs to no other party. It never leaves the owner.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from strongroom._encoding import from_base64url, from_instant, to_base64url, to_instant
from strongroom.crypto import digest, labels
from strongroom.crypto import passphrase as passphrases
from strongroom.crypto.segment import KEY_BYTES
from strongroom.errors import FormatError

_CLEAR: Final = "strongroom-key-encryption-secret"
_ENCRYPTED: Final = "strongroom-encrypted-key.key-encryption"
_LABEL: Final = b"key-file/key-encryption"
_CHECKSUM_BYTES: Final = 4
_FILE: Final = re.compile(
    rb"# strongroom key-encryption key, created ([0-9TZ:-]+)\n"
    rb"(" + re.escape(_CLEAR).encode() + rb"|" + re.escape(_ENCRYPTED).encode() + rb")"
    rb"\.([a-zA-Z0-9_-]+)\n"
)


def to_bytes(key: bytes, *, passphrase: str | None, created_at: datetime) -> bytes:
    """Write a key file; under a pass-phrase if one is given.

    Raises:
        FormatError: the instant has no time zone.
    """
    secret = key + _checksum(key)
    if passphrase is None:
        line = f"{_CLEAR}.{to_base64url(secret)}"
    else:
        line = f"{_ENCRYPTED}.{to_base64url(passphrases.wrap(secret, passphrase, label=_LABEL))}"
    return f"# strongroom key-encryption key, created {to_instant(created_at)}\n{line}\n".encode("ascii")


def from_bytes(data: bytes, *, passphrase: Callable[[], str]) -> bytes:
    """Read a key file; ``passphrase`` is called only if the key is under one.

    Raises:
        FormatError: not exactly the form that ``to_bytes`` writes.
        NoMatchingKey: a wrong pass-phrase, or whatever ``passphrase`` raises for want of one.
    """
    match = _FILE.fullmatch(data)
    if match is None:
        raise FormatError("not the file of a key-encryption key")
    created_at, prefix, encoded = (part.decode("ascii") for part in match.groups())
    from_instant(created_at)
    secret = from_base64url(encoded)
    if prefix == _ENCRYPTED:
        secret = passphrases.unwrap(secret, passphrase(), label=_LABEL)
    key = secret[:KEY_BYTES]
    if len(secret) != KEY_BYTES + _CHECKSUM_BYTES or secret[KEY_BYTES:] != _checksum(key):
        raise FormatError("the text of a key-encryption key fails its checksum", code="key-checksum")
    return key


def _checksum(key: bytes) -> bytes:
    return digest.sha256(labels.bind(labels.KEY_TEXT, _CLEAR.encode("ascii"), key))[:_CHECKSUM_BYTES]
