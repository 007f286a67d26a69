"""Leasing: a runtime takes, renews and gives back leases; the owner sees and releases them.

    answer = leasing.take(runtime, LeaseAsk(request=token, worker_key=text, usage=None, log_size=812))
    leasing.give_back(runtime, "lea-...", ReturnAsk(usage=token))
    leasing.release(admin, "lea-...", ReasonAsk(reason="the laptop is lost"))

Everything slow comes before the act: signatures are verified, the content key is taken from the
key provider and wrapped, to the worker's one-time key and to the runtime's sealing key. In the
act, in ``giving``, there are the facts, the decision and one signature. If it says no, what was
wrapped is thrown away.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from strongroom._encoding import to_instant
from strongroom.broker.act import Act
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Knowledge, Look, NotRememberedError
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.proving import ProvedAct
from strongroom.broker.records import LeaseEnd, LeaseRow, OfflineRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.envelopes import wrap_for_lease_request
from strongroom.broker.services.giving import (
    Alarm,
    Case,
    Given,
    Giving,
    Known,
    RuntimeChangedError,
    find_known,
    verify_admitted,
)
from strongroom.broker.services.ownership import own_or_not_found, verify_owner
from strongroom.broker.services.paging import page_of
from strongroom.broker.services.partners import verify_reason
from strongroom.broker.services.reporting import (
    count_report,
    own_holding,
    own_machine,
    usage_missing,
    verify_usage,
    visible_documents,
)
from strongroom.broker.settings import Settings
from strongroom.errors import Error, StorageUnavailable, VerificationError
from strongroom.keys.key_pair import sealing_public_from_text
from strongroom.license.documents import Lease, LeaseRequest, OfflineFile, Usage
from strongroom.license.runtime_documents import worker_key_digest
from strongroom.license.signing import Signed, read_unverified, verify_by_key
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    Done,
    LeaseAnswer,
    LeaseAsk,
    LeasePage,
    LeaseSummary,
    ReasonAsk,
    ReturnAsk,
)

_TRIES: Final = 3


class Leasing:
    """Leases."""

    __slots__ = ("_giving", "_keys", "_knowledge", "_ledger", "_settings")

    def __init__(
        self, ledger: Ledger, keys: BrokerKeys, settings: Settings, knowledge: Knowledge | None = None
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings
        self._knowledge = knowledge or Knowledge(keys)
        self._giving = Giving(keys, self._knowledge, timedelta(seconds=settings.lease_seconds))

    def take(self, principal: Principal, ask: LeaseAsk) -> LeaseAnswer:
        """Give a runtime a lease, or renew the one it has.

        The same request again gets the same lease again: nothing is counted twice.

        Raises:
            FormatError: no lease request, no usage report, or no worker key.
            ObjectNotFound: no such license, package or runtime of the asking one's.
            VerificationError: not signed by this runtime, for another owner (``wrong-owner``), or
                for another worker key (``wrong-worker-key``); a usage report about something
                else (``usage-wrong``).
            BrokerRefused: codes ``request-stale``, ``usage-missing``, ``clone-suspected``,
                ``partner-pending``, ``partner-suspended``, ``runtime-suspended``.
            LicenseDenied: the license says no; the code names the rule.
            IntegrityError: the content key does not open.
            NoMatchingKey: the key provider refuses to be used.
            StorageUnavailable: the database or the key provider does not answer.
        """
        for attempt in range(_TRIES):
            with self._ledger.turn.take():
                case = self._prepare(principal, ask, anew=attempt > 0)
            try:
                outcome, committed = self._ledger.act_to_prove(partial(self._giving.give, case=case))
            except RuntimeChangedError:
                continue
            if isinstance(outcome, Alarm):
                # Raised here and not in the act: the alarm in the log must outlive the refusal.
                raise outcome.refusal
            return _answer(outcome, self._ledger.prove_since(outcome.entry, ask.log_size, committed))
        raise StorageUnavailable(
            "this runtime enrolls again and again", code="broker-busy", hint="try again in a few seconds"
        )

    def give_back(self, principal: Principal, lease: str, ask: ReturnAsk) -> Done:
        """End a lease before its time, count what was used under it, and free its seats and what it holds.

        Raises:
            ObjectNotFound: no such lease of the asking runtime.
            FormatError: no usage report.
            VerificationError: a usage report by another, or about something else.
            BrokerRefused: the license counts, and there is no report (``usage-missing``).
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            look = self._knowledge.look(kept)
            row = _own_lease(principal, kept, lease)
            machine = own_machine(principal, look.machine(row.runtime))
            holding = own_holding(principal, look.holding(row.license))
        usage = None
        if ask.usage is not None:
            usage = verify_usage(ask.usage, machine, holding.chain)
            _verify_authority(usage, lease)
        return self._ledger.act(lambda act: self._end(act, principal, lease, usage))

    def page(
        self, principal: Principal, after: str = "", limit: int = 100, license: str | None = None
    ) -> LeasePage:
        """Return leases and offline files under which use is possible.

        Those of one license and what hangs from it, or all.

        Raises:
            ObjectNotFound: no such license.
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            documents = visible_documents(principal, kept, license)
            visible = None if documents is None else frozenset(documents)
            now = self._ledger.now(kept)

            def fetch(after: str, limit: int) -> list[LeaseRow | OfflineRow]:
                # The ids of leases come before those of files.
                leases = kept.leases(now, after=after, limit=limit, license=license)
                left = limit - len(leases)
                files = kept.offline_page(now, after=after, limit=left, license=license) if left else []
                return [*leases, *files]

            answers, following = page_of(
                fetch,
                _id_of,
                lambda row: _summary(kept, row, now),
                after=after,
                count=count,
                keep=lambda row: visible is None or row.license in visible,
            )
            return LeasePage(leases=answers, next=following)

    def release(self, principal: Principal, lease: str, ask: ReasonAsk) -> Done:
        """End a lease that its runtime cannot give back: a seat is free, or a runtime can start again.

        What it holds stays held: nobody knows what was used under it.

        Raises:
            ObjectNotFound: no such lease.
            FormatError: the reason is no line of text.
            BrokerRefused: a partner asks (``not-permitted``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)

        def do(act: Act) -> Done:
            row = own_or_not_found(principal, act.kept.lease(lease), lambda _: ())
            holding = self._knowledge.look_within(act).holding(row.license)
            subjects = (lease, row.runtime, *(() if holding is None else holding.subjects))
            if row.ended is None:
                act.kept.end_lease(lease, LeaseEnd.RETURNED)
            return Done(entry=act.record(Kind.RETURN, subjects, reason=ask.reason, by=principal.id))

        return self._ledger.act(do)

    def _prepare(self, principal: Principal, ask: LeaseAsk, *, anew: bool) -> Case:
        """Verify a request and wrap for it; the act looks up again what it was verified with."""
        refusal: Error | None = None
        remembered = None if anew else self._knowledge.look_back()
        if remembered is not None:
            # Nearly always it is still right, and that saves a transaction. Only the database refuses.
            try:
                return self._wrap(principal, ask, *_find_asked(remembered, principal, ask))
            except NotRememberedError:
                pass
            except Error as error:
                refusal = error
        with self._ledger.view() as kept:
            look = self._knowledge.look(kept)
            if refusal is not None and remembered is not None and look.stamp == remembered.stamp:
                raise refusal
            found = _find_asked(look, principal, ask)
        return self._wrap(principal, ask, *found)

    def _wrap(self, principal: Principal, ask: LeaseAsk, signed: Signed[LeaseRequest], known: Known) -> Case:
        request = signed.document
        if request.owner != self._keys.owner_id:
            raise VerificationError("a lease request is for another owner", code="wrong-owner")
        worker = sealing_public_from_text(ask.worker_key)
        if worker_key_digest(worker) != request.worker_key:
            raise VerificationError(
                "the worker key is not the one that the device key signed for", code="wrong-worker-key"
            )
        usage = None
        if ask.usage is not None:
            usage = verify_usage(ask.usage, known.machine, known.holding.chain)
            _verify_authority(usage, request.previous)
        envelopes = wrap_for_lease_request(
            self._keys.provider(), known.package.row, request, worker=worker, sealing=known.machine.sealing
        )
        return Case(principal=principal, request=signed, usage=usage, known=known, envelopes=envelopes)

    def _end(self, act: Act, principal: Principal, lease: str, usage: Signed[Usage] | None) -> Done:
        row = _own_lease(principal, act.kept, lease)
        holding = own_holding(principal, self._knowledge.look_within(act).holding(row.license))
        if usage is None and holding.is_counted and not row.reported:
            raise usage_missing(lease)
        is_due = usage is not None and not row.reported
        if row.ended is not None and not is_due:
            return Done(entry=row.entry)
        if row.ended is None:
            act.kept.end_lease(lease, LeaseEnd.RETURNED)
        if usage is not None and is_due:
            count_report(act, usage, holding, row, act.kept.holds_of(lease))
        return Done(entry=act.record(Kind.RETURN, (lease, row.runtime, *holding.subjects)))


def _find_asked(look: Look, principal: Principal, ask: LeaseAsk) -> tuple[Signed[LeaseRequest], Known]:
    machine = own_machine(principal, look.machine(principal.id))
    signed = verify_by_key(ask.request, LeaseRequest, machine.row.device)
    request = signed.document
    known = find_known(
        look, principal, runtime=request.runtime, license=request.license, package=request.package
    )
    verify_admitted(known.machine)
    return signed, known


def _answer(given: Given, proved: ProvedAct) -> LeaseAnswer:
    return LeaseAnswer(
        lease=given.token,
        proof=proved.proof.decode("utf-8"),
        offer=proved.offer.decode("utf-8"),
        revocations=given.revocations,
        withdrawals=given.known.package.tokens,
        time=to_instant(given.at),
    )


def _own_lease(principal: Principal, kept: Reading, lease: str) -> LeaseRow:
    row = kept.lease(lease)
    own = row if row is not None and row.runtime == principal.id else None
    return own_or_not_found(principal, own, lambda _: [principal.organization], owner_too=False)


def _verify_authority(usage: Signed[Usage], lease: str | None) -> None:
    if usage.document.authority != lease:
        raise VerificationError("a usage report is about another lease", code="usage-wrong")


def _id_of(row: LeaseRow | OfflineRow) -> str:
    return row.lease if isinstance(row, LeaseRow) else row.offline


def _summary(kept: Reading, row: LeaseRow | OfflineRow, now: datetime) -> LeaseSummary:
    runtime = kept.runtime(row.runtime)
    document: Lease | OfflineFile
    if isinstance(row, LeaseRow):
        document, last_use = read_unverified(row.token, Lease), row.last_use_at
    else:
        document, last_use = read_unverified(row.token, OfflineFile), row.not_after
    return LeaseSummary(
        lease=_id_of(row),
        license=row.license,
        runtime=row.runtime,
        organization="" if runtime is None else runtime.organization,
        package=row.package,
        issued_at=to_instant(row.issued_at),
        ends_at=to_instant(row.not_after),
        last_use_at=to_instant(last_use),
        budget={
            f"{each.counter.value}/{each.per.value}": each.limit_at(now, row.issued_at)
            for each in document.budget
        },
    )
