"""The file that holds the owner's key-encryption key (spec/keys.md, "Content keys at rest").

    # strongroom key-encryption key, created 2026-11-24T03:00:00Z
    strongroom-key-encryption-secret.q3Zx...

    data = to_bytes(key, passphrase=None, created_at=now)
    key = from_bytes(data, passphrase=ask)

Under a pass-phrase the last line is ``strongroom-encrypted-key.key-encryption.AQz8...``.
The form is that of every other key file without a public line: the key is symmetric,
belongs to no other party and never leaves the owner.
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
    rb"(strongroom-[a-z-]+(?:\.key-encryption)?)\.([a-zA-Z0-9_-]+)\n"
)


def to_bytes(key: bytes, *, passphrase: str | None, created_at: datetime) -> bytes:
    """Write a key file; under a pass-phrase if one is given.

    Raises:
        FormatError: the instant has no time zone.
        UsageError: the pass-phrase is empty or no valid Unicode.
    """
    line = f"{_CLEAR}.{to_base64url(key + _checksum(key))}"
    if passphrase is not None:
        blob = passphrases.wrap(line.encode("ascii"), passphrase, label=_LABEL)
        line = f"{_ENCRYPTED}.{to_base64url(blob)}"
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
    if prefix == _ENCRYPTED:
        secret = passphrases.unwrap(from_base64url(encoded), passphrase(), label=_LABEL)
        prefix, _, encoded = secret.decode("latin-1").partition(".")
    if prefix != _CLEAR:
        raise FormatError("a file holds no key-encryption key", code="wrong-kind")
    raw = from_base64url(encoded)
    key = raw[:KEY_BYTES]
    if len(raw) != KEY_BYTES + _CHECKSUM_BYTES or raw[KEY_BYTES:] != _checksum(key):
        raise FormatError("the text of a key-encryption key fails its checksum", code="key-checksum")
    return key


def _checksum(key: bytes) -> bytes:
    return digest.sha256(labels.bind(labels.KEY_TEXT, _CLEAR.encode("ascii"), key))[:_CHECKSUM_BYTES]
