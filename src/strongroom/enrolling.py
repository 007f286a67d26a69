"""How an owner and a partner meet, on both sides, with files and a telephone.

    data = invite(home, "clinic", expires_at=then, now=now)         # owner: write clinic.invite
    joined = join(home, data, now=now)                              # partner: write clinic.enrollment
    enrollment = receive(home, joined.file, now=now)                # owner: keep it, still pending
    approve(home, enrollment, "XK4T-09RM-2H7Q-VB3N-E8WD")           # owner: what the partner read out
    confirm(home, joined.owner, "XK4T-09RM-2H7Q-VB3N-E8WD")         # partner: what the owner read out

Both sides see one fingerprint, of the enrollment, which binds the owner document that
the partner saw. Until it was compared over another channel, both sides stay pending:
nothing is granted to such a partner, and no license by such an owner is accepted.

Where the invite names the owner's broker, the enrollment goes there by itself: it waits in the
outbox for ``sending``, and the owner's home takes it from the broker with ``take_in``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom._encoding import to_instant
from strongroom.connection import BrokerClient
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.founding import own_owner, role_key
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.home.partners import Partner
from strongroom.home.trust import PinnedOwner
from strongroom.keys.enrollment import (
    Enrollment,
    EnrollmentFile,
    VerifiedEnrollment,
    make_enrollment,
    verify_enrollment,
    verify_stored_enrollment,
)
from strongroom.keys.fingerprint import fingerprint, is_fingerprint_of, verify_fingerprint
from strongroom.keys.identity import organization_id
from strongroom.keys.invite import (
    SERIAL_BYTES,
    BrokerAddress,
    VerifiedInvite,
    make_invite,
    verify_invite,
)
from strongroom.keys.key_pair import SigningKey, signing_public_from_text
from strongroom.keys.member import MemberRole, make_member_certificate
from strongroom.keys.owner import Role
from strongroom.keys.signed_document import read_unverified
from strongroom.keys.text import KeyKind
from strongroom.protocol.broker import ApprovalAsk, EnrollmentAsk, PartnerAnswer

_STANDING: Final = {ParcelKind.SUSPENSION: "suspend", ParcelKind.RESUMPTION: "resume"}
"""What the ids of parcels begin with that tell a broker how a partner stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a partner has after it answered an invite."""

    owner: PinnedOwner
    partner: str
    """How the owner calls this party."""
    file: bytes
    """The ``.enrollment`` file, to be sent to the owner."""
    fingerprint: str
    broker: BrokerAddress | None
    """Where the owner's broker is, if the invite names one."""
    waits_as: str
    """The id under which the enrollment waits in the outbox, if it has to go to a broker."""


def invite(
    home: Home, partner: str, *, expires_at: datetime, now: datetime, broker: BrokerAddress | None = None
) -> bytes:
    """Make an ``.invite`` file for a partner; with ``broker``, it says where the owner's broker is.

    Raises:
        UsageError: a name that is not allowed, an expiry that has passed, or this home
            owns no models.
        NoMatchingKey: the license key is not here, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged, or no reader takes that address of a broker.
        StorageUnavailable: a file cannot be read.
    """
    return make_invite(
        own_owner(home),
        role_key(home, Role.LICENSE, now),
        partner=partner,
        serial=secrets.token_bytes(SERIAL_BYTES),
        now=now,
        expires_at=expires_at,
        broker=broker,
    )


def join(home: Home, data: bytes, *, now: datetime, alias: str | None = None) -> Joined:
    """Answer an invite: pin the owner, make the keys of this runtime toward it, enroll.

    Joining again with the same invite gives the same enrollment, hence the same fingerprint.
    With a broker, the enrollment waits in the outbox, with a certificate for this home's member key.

    Raises:
        FormatError: not an invite file, or a file of this home is damaged.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: another owner has the alias, or the invite is this home's own.
        NoMatchingKey: the organization key is missing, or the pass-phrase is missing or wrong.
        StorageUnavailable: a file cannot be read or written.
    """
    pinned = {each.id: each.owner for each in home.trust.all()}
    accepted = verify_invite(data, now, pinned=pinned)
    if accepted.owner.id == home.vault.owner_id:
        raise UsageError(
            "this invite was made in this very home", code="own-invite", hint="send it to the partner"
        )
    organization = home.keys.organization()
    owner = home.trust.pin(accepted.owner.chain, alias=alias)
    keys = home.keys.ensure_runtime_keys(owner.id, now)
    file = _answered(home, owner, accepted)
    if file is None:
        file = make_enrollment(
            accepted, organization=organization, device=keys.device, sealing=keys.sealing, now=now
        )
        home.trust.save_enrollment(owner.id, file)
    token = EnrollmentFile.from_bytes(file).enrollment
    broker = accepted.document.broker
    if broker is not None:
        home.brokers.keep(owner.id, broker)
        _replace_waiting(home, _enrollment_parcel(home, organization, owner, token, now))
    return Joined(
        owner=owner,
        partner=accepted.document.partner,
        file=file,
        fingerprint=fingerprint(token),
        broker=broker,
        waits_as=_parcel_id(token),
    )


def _replace_waiting(home: Home, parcel: Parcel) -> None:
    """Let an enrollment wait in place of earlier ones, which answer invites that were overtaken.

    One of them may have been refused for good, as the answer to somebody else's invite is.
    """
    for each in home.outbox.waiting(parcel.owner):
        if each.kind is ParcelKind.ENROLLMENT and each.id != parcel.id:
            home.outbox.remove(each.id)
    home.outbox.add(parcel)


def _parcel_id(token: str) -> str:
    return f"enr-{fingerprint(token).lower()}"


def _enrollment_parcel(
    home: Home, organization: SigningKey, owner: PinnedOwner, token: str, now: datetime
) -> Parcel:
    member = make_member_certificate(
        organization,
        member=home.keys.member().public_text,
        name=home.name,
        role=MemberRole.MANAGER,
        owner=owner.id,
        now=now,
    )
    return Parcel(
        kind=ParcelKind.ENROLLMENT,
        id=_parcel_id(token),
        owner=owner.id,
        about=f"the enrollment at {owner.label}",
        body={"enrollment": token, "member": member},
        added_at=to_instant(now),
    )


def _answered(home: Home, owner: PinnedOwner, invite: VerifiedInvite) -> bytes | None:
    """Return the enrollment that already answers this invite: a second one has another fingerprint."""
    try:
        file = home.trust.enrollment(owner.id)
    except ObjectNotFound:
        return None
    token = EnrollmentFile.from_bytes(file).enrollment
    return file if read_unverified(token, Enrollment).invite == invite.token else None


def receive(home: Home, data: bytes, *, now: datetime) -> VerifiedEnrollment:
    """Check an ``.enrollment`` file at the owner and keep it.

    A new partner stays pending; a further runtime of an approved one needs no approval.

    Raises:
        FormatError: not an enrollment file.
        VerificationError: a signature, a binding or a date does not hold, or the partner is
            known under another key.
        UsageError: this home owns no models, or the partner has too many runtimes.
        StorageUnavailable: a file cannot be read or written.
    """
    enrollment = verify_enrollment(data, own_owner(home), now)
    home.vault.partners.add(enrollment)
    return enrollment


def take_in(home: Home, token: str) -> VerifiedEnrollment:
    """Keep an enrollment that arrived at this owner's broker, which saw when it came.

    Raises:
        FormatError: not an enrollment.
        VerificationError: a signature or a binding does not hold, or the partner is known under
            another key.
        UsageError: this home owns no models, or the partner has too many runtimes.
        StorageUnavailable: a file cannot be read or written.
    """
    data = EnrollmentFile(format="enrollment-file/v1", enrollment=token).to_bytes()
    enrollment = verify_stored_enrollment(data, own_owner(home))
    home.vault.partners.add(enrollment)
    return enrollment


def take_in_all(
    home: Home, partners: Iterable[PartnerAnswer], name: str, *, fingerprint: str | None = None
) -> None:
    """Keep every enrollment that arrived at this owner's broker under a name; people choose among them.

    Args:
        home: The owner's.
        partners: What is at the broker.
        name: The name that was invited.
        fingerprint: What the partner read out. Where it tells whose answer is meant, others' are left
            there: strangers may have answered the same invite, over and over.

    Raises:
        FormatError: not an enrollment.
        VerificationError: a signature or a binding does not hold, or the partner is known under
            another key.
        UsageError: this home owns no models, or the partner has too many runtimes.
        StorageUnavailable: a file cannot be read or written.
    """
    arrived = [each for each in partners if each.name == name]
    meant = [each for each in arrived if fingerprint is not None and is_of(each, fingerprint)]
    for partner in meant or arrived:
        for runtime in partner.runtimes:
            take_in(home, runtime.enrollment)


def is_of(partner: PartnerAnswer, fingerprint: str) -> bool:
    """Return whether a fingerprint is of one of a partner's enrollments; to find the one that is meant.

    Raises:
        FormatError: not of the form of a fingerprint (code ``fingerprint-form``).
    """
    return any(is_fingerprint_of(fingerprint, each.enrollment) for each in partner.runtimes)


def approve(home: Home, enrollment: VerifiedEnrollment, given_fingerprint: str) -> Partner:
    """Approve a partner whose fingerprint was compared.

    Raises:
        FormatError: not of the form of a fingerprint (code ``fingerprint-form``).
        VerificationError: another fingerprint, or not an enrollment that was received.
        ObjectNotFound: no such partner.
        StorageUnavailable: a file cannot be read or written.
    """
    verify_fingerprint(given_fingerprint, enrollment.token)
    return home.vault.partners.approve(enrollment.document.partner, enrollment)


def connect(home: Home, data: bytes, *, now: datetime) -> PinnedOwner:
    """Learn from an invite who an owner is and where its broker is, without answering it.

    For a person with a home of their own, at the owner or at a partner that joined elsewhere.

    Raises:
        FormatError: not an invite file.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: it names no broker (code ``no-broker``).
        StorageUnavailable: a file cannot be read or written.
    """
    pinned = {each.id: each.owner for each in home.trust.all()}
    accepted = verify_invite(data, now, pinned=pinned)
    broker = accepted.document.broker
    if broker is None:
        raise UsageError(
            "this invite names no broker",
            code="no-broker",
            hint="the owner makes one that does as soon as it has run: strongroom broker run",
        )
    owner = home.trust.pin(accepted.owner.chain)
    home.brokers.keep(owner.id, broker)
    return owner


def certify_member(
    home: Home,
    owner: PinnedOwner,
    *,
    name: str,
    key: str,
    role: str,
    expires_at: datetime | None,
    now: datetime,
) -> str:
    """Say with the organization's key that a person may act for this partner; returns the token.

    Raises:
        UsageError: a name or a role that is not allowed, or an expiry that has passed.
        FormatError: ``key`` is no public text of a member key.
        NoMatchingKey: the organization key is missing, or the pass-phrase is missing or wrong.
    """
    return make_member_certificate(
        home.keys.organization(),
        member=key,
        name=name,
        role=MemberRole(role),
        owner=owner.id,
        now=now,
        expires_at=expires_at,
    )


def approve_at(client: BrokerClient, enrollment: VerifiedEnrollment) -> None:
    """Approve a partner at the broker too; one that came as a file is handed in first.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it does not take the enrollment, or you may not approve partners.
    """
    ask = ApprovalAsk(fingerprint=enrollment.fingerprint)
    try:
        client.approve_partner(enrollment.organization_id, ask)
    except ObjectNotFound:
        client.enroll(EnrollmentAsk(enrollment=enrollment.token))
        client.approve_partner(enrollment.organization_id, ask)


def keep_standing(home: Home, partner: Partner, *, reason: str | None, now: datetime) -> str:
    """Keep what the broker has to be told of a partner; returns the id under which it waits.

    What waited before is overtaken. Without a reason the partner is resumed, else suspended.

    Raises:
        UsageError: it was never approved, or this home owns no models.
        FormatError: a record is damaged.
        StorageUnavailable: it cannot be written.
    """
    parcel = standing_parcel(home, partner, reason=reason, now=now)
    organization = organization_of(partner)
    for verb in _STANDING.values():
        home.outbox.remove(f"{verb}-{organization}")
    home.outbox.add(parcel)
    return parcel.id


def standing_parcel(home: Home, partner: Partner, *, reason: str | None, now: datetime) -> Parcel:
    """Wrap up for the broker how a partner stands; without a reason it is resumed, else suspended.

    Raises:
        UsageError: it was never approved, or this home owns no models.
        FormatError: a record is damaged.
        StorageUnavailable: a record cannot be read.
    """
    organization = organization_of(partner)
    kind = ParcelKind.RESUMPTION if reason is None else ParcelKind.SUSPENSION
    return Parcel(
        kind=kind,
        id=f"{_STANDING[kind]}-{organization}",
        owner=home.vault.verify_owner_id(),
        about=f"the {kind.value} of {partner.name}",
        body={"organization": organization, "reason": reason},
        added_at=to_instant(now),
    )


def organization_of(partner: Partner) -> str:
    """Return the organization id of a partner that was approved.

    Raises:
        UsageError: it never was (code ``partner-pending``).
        FormatError: its record is damaged.
    """
    if partner.organization is None:
        raise UsageError(f"{partner.name} was never approved", code="partner-pending")
    return organization_id(signing_public_from_text(partner.organization, KeyKind.ORGANIZATION))


def confirm(home: Home, owner: PinnedOwner, given_fingerprint: str) -> PinnedOwner:
    """Confirm a pinned owner whose fingerprint was compared.

    Raises:
        FormatError: not of the form of a fingerprint (code ``fingerprint-form``).
        VerificationError: another fingerprint.
        ObjectNotFound: this home never enrolled with that owner.
        StorageUnavailable: a file cannot be read or written.
    """
    token = EnrollmentFile.from_bytes(home.trust.enrollment(owner.id)).enrollment
    verify_fingerprint(given_fingerprint, token)
    return home.trust.confirm(owner.id)


def own_fingerprint(home: Home, owner: PinnedOwner) -> str:
    """Return the fingerprint that this partner and the owner compare.

    Raises:
        ObjectNotFound: this home never enrolled with that owner.
        FormatError: the stored enrollment is damaged.
        StorageUnavailable: it cannot be read.
    """
    return fingerprint(EnrollmentFile.from_bytes(home.trust.enrollment(owner.id)).enrollment)
