"""The intake key: how a content key travels from the owner's home to its broker (spec/keys.md, "Intake").

    token = make_intake_certificate(owner, broker_key, intake.public_text, now)     # at the broker
    intake = verify_intake_certificate(token, owner, now)                           # in the home
    wrapped = wrap_for_intake(content_key, intake.public, package=digest, package_id=package_id)
    content_key = unwrap_at_intake(wrapped, intake_key, package=digest, package_id=package_id)

TLS ends in a process that also speaks to strangers, and proxies end it earlier. A content
key is therefore wrapped to a key that a broker key vouches for, for one package, and is
opened only to be wrapped again under the broker's key-encryption key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Self

import msgspec

from strongroom._encoding import (
    from_base64,
    from_hex,
    from_instant,
    from_wire,
    to_base64,
    to_instant,
    to_wire,
)
from strongroom.crypto import hpke, labels
from strongroom.crypto.hpke import SealingPublic
from strongroom.errors import UsageError, VerificationError
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.invite import SKEW
from strongroom.keys.key_pair import SealingKey, SigningKey, sealing_public_from_text
from strongroom.keys.owner_chain import Owner
from strongroom.keys.owner_document import Role
from strongroom.keys.signed_document import read_unverified, sign
from strongroom.keys.text import KeyKind

_INTAKE = b"intake"


class IntakeCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a broker key signs: content keys for this owner's broker go to this key."""

    TYP: ClassVar[str] = "strongroom-intake-key+jws"

    format: Literal["intake-key/v1"]
    owner: str
    """The owner id."""
    intake: str
    """Public text of the intake key, of kind ``sealing``."""
    issued_at: str

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Parse a payload and check every rule that needs nothing else.

        Raises:
            FormatError: not canonical, or a rule of spec/keys.md does not hold.
        """
        document = from_wire(payload, cls)
        document._check()
        return document

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)

    def _check(self) -> None:
        verify_owner_id(self.owner)
        sealing_public_from_text(self.intake)
        from_instant(self.issued_at)


@dataclass(frozen=True, slots=True)
class VerifiedIntake:
    """An intake key that a broker key of the owner vouches for. Made by ``verify_intake_certificate``."""

    document: IntakeCertificate
    public: SealingPublic


def make_intake_certificate(owner: Owner, key: SigningKey, intake: str, now: datetime) -> str:
    """Vouch for an intake key; returns the token.

    Raises:
        UsageError: the key is no broker key of the owner in force (code ``wrong-signer``).
        FormatError: ``intake`` is no public text of a sealing key.
    """
    if key.kind is not KeyKind.OWNER_BROKER or key.public not in owner.keys_for(Role.BROKER, now):
        raise UsageError(
            f"an intake key is certified by a broker key of {owner.name} in force", code="wrong-signer"
        )
    document = IntakeCertificate(
        format="intake-key/v1", owner=owner.id, intake=intake, issued_at=to_instant(now)
    )
    return sign(document, key)


def verify_intake_certificate(token: str, owner: Owner, now: datetime) -> VerifiedIntake:
    """Check an intake certificate before a content key is wrapped to it.

    Raises:
        FormatError: not an intake certificate.
        VerificationError: of another owner (``owner-other``), dated in the future
            (``intake-not-yet``), or by a key that is not a broker key *now*: ``key-retired``,
            ``key-cut-off``, ``wrong-signer``, ``signature``.
    """
    document = read_unverified(token, IntakeCertificate)
    if document.owner != owner.id:
        raise VerificationError(f"an intake key is of another owner than {owner.name}", code="owner-other")
    # In force now and not only then: a broker makes a fresh certificate at any time, so an
    # old one by a retired key has no honest use.
    owner.verify_token(token, IntakeCertificate.TYP, Role.BROKER, now)
    if from_instant(document.issued_at) - now > SKEW:
        raise VerificationError(
            f"the intake certificate of {owner.name} is dated {document.issued_at}, in the future",
            code="intake-not-yet",
            hint="Compare the clocks of the two machines.",
        )
    return VerifiedIntake(document, sealing_public_from_text(document.intake))


def wrap_for_intake(content_key: bytes, intake: SealingPublic, *, package: str, package_id: str) -> str:
    """Wrap the content key of a package to an intake key; returns base64.

    Args:
        content_key: 32 bytes.
        intake: The intake key, from a verified certificate.
        package: Package digest, hexadecimal.
        package_id: Package id, hexadecimal.
    """
    return to_base64(hpke.wrap_key(content_key, intake, info=_info(package, package_id)))


def unwrap_at_intake(wrapped: str, intake: SealingKey, *, package: str, package_id: str) -> bytes:
    """Unwrap the content key of a package, given the package that the caller verified.

    Raises:
        FormatError: not base64.
        IntegrityError: wrapped to another key or for another package, or altered.
    """
    return hpke.unwrap_key(from_base64(wrapped), intake.secret, info=_info(package, package_id))


def _info(package: str, package_id: str) -> bytes:
    return labels.bind(labels.KEY_WRAP, _INTAKE, from_hex(package), from_hex(package_id))
