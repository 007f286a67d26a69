"""What a state does with a lease that is reported: closed, used late, succeeded, forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.errors import LicenseDenied
from strongroom.home.state import Broken, State
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import Authority, AuthorityKind, Budget, Facts
from strongroom.license.term import Term
from strongroom.license.terms import BreakGlass, Grace, Predictions
from strongroom.metering.meter import Meter
from tests.unit.metering.counting import Counting, counting_in
from tests.unit.runtime.world import NOW

FIRST, SECOND, THIRD = ("lea-" + letter * 24 for letter in "abc")
HOUR = timedelta(hours=1)
DAILY = Predictions(limit=100, per=Period.DAY)


class Leased:
    """A license that counts, used under leases that the test hands out."""

    def __init__(self, counting: Counting) -> None:
        self.counting = counting
        self.marks = counting.marks
        self.owner = counting.world.owner.id

    def authority(self, lease: str, limit: int = 20, per: Period = Period.DAY) -> Authority:
        return Authority(
            kind=AuthorityKind.LEASE,
            id=lease,
            license=self.counting.world.chain.id,
            runtime=self.counting.world.runtime,
            package=self.counting.world.statement.package_digest,
            issued_at=NOW,
            not_after=NOW + HOUR,
            budget=(Budget(counter=CounterName.PREDICTIONS, limit=limit, per=per),),
        )

    def facts(self, lease: str, limit: int = 20, per: Period = Period.DAY) -> Facts:
        return replace(self.counting.facts, authority=self.authority(lease, limit, per))

    def meter(self, lease: str, limit: int = 20, per: Period = Period.DAY) -> Meter:
        request = self.counting.meter()._request
        return Meter(self.marks, self.counting.world.chain, request, self.facts(lease, limit, per))

    def under(self, lease: str) -> int:
        return sum(self.marks.read(self.owner).counts_under(lease).values())

    def close(self, lease: str, limit: int = 20) -> int:
        counts = self.marks.close(self.owner, self.authority(lease, limit), NOW)
        return sum(counts.values())


Make = Callable[..., Leased]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*terms: Term) -> Leased:
        return Leased(counting_in(tmp_path, *terms))

    return make


def served(meter: Meter) -> int:
    for count in range(1000):
        try:
            meter.charge(1, NOW)
        except LicenseDenied:
            return count
    raise AssertionError("no end")


def test_a_report_is_final_and_the_rest_may_be_used_late(make: Make) -> None:
    leased = make(DAILY)
    meter = leased.meter(FIRST)
    for _ in range(5):
        meter.charge(1, NOW)
    assert leased.close(FIRST) == 5
    assert served(meter) == 15
    assert leased.close(FIRST) == 5
    leased.marks.succeed(leased.owner, FIRST, SECOND)
    assert leased.under(SECOND) == 15
    leased.marks.succeed(leased.owner, FIRST, SECOND)
    assert leased.under(SECOND) == 15


def test_after_a_successor_nothing_is_used_under_the_old_lease(make: Make) -> None:
    leased = make(DAILY)
    meter = leased.meter(FIRST)
    meter.charge(5, NOW)
    leased.close(FIRST)
    leased.marks.succeed(leased.owner, FIRST, SECOND)
    assert served(leased.meter(FIRST)) == 0


def test_after_an_end_nothing_is_used_under_it_either(make: Make) -> None:
    leased = make(DAILY)
    leased.meter(FIRST).charge(5, NOW)
    leased.close(FIRST)
    leased.marks.end(leased.owner, FIRST)
    assert served(leased.meter(FIRST)) == 0
    leased.marks.end(leased.owner, SECOND)
    assert served(leased.meter(SECOND)) == 0


def test_a_report_that_reached_nobody_is_taken_back(make: Make) -> None:
    leased = make(DAILY)
    leased.meter(FIRST).charge(5, NOW)
    leased.close(FIRST)
    leased.marks.reopen(leased.owner, FIRST)
    leased.meter(FIRST).charge(2, NOW)
    assert leased.close(FIRST) == 7


def test_what_is_of_leases_before_is_forgotten_with_the_next_report(make: Make) -> None:
    leased = make(DAILY)
    leased.meter(FIRST).charge(5, NOW)
    leased.close(FIRST)
    leased.marks.succeed(leased.owner, FIRST, SECOND)
    leased.meter(SECOND).charge(1, NOW)
    assert leased.under(FIRST) == 5
    leased.close(SECOND)
    assert (leased.under(FIRST), leased.under(SECOND)) == (0, 1)
    assert set(leased.marks.read(leased.owner).closed) == {SECOND}
    leased.marks.forget(leased.owner, SECOND)
    state = leased.marks.read(leased.owner)
    assert (dict(state.closed), leased.under(SECOND)) == ({}, 0)
    assert leased.counting.used == {"2026-11-24": 6}


def test_late_use_in_a_new_period_is_bounded_as_well(make: Make) -> None:
    leased = make(Predictions(limit=100, per=Period.HOUR))
    meter = leased.meter(FIRST, 20, Period.HOUR)
    meter.charge(15, NOW)
    authority = leased.authority(FIRST, 20, Period.HOUR)
    leased.marks.close(leased.owner, authority, NOW)
    later = NOW + timedelta(minutes=59, seconds=59)
    state = leased.marks.read(leased.owner)
    for moment, left in ((later, 20), (NOW + HOUR, 5)):
        facts = state.facts(leased.facts(FIRST, 20, Period.HOUR), "risk", moment)
        assert isinstance(facts.authority, Authority)
        assert facts.authority.budget[0].limit == left


def test_a_block_in_hand_is_used_up_after_the_lease_was_renewed(make: Make) -> None:
    leased = make(Predictions(limit=100_000, per=Period.DAY))
    meter = leased.meter(FIRST, 10_000)
    meter.check(NOW)
    meter.charge(1, NOW)
    assert leased.close(FIRST, 10_000) == 100
    leased.marks.succeed(leased.owner, FIRST, SECOND)
    meter.adopt(leased.facts(SECOND, 10_000))
    first = meter.charge(60, NOW)
    assert (first.prepaid, first.reservation, leased.under(SECOND)) == (60, None, 100)
    second = meter.charge(60, NOW)
    assert second.prepaid == 39
    meter.refund(second)
    meter.refund(first)
    assert meter.charge(99, NOW).prepaid == 99
    meter.close()
    assert leased.under(SECOND) == 0


def test_what_is_in_hand_does_not_pass_into_a_new_day(make: Make) -> None:
    leased = make(Predictions(limit=100_000, per=Period.DAY))
    meter = leased.meter(FIRST, 10_000)
    meter.check(NOW)
    meter.charge(1, NOW)
    meter.adopt(replace(leased.facts(SECOND, 10_000), authority=None))
    longer = replace(leased.authority(SECOND, 10_000), not_after=NOW + 48 * HOUR)
    meter.adopt(replace(leased.facts(SECOND), authority=longer))
    assert meter.charge(1, NOW + 24 * HOUR).prepaid == 0


def test_news_without_a_new_lease_keeps_what_is_in_hand(make: Make) -> None:
    leased = make(Predictions(limit=100_000, per=Period.DAY))
    meter = leased.meter(FIRST, 10_000)
    meter.check(NOW)
    meter.charge(1, NOW)
    meter.adopt(replace(leased.facts(FIRST, 10_000), revoked=frozenset({FIRST})))
    with pytest.raises(LicenseDenied) as caught:
        meter.charge(1, NOW)
    assert caught.value.code == "revoked"
    meter.close()
    assert leased.under(FIRST) == 1


def test_break_glass_is_numbered_and_counts_for_its_own_lease(make: Make) -> None:
    leased = make(DAILY, Grace(hours=1, predictions=5), BreakGlass(hours=1, uses=2))
    license = leased.counting.world.chain.id

    def smash(lease: str, minutes: int) -> int:
        at = NOW + timedelta(minutes=minutes)
        return leased.marks.break_glass(
            leased.owner, Broken(license=license, lease=lease, started_at=at, reason="fire")
        )

    assert [smash(FIRST, 1), smash(FIRST, 2)] == [1, 2]
    state = leased.marks.read(leased.owner)
    use = state.use_in_force(leased.facts(FIRST))
    assert use is not None
    assert (use.number, use.reason) == (2, "fire")
    assert state.use_in_force(leased.facts(SECOND)) is None
    assert state.use_in_force(Facts()) is None
    leased.marks.note_reported(leased.owner, license, [NOW + timedelta(minutes=1)])
    reported = [each.reported for each in leased.marks.read(leased.owner).breaks_of(license)]
    assert reported == [True, False]
    # Under the lease of another package of the same license: that of the first one goes on.
    assert smash(SECOND, 3) == 3
    state = leased.marks.read(leased.owner)
    numbers = [use.number for use in map(state.use_in_force, map(leased.facts, (FIRST, SECOND))) if use]
    assert numbers == [2, 3]


def test_a_state_without_leases_is_written_as_before(make: Make) -> None:
    leased = make(DAILY)
    leased.marks.set_clock(leased.owner, NOW)
    token = (leased.marks._path(leased.owner, "state.jws")).read_bytes()
    assert b"closed" not in token
    assert leased.marks.read(leased.owner) == State(clock=NOW)


def test_grace_of_a_forgotten_lease_is_forgotten_too() -> None:
    keys = {
        CounterKey("lic-x", CounterName.GRACE_PREDICTIONS, FIRST): 3,
        CounterKey(THIRD, CounterName.PREDICTIONS, "total"): 1,
    }
    assert set(State(used=keys).without_counts_of([FIRST]).used) == {
        CounterKey(THIRD, CounterName.PREDICTIONS, "total")
    }


def test_late_use_keeps_to_the_limit_of_each_period(make: Make) -> None:
    leased = make(DAILY)
    entry = Budget(counter=CounterName.PREDICTIONS, limit=3, per=Period.DAY, later=50)
    authority = replace(leased.authority(FIRST), budget=(entry,), not_after=NOW + 48 * HOUR)
    request = leased.counting.meter()._request
    facts = replace(leased.counting.facts, authority=authority)
    meter = Meter(leased.marks, leased.counting.world.chain, request, facts)
    meter.charge(1, NOW)
    meter.close()
    # Closed today, with the little that is left of today: tomorrow it is not more than that.
    assert sum(leased.marks.close(leased.owner, authority, NOW).values()) == 1
    state = leased.marks.read(leased.owner)
    for hours, left in ((0, 3), (24, 2)):
        after = state.facts(facts, "risk", NOW + hours * HOUR).authority
        assert isinstance(after, Authority)
        assert [each.limit for each in after.budget] == [left]
    # Closed tomorrow, with what there is of tomorrow: never more than there was of today.
    leased.marks.reopen(leased.owner, FIRST)
    leased.marks.close(leased.owner, authority, NOW + 24 * HOUR)
    state = leased.marks.read(leased.owner)
    for hours, left in ((0, 3), (24, 50), (48, 50)):
        after = state.facts(facts, "risk", NOW + hours * HOUR).authority
        assert isinstance(after, Authority)
        assert [each.limit for each in after.budget] == [left]
