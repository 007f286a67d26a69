"""A key of a log or a witness as one line of text: the *vkey* of C2SP signed-note.

    key = VerifierKey.from_text("quasimodo.example/salvatore+3678284b+ATYL...")
    key.name, key.algorithm       # ('quasimodo.example/salvatore', 1)

The text is name, key id and key, joined by ``+``. The key id is a short digest of the rest:
it finds typing errors and tells keys apart, and authenticates nothing. An algorithm that
is not known here is still a key; ``verifiers`` says which ones can be used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from strongroom._encoding import from_base64, from_hex, to_base64, to_hex
from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError

KEY_ID_BYTES: Final = 4
_SPACE: Final = re.compile(r"\s")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
MAX_NAME_BYTES: Final = 255
"""What an ML-DSA-44 cosignature has room for (C2SP tlog-cosignature)."""


class Algorithm(IntEnum):
    """The signature types of C2SP signed-note that are used here."""

    ED25519 = 0x01
    """Ed25519 over the text of a note."""
    ED25519_COSIGNATURE = 0x04
    """Ed25519 over a time and the text of a checkpoint."""
    ML_DSA_44_COSIGNATURE = 0x06
    """ML-DSA-44 over the cosigner's name, a time, and the first three lines of a checkpoint."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name, an algorithm, and a public key."""

    name: str
    algorithm: int
    """One byte; not necessarily of ``Algorithm``."""
    public: bytes

    def __post_init__(self) -> None:
        verify_key_name(self.name)
        if not 0 <= self.algorithm <= 0xFF or not self.public:
            raise FormatError("a verifier key has no algorithm byte, or no key", code="log-key-text")

    @classmethod
    def from_text(cls, text: str) -> VerifierKey:
        """Read a vkey.

        Raises:
            FormatError: code ``log-key-text``: not exactly the form that ``to_text`` writes.
        """
        pieces = text.split("+", 2)
        if len(text) > LIMITS.max_key_file_bytes or len(pieces) != 3:
            raise FormatError("a verifier key is not name, key id and key", code="log-key-text")
        name, key_id, encoded = pieces
        raw = from_base64(encoded)
        if not raw:
            raise FormatError("a verifier key has no algorithm byte, or no key", code="log-key-text")
        key = cls(name, raw[0], raw[1:])
        if key.key_id != from_hex(key_id, size=KEY_ID_BYTES):
            raise FormatError("the key id of a verifier key is not of its key", code="log-key-text")
        return key

    def to_text(self) -> str:
        """Return the vkey."""
        return f"{self.name}+{to_hex(self.key_id)}+{to_base64(bytes([self.algorithm]) + self.public)}"

    @property
    def key_id(self) -> bytes:
        """The key id, 4 bytes; with the name it tells a signature's key."""
        label = f"{self.name}\n".encode() + bytes([self.algorithm])
        return sha256(label + self.public)[:KEY_ID_BYTES]


def verify_key_name(name: str) -> None:
    """Check that a key may be called so.

    Raises:
        FormatError: code ``log-key-name``: empty, too long, a space of any kind, a plus or a
            control character.
    """
    encoded = name.encode("utf-8", "replace")
    if not 1 <= len(encoded) <= MAX_NAME_BYTES:
        raise FormatError(f"a key name has not 1 to {MAX_NAME_BYTES} bytes", code="log-key-name")
    # A space ends the name in a signature line, a plus in a vkey.
    if "+" in name or has_control(name) or _SPACE.search(name):
        raise FormatError("a key name has a space, a plus or a control character", code="log-key-name")


def has_control(text: str) -> bool:
    """Tell whether a text has a control character, or a surrogate, which has no UTF-8."""
    return _CONTROL.search(text) is not None
