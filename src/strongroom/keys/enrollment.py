"""The enrollment: a partner's answer to an invite, with the keys of one runtime (spec/keys.md, "Enrollment").

    data = make_enrollment(invite, organization=organization, device=device, sealing=sealing, now=now)
    enrollment = verify_enrollment(data, owner, now)
    enrollment.document.partner, enrollment.document.runtime, enrollment.sealing

The organization key signs the whole; the device key certifies the sealing key, which
cannot sign, for this owner and this organization. What the partner saw of the owner is
bound by a digest, so an enrollment toward a forged owner is of no use with the real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Self

import msgspec

from strongroom._encoding import from_hex, from_instant, from_wire, to_instant, to_wire
from strongroom.crypto import jws
from strongroom.crypto.digest import DIGEST_BYTES
from strongroom.crypto.hpke import SealingPublic
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.fingerprint import fingerprint
from strongroom.keys.identity import organization_id, runtime_id, verify_organization_id, verify_owner_id
from strongroom.keys.invite import (
    SKEW,
    Invite,
    VerifiedInvite,
    verify_invite_in_time,
    verify_invite_origin,
    verify_invite_signer,
)
from strongroom.keys.key_pair import (
    SealingKey,
    SigningKey,
    sealing_public_from_text,
    signing_public_from_text,
)
from strongroom.keys.name import verify_name
from strongroom.keys.owner_chain import Owner
from strongroom.keys.signed_document import read_unverified, sign
from strongroom.keys.text import KeyKind


class SealingCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the device key signs: this sealing key is mine, for this owner."""

    TYP: ClassVar[str] = "strongroom-sealing-key+jws"

    format: Literal["sealing-key/v1"]
    device: str
    """Public text of the key that signs this."""
    sealing: str
    """Public text of the certified key."""
    owner: str
    """The owner id: a runtime has other keys toward other owners."""
    organization: str
    """The organization id. Without it, a stranger could enroll this runtime as its own."""
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
        signing_public_from_text(self.device, KeyKind.DEVICE)
        sealing_public_from_text(self.sealing)
        verify_owner_id(self.owner)
        verify_organization_id(self.organization)
        from_instant(self.issued_at)


class Enrollment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the partner's organization key signs."""

    TYP: ClassVar[str] = "strongroom-enrollment+jws"

    format: Literal["enrollment/v1"]
    owner: str
    """The owner id."""
    owner_digest: str
    """SHA-256 of the newest owner document that the partner saw."""
    invite: str
    """The invite token."""
    partner: str
    """The name from the invite."""
    organization: str
    """Public text of the key that signs this."""
    device: str
    """Public text of the runtime's device key."""
    sealing_certificate: str
    """Token by which the device key certifies the sealing key."""
    runtime: str
    """The runtime id, which follows from the device key."""
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
        from_hex(self.owner_digest, size=DIGEST_BYTES)
        verify_name(self.partner)
        organization = signing_public_from_text(self.organization, KeyKind.ORGANIZATION)
        device = signing_public_from_text(self.device, KeyKind.DEVICE)
        if organization == device:
            raise FormatError("an enrollment has one key as organization and as device", code="one-key-twice")
        if self.runtime != runtime_id(device):
            raise FormatError("the runtime id of an enrollment does not follow from its device key")
        from_instant(self.issued_at)


class EnrollmentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``.enrollment`` file."""

    format: Literal["enrollment-file/v1"]
    enrollment: str
    """The token."""

    @classmethod
    def from_bytes(cls, data: bytes) -> EnrollmentFile:
        """Parse a file, without checking what it holds.

        Raises:
            FormatError: not the canonical form.
        """
        return from_wire(data, cls)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)


@dataclass(frozen=True, slots=True)
class VerifiedEnrollment:
    """An enrollment whose signatures and bindings hold. Made by ``verify_enrollment``.

    It does not say who the partner is: that takes the fingerprint.
    """

    document: Enrollment
    invite: Invite
    certificate: SealingCertificate
    organization: SigningPublic
    device: SigningPublic
    sealing: SealingPublic
    token: str

    @property
    def organization_id(self) -> str:
        """``org-`` and 24 characters."""
        return organization_id(self.organization)

    @property
    def fingerprint(self) -> str:
        """What both sides compare."""
        return fingerprint(self.token)


def make_enrollment(
    invite: VerifiedInvite,
    *,
    organization: SigningKey,
    device: SigningKey,
    sealing: SealingKey,
    now: datetime,
) -> bytes:
    """Make an ``.enrollment`` file: the answer to an invite.

    Raises:
        UsageError: a key of another kind.
        FormatError: organization and device are one key.
        VerificationError: the invite is not in force at ``now``.
    """
    verify_invite_in_time(invite.document, invite.owner, now)
    if organization.kind is not KeyKind.ORGANIZATION or device.kind is not KeyKind.DEVICE:
        raise UsageError("an enrollment needs an organization key and a device key", code="wrong-kind")
    document = Enrollment(
        format="enrollment/v1",
        owner=invite.owner.id,
        owner_digest=invite.owner.digest,
        invite=invite.token,
        partner=invite.document.partner,
        organization=organization.public_text,
        device=device.public_text,
        sealing_certificate=sign(
            SealingCertificate(
                format="sealing-key/v1",
                device=device.public_text,
                sealing=sealing.public_text,
                owner=invite.owner.id,
                organization=organization_id(organization.public),
                issued_at=to_instant(now),
            ),
            device,
        ),
        runtime=runtime_id(device.public),
        issued_at=to_instant(now),
    )
    return EnrollmentFile(format="enrollment-file/v1", enrollment=sign(document, organization)).to_bytes()


def verify_enrollment(data: bytes, owner: Owner, now: datetime) -> VerifiedEnrollment:
    """Check an ``.enrollment`` file when it arrives at the owner.

    Raises:
        FormatError: not an enrollment file.
        VerificationError: toward another owner (``owner-other``) or another history of
            it (``owner-fork``), an invite that expired (``invite-expired``) or is not by
            this owner, a certificate by another device (``sealing-certificate``), dates
            that cannot be, or a signature that does not hold.
    """
    enrollment = verify_stored_enrollment(data, owner)
    verify_invite_signer(enrollment.invite, enrollment.document.invite, owner)
    verify_invite_in_time(enrollment.invite, owner, now)
    if from_instant(enrollment.document.issued_at) - now > SKEW:
        raise VerificationError(
            f"the enrollment of {enrollment.document.partner} is dated in the future",
            code="enrollment-not-yet",
            hint="Compare the clocks of the two machines.",
        )
    return enrollment


def verify_stored_enrollment(data: bytes, owner: Owner) -> VerifiedEnrollment:
    """Check an ``.enrollment`` file that this owner took in before, however long ago.

    The same as ``verify_enrollment``, but it skips what holds at arrival only: whether
    the invite is still in force, and whether the key that signed it still is.

    Raises:
        FormatError: not an enrollment file.
        VerificationError: as ``verify_enrollment``, except for the time.
    """
    token = EnrollmentFile.from_bytes(data).enrollment
    document = read_unverified(token, Enrollment)
    organization = signing_public_from_text(document.organization, KeyKind.ORGANIZATION)
    jws.verify(token, Enrollment.TYP, [organization])
    if document.owner != owner.id:
        raise VerificationError(
            f"an enrollment is toward another owner than {owner.name}", code="owner-other"
        )
    if document.owner_digest not in owner.digests:
        raise VerificationError(
            f"the partner {document.partner} has seen a history of {owner.name} that is not ours",
            code="owner-fork",
            hint="Somebody may have given the partner a forged owner document. Send the invite again, "
            "another way.",
        )
    invite = _verify_bound_invite(document, owner)
    certificate = _verify_certificate(document, organization)
    return VerifiedEnrollment(
        document=document,
        invite=invite,
        certificate=certificate,
        organization=organization,
        device=signing_public_from_text(document.device, KeyKind.DEVICE),
        sealing=sealing_public_from_text(certificate.sealing),
        token=token,
    )


def _verify_bound_invite(document: Enrollment, owner: Owner) -> Invite:
    invite = read_unverified(document.invite, Invite)
    verify_invite_origin(invite, document.invite, owner)
    if invite.partner != document.partner:
        raise VerificationError(
            f"an enrollment calls itself {document.partner}, but was invited as {invite.partner}",
            code="partner-name",
        )
    issued_at = from_instant(document.issued_at)
    if from_instant(invite.issued_at) - issued_at > SKEW or issued_at >= from_instant(invite.expires_at):
        raise VerificationError(
            f"the enrollment of {document.partner} is dated outside the time of its invite",
            code="invite-expired",
            hint=f"Invite {document.partner} again.",
        )
    return invite


def _verify_certificate(document: Enrollment, organization: SigningPublic) -> SealingCertificate:
    certificate = read_unverified(document.sealing_certificate, SealingCertificate)
    if (
        certificate.device != document.device
        or certificate.owner != document.owner
        or certificate.organization != organization_id(organization)
    ):
        raise VerificationError(
            "the sealing key of an enrollment is certified by another device, or for another owner or "
            "organization",
            code="sealing-certificate",
        )
    if from_instant(certificate.issued_at) > from_instant(document.issued_at):
        raise VerificationError(
            "the sealing key of an enrollment is certified later than the enrollment",
            code="sealing-certificate",
        )
    device = signing_public_from_text(document.device, KeyKind.DEVICE)
    jws.verify(document.sealing_certificate, SealingCertificate.TYP, [device])
    return certificate
