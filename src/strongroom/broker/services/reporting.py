"""Reporting: runtimes say what they used, and people read what was used and what is handed out.

    reporting.report(runtime, UsageAsk(usage=token))
    reporting.page(auditor, license="lic-...").usage

A report is counted once, and only when nothing can be used under its lease or file any
more (spec/license.md, "Usage reports"). What it says is the partner's signed statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom._encoding import to_instant
from strongroom.broker.act import Act
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Holding, Knowledge, Machine
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal, PrincipalKind
from strongroom.broker.records import HoldRow, LeaseEnd, LeaseRow, LicenseRow, OfflineRow, UsageRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import each_license_of, own_or_not_found, was_granted
from strongroom.broker.settings import Settings
from strongroom.broker.slices import Span, covers
from strongroom.broker.tally import (
    NOTHING,
    Tally,
    keys_said,
    tally_of,
    tally_of_unknown,
    totals,
    verify_counts,
    verify_periods,
)
from strongroom.errors import BrokerRefused, VerificationError
from strongroom.license.chain import LicenseChain
from strongroom.license.documents import License, Sublicense, Usage
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.signing import Signed, read_unverified, verify_by_key
from strongroom.license.terms import Counted
from strongroom.log.entry import Kind
from strongroom.protocol.broker import Done, UsageAsk, UsagePage, UsageSummary

_MOST_REASONS: Final = 16
"""Uses of break-glass in one report that get an entry of their own in the log."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of a report."""

    tally: Tally
    entry: int
    """Index of its entry in the log."""


class Reporting:
    """Usage, as it comes in and as it is read."""

    __slots__ = ("_keys", "_knowledge", "_ledger", "_settings")

    def __init__(
        self, ledger: Ledger, keys: BrokerKeys, settings: Settings, knowledge: Knowledge | None = None
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings
        self._knowledge = knowledge or Knowledge(keys)

    def report(self, principal: Principal, ask: UsageAsk) -> Done:
        """Take in what a runtime used; the same report twice changes nothing.

        A report under a lease ends the lease. A report under an offline file that has not ended
        is kept until the next one, and changes no count.

        Raises:
            FormatError: no usage report.
            ObjectNotFound: no such lease or file of this runtime.
            VerificationError: not signed by this runtime, or about something else
                (``usage-wrong``).
            BrokerRefused: another report is counted already (``usage-final``).
            StorageUnavailable: the database does not answer.
        """
        usage = read_unverified(ask.usage, Usage)
        with self._ledger.view() as kept:
            look = self._knowledge.look(kept)
            machine = own_machine(principal, look.machine(usage.runtime))
            holding = own_holding(principal, look.holding(usage.license))
            own_authority(principal, kept, usage)
        signed = verify_usage(ask.usage, machine, holding.chain)

        def do(act: Act) -> Done:
            return Done(entry=_report(act, principal, signed, self._holding(act, principal, usage.license)))

        return self._ledger.act(do)

    def page(
        self, principal: Principal, after: str = "", limit: int = 100, license: str | None = None
    ) -> UsagePage:
        """Return counts after one; of one license and what hangs from it, or of all that one may see.

        Raises:
            ObjectNotFound: no such license.
            FormatError: ``after`` is no count.
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            documents = visible_documents(principal, kept, license)
            found = kept.counts(after=after, limit=count + 1, documents=documents)
            page = found[:count]
            return UsagePage(
                usage=tuple(_summaries(kept, page)),
                next=page[-1][0].to_text() if len(found) > count else None,
            )

    def _holding(self, act: Act, principal: Principal, license: str) -> Holding:
        return own_holding(principal, self._knowledge.look_within(act).holding(license))


def own_machine(principal: Principal, machine: Machine | None) -> Machine:
    """Return what is known of the asking runtime itself.

    Raises:
        ObjectNotFound: it is another, or somebody who is no runtime.
    """
    is_itself = (
        machine is not None
        and principal.kind is PrincipalKind.RUNTIME
        and machine.row.runtime == principal.id
    )
    return own_or_not_found(
        principal, machine if is_itself else None, lambda found: [found.row.organization], owner_too=False
    )


def own_holding(principal: Principal, holding: Holding | None) -> Holding:
    """Return what is known of a license whose narrowest document the asking organization holds.

    Raises:
        ObjectNotFound: there is none, or it is another's.
    """

    def holders(found: Holding) -> list[str]:
        return [found.organization] if was_granted(found.rows) else []

    return own_or_not_found(principal, holding, holders, owner_too=False)


def own_authority(principal: Principal, kept: Reading, usage: Usage) -> LeaseRow | OfflineRow:
    """Return the lease or offline file of the asking runtime that a report is about.

    Raises:
        ObjectNotFound: there is none, or it is another's, or of another license.
    """
    lease, offline = kept.lease(usage.authority), kept.offline_file(usage.authority)
    if lease is not None and (lease.runtime, lease.license) == (principal.id, usage.license):
        return lease
    if offline is not None and (offline.runtime, offline.license) != (principal.id, usage.license):
        offline = None
    return own_or_not_found(principal, offline, lambda _: [principal.organization], owner_too=False)


def verify_usage(token: str, machine: Machine, chain: LicenseChain) -> Signed[Usage]:
    """Verify a report of this runtime about this chain.

    Raises:
        FormatError: no usage report.
        VerificationError: not signed by the device key, or about something else.
    """
    signed = verify_by_key(token, Usage, machine.row.device)
    if (signed.document.runtime, signed.document.license) != (machine.row.runtime, chain.id):
        raise VerificationError("a usage report is about another runtime or license", code="usage-wrong")
    verify_counts(signed.document, chain)
    return signed


def count_report(
    act: Act,
    signed: Signed[Usage],
    holding: Holding,
    row: LeaseRow | OfflineRow | None,
    holds: Sequence[HoldRow],
    *,
    final: bool = True,
    known: bool = False,
    ends: LeaseEnd | None = None,
) -> Reported:
    """Take a verified report in: charge it if it is final, free its holds, and log it.

    Args:
        act: The act.
        signed: The report.
        holding: The chain that it is about.
        row: Its authority; None: a lease of which a restored database knows nothing.
        holds: What its authority holds; without one, what all others hold.
        final: Whether nothing can be used under its authority any more.
        known: Whether this very report came before, when it was not final.
        ends: How its authority, a lease, ends with it.

    Raises:
        VerificationError: it counts in a period that its authority does not touch (``usage-wrong``).
    """
    usage = signed.document
    verify_periods(usage, _span(row, holding, act.now), act.now)
    tally = _tally(act, usage, holding, row, holds) if final else NOTHING
    _note_copies(act, signed, holding)
    if final:
        act.kept.add_used(tally.used)
        act.kept.mark_reported(usage.authority, ends)
    if not known:
        if isinstance(row, OfflineRow):
            # Each report says all that was used from the beginning: the newest one is enough.
            act.kept.drop_usage(row.offline)
        act.kept.add_usage(_row(signed, act.now))
    subjects = (signed.id, usage.authority, usage.runtime, *holding.subjects)
    for use in usage.break_glass[:_MOST_REASONS]:
        act.record(
            Kind.BREAK_GLASS,
            subjects,
            document=signed.token,
            reason=use.reason,
            started_at=to_instant(use.started_at),
        )
    counts: dict[str, str | int] = dict(totals(usage))
    if tally.excess:
        counts["excess"] = tally.excess
    if usage.break_glass:
        counts["break_glass"] = len(usage.break_glass)
    entry = act.record(Kind.USAGE, subjects, document=signed.token, final=int(final), **counts)
    return Reported(tally, entry)


def _span(row: LeaseRow | OfflineRow | None, holding: Holding, now: datetime) -> Span:
    if row is None:
        # The broker's own time of the license: nothing was given out before.
        return Span(holding.rows[-1].granted_at, now)
    return Span(row.issued_at, row.not_after if isinstance(row, OfflineRow) else row.last_use_at)


def _tally(
    act: Act, usage: Usage, holding: Holding, row: LeaseRow | OfflineRow | None, holds: Sequence[HoldRow]
) -> Tally:
    if row is not None:
        return tally_of(usage, holding.chain, holds, act.now)
    used = act.kept.used(keys_said(usage, holding.chain, act.now))
    return tally_of_unknown(usage, holding.chain, used, holds, act.now)


def _row(signed: Signed[Usage], now: datetime) -> UsageRow:
    usage = signed.document
    return UsageRow(
        usage=signed.id,
        license=usage.license,
        runtime=usage.runtime,
        authority=usage.authority,
        previous=usage.previous,
        token=signed.token,
        received_at=now,
    )


def _note_copies(act: Act, signed: Signed[Usage], holding: Holding) -> None:
    usage = signed.document
    newest = act.kept.newest_usage(usage.runtime, usage.license)
    if newest is None or usage.previous is None:
        return
    if newest.previous != usage.previous or newest.usage == signed.id:
        return
    # Two successors of one report: the state of this runtime was copied. What either of them
    # used is counted all the same.
    act.record(
        Kind.CLONE_ALARM,
        (signed.id, newest.usage, usage.previous, usage.runtime, *holding.subjects),
        document=signed.token,
    )


def _report(act: Act, principal: Principal, signed: Signed[Usage], holding: Holding) -> int:
    usage = signed.document
    row = own_authority(principal, act.kept, usage)
    known = act.kept.usage(signed.id) is not None
    holds = act.kept.holds_of(usage.authority)
    if isinstance(row, OfflineRow):
        ended = row.not_after <= act.now
        if known and not (ended and holds):
            return _entry_of(act, signed.id)
        if ended and holding.is_counted and not holds:
            raise usage_final()
        if not ended and (entries := act.kept.entries_about([signed.id], after=-1, limit=1)):
            # A newer one took its place.
            return entries[0].index
        return count_report(act, signed, holding, row, holds, final=ended, known=known).entry
    if known:
        return _entry_of(act, signed.id)
    if row.reported:
        raise usage_final()
    if row.ended is None:
        act.kept.end_lease(row.lease, LeaseEnd.RETURNED)
    return count_report(act, signed, holding, row, holds).entry


def _entry_of(act: Act, usage: str) -> int:
    # Of a report that came in this very transaction, the entry is not in the database yet.
    entries = act.kept.entries_about([usage], after=-1, limit=1)
    return entries[0].index if entries else act.kept.head().size


def usage_final() -> BrokerRefused:
    """Return the refusal of a second report about one lease or file."""
    return BrokerRefused(
        "what was used under this lease or file is counted already",
        code="usage-final",
        hint="if two copies of this machine are at work, end one and tell the owner",
    )


def usage_missing(lease: str) -> BrokerRefused:
    """Return the refusal of a renewal or return that does not say what was used under a lease."""
    return BrokerRefused(
        f"the license counts, and what was used under {lease} is not reported",
        code="usage-missing",
        hint="send a usage report along",
    )


def visible_documents(principal: Principal, kept: Reading, license: str | None) -> list[str] | None:
    """Return the licenses that somebody may read about; None: all.

    Those are, of an organization, its own and what hangs from them.

    Raises:
        ObjectNotFound: no such license, or another's.
    """
    if license is not None:
        rows = kept.chain(license)
        row = own_or_not_found(
            principal,
            rows[-1] if rows else None,
            lambda _: [each.organization for each in rows] if was_granted(rows) else [],
        )
        return _with_those_under(kept, [row])
    if principal.is_owner:
        return None
    return _with_those_under(kept, list(each_license_of(kept, principal.organization)))


def _with_those_under(kept: Reading, rows: Sequence[LicenseRow]) -> list[str]:
    found = dict.fromkeys(row.license for row in rows)
    for row in rows:
        found.update(dict.fromkeys(each.license for each in kept.licenses_under(row.license)))
    return list(found)


def _summaries(kept: Reading, page: Sequence[tuple[CounterKey, int]]) -> Iterator[UsageSummary]:
    documents = list(dict.fromkeys(key.document for key, _ in page))
    holds = kept.holds(documents)
    limits = {document: _limits(kept.license(document)) for document in documents}
    for key, used in page:
        yield UsageSummary(
            document=key.document,
            counter=key.counter.value,
            period=key.period,
            used=used,
            reserved=sum(hold.amount for hold in holds if covers(hold, key)),
            limit=limits[key.document].get((key.counter, len(key.period))),
        )


def _limits(row: LicenseRow | None) -> dict[tuple[CounterName, int], int]:
    """Return the limits of one document, by counter and form of the period."""
    if row is None:
        return {}
    document: License | Sublicense
    if row.parent is None:
        document = read_unverified(row.token, License)
    else:
        document = read_unverified(row.token, Sublicense)
    limits: dict[tuple[CounterName, int], int] = {}
    for term in document.terms:
        if isinstance(term, Counted):
            place = term.counter, len(term.per.key(row.granted_at))
            limits[place] = min(limits.get(place, term.limit), term.limit)
    return limits
