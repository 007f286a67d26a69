"""Ed25519 signatures (RFC 8032): for the log only, whose notes strangers' tools read.

    secret = Ed25519Secret.generate()
    signature = secret.sign(message)                  # 64 bytes, the same each time
    secret.public.verify(signature, message)          # raises, returns nothing

C2SP signed notes are Ed25519, so the log is; everything else signs with P-256 (ADR
0004). A public key must be the one encoding of a point that is not of small order:
under a key of small order there are signatures that fit any text, and a point with two
encodings would be one key with two ids. The library refuses an s that is not reduced,
so a signature has one spelling too.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from strongroom.crypto import labels
from strongroom.errors import FormatError, VerificationError

PUBLIC_BYTES: Final = 32
SECRET_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_FIELD: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _FIELD) % _FIELD
_SIGN: Final = 1 << 255
# The y coordinates of the points of order 8; those of order 1, 2 and 4 are 1, -1 and 0.
_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})


class Ed25519Public:
    """The public half of a key: 32 bytes."""

    __slots__ = ("_key", "_raw", "key_id")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_BYTES:
            raise FormatError(f"an Ed25519 public key has {PUBLIC_BYTES} bytes, not {len(raw)}")
        _check_point(raw)
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(raw)
        self._raw = raw
        self.key_id: Final = hashlib.sha256(labels.bind(labels.KEY_ID, raw)).hexdigest()[:32]
        """The key's name: 32 hexadecimal digits of a labelled SHA-256 of its bytes."""

    @classmethod
    def from_bytes(cls, raw: bytes) -> Ed25519Public:
        """Decode a point.

        Raises:
            FormatError: another size, not on the curve, a second encoding, or of small order.
        """
        return cls(raw)

    def to_bytes(self) -> bytes:
        """Return the 32 bytes."""
        return self._raw

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a 64-byte signature.

        Raises:
            VerificationError: wrong key, wrong message, or not the canonical spelling.
        """
        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            raise VerificationError(
                "a signature does not match its key and text", code="signature"
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ed25519Public) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"Ed25519Public(key_id={self.key_id!r})"


class Ed25519Secret:
    """The secret half of a key, kept as its 32-byte seed. Its repr shows nothing."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_BYTES:
            raise FormatError(f"an Ed25519 secret has {SECRET_BYTES} bytes")
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.public = Ed25519Public(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Ed25519Secret:
        """Make a fresh key."""
        return cls(ed25519.Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_bytes(cls, seed: bytes) -> Ed25519Secret:
        """Decode a 32-byte seed.

        Raises:
            FormatError: another size.
        """
        return cls(seed)

    def to_bytes(self) -> bytes:
        """Return the 32-byte seed."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign a message; returns 64 bytes."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return "Ed25519Secret(...)"


def _check_point(raw: bytes) -> None:
    # RFC 8032 section 5.1.3. Public keys are public: nothing here needs constant time.
    number = int.from_bytes(raw, "little")
    y = number & ~_SIGN
    if y >= _FIELD:
        raise FormatError("an Ed25519 public key is not in canonical form")
    if y in _SMALL_ORDER:
        raise FormatError("an Ed25519 public key is of small order", code="small-order")
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _FIELD) % _FIELD
    # Euler's criterion. x is never 0 here (those points have small order), so that both
    # signs are keys of their own.
    if pow(square, (_FIELD - 1) // 2, _FIELD) != 1:
        raise FormatError("not a point on the curve of Ed25519")
