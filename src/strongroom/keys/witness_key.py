"""The key by which a party cosigns checkpoints of an owner's log: ML-DSA-44 (spec/keys.md).

    key = WitnessKey.generate()
    MlDsa44Cosigner("org-.../witness", key.secret, now)

What it stated about a log must still hold when there are quantum computers, which break the
log's own signature. It signs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.mldsa import MlDsa44Public, MlDsa44Secret
from strongroom.keys.text import (
    KeyKind,
    public_from_text,
    public_to_text,
    secret_from_text,
    secret_to_text,
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class WitnessKey:
    """An ML-DSA-44 key pair."""

    secret: MlDsa44Secret

    @property
    def kind(self) -> KeyKind:
        """Always ``KeyKind.WITNESS``."""
        return KeyKind.WITNESS

    @classmethod
    def generate(cls) -> WitnessKey:
        """Make a fresh key."""
        return cls(MlDsa44Secret.generate())

    @classmethod
    def from_text(cls, text: str) -> WitnessKey:
        """Read a secret key text.

        Raises:
            FormatError: another kind, a typing error, or no key text at all.
        """
        return cls(MlDsa44Secret.from_bytes(secret_from_text(text, KeyKind.WITNESS)))

    def to_text(self) -> str:
        """Return the secret key text. Whoever reads it has the key."""
        return secret_to_text(KeyKind.WITNESS, self.secret.to_bytes())

    @property
    def public(self) -> MlDsa44Public:
        """The public half."""
        return self.secret.public

    @property
    def public_text(self) -> str:
        """The public half as text."""
        return witness_public_to_text(self.public)

    @property
    def key_id(self) -> str:
        """The key's name: 32 hexadecimal digits."""
        return self.public.key_id

    def __repr__(self) -> str:
        return f"WitnessKey(key_id={self.key_id!r})"


def witness_public_from_text(text: str) -> MlDsa44Public:
    """Read a public witness key.

    Raises:
        FormatError: another kind, a typing error, or no key text at all.
    """
    return MlDsa44Public.from_bytes(public_from_text(text, KeyKind.WITNESS))


def witness_public_to_text(public: MlDsa44Public) -> str:
    """Write a public witness key as text."""
    return public_to_text(KeyKind.WITNESS, public.to_bytes())
