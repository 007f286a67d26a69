"""DSSE envelopes: a payload, its type, and one or more signatures over both.

    envelope = sign(b"...", "application/vnd.in-toto+json", [secret])
    data = envelope.to_bytes()
    payload = Envelope.from_bytes(data).verify("application/vnd.in-toto+json", [public], threshold=1)

Signatures are ECDSA P-256 over the pre-authentication encoding, in DER, as other
DSSE tools expect them, with the lower s and the shortest DER, and sorted by key
id: one payload and one set of signatures have one set of bytes
(https://github.com/secure-systems-lab/dsse, protocol version 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from strongroom._encoding import from_base64, from_wire, to_base64, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.errors import FormatError, VerificationError


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str  # noqa: N815 - the name that DSSE gives it
    signatures: list[_Signature]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a DSSE signature covers."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope. Its payload means nothing until ``verify`` returns it."""

    payload_type: str
    unverified_payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    """Pairs of key id and DER signature, sorted by key id."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Parse an envelope.

        Raises:
            FormatError: not the canonical form, no signature, or one key signing twice.
        """
        wire = from_wire(data, _Envelope, max_bytes=LIMITS.max_json_bytes)
        signatures = tuple((item.keyid, from_base64(item.sig)) for item in wire.signatures)
        key_ids = [key_id for key_id, _ in signatures]
        if not key_ids:
            raise FormatError("the document carries no signature", code="unsigned")
        if len(key_ids) > LIMITS.max_roots * 2:
            raise FormatError("an envelope has too many signatures")
        if key_ids != sorted(set(key_ids)):
            raise FormatError("an envelope's signatures are not sorted by key id, or one key signs twice")
        return cls(wire.payloadType, from_base64(wire.payload), signatures)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(
            _Envelope(
                payload=to_base64(self.unverified_payload),
                payloadType=self.payload_type,
                signatures=[_Signature(key_id, to_base64(sig)) for key_id, sig in self.signatures],
            )
        )

    def verify(self, payload_type: str, keys: Iterable[SigningPublic], *, threshold: int = 1) -> bytes:
        """Check that at least ``threshold`` of the keys signed; returns the payload.

        A signature by a key that is not among ``keys`` counts for nothing; a wrong
        signature by one that is fails the envelope.

        Raises:
            FormatError: another payload type.
            VerificationError: too few signatures, a wrong one, or one in a second spelling.
        """
        if self.payload_type != payload_type:
            raise FormatError(f"expected an envelope of type {payload_type}", code="wrong-kind")
        if threshold < 1:
            raise VerificationError("a threshold must be at least 1", code="threshold")
        known = {key.key_id: key for key in keys}
        message = pre_authentication_encoding(self.payload_type, self.unverified_payload)
        valid = 0
        for key_id, signature in self.signatures:
            if key_id in known:
                known[key_id].verify_canonical_der(signature, message)
                valid += 1
        if valid < threshold:
            raise VerificationError(
                f"{valid} of {threshold} required signatures are by keys that may sign this",
                code="wrong-signer",
            )
        return self.unverified_payload


def sign(payload: bytes, payload_type: str, secrets: Sequence[SigningSecret]) -> Envelope:
    """Sign a payload with each of the keys."""
    message = pre_authentication_encoding(payload_type, payload)
    signatures = {secret.public.key_id: secret.sign_der(message) for secret in secrets}
    return Envelope(payload_type, payload, tuple(sorted(signatures.items())))
