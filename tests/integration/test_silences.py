"""What an outage is and what it leaves: a ward has what its license says, whatever answers or does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from strongroom._encoding import from_base64url, to_base64url
from strongroom.connection.interface import Collect, Request, Response
from strongroom.errors import BrokerUnavailable, Error, LicenseDenied
from strongroom.home.home import Home
from strongroom.leasing import break_glass
from strongroom.leasing import leaseholder as leaseholder_module
from strongroom.license.period import Period
from strongroom.license.request import Authority
from strongroom.license.terms import BreakGlass, Grace, Predictions
from tests.integration.databases import BOTH, database_url
from tests.lease_world import LeaseWorld, OpenSession

__all__ = ["database_url"]

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GRACE = Grace(hours=2, predictions=50)
GLASS = BreakGlass(hours=1, uses=2)
DAILY = (Predictions(limit=10, per=Period.DAY), Grace(hours=72, predictions=3))
PAGE = b"<html><body>maintenance</body></html>"
NO_ANSWERS = [
    Response(status=200, body=PAGE),
    Response(status=302, headers={"location": "https://elsewhere.example/"}, body=b""),
    Response(status=403, body=PAGE),
    Response(status=404, body=PAGE),
    Response(status=501, body=PAGE),
    Response(status=520, body=PAGE),
]

Make = Callable[..., LeaseWorld]


def refusal(act: Callable[[], object]) -> Error:
    with pytest.raises(Error) as caught:
        act()
    return caught.value


def answer_with(
    world: LeaseWorld, monkeypatch: pytest.MonkeyPatch, answer: Response | Error, *, at: str = ""
) -> None:
    """Have something else than the broker answer at paths that end so."""
    real = world.wire.send

    def send(request: Request, collect: Collect) -> Response:
        if not request.url.endswith(at):
            return real(request, collect)
        if isinstance(answer, Error):
            raise answer
        return answer

    monkeypatch.setattr(world.wire, "send", send)


def use_up(session: OpenSession) -> tuple[int, str]:
    """Use the model as often as it goes; returns how often that was, and the code that ended it."""
    for used in range(100):
        try:
            session.predict(1)
        except LicenseDenied as denied:
            return used, denied.code
    raise AssertionError("there is no end to it")


def break_it(world: LeaseWorld, license: str | None = None) -> int:
    opening = world.opening(license=license)
    return break_glass(world.clinic, opening, world.client(), reason="a ward", clock=world.clock).number


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=lambda each: each.status)
def test_what_is_no_answer_of_a_broker_is_an_outage(
    make: Make, monkeypatch: pytest.MonkeyPatch, answer: Response
) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    session.predict(1)
    answer_with(world, monkeypatch, answer)
    world.pass_time(20 * MINUTE)
    session.predict(1)
    world.session().predict(1)
    world.pass_time(2 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"
    assert break_it(world) == 1
    session.predict(1)


@BOTH
@pytest.mark.parametrize("used", [0, 4, 10])
def test_what_was_used_before_an_outage_takes_nothing_from_the_days_after(make: Make, used: int) -> None:
    world = make(*DAILY)
    session = world.session()
    for _ in range(used):
        session.predict(1)
    session.lease.refresh()
    authority = session.lease.facts.authority
    assert isinstance(authority, Authority)
    slice_ = authority.budget[0].later or authority.budget[0].limit
    world.wire.is_cut = True
    world.pass_time(10 * MINUTE)
    session.lease._renew()
    world.pass_time(DAY)
    assert use_up(session)[0] == min(slice_, 3)


def test_a_day_that_is_nearly_used_up_leaves_a_fair_part_of_the_next_one(make: Make) -> None:
    world = make(Predictions(limit=100, per=Period.DAY), Grace(hours=72, predictions=90))
    session = world.session()
    for _ in range(97):
        session.predict(1)
    session.lease.refresh()
    authority = session.lease.facts.authority
    assert isinstance(authority, Authority)
    (entry,) = authority.budget
    # The broker is silent from here on, with all of tomorrow unused.
    world.wire.is_cut = True
    today = use_up(session)[0]
    assert today <= entry.limit <= 3
    world.pass_time(DAY)
    assert use_up(session)[0] == entry.later == 50
    world.wire.is_cut = False
    session.lease._renew()
    session.end()
    assert world.used_at_broker() == 97 + today + 50


def test_a_day_that_was_used_up_is_over_the_next_day_in_an_outage_too(make: Make) -> None:
    world = make(*DAILY)
    session = world.session()
    assert use_up(session) == (10, "predictions-used-up")
    world.wire.is_cut = True
    assert refusal(lambda: session.predict(1)).code in {"predictions-used-up", "no-budget"}
    world.pass_time(DAY)
    session.predict(1)
    world.session()
    world.wire.is_cut = False
    session.lease._renew()
    session.predict(1)
    session.end()
    assert world.used_at_broker() == 12


@BOTH
def test_a_day_that_was_used_up_is_over_the_next_day(make: Make) -> None:
    world = make(*DAILY)
    session = world.session()
    assert use_up(session) == (10, "predictions-used-up")
    assert refusal(world.session).code == "predictions-used-up"
    world.pass_time(DAY)
    assert use_up(session) == (10, "predictions-used-up")


@BOTH
def test_a_license_that_is_used_up_for_ever_has_no_grace(make: Make) -> None:
    world = make(Predictions(limit=10, per=Period.TOTAL), GRACE)
    session = world.session()
    assert use_up(session)[0] == 10
    world.wire.is_cut = True
    world.pass_time(20 * MINUTE)
    assert isinstance(refusal(lambda: session.predict(1)), LicenseDenied)
    assert isinstance(refusal(world.session), LicenseDenied)


@BOTH
def test_an_outage_of_one_route_is_one_and_the_glass_breaks(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    session.predict(1)
    answer_with(world, monkeypatch, BrokerUnavailable("status 503", code="broker-busy"), at="/leases")
    world.pass_time(20 * MINUTE)
    session.predict(1)
    world.pass_time(2 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"
    assert break_it(world) == 1
    session.predict(1)


def test_a_broker_that_answers_is_heard_before_the_glass_breaks(make: Make) -> None:
    world = make(GRACE, GLASS)
    world.session().predict(1)
    world.pass_time(20 * MINUTE)
    assert refusal(lambda: break_it(world)).code == "broker-answers"
    world.revoke()
    assert refusal(lambda: break_it(world)).code == "revoked"
    world.wire.is_cut = True
    assert refusal(lambda: break_it(world)).code == "revoked"


def test_while_one_program_waits_for_a_silent_broker_the_others_go_on(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(GRACE)
    running = world.session()
    running.predict(1)
    monkeypatch.setattr(leaseholder_module, "_PATIENCE_SECONDS", 0.05)
    real, asked, enough = world.wire.send, threading.Event(), threading.Event()

    def send(request: Request, collect: Collect) -> Response:
        asked.set()
        enough.wait(60)
        raise BrokerUnavailable("the broker does not answer in time", code="broker-timeout")

    monkeypatch.setattr(world.wire, "send", send)
    world.pass_time(20 * MINUTE)
    waiting = threading.Thread(target=lambda: world.session(Home.open(world.clinic.path)))
    waiting.start()
    try:
        assert asked.wait(30)
        world.session(Home.open(world.clinic.path)).predict(1)
        running.predict(1)
    finally:
        enough.set()
        waiting.join()
    monkeypatch.setattr(world.wire, "send", real)
    world.pass_time(4 * HOUR)
    running.lease._renew()
    running.predict(1)


# -- clocks, while no broker says what time it is


def test_a_clock_that_is_held_back_after_a_reboot_stops_no_time(make: Make) -> None:
    world = make(GRACE)
    world.session().predict(1)
    world.wire.is_cut = True
    world.machine.reboot()
    wall = world.machine.wall()
    session = world.session()
    session.predict(1)
    for _ in range(2):
        world.pass_time(HOUR)
        world.machine.set_wall(wall)
        session.predict(1)
    world.pass_time(HOUR)
    world.machine.set_wall(wall)
    assert refusal(lambda: session.predict(1)).code == "grace-ended"
    # Nobody can have it written anew either.
    assert refusal(world.session).code == "grace-ended"


def test_a_clock_that_runs_ahead_after_a_reboot_and_is_set_right_stops_nobody(make: Make) -> None:
    world = make(Grace(hours=24, predictions=50))
    session = world.session()
    session.predict(1)
    world.wire.is_cut = True
    world.machine.reboot()
    true = world.machine.wall()
    world.machine.set_wall(true + 2 * HOUR)
    session = world.session()
    session.predict(1)
    world.pass_time(MINUTE)
    world.machine.set_wall(true + MINUTE)
    session.predict(1)
    world.session().predict(1)


def test_a_clock_that_was_refused_leaves_no_trace(make: Make) -> None:
    world = make(GRACE)
    world.session().predict(1)
    world.wire.is_cut = True
    world.machine.reboot()
    true = world.machine.wall()
    world.machine.set_wall(true + 20 * DAY)
    assert refusal(world.session).code == "grace-ended"
    world.machine.set_wall(true)
    world.session().predict(1)


def test_what_time_is_counted_from_cannot_be_edited(make: Make) -> None:
    world = make(GRACE)
    session = world.session()
    session.predict(1)
    path = next((world.clinic.path / "state").rglob("state.jws"))
    header, payload, signature = path.read_text(encoding="ascii").split(".")
    state = json.loads(from_base64url(payload))
    state["anchor"]["boot_milliseconds"] += 10**6
    edited = to_base64url(json.dumps(state, separators=(",", ":"), sort_keys=True).encode())
    path.write_text(f"{header}.{edited}.{signature}", encoding="ascii")
    assert refusal(world.session).code == "state-tampered"
