"""Keys with their kind: what a key is for goes wherever the key goes.

    device = SigningKey.generate(KeyKind.DEVICE)
    sealing = SealingKey.generate()
    device.public_text                      # 'strongroom-device-public.AqL0s...'
    signing_public_from_text(device.public_text, KeyKind.DEVICE).verify(signature, message)

A function that needs an organization's key checks the kind and refuses a device's. The two
kinds that are neither P-256 nor X-Wing are in ``log_key`` and ``witness_key``.
The ``repr`` of a key shows its public name only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from strongroom.crypto.ed25519 import Ed25519Public
from strongroom.crypto.hpke import SealingPublic, SealingSecret
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import UsageError
from strongroom.keys.log_key import LogKey, log_public_from_text
from strongroom.keys.text import (
    KeyKind,
    public_from_text,
    public_to_text,
    secret_from_text,
    secret_to_text,
)
from strongroom.keys.witness_key import WitnessKey


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
            UsageError: keys of this kind are not P-256 keys.
        """
        _verify_signing_kind(kind)
        return cls(kind, SigningSecret.generate())

    @classmethod
    def from_text(cls, text: str, kind: KeyKind) -> SigningKey:
        """Read a secret key text of the expected kind.

        Raises:
            FormatError: another kind, a typing error, or no such key.
            UsageError: keys of this kind are not P-256 keys.
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


RolePublic = SigningPublic | Ed25519Public
"""What an owner document lists: the role ``log`` has Ed25519 keys."""

KeyPair = SigningKey | SealingKey | LogKey | WitnessKey


def generate(kind: KeyKind) -> KeyPair:
    """Make a fresh key of any kind."""
    match kind:
        case KeyKind.SEALING:
            return SealingKey.generate()
        case KeyKind.OWNER_LOG:
            return LogKey.generate()
        case KeyKind.WITNESS:
            return WitnessKey.generate()
        case _:
            return SigningKey.generate(kind)


def from_secret_text(text: str, kind: KeyKind) -> KeyPair:
    """Read a secret key text of the expected kind, whichever it is.

    Raises:
        FormatError: another kind, a typing error, or no such key.
    """
    match kind:
        case KeyKind.SEALING:
            return SealingKey.from_text(text)
        case KeyKind.OWNER_LOG:
            return LogKey.from_text(text)
        case KeyKind.WITNESS:
            return WitnessKey.from_text(text)
        case _:
            return SigningKey.from_text(text, kind)


# A broker reads the keys of its owner and of the same machines again and again.
@lru_cache(maxsize=4096)
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


def role_public_from_text(text: str, kind: KeyKind) -> RolePublic:
    """Read a public key of an owner's root or role.

    Raises:
        FormatError: another kind, a typing error, or no such key.
    """
    return log_public_from_text(text) if kind is KeyKind.OWNER_LOG else signing_public_from_text(text, kind)


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
        raise UsageError("a log key signs checkpoints, by Ed25519", code="wrong-kind")
    if kind is KeyKind.WITNESS:
        raise UsageError("a witness key signs checkpoints, by ML-DSA-44", code="wrong-kind")
