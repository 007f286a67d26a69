from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import LicenseDenied
from strongroom.license.period import Period
from strongroom.license.term import Term
from strongroom.license.terms import Output, OutputKind, Predictions, Rate
from strongroom.metering.meter import Meter
from tests.unit.metering.counting import Counting, counting_in
from tests.unit.runtime.world import NOW

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


Make = Callable[..., Counting]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*terms: Term) -> Counting:
        return counting_in(tmp_path, *terms)

    return make


def total(limit: int) -> Predictions:
    return Predictions(limit=limit, per=Period.TOTAL)


def refusal(meter: Meter, predictions: int, seconds: int = 0) -> LicenseDenied:
    with pytest.raises(LicenseDenied) as caught:
        meter.charge(predictions, NOW + seconds * SECOND)
    return caught.value


def test_what_is_not_counted_is_only_marked(make: Make) -> None:
    counting = make()
    meter = counting.meter()
    meter.check(NOW)
    for _ in range(5):
        assert meter.charge(10**6, NOW).remaining is None
    meter.close()
    state = counting.marks.read(counting.world.owner.id)
    assert (state.clock, dict(state.versions), dict(state.used)) == (NOW, {"risk": "1.0.0"}, {})


def test_a_small_budget_stops_at_the_exact_row_and_needs_no_closing(make: Make) -> None:
    counting = make(total(10))
    meter = counting.meter()
    meter.check(NOW)
    assert meter.remaining == 10
    for left in range(9, -1, -1):
        assert meter.charge(1, NOW).remaining == left
        assert counting.used == {"total": 10 - left}
    assert refusal(meter, 1).code == "predictions-used-up"
    assert counting.used == {"total": 10}


def test_a_large_budget_is_charged_in_blocks_and_the_rest_comes_back(make: Make) -> None:
    counting = make(total(50_000))
    meter = counting.meter()
    meter.check(NOW)
    assert meter.charge(1, NOW).remaining == 49_999
    assert counting.used == {"total": 500}
    for _ in range(498):
        meter.charge(1, NOW)
    assert counting.used == {"total": 500}
    meter.charge(3, NOW)
    assert counting.used == {"total": 500 + 495}
    meter.close()
    meter.close()
    assert counting.used == {"total": 502}


def test_a_session_that_is_killed_loses_its_block_and_gains_nothing(make: Make) -> None:
    counting = make(total(1000))
    meter = counting.meter()
    meter.check(NOW)
    meter.charge(1, NOW)
    del meter
    survivor = counting.meter()
    survivor.check(NOW)
    assert survivor.remaining == 990


def test_a_request_larger_than_a_block_is_charged_whole(make: Make) -> None:
    counting = make(total(1_000_000))
    meter = counting.meter()
    meter.check(NOW)
    assert meter.charge(5000, NOW).remaining == 995_000
    meter.close()
    assert counting.used == {"total": 5000}


def test_a_refused_request_counts_nothing(make: Make) -> None:
    counting = make(total(100))
    meter = counting.meter()
    meter.check(NOW)
    meter.charge(60, NOW)
    error = refusal(meter, 41)
    assert error.code == "predictions-used-up"
    assert "60 of 100" in str(error)
    assert counting.used == {"total": 60}
    assert meter.charge(40, NOW).remaining == 0


def test_a_refusal_puts_back_what_is_in_hand_and_names_true_numbers(make: Make) -> None:
    counting = make(total(1000))
    meter = counting.meter()
    meter.check(NOW)
    meter.charge(1, NOW)
    assert counting.used == {"total": 10}
    assert "1 of 1000" in str(refusal(meter, 1000))
    assert counting.used == {"total": 1}
    assert meter.charge(999, NOW).remaining == 0


def test_what_failed_on_the_way_is_not_counted(make: Make) -> None:
    counting = make(total(1000))
    meter = counting.meter()
    meter.check(NOW)
    first = meter.charge(3, NOW)
    meter.refund(first)
    assert meter.remaining == 1000
    meter.charge(4, NOW)
    second = meter.charge(20, NOW)
    meter.refund(second)
    meter.close()
    assert counting.used == {"total": 4}


def test_a_refund_after_closing_goes_straight_to_the_disk(make: Make) -> None:
    counting = make(total(1000))
    meter = counting.meter()
    meter.check(NOW)
    charge = meter.charge(7, NOW)
    meter.close()
    assert counting.used == {"total": 7}
    meter.refund(charge)
    assert counting.used == {}


def test_a_refund_without_counts_is_nothing(make: Make) -> None:
    meter = make().meter()
    meter.check(NOW)
    meter.refund(meter.charge(7, NOW))
    assert meter.remaining is None


def test_two_sessions_share_one_budget_to_the_row(make: Make) -> None:
    counting = make(total(500))
    meters = [counting.meter(), counting.meter()]
    for meter in meters:
        meter.check(NOW)
    served = 0
    for turn in range(600):
        try:
            meters[turn % 2].charge(1, NOW)
            served += 1
        except LicenseDenied:
            continue
    assert served == 500


def test_a_new_day_begins_a_new_count_and_leaves_nothing_behind(make: Make) -> None:
    counting = make(Predictions(limit=1000, per=Period.DAY))
    meter = counting.meter()
    meter.check(NOW)
    meter.charge(4, NOW)
    assert counting.used == {"2026-11-24": 10}
    assert meter.charge(1, NOW + DAY).remaining == 999
    meter.close()
    assert counting.used == {"2026-11-25": 1}


def test_a_charge_of_yesterday_is_refunded_to_yesterday(make: Make) -> None:
    counting = make(Predictions(limit=1000, per=Period.DAY))
    meter = counting.meter()
    meter.check(NOW)
    charge = meter.charge(4, NOW)
    meter.charge(1, NOW + DAY)
    meter.refund(charge)
    meter.close()
    assert counting.used == {"2026-11-25": 1}


def test_the_smallest_count_decides(make: Make) -> None:
    counting = make(total(100), Predictions(limit=3, per=Period.DAY))
    meter = counting.meter()
    meter.check(NOW)
    assert [meter.charge(1, NOW).remaining for _ in range(3)] == [2, 1, 0]
    refusal(meter, 1)
    assert meter.charge(1, NOW + DAY).remaining == 2


def test_expiry_is_decided_anew_for_each_request(make: Make) -> None:
    meter = make().meter()
    meter.check(NOW)
    meter.charge(1, NOW + 29 * DAY)
    assert refusal(meter, 1, seconds=30 * 86_400).code == "offline-ended"


def test_a_clock_that_is_set_back_during_a_session_is_refused(make: Make) -> None:
    meter = make().meter()
    meter.check(NOW)
    meter.charge(1, NOW + DAY)
    assert refusal(meter, 1, seconds=3600).code == "clock-set-back"
    assert meter.charge(1, NOW + DAY).predictions == 1


def test_the_clock_mark_on_the_disk_is_never_old(make: Make) -> None:
    counting = make(total(10**6))
    meter = counting.meter()
    meter.check(NOW)
    for seconds in range(0, 600, 7):
        meter.charge(1, NOW + seconds * SECOND)
        mark = counting.marks.read(counting.world.owner.id).clock
        assert mark is not None
        assert NOW + seconds * SECOND - mark < 60 * SECOND
    assert meter.remaining == 10**6 - 86


def test_a_rate_is_exact(make: Make) -> None:
    counting = make(Rate(limit=5, seconds=10))
    meter = counting.meter()
    meter.check(NOW)
    for _ in range(5):
        assert meter.charge(1, NOW).remaining is None
    assert refusal(meter, 1, seconds=9).code == "rate-exceeded"
    assert meter.charge(5, NOW + 10 * SECOND).predictions == 5


def test_the_charge_names_what_may_leave(make: Make) -> None:
    meter = make(Output(policy=OutputKind.ROUNDED, decimals=2)).meter()
    meter.check(NOW)
    assert meter.charge(1, NOW).output.decimals == 2


def test_charging_without_a_check_checks_first(make: Make) -> None:
    counting = make(total(100))
    assert counting.meter().charge(1, NOW).remaining == 99
    assert counting.used == {"total": 1}


def test_a_session_that_the_license_refuses_does_not_begin(make: Make) -> None:
    with pytest.raises(LicenseDenied):
        make().meter().check(NOW + 40 * DAY)


STEPS = st.tuples(st.integers(0, 1), st.integers(1, 400), st.sampled_from(["use", "fail", "kill", "close"]))


@settings(max_examples=15)
@given(limit=st.integers(1, 3000), steps=st.lists(STEPS, max_size=15))
def test_no_mix_of_sessions_serves_more_than_the_budget_or_loses_more_than_blocks(
    tmp_path_factory: pytest.TempPathFactory, limit: int, steps: list[tuple[int, int, str]]
) -> None:
    counting = counting_in(tmp_path_factory.mktemp("counting"), total(limit))
    meters = [counting.meter(), counting.meter()]
    block = max(1, limit // 100)
    served = may_be_lost = 0
    for which, rows, what in steps:
        try:
            charge = meters[which].charge(rows, NOW)
        except LicenseDenied:
            assert served + may_be_lost + block + rows > limit
            continue
        if what == "fail":
            meters[which].refund(charge)
            # Refunded rows are in hand like a block, and are lost like one.
            may_be_lost += rows
            continue
        served += rows
        if what == "kill":
            meters[which] = counting.meter()
            may_be_lost += block
        if what == "close":
            meters[which].close()
        assert served <= counting.used["total"] <= limit
    for meter in meters:
        meter.close()
    assert served <= counting.used.get("total", 0) <= min(limit, served + may_be_lost)
