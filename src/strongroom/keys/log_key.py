"""The key of an owner's log: Ed25519, as everybody's log tools read it (spec/keys.md).

    key = LogKey.generate()
    key.public_text                         # 'strongroom-owner-log-public.r0Zk...'
    log_public_from_text(key.public_text)

Every other signing key is P-256 and lies in ``key_pair``. A log key signs checkpoints and no
tokens; under which name it signs for one log is a matter of ``log.verifiers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from strongroom.crypto.ed25519 import Ed25519Public, Ed25519Secret
from strongroom.keys.text import (
    KeyKind,
    public_from_text,
    public_to_text,
    secret_from_text,
    secret_to_text,
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LogKey:
    """An Ed25519 key pair of the role ``log``."""

    secret: Ed25519Secret

    @property
    def kind(self) -> KeyKind:
        """Always ``KeyKind.OWNER_LOG``."""
        return KeyKind.OWNER_LOG

    @classmethod
    def generate(cls) -> LogKey:
        """Make a fresh key."""
        return cls(Ed25519Secret.generate())

    @classmethod
    def from_text(cls, text: str) -> LogKey:
        """Read a secret key text.

        Raises:
            FormatError: another kind, a typing error, or no key text at all.
        """
        return cls(Ed25519Secret.from_bytes(secret_from_text(text, KeyKind.OWNER_LOG)))

    def to_text(self) -> str:
        """Return the secret key text. Whoever reads it has the key."""
        return secret_to_text(KeyKind.OWNER_LOG, self.secret.to_bytes())

    @property
    def public(self) -> Ed25519Public:
        """The public half."""
        return self.secret.public

    @property
    def public_text(self) -> str:
        """The public half as text."""
        return log_public_to_text(self.public)

    @property
    def key_id(self) -> str:
        """The key's name in owner documents: 32 hexadecimal digits."""
        return self.public.key_id

    def __repr__(self) -> str:
        return f"LogKey(key_id={self.key_id!r})"


# Whether a text is a point takes longer to find out than what is signed with it to verify, and an
# owner's keys are read again and again.
@lru_cache(maxsize=256)
def log_public_from_text(text: str) -> Ed25519Public:
    """Read a public log key.

    Raises:
        FormatError: another kind, a typing error, or no key of Ed25519.
    """
    return Ed25519Public.from_bytes(public_from_text(text, KeyKind.OWNER_LOG))


def log_public_to_text(public: Ed25519Public) -> str:
    """Write a public log key as text."""
    return public_to_text(KeyKind.OWNER_LOG, public.to_bytes())
