from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.broker.clock import LARGEST_STEP, LONGEST_REST, SystemClock, verify_rest
from strongroom.errors import StorageUnavailable

START = datetime(2026, 11, 24, 8, 0, 0, 600_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Machine:
    """A wall clock that people set, and a boot clock that nobody does."""

    def __init__(self) -> None:
        self.wall = START
        self.boot = 1000.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.boot)

    def pass_time(self, by: timedelta) -> None:
        self.wall += by
        self.boot += by.total_seconds()


def test_it_says_the_wall_time_in_whole_seconds() -> None:
    machine = Machine()
    machine.pass_time(timedelta(days=400))
    assert machine.clock.now() == (START + timedelta(days=400)).replace(microsecond=0)


def test_small_corrections_are_followed_and_do_not_add_up() -> None:
    machine = Machine()
    for _ in range(10):
        machine.wall += LARGEST_STEP - SECOND
        assert machine.clock.now() == machine.wall.replace(microsecond=0)
    for _ in range(10):
        machine.wall -= LARGEST_STEP - SECOND
        assert machine.clock.now() == machine.wall.replace(microsecond=0)


def test_a_jump_is_not_believed_until_it_is_taken_back() -> None:
    for jump in (timedelta(days=5000), timedelta(hours=2), timedelta(hours=-2), timedelta(days=-5000)):
        machine = Machine()
        machine.wall += jump
        assert machine.clock.now() == START.replace(microsecond=0)
        machine.pass_time(timedelta(minutes=30))
        assert machine.clock.now() == (START + timedelta(minutes=30)).replace(microsecond=0)
        machine.wall -= jump
        assert machine.clock.now() == machine.wall.replace(microsecond=0)


def test_a_restart_believes_the_wall_clock() -> None:
    machine = Machine()
    machine.wall += timedelta(days=3)
    assert SystemClock(lambda: machine.wall, lambda: machine.boot).now() == machine.wall.replace(
        microsecond=0
    )


def test_the_clock_of_this_machine() -> None:
    before = datetime.now(UTC)
    assert abs(SystemClock().now() - before) < timedelta(seconds=30)


def test_a_broker_does_not_rest_for_more_than_a_year() -> None:
    verify_rest(START, START + LONGEST_REST)
    verify_rest(START, START - timedelta(days=5000))
    with pytest.raises(StorageUnavailable) as caught:
        verify_rest(START, START + LONGEST_REST + SECOND)
    assert caught.value.code == "broker-clock"
    assert "--clock-is-right" in str(caught.value.hint)
