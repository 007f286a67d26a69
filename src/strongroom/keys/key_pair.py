"""Keys with their kind: what a signing or sealing key is for goes wherever the key goes.

    device = SigningKey.generate(KeyKind.DEVICE)
    sealing = SealingKey.generate()
    device.public_text                      # 'strongroom-device-public.AqL0s...'
    signing_public_from_text(device.public_text, KeyKind.DEVICE).verify(signature, message)

A function that needs an organization's key checks the kind and refuses a device's.
The ``repr`` of a key shows its public name only.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.hpke import SealingPublic, SealingSecret
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import UnsupportedError, UsageError
from strongroom.keys.text import (
    KeyKind,
    public_from_text,
    public_to_text,
    secret_from_text,
    secret_to_text,
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SigningKey:
    """A P-256 key pair of one kind."""

    kind: KeyKind
    secret: SigningSecret

    def __post_init__(self) -> None:
        _verify_signing_kind(self.kind)

    @classmethod
    def generate(cls, kind: KeyKind) -> SigningKey:
        """Make a fresh key.

        Raises:
            UsageError: keys of this kind do not sign.
            UnsupportedError: keys of this kind are reserved.
        """
        _verify_signing_kind(kind)
        return cls(kind, SigningSecret.generate())

    @classmethod
    def from_text(cls, text: str, kind: KeyKind) -> SigningKey:
        """Read a secret key text of the expected kind.

        Raises:
            FormatError: another kind, a typing error, or no such key.
            UsageError: keys of this kind do not sign.
            UnsupportedError: keys of this kind are reserved.
        """
        _verify_signing_kind(kind)
        return cls(kind, SigningSecret.from_bytes(secret_from_text(text, kind)))

    def to_text(self) -> str:
        """Return the secret key text. Whoever reads it has the key."""
        return secret_to_text(self.kind, self.secret.to_bytes())

    @property
    def public(self) -> SigningPublic:
        """The public half."""
        return self.secret.public

    @property
    def public_text(self) -> str:
        """The public half as text."""
        return public_to_text(self.kind, self.public.to_bytes())

    @property
    def key_id(self) -> str:
        """The key's name in signatures: 32 hexadecimal digits."""
        return self.public.key_id

    def __repr__(self) -> str:
        return f"SigningKey(kind={self.kind.value!r}, key_id={self.key_id!r})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SealingKey:
    """An X-Wing key pair, to which content keys are wrapped."""

    secret: SealingSecret

    @property
    def kind(self) -> KeyKind:
        """Always ``KeyKind.SEALING``."""
        return KeyKind.SEALING

    @classmethod
    def generate(cls) -> SealingKey:
        """Make a fresh key."""
        return cls(SealingSecret.generate())

    @classmethod
    def from_text(cls, text: str) -> SealingKey:
        """Read a secret key text.

        Raises:
            FormatError: another kind, a typing error, or no key text at all.
        """
        return cls(SealingSecret.from_bytes(secret_from_text(text, KeyKind.SEALING)))

    def to_text(self) -> str:
        """Return the secret key text. Whoever reads it has the key."""
        return secret_to_text(KeyKind.SEALING, self.secret.to_bytes())

    @property
    def public(self) -> SealingPublic:
        """The public half."""
        return self.secret.public

    @property
    def public_text(self) -> str:
        """The public half as text."""
        return sealing_public_to_text(self.public)

    def __repr__(self) -> str:
        return "SealingKey(...)"


KeyPair = SigningKey | SealingKey


def generate(kind: KeyKind) -> KeyPair:
    """Make a fresh key of any kind.

    Raises:
        UnsupportedError: keys of this kind are reserved.
    """
    return SealingKey.generate() if kind is KeyKind.SEALING else SigningKey.generate(kind)


def from_secret_text(text: str, kind: KeyKind) -> KeyPair:
    """Read a secret key text of the expected kind, signing or sealing.

    Raises:
        FormatError: another kind, a typing error, or no such key.
        UnsupportedError: keys of this kind are reserved.
    """
    return SealingKey.from_text(text) if kind is KeyKind.SEALING else SigningKey.from_text(text, kind)


def signing_public_from_text(text: str, kind: KeyKind) -> SigningPublic:
    """Read a public signing key of the expected kind.

    Raises:
        FormatError: another kind, a typing error, or no point on the curve.
    """
    return SigningPublic.from_bytes(public_from_text(text, kind))


def signing_public_to_text(public: SigningPublic, kind: KeyKind) -> str:
    """Write a public signing key of the given kind as text.

    Raises:
        FormatError: keys of this kind do not sign.
    """
    return public_to_text(kind, public.to_bytes())


def sealing_public_from_text(text: str) -> SealingPublic:
    """Read a public sealing key.

    Raises:
        FormatError: another kind, a typing error, or no X-Wing key.
    """
    return SealingPublic.from_bytes(public_from_text(text, KeyKind.SEALING))


def sealing_public_to_text(public: SealingPublic) -> str:
    """Write a public sealing key as text."""
    return public_to_text(KeyKind.SEALING, public.to_bytes())


def _verify_signing_kind(kind: KeyKind) -> None:
    if kind is KeyKind.SEALING:
        raise UsageError("a sealing key does not sign", code="wrong-kind")
    if kind is KeyKind.OWNER_LOG:
        raise UnsupportedError("keys for the log role are reserved; none can be made yet", code="log-keys")
