"""What a usage report adds to the counts of a chain (spec/license.md, "Usage reports").

    verify_counts(usage, chain)                           # every entry is one of this authority
    tally = tally_of(usage, chain, holds, now)
    tally.used                                            # {CounterKey: 12, ...}, for every document
    tally.excess                                          # what is more than was handed out

Pure. Each entry says what was used under one lease or offline file; it is charged to every
document of the chain that counts it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from strongroom.broker.records import HoldRow
from strongroom.broker.slices import counted_terms, covers
from strongroom.errors import VerificationError
from strongroom.license.chain import LicenseChain
from strongroom.license.documents import Count, Usage
from strongroom.license.period import CounterKey, CounterName, Period

_FORMS: Final = {
    Period.HOUR: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}"),
    Period.DAY: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    Period.MONTH: re.compile(r"[0-9]{4}-[0-9]{2}"),
    Period.YEAR: re.compile(r"[0-9]{4}"),
    Period.TOTAL: re.compile(r"total"),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What a final report is charged with."""

    used: Mapping[CounterKey, int]
    """To be added to the counts of the documents."""
    excess: int
    """How much more than what was held was used, in the count that is worst."""

    def carried(self, holds: Sequence[HoldRow], now: datetime) -> dict[tuple[CounterName, Period], int]:
        """Return what is left of these holds in the period of now: it may be used until the answer comes."""
        carried: dict[tuple[CounterName, Period], int] = {}
        for hold in holds:
            used = self.used.get(CounterKey(hold.document, hold.counter, hold.per.key(now)), 0)
            left = max(hold.amount - used, 0) if hold.per.key(now) <= hold.last_period else 0
            place = hold.counter, hold.per
            carried[place] = min(carried.get(place, left), left)
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
                hint="upgrade Strongroom on the machine that reported",
            )
        seen.add(key)


def _is_own(count: Count, usage: Usage, chain: LicenseChain) -> bool:
    if count.counter is CounterName.GRACE_PREDICTIONS:
        return (count.document, count.period) == (chain.id, usage.authority)
    return count.document == usage.authority and _kind_of(count.period) is not None


def _kind_of(period: str) -> Period | None:
    return next((per for per, form in _FORMS.items() if form.fullmatch(period)), None)


def tally_of(usage: Usage, chain: LicenseChain, holds: Sequence[HoldRow], now: datetime) -> Tally:
    """Return what a verified report is charged with.

    Args:
        usage: The report, whose counts are verified.
        chain: The chain under which it was used.
        holds: What its authority holds.
        now: The broker's time.
    """
    used: Counter[CounterKey] = Counter()
    counted = dict.fromkeys((document.id, term.counter, term.per) for document, term in counted_terms(chain))
    for count in usage.counts:
        per = _kind_of(count.period)
        for document, counter, each in counted:
            if (counter, each) == (count.counter, per):
                used[CounterKey(document, counter, _period(count.period, each, now))] += count.count
    over = (amount - _held(key, holds) for key, amount in used.items())
    return Tally(dict(used), max([0, *over]))


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
    return {counter.value.replace("-", "_"): max(found.values()) for counter, found in sorted(sums.items())}
