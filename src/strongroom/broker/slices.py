"""What one lease or offline file may use: a slice of every count (spec/license.md, "Slices").

    span = Span(now, last_use_at)
    pools = Pools(chain, used, holds, span)
    pools.fill(document, term)                       # Fill(period="2026-11-24", used=60, held=25)
    slices = pools.cut(others, reserve=5000, wanted=None, carried={})

The one rule behind all of it: for each document, counter and period, what is used and what is
held never exceed the limit together. A slice is held in every period in which the lease may
be used, so a lease that lives over midnight takes its part of both days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
    """How full a count is in the fullest period of a span."""

    period: str
    used: int
    held: int

    @property
    def total(self) -> int:
        """Used and held."""
        return self.used + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """An amount of one count of one document, held in every period of a range."""

    document: str
    counter: CounterName
    per: Period
    first_period: str
    last_period: str
    amount: int

    def hold(self, authority: str) -> HoldRow:
        """Return it as the hold of a lease or offline file."""
        return HoldRow(
            document=self.document,
            authority=authority,
            counter=self.counter,
            per=self.per,
            first_period=self.first_period,
            last_period=self.last_period,
            amount=self.amount,
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
    carried: Mapping[tuple[CounterName, Period], int]
    """What the superseded lease may have used since its report: the new one covers it."""

    def size(self, document: str, term: Counted, left: int) -> int:
        """Return the slice of a count of which so much is left."""
        others = self.others.get(document, 0)
        share = max(left // (2 * others + 1), 1)
        carried = self.carried.get((term.counter, term.per), 0)
        if term.counter is CounterName.PREDICTIONS:
            if self.wanted is not None:
                # A table that is larger than a share is used at once: it gets what it needs, or a share.
                share = self.wanted if self.wanted <= left else share
                carried = min(carried, self.wanted)
            # A reserve that is larger than the rest would leave the others with nothing.
            share = max(min(share + self.reserve, left // (others + 1)), share)
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
        self._fills: dict[tuple[str, CounterName, Period], Fill] = {}
        self._holds: dict[tuple[str, CounterName, Period], list[HoldRow]] = defaultdict(list)
        for hold in holds:
            self._holds[hold.document, hold.counter, hold.per].append(hold)

    def fill(self, document: str, term: Counted) -> Fill:
        """Return how full a count is in the period of the span in which it is fullest."""
        place = document, term.counter, term.per
        if place not in self._fills:
            self._fills[place] = self._fullest(document, term, self._holds.get(place, ()))
        return self._fills[place]

    def _fullest(self, document: str, term: Counted, holds: Sequence[HoldRow]) -> Fill:
        first, last = self._span.periods(term.per)
        # Holds begin when they are made, so the first period is the fullest; what begins
        # later, or was counted ahead by a clock that is fast, is looked at all the same.
        starts = {first, *(hold.first_period for hold in holds if first < hold.first_period <= last)}
        following = self._span.next_period(term.per)
        if following is not None:
            starts.add(following)
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

        A counter of which any count is used up is left out.
        """
        amounts: dict[tuple[CounterName, Period], int] = {}
        for document, term in counted_terms(self._chain):
            left = term.limit - self.fill(document.id, term).total
            place = (term.counter, term.per)
            size = shares.size(document.id, term, left)
            amounts[place] = min(amounts.get(place, size), size)
        empty = {counter for (counter, _), amount in amounts.items() if amount < 1}
        return tuple(
            Slice(
                document=document,
                counter=counter,
                per=per,
                first_period=self._span.periods(per)[0],
                last_period=self._span.periods(per)[1],
                amount=amounts[counter, per],
            )
            # Two limits of one count, in one document, are held once.
            for document, counter, per in dict.fromkeys(
                (document.id, term.counter, term.per) for document, term in counted_terms(self._chain)
            )
            if counter not in empty
        )


def counted_terms(chain: LicenseChain) -> Iterator[tuple[ChainDocument, Counted]]:
    """Yield every term that counts, with its document."""
    for document, term in chain.terms():
        if isinstance(term, Counted):
            yield document, term


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
    limits = {(each.counter, each.per): each.amount for each in slices}
    return tuple(
        Budget(counter=counter, limit=limit, per=per) for (counter, per), limit in sorted(limits.items())
    )
