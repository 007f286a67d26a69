"""Signatures: ECDSA on P-256 with SHA-256, in one accepted spelling.

    secret = SigningSecret.generate()
    signature = secret.sign(message)                  # 64 bytes, r || s
    secret.public.verify(signature, message)          # raises, returns nothing

ECDSA has two valid signatures for every one that was made (s and n - s). Signing
gives the lower one and verifying refuses the other, so a signed document has one
set of bytes and cannot be re-spelled by a stranger. Keys live in PKCS#11 tokens,
TPMs and certificates as they are: that is why P-256 and not Ed25519 (ADR 0004).
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from strongroom.crypto import labels
from strongroom.errors import FormatError, VerificationError

PUBLIC_BYTES: Final = 33
"""A P-256 point, SEC 1 compressed."""
SECRET_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())


class SigningPublic:
    """The public half of a signing key: 33 bytes."""

    __slots__ = ("_key", "_raw", "key_id")

    def __init__(self, raw: bytes) -> None:
        # Only the compressed form: a key has one encoding, hence one key id.
        if len(raw) != PUBLIC_BYTES or raw[0] not in (2, 3):
            raise FormatError("a signing public key is a compressed P-256 point of 33 bytes")
        try:
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        except ValueError as error:
            raise FormatError("not a point on P-256") from error
        self._raw = raw
        self.key_id: Final = hashlib.sha256(labels.bind(labels.KEY_ID, raw)).hexdigest()[:32]
        """The key's name: 32 hexadecimal digits of a labelled SHA-256 of its bytes."""

    @classmethod
    def from_bytes(cls, raw: bytes) -> SigningPublic:
        """Decode a compressed point.

        Raises:
            FormatError: another size or form, or not on the curve.
        """
        return cls(raw)

    def to_bytes(self) -> bytes:
        """Return the compressed point, 33 bytes."""
        return self._raw

    def to_pem(self) -> bytes:
        """Return the key as a PEM SubjectPublicKeyInfo, as other tools read it."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a 64-byte signature.

        Raises:
            VerificationError: wrong key, wrong message, or not the canonical spelling.
        """
        if len(signature) != SIGNATURE_BYTES:
            raise VerificationError("a signature does not have 64 bytes", code="signature")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if s > _ORDER // 2:
            raise VerificationError("a signature is not in canonical form", code="signature-malleable")
        self._verify_der(encode_dss_signature(r, s), message)

    def verify_canonical_der(self, signature: bytes, message: bytes) -> None:
        """Check a DER signature that must be the shortest DER with the lower s.

        Raises:
            VerificationError: wrong key, wrong message, or another spelling.
        """
        try:
            r, s = decode_dss_signature(signature)
        except ValueError as error:
            raise VerificationError("a signature is not DER", code="signature") from error
        if s > _ORDER // 2 or encode_dss_signature(r, s) != signature:
            raise VerificationError("a signature is not in canonical form", code="signature-malleable")
        self._verify_der(signature, message)

    def verify_der(self, signature: bytes, message: bytes) -> None:
        """Check a DER signature in any spelling, as tools that are not ours write them.

        Raises:
            VerificationError: wrong key, wrong message or not DER.
        """
        self._verify_der(signature, message)

    def _verify_der(self, signature: bytes, message: bytes) -> None:
        try:
            self._key.verify(signature, message, _ALGORITHM)
        except InvalidSignature as error:
            raise VerificationError(
                "a signature does not match its key and text", code="signature"
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigningPublic) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"SigningPublic(key_id={self.key_id!r})"


class SigningSecret:
    """The secret half of a signing key. Its repr shows nothing."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = SigningPublic(
            key.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
            )
        )

    @classmethod
    def generate(cls) -> SigningSecret:
        """Make a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_bytes(cls, raw: bytes) -> SigningSecret:
        """Decode a 32-byte scalar.

        Raises:
            FormatError: another size, zero, or not below the order of the group.
        """
        if len(raw) != SECRET_BYTES:
            raise FormatError(f"a signing secret has {SECRET_BYTES} bytes")
        try:
            return cls(ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1()))
        except ValueError as error:
            raise FormatError("not a P-256 secret") from error

    def to_bytes(self) -> bytes:
        """Return the 32-byte scalar."""
        return self._key.private_numbers().private_value.to_bytes(SECRET_BYTES, "big")

    def sign(self, message: bytes) -> bytes:
        """Sign a message; returns 64 bytes, r || s with the lower s."""
        r, s = decode_dss_signature(self._key.sign(message, _ALGORITHM))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")

    def sign_der(self, message: bytes) -> bytes:
        """Sign a message for tools that expect DER; also with the lower s."""
        signature = self.sign(message)
        return encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        )

    def __repr__(self) -> str:
        return "SigningSecret(...)"
