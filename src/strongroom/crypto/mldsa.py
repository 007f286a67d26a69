"""ML-DSA-44 signatures (FIPS 204): for cosignatures of checkpoints, which must outlive a quantum computer.

    secret = MlDsa44Secret.generate()
    signature = secret.sign(message)                  # 2420 bytes, other ones each time
    secret.public.verify(signature, message)          # raises, returns nothing

C2SP tlog-cosignature recommends this set for new witnesses. Signing is hedged and the
context of FIPS 204 is empty, as that document has it.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa

from strongroom.crypto import labels
from strongroom.errors import FormatError, VerificationError

PUBLIC_BYTES: Final = 1312
SECRET_BYTES: Final = 32
"""The seed of FIPS 204, algorithm 1."""
SIGNATURE_BYTES: Final = 2420


class MlDsa44Public:
    """The public half of a key: 1312 bytes. Every string of that length is a key."""

    __slots__ = ("_key", "_raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PUBLIC_BYTES:
            raise FormatError(f"an ML-DSA-44 public key has {PUBLIC_BYTES} bytes, not {len(raw)}")
        self._key = mldsa.MLDSA44PublicKey.from_public_bytes(raw)
        self._raw = raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> MlDsa44Public:
        """Decode 1312 bytes.

        Raises:
            FormatError: another size.
        """
        return cls(raw)

    def to_bytes(self) -> bytes:
        """Return the 1312 bytes."""
        return self._raw

    @property
    def key_id(self) -> str:
        """The key's name: 32 hexadecimal digits of a labelled SHA-256 of its bytes."""
        return hashlib.sha256(labels.bind(labels.KEY_ID, self._raw)).hexdigest()[:32]

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a 2420-byte signature.

        Raises:
            VerificationError: wrong key, wrong message, or a malformed signature.
        """
        try:
            self._key.verify(signature, message)
        except InvalidSignature as error:
            raise VerificationError(
                "a signature does not match its key and text", code="signature"
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MlDsa44Public) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"MlDsa44Public(key_id={self.key_id!r})"


class MlDsa44Secret:
    """The secret half of a key, kept as its 32-byte seed. Its repr shows nothing."""

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_BYTES:
            raise FormatError(f"an ML-DSA-44 secret has {SECRET_BYTES} bytes")
        self._key = mldsa.MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public = MlDsa44Public(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> MlDsa44Secret:
        """Make a fresh key."""
        return cls(mldsa.MLDSA44PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_bytes(cls, seed: bytes) -> MlDsa44Secret:
        """Decode a 32-byte seed.

        Raises:
            FormatError: another size.
        """
        return cls(seed)

    def to_bytes(self) -> bytes:
        """Return the 32-byte seed."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign a message; returns 2420 bytes."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return "MlDsa44Secret(...)"
