"""Wrapping a key to a recipient: HPKE (RFC 9180) base mode with X-Wing.

    secret = SealingSecret.generate()
    wrapped = wrap_key(content_key, secret.public, info=context)
    content_key = unwrap_key(wrapped, secret, info=context)

Suite: X-Wing (ML-KEM-768 with X25519, KEM 0x647a), HKDF-SHA256, AES-256-GCM. The
hybrid keeps recorded traffic closed to a later quantum computer. Base mode does
not say who sent a key, so every wrapped key travels inside a signed document, and
``info`` binds what the release depends on.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from strongroom.errors import FormatError, IntegrityError

SECRET_BYTES: Final = 32
"""An X-Wing decapsulation key is a 32-byte seed (draft-connolly-cfrg-xwing-kem section 5.2)."""
PUBLIC_BYTES: Final = 1216
"""1184 bytes of ML-KEM-768 and 32 of X25519."""
_MLKEM_PUBLIC_BYTES: Final = 1184
_OVERHEAD_BYTES: Final = 1120 + 16

_PROBE: Final = x25519.X25519PrivateKey.from_private_bytes(bytes(32))
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealingPublic:
    """The public half of a sealing key: 1216 bytes."""

    __slots__ = ("_key", "_raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_BYTES:
            raise FormatError(f"a sealing public key has {PUBLIC_BYTES} bytes, not {len(raw)}")
        try:
            dh_key = x25519.X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:])
            # A point of small order fails with every secret. Found here, in the parser, it is
            # a malformed key of a stranger and not a crash when something is wrapped to it.
            _PROBE.exchange(dh_key)
            self._key = MLKEM768X25519PublicKey(
                mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES]), dh_key
            )
        except ValueError as error:
            raise FormatError("not an X-Wing public key") from error
        self._raw = raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealingPublic:
        """Decode 1216 bytes.

        Raises:
            FormatError: another size, no valid ML-KEM-768 encoding, or an X25519 point of
                small order.
        """
        return cls(raw)

    def to_bytes(self) -> bytes:
        """Return the 1216 bytes."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SealingPublic) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)


class SealingSecret:
    """The secret half of a sealing key, kept as its 32-byte seed. Its repr shows nothing."""

    __slots__ = ("_key", "_seed", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_BYTES:
            raise FormatError(f"a sealing secret has {SECRET_BYTES} bytes")
        expanded = hashlib.shake_256(seed).digest(96)
        kem_key = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        dh_key = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        self._seed = seed
        self._key = MLKEM768X25519PrivateKey(kem_key, dh_key)
        self.public = SealingPublic(
            kem_key.public_key().public_bytes_raw() + dh_key.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> SealingSecret:
        """Make a fresh key."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def from_bytes(cls, seed: bytes) -> SealingSecret:
        """Decode a 32-byte seed.

        Raises:
            FormatError: another size.
        """
        return cls(seed)

    def to_bytes(self) -> bytes:
        """Return the 32-byte seed."""
        return self._seed

    def __repr__(self) -> str:
        return "SealingSecret(...)"


def wrap_key(key: bytes, recipient: SealingPublic, *, info: bytes) -> bytes:
    """Wrap a 32-byte key to a recipient; ``info`` must be given again to unwrap."""
    return _SUITE.encrypt(key, recipient._key, info=info)


def unwrap_key(wrapped: bytes, secret: SealingSecret, *, info: bytes) -> bytes:
    """Unwrap a 32-byte key.

    Raises:
        IntegrityError: for another recipient, with other ``info``, or altered.
    """
    if len(wrapped) != _OVERHEAD_BYTES + 32:
        raise IntegrityError("a wrapped key has the wrong size", code="wrapped-key")
    try:
        return _SUITE.decrypt(wrapped, secret._key, info=info)
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(
            "a wrapped key does not open with this sealing key and this context", code="wrapped-key"
        ) from error
