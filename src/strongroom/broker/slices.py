"""What one lease or offline file may use: a slice of every count (spec/license.md, "Slices").

    span = Span(now, last_use_at)
    pools = Pools(chain, used, holds, span)
    pools.fill(document, term)                       # Fill(period="2026-11-24", used=60, held=25)
    slices = pools.cut(others, reserve=5000, wanted=None, carried={})

The one rule behind all of it: for each document, counter and period, what is used and what is
held never exceed the limit together. A slice is held in every period in which the lease may
be used, so a lease that lives over midnight takes its part of both days: one amount of the day in
which it is made, and another of each day after that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from strongroom.broker.records import HoldRow
from strongroom.license.chain import ChainDocument, LicenseChain
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import Budget
from strongroom.license.terms import Counted

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something may be used; the end is not part of it."""

    start: datetime
    end: datetime

    def periods(self, per: Period) -> tuple[str, str]:
        """Return the keys of the first and of the last period that it touches."""
        return per.key(self.start), per.key(max(self.end - _SECOND, self.start))

    def next_period(self, per: Period) -> str | None:
        """Return the key of the second period that it touches, if there is one."""
        following = per.end(self.start)
        return None if following is None or following >= self.end else per.key(following)


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a count is in a period."""

    period: str
    used: int
    held: int

    @property
    def total(self) -> int:
        """Used and held."""
        return self.used + self.held


class Amounts(NamedTuple):
    """How much of a count: in the period of now, and in each one after it."""

    now: int
    later: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """An amount of one count of one document, held in the period of now and in those that follow."""

    document: str
    counter: CounterName
    per: Period
    span: Span
    amount: int
    later: int
    """In each period after the first; the same as ``amount`` where there is none."""

    @property
    def first_period(self) -> str:
        """The key of the period in which it begins."""
        return self.span.periods(self.per)[0]

    def holds(self, authority: str) -> Iterator[HoldRow]:
        """Yield it as holds of a lease or offline file: one, or one for now and one for later."""
        first, last = self.span.periods(self.per)
        following = self.span.next_period(self.per)
        if following is None or self.later == self.amount:
            yield self._hold(authority, first, last, self.amount)
            return
        if self.amount:
            yield self._hold(authority, first, first, self.amount)
        if self.later:
            yield self._hold(authority, following, last, self.later)

    def _hold(self, authority: str, first: str, last: str, amount: int) -> HoldRow:
        return HoldRow(
            document=self.document,
            authority=authority,
            counter=self.counter,
            per=self.per,
            first_period=first,
            last_period=last,
            amount=amount,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How much of what is left one runtime takes."""

    others: Mapping[str, int]
    """Document id to the runtimes that are to find something as well."""
    reserve: int = 0
    """Predictions for the grace time, on top."""
    wanted: int | None = None
    """Predictions asked for; None: no wish."""
    carried: Mapping[tuple[CounterName, Period], Amounts]
    """What the superseded lease may have used since its report: the new one covers it."""

    def sizes(self, document: str, term: Counted, left: Amounts) -> Amounts:
        """Return the slices of a count of which so much is left."""
        carried = self.carried.get((term.counter, term.per), Amounts(0, 0))
        # What is wanted is used at once: it says nothing about the next period.
        return Amounts(
            self._size(document, term, left.now, carried.now, self.wanted),
            self._size(document, term, left.later, carried.later, None),
        )

    def _size(self, document: str, term: Counted, left: int, carried: int, wanted: int | None) -> int:
        others = self.others.get(document, 0)
        most = left // (others + 1)
        share = max(min(left // (2 * others + 1), most), 1)
        if term.counter is CounterName.PREDICTIONS:
            if wanted is not None:
                # It gets what it needs, or a share.
                share = wanted if wanted <= left else share
                carried = min(carried, wanted)
            # A reserve that is larger than the rest would leave the others with nothing.
            share = max(min(share + self.reserve, most), share)
        return max(min(left, max(share, carried)), 0)


class Pools:
    """The counts of a chain, as full as they are in a span."""

    def __init__(
        self, chain: LicenseChain, used: Mapping[CounterKey, int], holds: Sequence[HoldRow], span: Span
    ) -> None:
        """Take what is known; ``used`` has at least the keys of ``keys_of`` that are not zero."""
        self._chain = chain
        self._used = used
        self._span = span
        self._fills: dict[tuple[str, CounterName, Period], tuple[Fill, Fill]] = {}
        self._holds: dict[tuple[str, CounterName, Period], list[HoldRow]] = defaultdict(list)
        for hold in holds:
            self._holds[hold.document, hold.counter, hold.per].append(hold)

    def fill(self, document: str, term: Counted) -> Fill:
        """Return how full a count is in the period of now."""
        return self._both(document, term)[0]

    def later(self, document: str, term: Counted) -> Fill:
        """Return how full it is in the fullest of the periods that follow; without one, in that of now."""
        return self._both(document, term)[1]

    def left(self, document: str, term: Counted) -> Amounts:
        """Return how much of a limit is left; below zero, if a limit was passed by a lie."""
        now, later = self._both(document, term)
        return Amounts(term.limit - now.total, term.limit - later.total)

    def _both(self, document: str, term: Counted) -> tuple[Fill, Fill]:
        place = document, term.counter, term.per
        if place not in self._fills:
            holds = self._holds.get(place, ())
            now = self._fill_in(self._span.periods(term.per)[0], document, term, holds)
            self._fills[place] = now, self._fullest_later(document, term, holds) or now
        return self._fills[place]

    def _fullest_later(self, document: str, term: Counted, holds: Sequence[HoldRow]) -> Fill | None:
        following, last = self._span.next_period(term.per), self._span.periods(term.per)[1]
        if following is None:
            return None
        # Most of what is held later is held in the second period already; what begins after it is
        # looked at all the same.
        starts = {following, *(hold.first_period for hold in holds if following < hold.first_period <= last)}
        fills = [self._fill_in(period, document, term, holds) for period in sorted(starts)]
        return max(fills, key=lambda fill: fill.total)

    def _fill_in(self, period: str, document: str, term: Counted, holds: Sequence[HoldRow]) -> Fill:
        held = sum(hold.amount for hold in holds if hold.first_period <= period <= hold.last_period)
        return Fill(period, self._used.get(CounterKey(document, term.counter, period), 0), held)

    def taken(self) -> dict[CounterKey, int]:
        """Return what counts as used of every count: what is used and what is held."""
        taken: dict[CounterKey, int] = {}
        for document, term in counted_terms(self._chain):
            key = CounterKey(document.id, term.counter, term.per.key(self._span.start))
            taken[key] = self.fill(document.id, term).total
        return taken

    def holders(self, document: str) -> int:
        """Return how many leases and files hold something of a document."""
        return len(
            {hold.authority for held in self._holds.values() for hold in held if hold.document == document}
        )

    def cut(self, shares: Shares) -> tuple[Slice, ...]:
        """Return what one lease or file holds: of a counter and period, the same of every document.

        A counter of which any count is used up, now and later, is left out.
        """
        amounts: dict[tuple[CounterName, Period], Amounts] = {}
        for document, term in counted_terms(self._chain):
            place = (term.counter, term.per)
            size = shares.sizes(document.id, term, self.left(document.id, term))
            known = amounts.get(place, size)
            amounts[place] = Amounts(min(known.now, size.now), min(known.later, size.later))
        for counter, per in amounts:
            if self._span.next_period(per) is None:
                amounts[counter, per] = amounts[counter, per]._replace(later=amounts[counter, per].now)
        # What is used up today is held tomorrow all the same: the clock of the runtime may be there.
        empty = {counter for (counter, _), amount in amounts.items() if not any(amount)}
        return tuple(
            Slice(
                document=document,
                counter=counter,
                per=per,
                span=self._span,
                amount=amounts[counter, per].now,
                later=amounts[counter, per].later,
            )
            # Two limits of one count, in one document, are held once.
            for document, counter, per in dict.fromkeys(
                (document.id, term.counter, term.per) for document, term in counted_terms(self._chain)
            )
            if counter not in empty
        )


def counted_terms(chain: LicenseChain) -> tuple[tuple[ChainDocument, Counted], ...]:
    """Return every term that counts, with its document."""
    return chain.terms_of(Counted)


def covers(hold: HoldRow, key: CounterKey) -> bool:
    """Tell whether a hold holds something of a count."""
    return (
        (hold.document, hold.counter) == (key.document, key.counter)
        and len(hold.first_period) == len(key.period)
        and hold.first_period <= key.period <= hold.last_period
    )


def keys_of(chain: LicenseChain, span: Span) -> set[CounterKey]:
    """Return the counts that ``Pools`` has to know: those of the first two periods of the span."""
    keys = set()
    for document, term in counted_terms(chain):
        for period in (term.per.key(span.start), span.next_period(term.per)):
            if period is not None:
                keys.add(CounterKey(document.id, term.counter, period))
    return keys


def budget_of(slices: Sequence[Slice]) -> tuple[Budget, ...]:
    """Return what a lease or offline file says of its slices."""
    limits = {(each.counter, each.per): (each.amount, each.later) for each in slices}
    return tuple(
        Budget(counter=counter, limit=limit, per=per, later=None if later == limit else later)
        for (counter, per), (limit, later) in sorted(limits.items())
    )
