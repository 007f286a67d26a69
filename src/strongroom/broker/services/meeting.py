"""Meeting: what a broker says about itself, and how a runtime of a partner enrolls.

    meeting.owner()                                   # for everybody
    meeting.enroll(EnrollmentAsk(enrollment=token, member=certificate))

The invite in the enrollment is the ticket; nothing else lets a stranger write here. A new
organization stays pending until people have compared the fingerprint; anybody who saw the invite
may have answered it, so answers by several organizations are kept side by side, up to a
bound. A further runtime of an approved partner needs no approval: its organization key signed.
"""

from __future__ import annotations

from datetime import datetime

from strongroom._encoding import from_instant, to_instant
from strongroom._limits import LIMITS
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Role
from strongroom.broker.records import MemberRow, PartnerRow, PartyStatus, RuntimeRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.admission import verify_partner_admitted
from strongroom.broker.settings import Settings
from strongroom.errors import BrokerRefused, VerificationError
from strongroom.keys.enrollment import (
    Enrollment,
    EnrollmentFile,
    VerifiedEnrollment,
    verify_enrollment,
)
from strongroom.keys.member import VerifiedMember, verify_member_certificate
from strongroom.keys.signed_document import read_unverified
from strongroom.log.entry import Kind
from strongroom.protocol.broker import EnrollmentAnswer, EnrollmentAsk, OwnerAnswer


class Meeting:
    """The public front of a broker."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def owner(self) -> OwnerAnswer:
        """Say whom the broker works for, which key content keys go to, and where the log stands.

        Raises:
            NoMatchingKey: no broker key in force is in the home.
            VerificationError: the owner's own chain does not verify.
            StorageUnavailable: the database or the home does not answer.
        """
        with self._ledger.view() as kept:
            checkpoint = kept.head().checkpoint
            now = self._ledger.now(kept)
        return OwnerAnswer(
            owner=tuple(self._keys.owner().chain.to_json()),
            intake=self._keys.intake_certificate(now),
            checkpoint=checkpoint,
            lease_seconds=self._settings.lease_seconds,
            time=to_instant(now),
        )

    def enroll(self, ask: EnrollmentAsk) -> EnrollmentAnswer:
        """Take in the enrollment of one runtime; the same one twice changes nothing.

        Raises:
            FormatError: not an enrollment, or not a member certificate.
            VerificationError: a signature, a binding or a date does not hold, or the name of the
                invite belongs to another organization (``partner-key-changed``).
            BrokerRefused: the partner is suspended, too many runtimes answered
                (``too-many-runtimes``), or a newer enrollment of the runtime is here
                (``enrollment-outdated``).
            StorageUnavailable: the database does not answer.
        """
        claimed = read_unverified(ask.enrollment, Enrollment)
        with self._ledger.view() as kept:
            if _is_known(kept.runtime(claimed.runtime), ask.enrollment):
                return _answer(kept, claimed.runtime)
            now = self._ledger.now(kept)
        # Checked before the act: others wait while one lasts.
        owner = self._keys.owner()
        enrollment = verify_enrollment(
            EnrollmentFile(format="enrollment-file/v1", enrollment=ask.enrollment).to_bytes(), owner, now
        )
        member = (
            None
            if ask.member is None
            else verify_member_certificate(ask.member, enrollment.organization, owner=owner.id, now=now)
        )
        return self._ledger.act(lambda act: _take_in(act, enrollment, member))


def _is_known(row: RuntimeRow | None, token: str) -> bool:
    return row is not None and row.enrollment == token


def _take_in(act: Act, enrollment: VerifiedEnrollment, member: VerifiedMember | None) -> EnrollmentAnswer:
    document = enrollment.document
    known = act.kept.runtime(document.runtime)
    if _is_known(known, enrollment.token):
        return _answer(act.kept, document.runtime)
    partner = _partner_of(act, enrollment)
    _verify_runtime(known, enrollment)
    _verify_room(act.kept, partner, document.runtime, document.invite)
    act.kept.add_runtime(_runtime_row(enrollment, partner, known, act.now))
    subjects = [partner.organization, document.runtime]
    if member is not None:
        subjects += _add_first_member(act, partner, member)
    act.record(Kind.ENROLLMENT, subjects, document=enrollment.token, partner=partner.name)
    act.changes_rules()
    return _answer(act.kept, document.runtime)


def _partner_of(act: Act, enrollment: VerifiedEnrollment) -> PartnerRow:
    document = enrollment.document
    known = act.kept.partner(enrollment.organization_id)
    if known is not None:
        if known.name != document.partner:
            raise VerificationError(
                f"this organization is {known.name} here, and was invited as {document.partner}",
                code="partner-name",
                hint=f"ask the owner to invite {known.name} again",
            )
        if known.status is PartyStatus.SUSPENDED:
            verify_partner_admitted(known)
        return known
    if any(each.status is not PartyStatus.PENDING for each in act.kept.partners_called(document.partner)):
        raise VerificationError(
            f"{document.partner} is known here under another organization key",
            code="partner-key-changed",
            hint="call the owner; if your keys really are new, ask for an invite under a new name",
        )
    row = PartnerRow(
        organization=enrollment.organization_id,
        name=document.partner,
        key=document.organization,
        status=PartyStatus.PENDING,
        enrolled_at=act.now,
    )
    # Before it is written: answers of strangers must not fill the database.
    _verify_room(act.kept, row, document.runtime, document.invite)
    act.kept.add_partner(row)
    return row


def _verify_runtime(known: RuntimeRow | None, enrollment: VerifiedEnrollment) -> None:
    if known is None:
        return
    if known.organization != enrollment.organization_id:
        raise VerificationError(
            "the device key of this runtime enrolled for another organization before",
            code="runtime-key-used",
            hint="enroll from a fresh home: a runtime works for one organization",
        )
    before = read_unverified(known.enrollment, Enrollment)
    # An enrollment is no secret. Without this, an older one could be played back, and with
    # it the access of a member who was removed since.
    if from_instant(enrollment.document.issued_at) <= from_instant(before.issued_at):
        raise BrokerRefused(
            "a newer enrollment of this runtime is here already",
            code="enrollment-outdated",
            hint="join again, with a new invite",
        )


def _verify_room(kept: Reading, partner: PartnerRow, runtime: str, invite: str) -> None:
    """Bound the runtimes of a partner, and while it is pending all that answered the same invite.

    A thief of an invite can use that one up. It must not keep the partner out, who is given another.
    """
    own = {each.runtime for each in kept.runtimes_of(partner.organization)}
    is_pending = partner.status is PartyStatus.PENDING
    most = LIMITS.max_pending_runtimes if is_pending else LIMITS.max_partner_runtimes
    if len(own | {runtime}) > most:
        raise BrokerRefused(
            f"{partner.name} has {most} runtimes here already",
            code="too-many-runtimes",
            hint="wait until the owner has approved the first ones" if is_pending else "call the owner",
        )
    if is_pending and len(_answers_to(kept, partner.name, invite) | {runtime}) > LIMITS.max_partner_runtimes:
        raise BrokerRefused(
            f"{LIMITS.max_partner_runtimes} runtimes have answered this invite",
            code="too-many-runtimes",
            hint="ask the owner for a fresh invite",
        )


def _answers_to(kept: Reading, name: str, invite: str) -> set[str]:
    """Return the runtimes that answered an invite and wait for approval."""
    return {
        each.runtime
        for partner in kept.partners_called(name)
        for each in kept.runtimes_of(partner.organization)
        if read_unverified(each.enrollment, Enrollment).invite == invite
    }


def _runtime_row(
    enrollment: VerifiedEnrollment, partner: PartnerRow, known: RuntimeRow | None, now: datetime
) -> RuntimeRow:
    document = enrollment.document
    return RuntimeRow(
        runtime=document.runtime,
        organization=partner.organization,
        device=document.device,
        sealing=enrollment.certificate.sealing,
        enrollment=enrollment.token,
        # Enrolling again lifts no suspension: the thief of a machine could do it.
        status=partner.status if known is None else known.status,
        enrolled_at=now if known is None else known.enrolled_at,
    )


def _add_first_member(act: Act, partner: PartnerRow, member: VerifiedMember) -> list[str]:
    """Add the person who enrolls, if the organization has nobody yet; returns whom the record names."""
    if act.kept.members_of(partner.organization, limit=1):
        return []
    if act.kept.member(member.id) is not None:
        raise member_key_refused()
    act.kept.add_member(member_row(member, partner.organization, act.now))
    return [member.id]


def member_row(member: VerifiedMember, organization: str, now: datetime) -> MemberRow:
    """Return the row of a member whose certificate was verified."""
    document = member.document
    return MemberRow(
        member=member.id,
        organization=organization,
        name=document.name,
        role=Role(document.role.value),
        key=document.member,
        added_at=now,
        expires_at=None if document.expires_at is None else from_instant(document.expires_at),
    )


def member_key_refused() -> VerificationError:
    """Return the refusal of a member key that serves somewhere else; it does not say where."""
    return VerificationError(
        "this member key cannot be used here",
        code="member-key-used",
        hint="make a fresh home for this person: one member key serves one organization",
    )


def _answer(kept: Reading, runtime: str) -> EnrollmentAnswer:
    row = kept.runtime(runtime)
    partner = None if row is None else kept.partner(row.organization)
    if row is None or partner is None:
        raise AssertionError(runtime)
    return EnrollmentAnswer(
        partner=partner.name,
        organization=partner.organization,
        runtime=row.runtime,
        status=row.status.value,
    )
