"""Outages, grace, restarts, break-glass and wrong clocks, between a real broker and a real partner's home."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.errors import (
    BrokerUnavailable,
    LicenseDenied,
    UsageError,
)
from strongroom.leasing import break_glass
from strongroom.license.period import Period
from strongroom.license.terms import BreakGlass, Grace, Predictions
from strongroom.log.entry import Kind
from tests.integration.leasing import kinds_in_log, refusal
from tests.lease_world import LeaseWorld

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FAR = datetime(2040, 1, 1, tzinfo=UTC)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
GRACE = Grace(hours=24, predictions=20)
GLASS = BreakGlass(hours=2, uses=2)

Make = Callable[..., LeaseWorld]


# -- outage


def test_an_outage_is_no_reason_to_stop_and_grace_ends(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(1)
    world.wire.is_cut = True
    world.pass_time(20 * MINUTE)
    for _ in range(20):
        session.predict(1)
    assert refusal(lambda: session.predict(1)).code == "grace-used-up"
    world.pass_time(24 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"
    world.wire.is_cut = False
    session.lease._renew()
    session.predict(1)
    session.end()
    assert world.used_at_broker() == 22


def test_without_grace_a_silent_broker_ends_the_use_with_the_lease(make: Make) -> None:
    world = make(HUNDRED)
    session = world.session()
    world.wire.is_cut = True
    world.pass_time(14 * MINUTE)
    session.predict(1)
    world.pass_time(2 * MINUTE)
    assert refusal(lambda: session.predict(1)).code == "grace-not-allowed"


def test_a_reboot_in_an_outage_opens_the_restart_envelope(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(3)
    session.meter.close()
    world.wire.is_cut = True
    world.pass_time(2 * HOUR)
    world.machine.reboot()
    again = world.session()
    assert again.lease.held.nonce is None
    assert again.predict(1) is not None
    world.pass_time(30 * HOUR)
    assert refusal(lambda: again.predict(1)).code == "grace-ended"
    assert isinstance(refusal(world.session), LicenseDenied)


def test_without_any_lease_an_outage_lets_nothing_begin(make: Make) -> None:
    world = make(GRACE)
    world.wire.is_cut = True
    assert isinstance(refusal(world.session), BrokerUnavailable)


def test_break_glass_goes_on_after_grace_and_is_read_by_the_owner(make: Make) -> None:
    world = make(HUNDRED, GRACE, GLASS)
    session = world.session()
    session.predict(1)
    world.wire.is_cut = True

    def smash(reason: str = "no other model tonight") -> Any:
        return break_glass(world.clinic, world.opening(), world.client(), reason=reason, clock=world.clock)

    world.pass_time(20 * MINUTE)
    session.predict(1)
    assert refusal(smash).code == "break-glass-not-needed"
    world.pass_time(24 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"
    assert smash().number == 1
    session.predict(2)
    world.pass_time(3 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "break-glass-ended"
    assert smash("still none").number == 2
    session.predict(1)
    world.pass_time(3 * HOUR)
    assert refusal(smash).code in ("break-glass-used-up", "break-glass-ended")
    world.wire.is_cut = False
    assert refusal(smash).code == "broker-answers"
    session.lease._renew()
    session.predict(1)
    assert kinds_in_log(world).count(Kind.BREAK_GLASS) == 2
    session.end()
    assert kinds_in_log(world).count(Kind.BREAK_GLASS) == 2
    assert world.used_at_broker() == 6


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 501])
def test_break_glass_needs_a_reason(make: Make, reason: str) -> None:
    world = make(GRACE, GLASS)
    world.session()
    world.wire.is_cut = True
    error = refusal(
        lambda: break_glass(world.clinic, world.opening(), world.client(), reason=reason, clock=world.clock)
    )
    assert not isinstance(error, UsageError)


# -- clocks


@pytest.mark.parametrize("wall", [FAR, datetime(2020, 1, 1, tzinfo=UTC)])
def test_a_wall_clock_that_is_wrong_locks_nobody_out(make: Make, wall: datetime) -> None:
    world = make(HUNDRED, GRACE)
    world.machine.set_wall(wall)
    session = world.session()
    session.predict(1)
    session.end()
    world.session().predict(1)
    assert world.clinic.marks.read(world.owner_id).clock is not None


def test_a_jump_of_the_wall_clock_does_not_touch_a_lease_in_force(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    world.wire.is_cut = True
    for wall in (FAR, datetime(2020, 1, 1, tzinfo=UTC)):
        world.machine.set_wall(wall)
        session.predict(1)
    world.pass_time(25 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"


def test_a_wall_clock_set_back_after_a_reboot_in_an_outage_extends_nothing(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    world.wire.is_cut = True
    world.pass_time(20 * HOUR)
    session.predict(1)
    session.meter.close()
    world.machine.reboot()
    wall = world.machine.wall() - 20 * HOUR
    world.machine.set_wall(wall)
    again = world.session()
    again.predict(1)
    world.pass_time(3 * HOUR)
    world.machine.set_wall(wall)
    again.predict(1)
    world.pass_time(2 * HOUR)
    world.machine.set_wall(wall)
    assert refusal(lambda: again.predict(1)).code == "grace-ended"
    assert isinstance(refusal(world.session), LicenseDenied)


def test_a_mark_in_the_far_future_is_turned_back_by_the_broker(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    world.session().predict(1)
    world.clinic.marks.set_clock(world.owner_id, FAR)
    world.session().predict(1)
    mark = world.clinic.marks.read(world.owner_id).clock
    assert mark is not None
    assert mark < FAR
