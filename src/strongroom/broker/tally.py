"""What a usage report adds to the counts of a chain (spec/license.md, "Usage reports").

    verify_counts(usage, chain)                           # every entry is one of this authority
    verify_periods(usage, Span(issued_at, last_use), now) # and of a time in which it could be used
    tally = tally_of(usage, chain, holds, now)
    tally.used                                            # {CounterKey: 12, ...}, for every document
    tally.excess                                          # what is more than was handed out

Pure. Each entry says what was used under one lease or offline file; it is charged to every
document of the chain that counts it. What is more than was handed out is charged to the narrowest
document alone: it is the word of one organization, and the documents above are shared with others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from strongroom.broker.records import HoldRow
from strongroom.broker.slices import Amounts, Span, counted_terms, covers
from strongroom.errors import VerificationError
from strongroom.license.chain import LicenseChain
from strongroom.license.documents import Count, Usage
from strongroom.license.fields import MAX_COUNT
from strongroom.license.period import CounterKey, CounterName, Period

_FORMS: Final = {
    Period.HOUR: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}"),
    Period.DAY: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    Period.MONTH: re.compile(r"[0-9]{4}-[0-9]{2}"),
    Period.YEAR: re.compile(r"[0-9]{4}"),
    Period.TOTAL: re.compile(r"total"),
}
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How far a period may lie outside of the time of its authority: clocks differ by minutes, and what was
used while an answer was on the way is reported under the next lease."""
_Said = dict[tuple[CounterName, Period, str], int]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a final report is charged with."""

    used: Mapping[CounterKey, int]
    """To be added to the counts of the documents."""
    excess: int
    """How much more than what was held was used, in the count that is worst."""

    def carried(self, holds: Sequence[HoldRow], now: datetime) -> dict[tuple[CounterName, Period], Amounts]:
        """Return what is left of these holds now, and in the next period: until the answer it may be used.

        In the next period that is all that is held there, whatever was used in this one: the clock of
        the runtime may be there already.
        """
        carried: dict[tuple[CounterName, Period], Amounts] = {}
        for document, counter, per in {(hold.document, hold.counter, hold.per): None for hold in holds}:
            key = CounterKey(document, counter, per.key(now))
            left = max(_held(key, holds) - self.used.get(key, 0), 0)
            following = per.end(now)
            later = left if following is None else _held(key._replace(period=per.key(following)), holds)
            known = carried.get((counter, per), Amounts(left, later))
            carried[counter, per] = Amounts(min(known.now, left), min(known.later, later))
        return carried


NOTHING: Final = Tally({}, 0)


def verify_counts(usage: Usage, chain: LicenseChain) -> None:
    """Check that a report speaks of its own authority only, and of nothing twice.

    Raises:
        VerificationError: it does not (code ``usage-wrong``).
    """
    seen: set[CounterKey] = set()
    for count in usage.counts:
        key = CounterKey(count.document, count.counter, count.period)
        if key in seen or not _is_own(count, usage, chain):
            raise VerificationError(
                "a usage report counts something twice, or something that is not of its lease or file",
                code="usage-wrong",
                hint="set the clock of the machine that reported right, and upgrade Strongroom on it",
            )
        seen.add(key)


def verify_periods(usage: Usage, span: Span, now: datetime) -> None:
    """Check that a report speaks only of periods in which its authority could be used.

    Args:
        usage: The report, whose counts are verified.
        span: From the making of its authority to the last use under it.
        now: The broker's time.

    Raises:
        VerificationError: it does not (code ``usage-wrong``).
    """
    first, last = span.start - CLOCKS_DIFFER, max(span.end, now) + CLOCKS_DIFFER
    bounds: dict[Period, tuple[str, str]] = {}
    for count in usage.counts:
        per = _kind_of(count.period)
        if per is None:
            continue
        if per not in bounds:
            bounds[per] = per.key(first), per.key(last)
        if not bounds[per][0] <= count.period <= bounds[per][1]:
            raise VerificationError(
                "a usage report counts in a period that its lease or file does not touch",
                code="usage-wrong",
                hint="set the clock of the machine that reported right, and upgrade Strongroom on it",
            )


def _is_own(count: Count, usage: Usage, chain: LicenseChain) -> bool:
    if count.counter is CounterName.GRACE_PREDICTIONS:
        return (count.document, count.period) == (chain.id, usage.authority)
    return count.document == usage.authority and _kind_of(count.period) is not None


def _kind_of(period: str) -> Period | None:
    return next((per for per, form in _FORMS.items() if form.fullmatch(period)), None)


def tally_of(usage: Usage, chain: LicenseChain, holds: Sequence[HoldRow], now: datetime) -> Tally:
    """Return what a verified report is charged with.

    Args:
        usage: The report, whose counts and periods are verified.
        chain: The chain under which it was used.
        holds: What its authority holds, also of periods that are over.
        now: The broker's time.
    """
    return _tally(_said(usage, chain, now), chain, lambda key: _held(key, holds), holds)


def tally_of_unknown(
    usage: Usage, chain: LicenseChain, used: Mapping[CounterKey, int], holds: Sequence[HoldRow], now: datetime
) -> Tally:
    """Return what a verified report is charged with, if nothing is known of its authority.

    A database that was restored does not know the last leases. One cannot have had more than
    is left, and whoever invents one gets no more than that charged to others.

    Args:
        usage: The report, whose counts and periods are verified.
        chain: The chain under which it was used.
        used: Counts, at least those of ``keys_said``.
        holds: What all others hold.
        now: The broker's time.
    """
    left: dict[tuple[CounterName, str], int] = {}
    for counter, per, period in (said := _said(usage, chain, now)):
        left[counter, period] = min(
            term.limit - used.get(key, 0) - _held(key, holds)
            for document, term in counted_terms(chain)
            if (term.counter, term.per) == (counter, per)
            for key in (CounterKey(document.id, counter, period),)
        )
    return _tally(said, chain, lambda key: max(left[key.counter, key.period], 0), ())


def keys_said(usage: Usage, chain: LicenseChain, now: datetime) -> set[CounterKey]:
    """Return the counts of all documents that a report speaks of."""
    return {
        CounterKey(document, counter, period)
        for counter, per, period in _said(usage, chain, now)
        for document in _documents(chain, counter, per)
    }


def _said(usage: Usage, chain: LicenseChain, now: datetime) -> _Said:
    """Return what was used of everything that the chain counts."""
    counted = {(term.counter, term.per) for _, term in counted_terms(chain)}
    said: _Said = {}
    for count in usage.counts:
        per = _kind_of(count.period)
        if per is not None and (count.counter, per) in counted:
            place = count.counter, per, _period(count.period, per, now)
            said[place] = min(said.get(place, 0) + count.count, MAX_COUNT)
    return said


def _documents(chain: LicenseChain, counter: CounterName, per: Period) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            document.id
            for document, term in counted_terms(chain)
            if (term.counter, term.per) == (counter, per)
        )
    )


def _tally(
    said: _Said, chain: LicenseChain, room: Callable[[CounterKey], int], holds: Sequence[HoldRow]
) -> Tally:
    used: dict[CounterKey, int] = {}
    excess = 0
    for (counter, per, period), amount in said.items():
        for document in _documents(chain, counter, per):
            key = CounterKey(document, counter, period)
            charged = amount if document == chain.id else min(amount, room(key))
            if charged:
                used[key] = charged
            excess = max(excess, amount - _held(key, holds))
    return Tally(used, excess)


def _period(said: str, per: Period, now: datetime) -> str:
    # A clock that is a little ahead counts in the next period. One that is far ahead, or a
    # lie, would put its uses where nobody looks for them.
    following = per.end(now)
    return said if following is None else min(said, per.key(following))


def _held(key: CounterKey, holds: Sequence[HoldRow]) -> int:
    return sum(hold.amount for hold in holds if covers(hold, key))


def totals(usage: Usage) -> dict[str, int]:
    """Return how much a report counts of each counter: what stands in the log.

    Every use is counted once in each kind of period; the kind with the largest sum has them all.
    """
    sums: dict[CounterName, Counter[int]] = {}
    for count in usage.counts:
        sums.setdefault(count.counter, Counter())[len(count.period)] += count.count
    return {
        counter.value.replace("-", "_"): min(max(found.values()), MAX_COUNT)
        for counter, found in sorted(sums.items())
    }
