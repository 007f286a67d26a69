from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.errors import StorageUnavailable
from strongroom.home import boot_clock
from strongroom.home.boot_clock import OnlineClock, SystemBoot, anchored
from tests.simulators.held_boot import HeldMachine

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def clocks() -> tuple[HeldMachine, OnlineClock]:
    machine = HeldMachine(NOW)
    return machine, OnlineClock(wall=machine.wall, boot=machine)


def test_without_an_answer_of_a_broker_there_is_the_wall_clock() -> None:
    machine, clock = clocks()
    machine.pass_time(MINUTE)
    assert clock.now(None) == NOW + MINUTE


def test_a_brokers_time_goes_on_with_the_boot_clock_whatever_the_wall_clock_says() -> None:
    machine, clock = clocks()
    anchor = anchored(NOW + timedelta(days=3), clock.mark())
    for wall in (datetime(2040, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)):
        machine.pass_time(5 * MINUTE)
        machine.set_wall(wall)
    assert clock.now(anchor) == NOW + timedelta(days=3) + 10 * MINUTE


def test_the_time_an_answer_takes_counts_against_the_asking_side() -> None:
    machine, clock = clocks()
    asked = clock.mark()
    machine.pass_time(10 * MINUTE)
    assert clock.now(anchored(NOW, asked)) == NOW + 10 * MINUTE


def test_after_a_restart_there_is_the_wall_clock_again() -> None:
    machine, clock = clocks()
    anchor = anchored(NOW, clock.mark())
    machine.reboot()
    machine.set_wall(NOW + timedelta(hours=9))
    assert clock.now(anchor) == NOW + timedelta(hours=9)


def test_a_boot_clock_never_makes_time_run_back() -> None:
    machine, clock = clocks()
    machine.pass_time(MINUTE)
    anchor = anchored(NOW, clock.mark())
    machine.pass_time(-MINUTE)
    assert clock.now(anchor) == NOW


def test_after_a_restart_time_goes_on_from_the_mark_at_least_and_is_held_from_there() -> None:
    machine, clock = clocks()
    before = anchored(NOW, clock.mark())
    machine.reboot()
    mark = NOW + timedelta(hours=9)
    assert clock.now(before, mark) == mark
    assert clock.now(before, NOW - MINUTE) == NOW
    held = clock.hold(before, mark)
    for _ in range(3):
        machine.pass_time(20 * MINUTE)
        machine.set_wall(NOW)
    assert clock.now(held, mark) == mark + timedelta(hours=1)
    assert clock.hold(held, mark) == held


@pytest.mark.parametrize("back", [timedelta(hours=-2), timedelta(hours=-4)])
def test_a_boot_clock_that_went_back_is_that_of_another_start(back: timedelta) -> None:
    machine, clock = clocks()
    machine.pass_time(timedelta(hours=-1))
    anchor = anchored(NOW, clock.mark())
    machine.pass_time(timedelta(hours=3))
    mark = clock.now(anchor)
    machine.pass_time(back)
    assert clock.now(anchor, mark) == mark
    assert clock.hold(anchor, mark) != anchor


def test_the_kernel_knows_its_start() -> None:
    boot = SystemBoot()
    assert boot.id() == boot.id() != ""
    assert 0 < boot.milliseconds() <= boot.milliseconds()


def test_a_kernel_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boot_clock, "_BOOT_ID", tmp_path / "nothing")
    with pytest.raises(StorageUnavailable):
        SystemBoot().id()
