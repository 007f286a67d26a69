"""Which counts a use is charged to, what is left of them, and how blocks are reserved.

    limits = limits_of(chain, facts, now)
    remaining(limits, used)                        # {CounterKey: 42, ...}
    used = charge(used, charges(limits, request))  # after an allowed use
    size = reservable(limits, used, CounterName.PREDICTIONS, wanted=64)

Every document of the chain has its own count, and so has what released the keys. A
runtime that counts in blocks charges a block before it uses it and gives the rest back
when it stops: a crash costs at most one block and never gives one away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom.license.chain import LicenseChain
from strongroom.license.period import CounterKey, CounterName, is_over
from strongroom.license.request import Authority, Facts, Request
from strongroom.license.terms import Counted, Grace
from strongroom.license.verdict import Standing

Counts = Mapping[CounterKey, int]


@dataclass(frozen=True, slots=True)
class CountLimit:
    """One count and how far it may go."""

    key: CounterKey
    limit: int


def limits_of(
    chain: LicenseChain, facts: Facts, now: datetime, standing: Standing = Standing.NORMAL
) -> tuple[CountLimit, ...]:
    """Return every count that a use at this instant is charged to."""
    limits = [
        CountLimit(CounterKey(document.id, term.counter, term.per.key(now)), term.limit)
        for document, term in chain.terms_of(Counted)
    ]
    authority = facts.authority
    if not isinstance(authority, Authority):
        return tuple(limits)
    limits += [
        CountLimit(CounterKey(authority.id, entry.counter, entry.per.key(now)), entry.limit)
        for entry in authority.budget_at(now)
    ]
    if standing is Standing.GRACE:
        limits += [
            CountLimit(CounterKey(document.id, CounterName.GRACE_PREDICTIONS, authority.id), term.predictions)
            for document, term in chain.terms_of(Grace)
        ]
    return tuple(limits)


def remaining(limits: Sequence[CountLimit], used: Counts) -> dict[CounterKey, int]:
    """Return what each count leaves; the smallest limit of a count decides."""
    left: dict[CounterKey, int] = {}
    for each in limits:
        rest = max(each.limit - used.get(each.key, 0), 0)
        left[each.key] = min(left.get(each.key, rest), rest)
    return left


def charges(limits: Sequence[CountLimit], request: Request) -> dict[CounterKey, int]:
    """Return what a request adds to each count."""
    added = {each.key: request.amount(each.key.counter) for each in limits}
    return {key: amount for key, amount in added.items() if amount}


def charge(used: Counts, added: Counts) -> dict[CounterKey, int]:
    """Return the counts after a use. Never below zero, so that giving back cannot make room."""
    total = dict(used)
    for key, amount in added.items():
        total[key] = max(total.get(key, 0) + amount, 0)
    return total


def give_back(used: Counts, added: Counts, unused: int) -> dict[CounterKey, int]:
    """Return the counts after a reserved block was used up only in part."""
    return charge(used, {key: -min(max(unused, 0), amount) for key, amount in added.items()})


def reservable(limits: Sequence[CountLimit], used: Counts, counter: CounterName, wanted: int) -> int:
    """Return how many of ``wanted`` may still be used: a block may be smaller than asked for."""
    counters = {counter}
    if counter is CounterName.PREDICTIONS:
        counters.add(CounterName.GRACE_PREDICTIONS)
    left = [rest for key, rest in remaining(limits, used).items() if key.counter in counters]
    return min([wanted, *left])


def prune(used: Counts, now: datetime) -> dict[CounterKey, int]:
    """Return the counts without those of periods that are over, so that state does not grow for ever."""
    return {key: count for key, count in used.items() if not is_over(key.period, now)}
