from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom.broker.records import HoldRow
from strongroom.broker.slices import Amounts, Fill, Pools, Shares, Span, budget_of, covers, keys_of
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.terms import Explanations, Predictions, Tokens
from tests.unit.license.world import chain_of

NOW = datetime.fromisoformat("2026-11-30T23:50:00Z")
QUARTER = Span(NOW, NOW + timedelta(minutes=15))
LICENSE = chain_of().id
TODAY, TOMORROW = "2026-11-30", "2026-12-01"


def hold(amount: int, first: str, last: str, **changes: Any) -> HoldRow:
    members: dict[str, Any] = {
        "document": LICENSE,
        "authority": "lea-" + "a" * 24,
        "counter": CounterName.PREDICTIONS,
        "per": Period.DAY,
        "first_period": first,
        "last_period": last,
        "amount": amount,
    }
    return HoldRow(**(members | changes))


def key(period: str) -> CounterKey:
    return CounterKey(LICENSE, CounterName.PREDICTIONS, period)


def shares(**changes: Any) -> Shares:
    return Shares(**({"others": {}, "carried": {}} | changes))


def test_a_span_names_the_periods_that_it_touches() -> None:
    assert QUARTER.periods(Period.DAY) == (TODAY, TOMORROW)
    assert QUARTER.periods(Period.YEAR) == ("2026", "2026")
    assert QUARTER.next_period(Period.HOUR) == "2026-12-01T00"
    assert QUARTER.next_period(Period.TOTAL) is None
    # The end is not part of it.
    to_midnight = Span(NOW, NOW + timedelta(minutes=10))
    assert to_midnight.periods(Period.MONTH) == ("2026-11", "2026-11")
    assert to_midnight.next_period(Period.MONTH) is None
    assert Span(NOW, NOW).periods(Period.DAY) == (TODAY, TODAY)


def test_now_is_counted_apart_from_the_fullest_period_that_follows() -> None:
    term = Predictions(limit=100, per=Period.DAY)
    used = {key(TODAY): 10, key(TOMORROW): 3}
    holds = [hold(20, TODAY, TODAY), hold(30, TODAY, TOMORROW), hold(50, "2026-11-29", "2026-11-29")]
    assert Pools(chain_of(term), used, holds, QUARTER).fill(LICENSE, term) == Fill(TODAY, 10, 50)
    # Counted ahead, by a clock that is a little fast.
    ahead = {key(TOMORROW): 90}
    pools = Pools(chain_of(term), ahead, holds, QUARTER)
    assert pools.fill(LICENSE, term) == Fill(TODAY, 0, 50)
    assert pools.later(LICENSE, term) == Fill(TOMORROW, 90, 30)
    assert pools.left(LICENSE, term) == Amounts(50, -20)
    later = [hold(60, TOMORROW, TOMORROW)]
    pools = Pools(chain_of(term), {}, later, QUARTER)
    assert (pools.fill(LICENSE, term).total, pools.later(LICENSE, term).total) == (0, 60)
    # A hold that begins after the second period; there is none from this broker.
    month = Span(NOW, NOW + timedelta(days=5))
    behind = [hold(70, "2026-12-03", "2026-12-03"), *later]
    assert Pools(chain_of(term), {}, behind, month).later(LICENSE, term) == Fill("2026-12-03", 0, 70)


def test_what_must_be_known_are_the_first_two_periods() -> None:
    chain = chain_of(Predictions(limit=1, per=Period.DAY), children=[[Tokens(limit=1, per=Period.TOTAL)]])
    assert keys_of(chain, QUARTER) == {
        key(TODAY),
        key(TOMORROW),
        CounterKey(chain.id, CounterName.TOKENS, "total"),
    }


def test_a_slice_is_the_same_in_every_document() -> None:
    chain = chain_of(
        Predictions(limit=1000, per=Period.DAY), children=[[Predictions(limit=30, per=Period.DAY)]]
    )
    cut = Pools(chain, {}, [], QUARTER).cut(shares())
    assert [(each.document, each.amount) for each in cut] == [(chain.ids[0], 30), (chain.ids[1], 30)]
    held = [row for each in cut for row in each.holds("lea-x")]
    assert {(row.first_period, row.last_period) for row in held} == {(TODAY, TOMORROW)}
    (entry,) = budget_of(cut)
    assert (entry.counter, entry.limit, entry.per) == (CounterName.PREDICTIONS, 30, Period.DAY)


def test_two_limits_of_one_count_are_held_once() -> None:
    chain = chain_of(Predictions(limit=10, per=Period.DAY), Predictions(limit=7, per=Period.DAY))
    (only,) = Pools(chain, {}, [], QUARTER).cut(shares())
    assert only.amount == 7


def test_a_counter_that_is_used_up_now_and_later_is_left_out_of_all() -> None:
    chain = chain_of(
        Predictions(limit=10, per=Period.DAY),
        Predictions(limit=100, per=Period.YEAR),
        Explanations(limit=5, per=Period.DAY),
    )
    both = {key(TODAY): 10, key(TOMORROW): 10}
    cut = Pools(chain, both, [], QUARTER).cut(shares())
    assert {each.counter for each in cut} == {CounterName.EXPLANATIONS}
    # Nor is what does not begin again within the time.
    cut = Pools(chain, {key("2026"): 100}, [], QUARTER).cut(shares())
    assert {each.counter for each in cut} == {CounterName.EXPLANATIONS}


def test_a_counter_that_is_used_up_today_is_held_tomorrow() -> None:
    chain = chain_of(Tokens(limit=10, per=Period.DAY), Tokens(limit=100, per=Period.YEAR))
    used = {CounterKey(LICENSE, CounterName.TOKENS, TODAY): 10}
    cut = Pools(chain, used, [], QUARTER).cut(shares())
    day, year = budget_of(cut)
    assert (day.limit, day.later) == (0, 10)
    assert (year.limit, year.later) == (100, None)
    rows = [row for each in cut for row in each.holds("lea-x")]
    assert [(row.first_period, row.last_period, row.amount) for row in rows] == [
        (TOMORROW, TOMORROW, 10),
        ("2026", "2026", 100),
    ]


@pytest.mark.parametrize(
    ("left", "asked", "size"),
    [
        (100, {}, 100),
        (100, {"others": {LICENSE: 1}}, 33),
        (100, {"others": {LICENSE: 2}}, 20),
        (2, {"others": {LICENSE: 9}}, 1),
        (100, {"wanted": 5}, 5),
        (3, {"wanted": 5}, 3),
        # What is needed at once is given at once, as far as it is there; otherwise a share.
        (100, {"others": {LICENSE: 2}, "wanted": 90}, 90),
        (100, {"others": {LICENSE: 2}, "wanted": 100}, 100),
        (100, {"others": {LICENSE: 2}, "wanted": 101}, 20),
        (0, {}, 0),
        (-4, {"carried": {(CounterName.PREDICTIONS, Period.DAY): Amounts(7, 0)}}, 0),
        (
            100,
            {"others": {LICENSE: 2}, "carried": {(CounterName.PREDICTIONS, Period.DAY): Amounts(70, 0)}},
            70,
        ),
        (
            100,
            {
                "others": {LICENSE: 2},
                "wanted": 4,
                "carried": {(CounterName.PREDICTIONS, Period.DAY): Amounts(70, 0)},
            },
            4,
        ),
        (100, {"others": {LICENSE: 2}, "reserve": 5}, 25),
        # A reserve takes at most half of what this one and the others have coming.
        (100, {"others": {LICENSE: 2}, "reserve": 5000}, 33),
        (1, {"others": {LICENSE: 2}, "reserve": 5000}, 1),
        (100, {"wanted": 5, "reserve": 20}, 25),
    ],
)
def test_how_much_one_takes_of_what_is_left(left: int, asked: dict[str, Any], size: int) -> None:
    sizes = shares(**asked).sizes(LICENSE, Predictions(limit=1, per=Period.DAY), Amounts(left, 0))
    assert sizes == (size, 0)


def test_a_wish_is_about_now() -> None:
    place = (CounterName.PREDICTIONS, Period.DAY)
    asked = shares(others={LICENSE: 1}, wanted=5, carried={place: Amounts(0, 60)})
    term = Predictions(limit=1, per=Period.DAY)
    assert asked.sizes(LICENSE, term, Amounts(90, 90)) == (5, 60)
    assert asked.sizes(LICENSE, term, Amounts(2, 12)) == (1, 12)


def test_wishes_and_reserve_are_about_predictions() -> None:
    taken = shares(wanted=5, reserve=5, others={LICENSE: 1}).sizes(
        LICENSE, Tokens(limit=1, per=Period.DAY), Amounts(90, 60)
    )
    assert taken == (30, 20)


def test_what_a_hold_covers() -> None:
    held = hold(1, TODAY, TOMORROW)
    assert covers(held, key(TODAY))
    assert covers(held, key(TOMORROW))
    for other in (key("2026-12-02"), key("2026-11"), key("total")):
        assert not covers(held, other)
    assert not covers(held, CounterKey(LICENSE, CounterName.TOKENS, TODAY))
    assert not covers(held, CounterKey("lic-" + "z" * 24, CounterName.PREDICTIONS, TODAY))


def test_who_holds_something_of_a_document() -> None:
    holds = [
        hold(1, TODAY, TODAY),
        hold(1, "total", "total", per=Period.TOTAL),
        hold(1, TODAY, TODAY, authority="off-" + "b" * 24),
    ]
    pools = Pools(chain_of(), {}, holds, QUARTER)
    assert pools.holders(LICENSE) == 2
    assert pools.holders("sub-" + "x" * 24) == 0
