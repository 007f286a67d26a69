"""Terms, chains, requests and facts of every shape, for the property tests of licenses."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from strongroom.license.chain import LicenseChain
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import (
    AtOwner,
    Authority,
    AuthorityKind,
    BreakGlassUse,
    Budget,
    Facts,
    Level,
    Recent,
    Request,
    Right,
    Withdrawn,
)
from strongroom.license.term import Term
from strongroom.license.terms import (
    ALLOWANCES,
    Agreement,
    BreakGlass,
    Expires,
    Explanations,
    Grace,
    Levels,
    NotBefore,
    Offline,
    Output,
    OutputKind,
    PackageChoice,
    Packages,
    Predictions,
    Purpose,
    Rate,
    Rights,
    Runtimes,
    Tokens,
    UnknownTerm,
)
from tests.unit.license.world import NOW, OTHER_RUNTIME, OWNER, PACKAGE, RUNTIME, chain_of, request

SMALL = st.integers(1, 6)
AUTHORITY = "lea-" + "l" * 24
PURPOSES = ["audit", "research", "triage"]
VERSIONS = ["1.0.0", "1.2.0", "1.3.0", "2.0.0"]

instants = st.integers(-90, 90).map(lambda hours: NOW + timedelta(hours=hours))
moments: st.SearchStrategy[datetime] = st.integers(-1, 90).map(lambda hours: NOW + timedelta(hours=hours))
versions = st.sampled_from(VERSIONS)
periods = st.sampled_from(Period)


def _set_of(values: list[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.sets(st.sampled_from(values), min_size=1).map(lambda chosen: tuple(sorted(chosen)))


@st.composite
def _choices(draw: st.DrawFn) -> PackageChoice:
    if draw(st.booleans()):
        return PackageChoice(digest=draw(st.sampled_from([PACKAGE, "cd" * 32])))
    name = draw(st.sampled_from(["risk", "risk", "risk", "other"]))
    low, high = sorted(draw(st.sets(versions, min_size=2, max_size=2)))
    bounds = draw(st.sampled_from([{}, {"at_least": low}, {"below": high}, {"at_least": low, "below": high}]))
    return PackageChoice(name=name, **bounds)


choices = _choices()
outputs = st.one_of(
    st.sampled_from([Output(policy=OutputKind.FULL), Output(policy=OutputKind.LABEL)]),
    st.integers(0, 15).map(lambda number: Output(policy=OutputKind.ROUNDED, decimals=number)),
    SMALL.map(lambda number: Output(policy=OutputKind.TOP_K, k=number)),
)
unknown_terms = st.builds(
    lambda tag, value: UnknownTerm({"term": f"x-{tag}", "value": value}),
    st.text("abc", min_size=1, max_size=3),
    st.one_of(st.integers(-9, 9), st.text(max_size=5), st.none(), st.lists(st.booleans(), max_size=2)),
)
known_terms: st.SearchStrategy[Term] = st.one_of(
    st.builds(NotBefore, at=instants),
    st.builds(Expires, at=instants),
    st.lists(choices, min_size=1, max_size=3, unique_by=str).map(
        lambda found: Packages(packages=tuple(sorted(found, key=str)))
    ),
    st.builds(Rights, rights=_set_of(list(Right))),
    st.builds(Levels, at_least=st.sampled_from(Level)),
    st.builds(Predictions, limit=SMALL, per=periods),
    st.builds(Tokens, limit=SMALL, per=periods),
    st.builds(Explanations, limit=SMALL, per=periods),
    st.builds(Rate, limit=SMALL, seconds=st.integers(1, 3600)),
    st.builds(Runtimes, limit=st.integers(1, 2)),
    outputs,
    st.builds(Purpose, purposes=_set_of(PURPOSES)),
    st.builds(Grace, hours=st.integers(1, 48), predictions=SMALL),
    st.builds(BreakGlass, hours=SMALL, uses=st.integers(1, 3)),
    st.builds(Offline, hours=st.integers(1, 400), files=st.integers(1, 3)),
    st.builds(Agreement, digest=st.sampled_from(["ab" * 32, "cd" * 32])),
)
terms = st.one_of(known_terms, unknown_terms)
restrictions = terms.filter(lambda term: not isinstance(term, ALLOWANCES))
"""Every term but those whose presence in the license makes an exception."""


def term_lists(*, most: int = 5) -> st.SearchStrategy[list[Term]]:
    """Return lists that one document may hold."""
    return st.lists(terms, max_size=most, unique=True).filter(
        lambda found: sum(isinstance(term, Agreement) for term in found) <= 1
    )


allowances = st.sampled_from(
    [[], [Grace(hours=30, predictions=4), BreakGlass(hours=4, uses=2), Offline(hours=200, files=2)]]
)


def _with_allowances(found: list[Term], more: list[Term]) -> list[Term]:
    return [*found, *(term for term in more if term not in found)]


def chains(*, terms_each: int = 4) -> st.SearchStrategy[LicenseChain]:
    """Return chains of one to three documents."""
    return st.builds(
        lambda first, children: chain_of(*first, children=children),
        st.builds(_with_allowances, term_lists(most=terms_each), allowances),
        st.lists(term_lists(most=2), max_size=2),
    )


def _mostly(usual: Any, *rare: Any) -> st.SearchStrategy[Any]:
    """Return one value nearly always: a dozen rare faults together leave nothing to decide."""
    return st.sampled_from([usual] * 20 * len(rare) + list(rare))


requests: st.SearchStrategy[Request] = st.builds(
    lambda **changes: request(**changes),
    right=st.sampled_from([Right.EVALUATE, Right.EXPLAIN, Right.PREDICT] * 4 + list(Right)),
    owner=_mostly(OWNER.id, "own-" + "x" * 24),
    version=versions,
    level=st.sampled_from([Level.LOCAL, Level.SEALED] * 3 + list(Level)),
    predictions=st.integers(0, 3),
    tokens=st.integers(0, 2),
    explanations=st.integers(0, 2),
    purpose=st.sampled_from([None, *PURPOSES]),
)


@st.composite
def budgets(draw: st.DrawFn) -> tuple[Budget, ...]:
    """Return a budget that an offline file may hold; most have something of everything."""
    counters = [CounterName.EXPLANATIONS, CounterName.PREDICTIONS, CounterName.TOKENS]
    chosen = draw(_mostly(counters, counters[:1], []))
    return tuple(Budget(counter=counter, limit=draw(SMALL), per=draw(periods)) for counter in chosen)


@st.composite
def _authorities(draw: st.DrawFn, chain: LicenseChain) -> Authority:
    kind = draw(st.sampled_from(AuthorityKind))
    start = draw(st.integers(-20, 0))
    shared = kind is AuthorityKind.PASSPHRASE
    return Authority(
        kind=kind,
        id=AUTHORITY,
        license=draw(_mostly(chain.id, "lic-" + "z" * 24)),
        runtime=None if shared else draw(_mostly(RUNTIME, OTHER_RUNTIME)),
        package=PACKAGE,
        issued_at=NOW + timedelta(hours=start),
        not_after=NOW + timedelta(hours=start + draw(st.integers(1, 90))),
        budget=() if shared else draw(budgets()),
    )


@st.composite
def facts_of(draw: st.DrawFn, chain: LicenseChain) -> Facts:
    """Return facts about a chain; most of them allow something."""
    ids = [*chain.ids, AUTHORITY]
    keys = st.builds(CounterKey, st.sampled_from(ids), st.sampled_from(CounterName), periods.map(_key_now))
    accepted = {each.id: draw(_mostly(each.agreement, "ef" * 32)) for each in chain.documents}
    for missing in draw(_mostly([], [chain.id])):
        accepted.pop(missing)
    latest = st.lists(st.builds(Recent, instants, SMALL), max_size=2).map(tuple)
    runtimes = st.frozensets(st.sampled_from([RUNTIME, OTHER_RUNTIME, "run-" + "q" * 24]), max_size=2)
    use = st.builds(BreakGlassUse, moments, _mostly("fire", ""), st.integers(1, 3))
    authority = st.one_of(_authorities(chain), _authorities(chain), st.just(AtOwner()))
    return Facts(
        authority=draw(_mostly(authority, st.none()).flatmap(lambda found: found)),
        accepted=accepted,
        revoked=draw(_mostly(frozenset(), frozenset({chain.id}), frozenset({AUTHORITY}))),
        used=draw(st.dictionaries(keys, SMALL, max_size=4)),
        running=draw(st.dictionaries(st.sampled_from(ids), runtimes, max_size=2)),
        recent=draw(st.dictionaries(st.sampled_from(ids), latest, max_size=2)),
        clock_mark=draw(_mostly(NOW, None, NOW + timedelta(hours=5))),
        version_mark=draw(st.sampled_from([None, *VERSIONS[:2]])),
        withdrawals=draw(st.lists(_withdrawn, max_size=1).map(tuple)),
        outage_since=draw(st.sampled_from([NOW, None])),
        break_glass=draw(st.one_of(st.none(), use)),
    )


def _key_now(period: Period) -> str:
    return period.key(NOW)


_withdrawn = st.builds(
    lambda pair, permits: Withdrawn(OWNER.id, "risk", pair[1], pair[0] if permits else None),
    st.sampled_from(list(pairwise(VERSIONS))),
    st.booleans(),
)
