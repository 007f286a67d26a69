from __future__ import annotations

from strongroom.license.counters import (
    CountLimit,
    charge,
    charges,
    give_back,
    limits_of,
    prune,
    remaining,
    reservable,
)
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import AtOwner, Budget
from strongroom.license.terms import Expires, Explanations, Grace, Predictions
from strongroom.license.verdict import Standing
from tests.unit.license.world import DAY, HOUR, NOW, chain_of, facts, lease, request

DAY_KEY = "2026-11-24"


def key(document: str, counter: CounterName = CounterName.PREDICTIONS, period: str = DAY_KEY) -> CounterKey:
    return CounterKey(document, counter, period)


CHAIN = chain_of(
    Expires(at=NOW + DAY),
    Predictions(limit=100, per=Period.DAY),
    Predictions(limit=1000, per=Period.MONTH),
    Explanations(limit=10, per=Period.TOTAL),
    children=[[Predictions(limit=40, per=Period.DAY), Predictions(limit=30, per=Period.DAY)]],
)
PARENT, CHILD = CHAIN.ids
BUDGET = (Budget(counter=CounterName.PREDICTIONS, limit=20, per=Period.HOUR),)


def test_every_document_and_the_authority_have_counts() -> None:
    limits = limits_of(CHAIN, facts(CHAIN, authority=lease(CHAIN, budget=BUDGET)), NOW)
    assert limits == (
        CountLimit(key(PARENT), 100),
        CountLimit(key(PARENT, period="2026-11"), 1000),
        CountLimit(key(PARENT, CounterName.EXPLANATIONS, "total"), 10),
        CountLimit(key(CHILD), 40),
        CountLimit(key(CHILD), 30),
        CountLimit(key(lease(CHAIN).id, period="2026-11-24T03"), 20),
    )
    assert limits_of(CHAIN, facts(CHAIN, authority=AtOwner()), NOW) == limits[:5]


def test_the_smallest_limit_of_a_count_is_what_is_left() -> None:
    limits = limits_of(CHAIN, facts(CHAIN, authority=AtOwner()), NOW)
    left = remaining(limits, {key(PARENT): 70, key(CHILD): 99})
    assert left[key(PARENT)] == 30
    assert left[key(CHILD)] == 0
    assert left[key(PARENT, period="2026-11")] == 1000


def test_a_use_is_charged_once_to_each_count() -> None:
    limits = limits_of(CHAIN, facts(CHAIN, authority=AtOwner()), NOW)
    added = charges(limits, request(predictions=5))
    assert added == {key(PARENT): 5, key(PARENT, period="2026-11"): 5, key(CHILD): 5}
    assert charge({key(PARENT): 1}, added) == {**added, key(PARENT): 6}
    assert charges(limits, request(predictions=0)) == {}


def test_a_block_is_as_large_as_the_smallest_rest() -> None:
    limits = limits_of(CHAIN, facts(CHAIN, authority=AtOwner()), NOW)
    predictions = CounterName.PREDICTIONS
    assert reservable(limits, {}, predictions, 64) == 30
    assert reservable(limits, {}, predictions, 8) == 8
    assert reservable(limits, {key(PARENT): 99}, predictions, 8) == 1
    assert reservable(limits, {key(PARENT): 100}, predictions, 8) == 0
    assert reservable(limits, {}, CounterName.TOKENS, 64) == 64


def test_in_grace_predictions_have_a_second_limit() -> None:
    chain = chain_of(Grace(hours=1, predictions=7))
    limits = limits_of(chain, facts(chain, authority=lease(chain, budget=())), NOW, Standing.GRACE)
    grace = key(chain.id, CounterName.GRACE_PREDICTIONS, lease(chain).id)
    assert limits == (CountLimit(grace, 7),)
    assert charges(limits, request(predictions=3)) == {grace: 3}
    assert reservable(limits, {grace: 5}, CounterName.PREDICTIONS, 64) == 2
    assert reservable(limits, {grace: 5}, CounterName.TOKENS, 64) == 64
    assert limits_of(chain, facts(chain, authority=lease(chain, budget=())), NOW) == ()


def test_giving_back_makes_no_room_that_was_not_taken() -> None:
    added = {key(PARENT): 64}
    used = charge({key(PARENT): 10}, added)
    assert give_back(used, added, 60) == {key(PARENT): 14}
    assert give_back(used, added, 9999) == {key(PARENT): 10}
    assert give_back(used, added, -5) == used
    assert give_back({}, added, 64) == {key(PARENT): 0}


def test_counts_of_periods_that_are_over_are_forgotten() -> None:
    used = {
        key(PARENT, period="2026-11-23"): 1,
        key(PARENT, period=DAY_KEY): 2,
        key(PARENT, period="2026-11-24T02"): 3,
        key(PARENT, period="2026-11-24T03"): 4,
        key(PARENT, period="2026-10"): 5,
        key(PARENT, period="2026-11"): 6,
        key(PARENT, period="2025"): 7,
        key(PARENT, period="2026"): 8,
        key(PARENT, period="total"): 9,
        key(PARENT, CounterName.GRACE_PREDICTIONS, "lea-" + "l" * 24): 10,
    }
    assert sorted(prune(used, NOW).values()) == [2, 4, 6, 8, 9, 10]
    assert sorted(prune(used, NOW + HOUR).values()) == [2, 6, 8, 9, 10]
