"""Partners: the owner approves, suspends and resumes organizations and single runtimes.

    partners.approve(admin, "org-...", ApprovalAsk(fingerprint="XK4T-..."))
    partners.refuse(admin, "org-...", ReasonAsk(reason="nobody we know"))
    partners.suspend(admin, "org-...", ReasonAsk(reason="the contract is disputed"))
    partners.suspend_runtime(admin, "run-...", ReasonAsk(reason="laptop stolen"))

Approval picks one organization among those that answered to a name, and drops the others. What
is suspended gets no access token and no lease; what it holds ends by itself.
"""

from __future__ import annotations

from strongroom._encoding import to_instant
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import PartnerRow, PartyStatus, RuntimeRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import own_or_not_found, verify_owner
from strongroom.broker.services.paging import page_of
from strongroom.broker.settings import Settings
from strongroom.errors import BrokerRefused, VerificationError
from strongroom.keys.enrollment import EnrollmentFile, verify_stored_enrollment
from strongroom.keys.fingerprint import fingerprint, verify_fingerprint, verify_fingerprint_form
from strongroom.license.document import MAX_REASON_CHARS
from strongroom.license.fields import verify_text
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    ApprovalAsk,
    Done,
    PartnerAnswer,
    PartnerPage,
    ReasonAsk,
    RuntimeAnswer,
)


class Partners:
    """Organizations that use the owner's models."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def page(self, principal: Principal, after: str = "", limit: int = 100) -> PartnerPage:
        """Return partners after an id; a partner sees itself.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            answers, following = page_of(
                lambda after, limit: _some(principal, kept, after, limit),
                lambda row: row.organization,
                lambda row: _answer(kept, row),
                after=after,
                count=count,
            )
            return PartnerPage(partners=answers, next=following)

    def get(self, principal: Principal, organization: str) -> PartnerAnswer:
        """Return one partner.

        Raises:
            ObjectNotFound: no such partner, or another than the asking one.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            return _answer(kept, _own(principal, kept, organization))

    def approve(self, principal: Principal, organization: str, ask: ApprovalAsk) -> PartnerAnswer:
        """Approve the organization whose fingerprint was compared; twice changes nothing.

        Raises:
            ObjectNotFound: no such partner.
            FormatError: not of the form of a fingerprint.
            VerificationError: another fingerprint (``fingerprint-mismatch``), or another
                organization was approved under the name (``partner-key-changed``).
            BrokerRefused: it is suspended (``partner-suspended``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_fingerprint_form(ask.fingerprint)
        return self._ledger.act(lambda act: self._approve(act, principal, organization, ask))

    def refuse(self, principal: Principal, organization: str, ask: ReasonAsk) -> Done:
        """Drop an organization that nobody has approved, with its runtimes and members.

        It may enroll again: whoever has an invite can.

        Raises:
            ObjectNotFound: no such partner, or it was dropped already.
            FormatError: the reason is no line of text.
            BrokerRefused: it was approved (``partner-approved``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)
        return self._ledger.act(lambda act: Done(entry=_refuse(act, principal, organization, ask.reason)))

    def suspend(self, principal: Principal, organization: str, ask: ReasonAsk) -> PartnerAnswer:
        """Give a partner no access token and no lease until it is resumed; twice changes nothing.

        Raises:
            ObjectNotFound: no such partner.
            FormatError: the reason is no line of text.
            BrokerRefused: it was never approved (``partner-pending``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)
        return self._ledger.act(
            lambda act: _set_partner(act, principal, organization, PartyStatus.SUSPENDED, ask.reason)
        )

    def resume(self, principal: Principal, organization: str) -> PartnerAnswer:
        """Take a suspension back; twice changes nothing.

        Raises:
            ObjectNotFound: no such partner.
            BrokerRefused: it was never approved (``partner-pending``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        return self._ledger.act(
            lambda act: _set_partner(act, principal, organization, PartyStatus.APPROVED, None)
        )

    def suspend_runtime(self, principal: Principal, runtime: str, ask: ReasonAsk) -> PartnerAnswer:
        """Shut out one runtime, as when a machine is lost; returns its partner.

        Raises:
            ObjectNotFound: no such runtime.
            FormatError: the reason is no line of text.
            BrokerRefused: it was never approved (``partner-pending``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)
        return self._ledger.act(
            lambda act: _set_runtime(act, principal, runtime, PartyStatus.SUSPENDED, ask.reason)
        )

    def resume_runtime(self, principal: Principal, runtime: str) -> PartnerAnswer:
        """Let a runtime in again; returns its partner.

        Raises:
            ObjectNotFound: no such runtime.
            BrokerRefused: it was never approved (``partner-pending``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        return self._ledger.act(lambda act: _set_runtime(act, principal, runtime, PartyStatus.APPROVED, None))

    def _approve(self, act: Act, principal: Principal, organization: str, ask: ApprovalAsk) -> PartnerAnswer:
        row = _own(principal, act.kept, organization)
        runtimes = act.kept.runtimes_of(organization)
        compared = self._compared(runtimes, ask.fingerprint)
        if row.status is PartyStatus.SUSPENDED:
            raise BrokerRefused(
                f"{row.name} is suspended", code="partner-suspended", hint=f"resume {row.name} instead"
            )
        if row.status is PartyStatus.APPROVED:
            return _answer(act.kept, row)
        others = [each for each in act.kept.partners_called(row.name) if each.organization != organization]
        if any(each.status is not PartyStatus.PENDING for each in others):
            raise VerificationError(
                f"{row.name} was approved under another organization key", code="partner-key-changed"
            )
        for other in others:
            act.kept.remove_partner(other.organization)
        act.kept.set_partner_status(organization, PartyStatus.APPROVED)
        for each in runtimes:
            act.kept.set_runtime_status(each.runtime, PartyStatus.APPROVED)
        subjects = [organization, compared.runtime, principal.organization]
        act.record(Kind.APPROVAL, subjects, document=compared.enrollment, partner=row.name, by=principal.id)
        act.changes_rules()
        return _answer(act.kept, _own(principal, act.kept, organization))

    def _compared(self, runtimes: list[RuntimeRow], given: str) -> RuntimeRow:
        """Return the runtime whose fingerprint was compared, its enrollment verified once more."""
        for runtime in runtimes:
            try:
                verify_fingerprint(given, runtime.enrollment)
            except VerificationError as error:
                mismatch = error
                continue
            file = EnrollmentFile(format="enrollment-file/v1", enrollment=runtime.enrollment)
            verify_stored_enrollment(file.to_bytes(), self._keys.owner())
            return runtime
        raise mismatch


def verify_reason(ask: ReasonAsk) -> None:
    """Check why something is suspended: it stands in the log.

    Raises:
        FormatError: it is no line of text of at most 500 characters.
    """
    verify_text(ask.reason, "a reason", most=MAX_REASON_CHARS)


def _own(principal: Principal, kept: Reading, organization: str) -> PartnerRow:
    return own_or_not_found(principal, kept.partner(organization), lambda row: [row.organization])


def _some(principal: Principal, kept: Reading, after: str, limit: int) -> list[PartnerRow]:
    if principal.is_owner:
        return kept.partners(after=after, limit=limit)
    own = kept.partner(principal.organization)
    return [] if own is None or own.organization <= after else [own]


def _refuse(act: Act, principal: Principal, organization: str, reason: str) -> int:
    row = _own(principal, act.kept, organization)
    if row.status is not PartyStatus.PENDING:
        raise BrokerRefused(
            f"{row.name} was approved before", code="partner-approved", hint=f"suspend {row.name} instead"
        )
    act.kept.remove_partner(organization)
    subjects = [organization, principal.organization]
    details = {"partner": row.name, "status": "refused"}
    entry = act.record(Kind.SUSPENSION, subjects, reason=reason, by=principal.id, **details)
    act.changes_rules()
    return entry


def _set_partner(
    act: Act, principal: Principal, organization: str, status: PartyStatus, reason: str | None
) -> PartnerAnswer:
    row = _own(principal, act.kept, organization)
    _verify_approved_once(row.status, row.name)
    if row.status is not status:
        act.kept.set_partner_status(organization, status)
        _record(act, principal, [organization], reason, partner=row.name)
    return _answer(act.kept, _own(principal, act.kept, organization))


def _set_runtime(
    act: Act, principal: Principal, runtime: str, status: PartyStatus, reason: str | None
) -> PartnerAnswer:
    row = own_or_not_found(principal, act.kept.runtime(runtime), lambda row: [row.organization])
    _verify_approved_once(row.status, "this runtime")
    if row.status is not status:
        act.kept.set_runtime_status(runtime, status)
        _record(act, principal, [row.organization, runtime], reason)
    return _answer(act.kept, _own(principal, act.kept, row.organization))


def _verify_approved_once(status: PartyStatus, name: str) -> None:
    if status is PartyStatus.PENDING:
        raise BrokerRefused(
            f"{name} was never approved",
            code="partner-pending",
            hint="compare the fingerprint with the partner, then approve it",
        )


def _record(act: Act, principal: Principal, subjects: list[str], reason: str | None, **details: str) -> None:
    whom = [*subjects, principal.organization]
    if reason is None:
        act.record(Kind.APPROVAL, whom, resumed=subjects[-1], by=principal.id, **details)
    else:
        act.record(Kind.SUSPENSION, whom, reason=reason, by=principal.id, **details)
    act.changes_rules()


def _answer(kept: Reading, row: PartnerRow) -> PartnerAnswer:
    return PartnerAnswer(
        organization=row.organization,
        name=row.name,
        status=row.status.value,
        runtimes=tuple(
            RuntimeAnswer(
                runtime=each.runtime,
                enrolled_at=to_instant(each.enrolled_at),
                status=each.status.value,
                fingerprint=fingerprint(each.enrollment),
                enrollment=each.enrollment,
            )
            for each in kept.runtimes_of(row.organization)
        ),
        enrolled_at=to_instant(row.enrolled_at),
    )
