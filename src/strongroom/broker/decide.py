"""The decision of a broker: which lease, or which offline file, or why none.

    answer = decide(chain, wish, facts, now)
    if isinstance(answer, Denied): ...                 # code, reason, hint, term, document
    answer.not_after, answer.last_use_at, answer.budget, answer.slices, answer.seats

Pure: what the database knows comes in as ``BrokerFacts``, of one chain only, so the time it takes
does not depend on how many licenses there are. Whether the terms allow the use is decided by
``license.evaluate``, as everywhere; what is added here is how much one runtime gets of what is
left (spec/license.md, "Giving leases").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from strongroom._encoding import to_instant
from strongroom.broker.records import HoldRow
from strongroom.broker.slices import Amounts, Pools, Shares, Slice, Span, budget_of, counted_terms
from strongroom.license.chain import ChainDocument, LicenseChain
from strongroom.license.codes import Code
from strongroom.license.evaluate import evaluate
from strongroom.license.offline import end_of_offline
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.protection import counted, lacking
from strongroom.license.request import AtOwner, Budget, Facts, Level, Request, Right, Withdrawn
from strongroom.license.standing import break_glass_of, grace_of
from strongroom.license.terms import Counted, Expires, Grace, Purpose, Runtimes
from strongroom.license.verdict import Denied

_ASKED: Final[Mapping[Right, Mapping[str, int]]] = {
    Right.PREDICT: {"predictions": 1, "tokens": 1},
    Right.EVALUATE: {"predictions": 1, "tokens": 1},
    Right.EXPLAIN: {"predictions": 1, "explanations": 1},
    Right.EXPORT: {},
    Right.MODIFY: {},
}
"""What a lease may be for, and the least that is used of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a runtime asks for. The package is one that the owner has published."""

    runtime: str
    level: Level
    """What the runtime says of itself."""
    facts: Collection[str]
    """From what it follows (``license.protection``); what is above them is not believed."""
    owner: str
    name: str
    version: str
    package: str
    predictions: int | None = None
    """How many are wanted; None: no wish."""


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why the owner gives nothing for now, whatever the license says."""

    code: Code
    document: str
    """The document that it concerns."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What is known about one chain. Ids are those of its documents."""

    lease: timedelta
    """How long a lease lasts."""
    accepted: Mapping[str, str | None]
    """As in ``license.request.Facts``."""
    revoked: frozenset[str] = frozenset()
    why_revoked: Mapping[str, str] = field(default_factory=dict)
    """As in ``license.request.Facts``."""
    hindrances: Sequence[Hindrance] = ()
    withdrawals: tuple[Withdrawn, ...] = ()
    used: Mapping[CounterKey, int] = field(default_factory=dict)
    """Counts, at least those of ``slices.keys_of``, with what the superseded lease has reported."""
    holds: Sequence[HoldRow] = ()
    """Without those of the superseded lease."""
    carried: Mapping[tuple[CounterName, Period], Amounts] = field(default_factory=dict)
    """What the superseded lease may have used since its report."""
    running: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Document id to the runtimes that have a seat of it."""
    offline: Mapping[str, int] = field(default_factory=dict)
    """Document id to the offline files that hang from it and have not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What may be given out."""

    not_after: datetime
    last_use_at: datetime
    """After it, no use is possible: with grace and break-glass."""
    slices: tuple[Slice, ...]
    """What it holds of each document."""
    seats: tuple[str, ...]
    """The documents of which it takes a seat."""

    @property
    def budget(self) -> tuple[Budget, ...]:
        """What the lease or offline file says of its slices."""
        return budget_of(self.slices)


def decide(chain: LicenseChain, wish: Wish, facts: BrokerFacts, now: datetime) -> Offer | Denied:
    """Decide about a lease."""
    not_after, last_use_at = ends_of(chain, facts.lease, now)
    pools = Pools(chain, facts.used, facts.holds, Span(now, last_use_at))
    denied = _check(chain, wish, facts, now, pools)
    if denied is not None:
        return denied
    shares = Shares(
        others=_others(chain, wish, facts, pools),
        reserve=_reserve(chain),
        wanted=wish.predictions,
        carried=facts.carried,
    )
    return Offer(not_after=not_after, last_use_at=last_use_at, slices=pools.cut(shares), seats=_seats(chain))


def decide_offline(
    chain: LicenseChain, wish: Wish, facts: BrokerFacts, now: datetime, *, until: datetime | None
) -> Offer | Denied:
    """Decide about an offline file; ``until`` is when it should end (None: as late as possible)."""
    end = end_of_offline(chain, now, until=until, out=facts.offline)
    pools = Pools(chain, facts.used, facts.holds, Span(now, now if isinstance(end, Denied) else end))
    denied = _check(chain, wish, facts, now, pools)
    if denied is not None:
        # That the license has ended or is revoked comes first: no file is the answer to it.
        return denied
    if isinstance(end, Denied):
        return end
    shares = Shares(others=_others(chain, wish, facts, pools), wanted=wish.predictions, carried={})
    slices = pools.cut(shares)
    missing = _left_out(chain, slices)
    if missing is not None:
        return _used_up(chain, missing, pools, now)
    return Offer(not_after=end, last_use_at=end, slices=slices, seats=_seats(chain))


def ends_of(chain: LicenseChain, lease: timedelta, now: datetime) -> tuple[datetime, datetime]:
    """Return when a lease of this length ends, and when the last use under it can be.

    Neither passes the end of the license, nor does grace or break-glass.
    """
    ends = [term.at for _, term in chain.terms_of(Expires)]
    not_after = min([now + lease, *ends])
    last = not_after + grace_of(chain) + break_glass_of(chain)
    return not_after, min([last, *ends])


def _check(chain: LicenseChain, wish: Wish, facts: BrokerFacts, now: datetime, pools: Pools) -> Denied | None:
    denied = _first_denied(chain, wish, facts, now, pools.taken())
    if denied is not None and denied.code is Code.REVOKED:
        return denied
    for hindrance in facts.hindrances:
        return Denied(
            code=hindrance.code,
            reason=hindrance.reason,
            hint=f"Ask {chain.owner_name} why, and try again later.",
            document=hindrance.document,
        )
    if denied is None or denied.term not in {counter.value for counter in CounterName}:
        return denied
    return _used_up(chain, denied, pools, now)


def _first_denied(
    chain: LicenseChain, wish: Wish, facts: BrokerFacts, now: datetime, taken: Mapping[CounterKey, int]
) -> Denied | None:
    """Return None if any right can be used; else why the first one that the license gives cannot."""
    known = Facts(
        authority=AtOwner(),
        accepted=facts.accepted,
        revoked=facts.revoked,
        why_revoked=facts.why_revoked,
        used=taken,
        running=facts.running,
        withdrawals=facts.withdrawals,
    )
    found: Denied | None = None
    for right, amounts in _ASKED.items():
        verdict = evaluate(chain, _request(chain, wish, right, amounts), known, now)
        if not isinstance(verdict, Denied):
            return None
        if found is None or (found.code is Code.RIGHT_NOT_GRANTED and verdict.code is not found.code):
            found = verdict
    return _with_facts(found, wish)


def _with_facts(denied: Denied | None, wish: Wish) -> Denied | None:
    """Say of a level that is too low what was not shown."""
    if denied is None or denied.code is not Code.LEVEL_TOO_LOW:
        return denied
    missing = ", ".join(lacking(wish.facts))
    return replace(denied, reason=f"{denied.reason}; not shown: {missing}") if missing else denied


def _request(chain: LicenseChain, wish: Wish, right: Right, amounts: Mapping[str, int]) -> Request:
    return Request(
        right=right,
        owner=wish.owner,
        name=wish.name,
        version=wish.version,
        package_digest=wish.package,
        # Higher levels are shown by evidence, not said.
        level=counted(wish.level, wish.facts),
        runtime=wish.runtime,
        purpose=_any_purpose(chain),
        **amounts,
    )


def _any_purpose(chain: LicenseChain) -> str | None:
    # The purpose is stated with each use, and checked there: here, it is enough that there is one.
    sets = [set(term.purposes) for _, term in chain.terms_of(Purpose)]
    return min(set.intersection(*sets), default=None) if sets else None


def _others(chain: LicenseChain, wish: Wish, facts: BrokerFacts, pools: Pools) -> dict[str, int]:
    """Return, for each document, how many others should find something: those there are, and one more."""
    others = {}
    for document in chain.documents:
        seats = [term.limit for term in document.terms if isinstance(term, Runtimes)]
        if seats:
            running = len(facts.running.get(document.id, frozenset()) - {wish.runtime})
            others[document.id] = min(running + 1, min(seats) - 1)
        else:
            others[document.id] = pools.holders(document.id) + 1
    return others


def _reserve(chain: LicenseChain) -> int:
    if not any(isinstance(term, Grace) for term in chain.license.terms):
        return 0
    return min(term.predictions for _, term in chain.terms_of(Grace))


def _seats(chain: LicenseChain) -> tuple[str, ...]:
    return tuple(dict.fromkeys(document.id for document, term in chain.terms_of(Runtimes)))


def _left_out(chain: LicenseChain, slices: Sequence[Slice]) -> Denied | None:
    # A file is made to be used from now on, and not from the next period on.
    given = {each.counter for each in slices} - {each.counter for each in slices if not each.amount}
    for document, term in counted_terms(chain):
        if term.counter not in given:
            return Denied(code=term.code, reason="", term=term.tag, document=document.id)
    return None


def _used_up(chain: LicenseChain, denied: Denied, pools: Pools, now: datetime) -> Denied:
    """Say of a count that is used up how much of it is used, and how much only handed out.

    Of a document that another organization holds, only that it is: the numbers are of its other sites.
    """
    document, term = _fullest(chain, denied, pools)
    fill = pools.fill(document.id, term)
    if _is_own(chain, document):
        reason = (
            f"of {term.limit} {term.counter} per {term.per}, {fill.used} are used and {fill.held} are "
            f"handed out in leases and offline files ({fill.period})"
        )
    else:
        reason = (
            f"all {term.limit} {term.counter} per {term.per} of the license above are used or handed out "
            f"({fill.period})"
        )
    end = term.per.end(now)
    wait = "return a lease that is not needed" + ("" if end is None else f", wait until {to_instant(end)}")
    return replace(
        denied,
        reason=reason,
        hint=f"{wait[0].upper()}{wait[1:]}, or ask {document.issuer} for a larger budget.",
        document=document.id,
    )


def _fullest(chain: LicenseChain, denied: Denied, pools: Pools) -> tuple[ChainDocument, Counted]:
    """Return the count of the refusal that is fullest, if possible one of the asking organization's own."""
    places = [(document, term) for document, term in counted_terms(chain) if term.tag == denied.term]

    def over(place: tuple[ChainDocument, Counted]) -> int:
        document, term = place
        return pools.fill(document.id, term).total - term.limit

    own = [place for place in places if _is_own(chain, place[0]) and over(place) >= 0]
    return max(own or places, key=over)


def _is_own(chain: LicenseChain, document: ChainDocument) -> bool:
    return document.holder.organization == chain.holder.organization
