"""Whatever runtimes and broker do, in whatever order: no count of any document goes beyond its limit.

Some runtimes lie in what they report: then it is their own document that goes beyond, and no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from strongroom.broker.decide import BrokerFacts, Offer, Wish, decide, decide_offline
from strongroom.broker.records import HoldRow
from strongroom.broker.slices import counted_terms, covers
from strongroom.broker.tally import NOTHING, Tally, tally_of
from strongroom.license.chain import ChainDocument, LicenseChain
from strongroom.license.documents import Count, Usage
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import Level
from strongroom.license.term import Term
from strongroom.license.terms import BreakGlass, Expires, Grace, Offline, Predictions, Tokens
from tests.unit.license.world import OWNER, PACKAGE, SIGNED, WARD, chain_of, party

START = datetime.fromisoformat("2026-12-31T21:50:00Z")
"""A little before an hour, a day, a month and a year end."""
LEASE = timedelta(minutes=15)

counted = st.one_of(
    st.builds(Predictions, limit=st.integers(1, 30), per=st.sampled_from(Period)),
    st.builds(Tokens, limit=st.integers(1, 30), per=st.sampled_from(Period)),
)
allowances: st.SearchStrategy[list[Term]] = st.sampled_from(
    [
        [],
        [Grace(hours=3, predictions=5)],
        [Grace(hours=30, predictions=50), BreakGlass(hours=2, uses=2)],
        [Expires(at=START + timedelta(hours=40))],
    ]
)


@st.composite
def families(draw: st.DrawFn) -> list[LicenseChain]:
    """A license, and two sub-licenses of different sites under it."""
    terms: list[Term] = draw(st.lists(counted, min_size=1, max_size=3, unique=True))
    terms += draw(allowances)
    chain = chain_of(*terms, Offline(hours=100, files=2))
    chains = [chain]
    for place, name in enumerate(["north", "south"]):
        added = tuple(draw(st.lists(counted, max_size=2, unique=True)))
        site = ChainDocument(
            id="sub-" + "ns"[place] * 24,
            token="",
            holder=party(name, WARD),
            issuer="clinic",
            issued_at=SIGNED,
            terms=added,
        )
        chains.append(LicenseChain(OWNER.id, "hospital", (*chain.documents, site)))
    return chains


@dataclass
class Authority:
    """A lease or offline file in the hand of a runtime."""

    id: str
    offer: Offer
    used: Counter[tuple[CounterName, str]] = field(default_factory=Counter)
    made_at: datetime = START
    reported: Counter[tuple[CounterName, str]] | None = None
    """What a report said whose answer is lost; None: no report was made."""
    late: dict[CounterName, int] = field(default_factory=dict)
    """Since then: how much more may be used in each period."""

    def room(self, now: datetime) -> dict[tuple[CounterName, str], int]:
        """What may still be used, as a runtime computes it (``home.state``)."""
        room = {}
        for entry in self.offer.budget:
            place = entry.counter, entry.per.key(now)
            limit = entry.limit_at(now, self.made_at)
            if self.reported is not None:
                limit = min(limit, self.reported[place] + self.late[entry.counter])
            room[place] = limit - self.used[place]
        return room

    def report(self, now: datetime, wanted: int | None) -> None:
        """Close it: the clock of its runtime may be ahead of the broker's by a moment."""
        room = self.room(now)
        self.late = {
            counter: max(min(left for (each, _), left in room.items() if each is counter), 0)
            for counter, _ in room
        }
        if wanted is not None and CounterName.PREDICTIONS in self.late:
            self.late[CounterName.PREDICTIONS] = min(self.late[CounterName.PREDICTIONS], wanted)
        self.reported = Counter(self.used)


@dataclass
class Runtime:
    """An honest one, on a bad network."""

    name: str
    chain: LicenseChain
    held: Authority | None = None
    coming: Authority | None = None
    """A lease that was given, and whose answer was lost."""
    since: Counter[tuple[CounterName, str]] = field(default_factory=Counter)
    """Used since the report."""


class Model:
    """A broker's counts, and the truth."""

    def __init__(self, chains: Sequence[LicenseChain]) -> None:
        self.now = START
        self.runtimes = [Runtime(f"run-{number}", chains[number % 3]) for number in range(5)]
        self.used: Counter[CounterKey] = Counter()
        self.holds: list[HoldRow] = []
        self.truth: Counter[CounterKey] = Counter()
        self.files: list[tuple[Runtime, Authority]] = []
        self.serial = 0
        self.lied: set[str] = set()
        """The documents about which somebody lied."""

    def facts(self, runtime: Runtime, holds: Sequence[HoldRow], tally: Tally) -> BrokerFacts:
        ids = runtime.chain.ids
        return BrokerFacts(
            lease=LEASE,
            accepted=dict.fromkeys(ids),
            used=self.used,
            holds=[hold for hold in holds if hold.document in ids and not self._is_over(hold)],
            carried=tally.carried(self.of(runtime.held), self.now),
            offline={document: self._out(document) for document in ids},
        )

    def _is_over(self, hold: HoldRow) -> bool:
        return hold.last_period < hold.per.key(self.now)

    def _out(self, document: str) -> int:
        return sum(
            document in runtime.chain.ids and file.offer.not_after > self.now for runtime, file in self.files
        )

    def of(self, authority: Authority | None) -> list[HoldRow]:
        return [] if authority is None else [h for h in self.holds if h.authority == authority.id]

    def wish(self, runtime: Runtime, wanted: int | None) -> Wish:
        return Wish(
            runtime=runtime.name,
            level=Level.SEALED,
            facts=(),
            owner=OWNER.id,
            name="risk",
            version="1.2.0",
            package=PACKAGE,
            predictions=wanted,
        )

    def tally(self, runtime: Runtime, authority: Authority) -> Tally:
        usage = Usage(
            license=runtime.chain.id,
            runtime="run-" + "r" * 24,
            authority="lea-" + "a" * 24,
            previous=None,
            counts=tuple(
                Count(document="lea-" + "a" * 24, counter=counter, period=period, count=count)
                for (counter, period), count in authority.used.items()
                if count
            ),
            break_glass=(),
            issued_at=self.now,
        )
        return tally_of(usage, runtime.chain, self.of(authority), self.now)

    def charge(self, authority: Authority, tally: Tally) -> None:
        self.used.update(tally.used)
        self.holds = [hold for hold in self.holds if hold.authority != authority.id]

    # -- what runtimes do

    def take(self, runtime: Runtime, wanted: int | None, lost: bool, ahead: timedelta) -> None:
        if runtime.coming is not None:
            # The same request again: the same lease again. What was used meanwhile is charged to it.
            fresh, runtime.coming = runtime.coming, None
            fresh.used.update(runtime.since)
            runtime.since = Counter()
            runtime.held = fresh
            return
        before = (Counter(self.used), list(self.holds))
        tally = NOTHING
        if runtime.held is not None:
            tally = self.tally(runtime, runtime.held)
            facts_of = self.facts(runtime, self.holds, tally)
            self.charge(runtime.held, tally)
            carried = facts_of.carried
        else:
            carried = {}
        facts = self.facts(runtime, self.holds, NOTHING)
        answer = decide(runtime.chain, self.wish(runtime, wanted), replace(facts, carried=carried), self.now)
        if not isinstance(answer, Offer):
            # Refused: all is taken back.
            self.used, self.holds = before
            return
        fresh = self._given(answer)
        if lost and runtime.held is not None:
            runtime.coming = fresh
            runtime.held.report(self.now + ahead, wanted)
        else:
            runtime.held = fresh

    def _given(self, offer: Offer) -> Authority:
        self.serial += 1
        authority = Authority(f"lea-{self.serial}", offer, made_at=self.now)
        self.holds += [hold for each in offer.slices for hold in each.holds(authority.id)]
        return authority

    def use(self, runtime: Runtime, authority: Authority | None, amount: int) -> None:
        if authority is None or self.now >= authority.offer.last_use_at:
            return
        # A counter that has nothing here, in this period, is not used at all.
        room = authority.room(self.now)
        spent = {counter for (counter, _), left in room.items() if left < 1}
        places = {place: left for place, left in room.items() if place[0] not in spent}
        amount = min([amount, *places.values()])
        if not places:
            return
        authority.used.update(dict.fromkeys(places, amount))
        if authority.reported is not None:
            runtime.since.update(dict.fromkeys(places, amount))
        given = {counter for counter, _ in places}
        for document, counter, per in _counts(runtime.chain):
            if counter in given:
                self.truth[CounterKey(document, counter, per.key(self.now))] += amount

    def give_back(self, runtime: Runtime) -> None:
        if runtime.held is not None and runtime.coming is None:
            self.charge(runtime.held, self.tally(runtime, runtime.held))
            runtime.held = None

    def lie(self, runtime: Runtime, amount: int) -> None:
        """It gives its lease back, and says that it used much more than it did, at any time that it likes."""
        if runtime.held is None or runtime.coming is not None:
            return
        said = Counter(runtime.held.used)
        for entry in runtime.held.offer.budget:
            for at in (self.now - LEASE, self.now, runtime.held.offer.last_use_at, self.now + LEASE * 9):
                said[entry.counter, entry.per.key(at)] += amount
        runtime.held.used = said
        self.lied.add(runtime.chain.id)
        self.give_back(runtime)

    def lose(self, runtime: Runtime) -> None:
        """Its home is gone: nothing is reported, ever."""
        runtime.held = runtime.coming = None
        runtime.since = Counter()

    def check_out(self, runtime: Runtime) -> None:
        facts = self.facts(runtime, self.holds, NOTHING)
        until = self.now + timedelta(hours=30)
        answer = decide_offline(runtime.chain, self.wish(runtime, None), facts, self.now, until=until)
        if isinstance(answer, Offer):
            self.files.append((runtime, self._given(answer)))

    def report_ended(self) -> None:
        for runtime, file in list(self.files):
            if file.offer.not_after <= self.now:
                self.charge(file, self.tally(runtime, file))
                self.files.remove((runtime, file))

    # -- what must hold

    def check(self) -> None:
        periods: dict[int, set[str]] = {}
        for key in (*self.used, *self.truth):
            periods.setdefault(len(key.period), set()).add(key.period)
        for hold in self.holds:
            periods.setdefault(len(hold.first_period), set()).update([hold.first_period, hold.last_period])
        for document, term in {(d.id, t) for r in self.runtimes for d, t in counted_terms(r.chain)}:
            for period in periods.get(len(term.per.key(self.now)), set()):
                key = CounterKey(document, term.counter, period)
                held = sum(hold.amount for hold in self.holds if covers(hold, key))
                assert document in self.lied or self.used[key] + held <= term.limit, key
                assert self.truth[key] <= term.limit, key


def _counts(chain: LicenseChain) -> Iterator[tuple[str, CounterName, Period]]:
    yield from dict.fromkeys((document.id, term.counter, term.per) for document, term in counted_terms(chain))


STEPS = {
    "take": 40,
    "lost": 12,
    "use": 60,
    "file": 4,
    "back": 2,
    "lie": 2,
    "lose": 1,
    "out": 1,
    "report": 4,
    "pass": 4,
}
MINUTES = [1, 10, 10, 60, 60, 600, 1440, 45000]
AHEAD = [timedelta(), timedelta(), timedelta(minutes=10)]
"""Of the broker's clock, that of a runtime that reports: it may be in the next period already."""


def walk(model: Model, chance: Random, steps: int) -> None:
    """Do something at random, again and again, and look at every count each time."""
    for step in chance.choices(list(STEPS), list(STEPS.values()), k=steps):
        runtime = chance.choice(model.runtimes)
        amount = chance.choice([1, 3, 10, 100])
        match step:
            case "take" | "lost":
                wanted, ahead = chance.choice([None, None, 1, 3, 20]), chance.choice(AHEAD)
                model.take(runtime, wanted, step == "lost", ahead)
            case "use":
                model.use(runtime, runtime.held, amount)
            case "file":
                if model.files:
                    model.use(*chance.choice(model.files), amount)
            case "back":
                model.give_back(runtime)
            case "lose":
                model.lose(runtime)
            case "lie":
                model.lie(runtime, amount)
            case "out":
                model.check_out(runtime)
            case "report":
                model.report_ended()
            case _:
                model.now += timedelta(minutes=chance.choice(MINUTES))
        model.check()


# A walk is long, because what goes wrong takes a history: a lost answer, then another's turn,
# then midnight. The seed is all that there is to shrink.
@given(families(), st.integers(0, 2**32))
def test_no_count_ever_goes_beyond_its_limit(chains: list[LicenseChain], seed: int) -> None:
    walk(Model(chains), Random(seed), 300)  # noqa: S311 - no secret
