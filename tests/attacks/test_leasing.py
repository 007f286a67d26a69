"""Attacks on leases: with old answers, other people's leases, edited files, clocks, copies and cut wires."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom._encoding import from_base64url, to_base64url
from strongroom.broker.backup import backup, restore
from strongroom.connection.interface import Collect, Request, Response
from strongroom.errors import Error, IntegrityError, LicenseDenied, VerificationError
from strongroom.home.home import Home
from strongroom.keys.key_pair import SealingKey
from strongroom.leasing import break_glass, check_out
from strongroom.license.key_binding import KeyBinding, unwrap_lease, unwrap_restart
from strongroom.license.offline import revocation_worst_case
from strongroom.license.period import Period
from strongroom.license.term import Term
from strongroom.license.terms import BreakGlass, Grace, Offline, Predictions
from strongroom.protocol.broker import ReasonAsk
from tests.lease_world import LeaseWorld, OpenSession

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
GRACE = Grace(hours=2, predictions=50)
OFFLINE = Offline(hours=48, files=1)
GLASS = BreakGlass(hours=1, uses=2)

Make = Callable[..., LeaseWorld]


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    made: list[LeaseWorld] = []

    def make(*terms: Term) -> LeaseWorld:
        made.append(LeaseWorld.make(tmp_path, terms=terms, database_url=database_url))
        return made[-1]

    yield make
    for world in made:
        world.close()


def refusal(act: Callable[[], object]) -> Error:
    with pytest.raises(Error) as caught:
        act()
    return caught.value


def binding_of(world: LeaseWorld) -> KeyBinding:
    opening = world.opening()
    return KeyBinding(
        license=opening.chain.id,
        runtime=opening.request.runtime,
        package=opening.statement.package_digest,
        package_id=opening.statement.package_id,
    )


def try_hard(world: LeaseWorld, session: OpenSession) -> bool:
    """Use the model once, by every means that the partner has; says whether it worked."""
    try:
        session.predict(1)
    except LicenseDenied:
        try:
            break_glass(world.clinic, world.opening(), world.client(), reason="we want to", clock=world.clock)
            session.predict(1)
        except Error:
            return False
    return True


def test_a_revoked_partner_is_stopped_within_the_stated_worst_case_and_never_after(make: Make) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    session.predict(1)
    world.revoke()
    revoked_at = world.broker_clock.now()
    # The partner cuts its own line, so that no news arrives, and reboots and sets clocks as it likes.
    world.wire.is_cut = True
    last = revoked_at
    for _ in range(60):
        world.pass_time(10 * MINUTE)
        if try_hard(world, session):
            last = world.broker_clock.now()
    lease = timedelta(seconds=world.settings.lease_seconds)
    worst = revocation_worst_case(world.opening().chain, lease=lease).total
    assert timedelta(hours=3) < last - revoked_at <= worst
    world.wire.is_cut = False
    assert isinstance(refusal(lambda: session.predict(1)), LicenseDenied)


def test_a_partner_that_hears_of_a_revocation_is_stopped_at_once_whatever_it_cuts_then(make: Make) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    world.revoke()
    session.lease._renew()
    world.wire.is_cut = True
    for _ in range(10):
        assert not try_hard(world, session)
        world.pass_time(20 * MINUTE)
    world.machine.reboot()
    assert isinstance(refusal(world.session), LicenseDenied)


def test_a_revocation_that_was_heard_with_a_refusal_holds_when_the_broker_has_forgotten_it(
    make: Make,
) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    session.predict(1)
    world.revoke()
    session.lease._renew()
    # What the owner signed is at the partner, as after a poll: a restored broker takes nothing back.
    assert world.clinic.leases.notices(world.owner_id).revocations
    assert refusal(world.opening).code == "revoked"


@pytest.mark.parametrize("wall", [datetime(2040, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)])
def test_no_setting_of_the_wall_clock_makes_a_lease_last_longer(make: Make, wall: datetime) -> None:
    world = make()
    session = world.session()
    world.wire.is_cut = True
    world.pass_time(14 * MINUTE)
    world.machine.set_wall(wall)
    session.predict(1)
    world.pass_time(MINUTE)
    world.machine.set_wall(wall)
    assert isinstance(refusal(lambda: session.predict(1)), LicenseDenied)


def test_a_lease_that_is_copied_from_the_disk_opens_for_nobody_else(make: Make) -> None:
    world = make()
    held = world.holder().take(world.worker_key)
    stranger = SealingKey.generate().secret
    expected = binding_of(world)
    for act in (
        lambda: unwrap_restart(held.lease.document, stranger, expected),
        lambda: unwrap_lease(held.lease.document, stranger, expected, nonce=held.lease.document.nonce),
    ):
        assert isinstance(refusal(act), IntegrityError)


def test_a_lease_whose_end_is_edited_on_the_disk_is_refused(make: Make) -> None:
    world = make(GRACE)
    holder = world.holder()
    held = holder.take(world.worker_key)
    head, payload, signature = held.lease.token.split(".")
    later = msgspec.json.decode(from_base64url(payload)) | {"not_after": "2040-01-01T00:00:00Z"}
    forged = ".".join([head, to_base64url(msgspec.json.encode(later, order="sorted")), signature])
    record = msgspec.structs.replace(holder.record(), lease=forged)
    world.clinic.leases.write(holder.place, record)
    world.wire.is_cut = True
    assert isinstance(refusal(world.session), VerificationError)


@pytest.mark.parametrize("times", [1, 3])
def test_old_answers_given_again_bring_no_use_and_no_time(make: Make, times: int) -> None:
    world = make()
    session = world.session()
    for _ in range(times):
        world.pass_time(5 * MINUTE)
        session.lease._renew()
    world.wire.replay("/leases")
    world.pass_time(20 * MINUTE)
    assert refusal(lambda: session.predict(1)).code in ("wrong-nonce", "lease-ended")
    assert isinstance(refusal(world.session), VerificationError)


def test_a_snapshot_of_a_home_that_runs_twice_raises_an_alarm_and_stops_one_of_them(
    make: Make, tmp_path: Path
) -> None:
    world = make(HUNDRED)
    world.session().predict(1)
    shutil.copytree(world.clinic.path, tmp_path / "copy")
    copy = Home.open(tmp_path / "copy")
    one, two = world.session(), None
    one.predict(1)
    codes: set[str] = set()
    try:
        two = world.session(copy)
    except Error as error:
        codes.add(error.code)
    assert two is None
    assert codes == {"clone-suspected"}


def test_a_copy_gives_nobody_more_than_the_quota(make: Make, tmp_path: Path) -> None:
    world = make(Predictions(limit=30, per=Period.TOTAL))
    first = world.session()
    first.predict(1)
    first.meter.close()
    shutil.copytree(world.clinic.path, tmp_path / "copy")
    second = world.session(Home.open(tmp_path / "copy"))
    budget = first.lease.facts.authority.budget[0].limit  # type: ignore[union-attr] # a lease has one
    both = _all(first) + _all(second)
    # What the copy doubles is one slice, once: the next renewal of either is refused.
    assert both <= 30 + budget
    assert isinstance(refusal(lambda: world.holder().take(world.worker_key)), Error)


def test_a_partner_that_turns_its_state_back_gets_no_larger_quota_from_the_broker(
    make: Make, tmp_path: Path
) -> None:
    world = make(Predictions(limit=12, per=Period.TOTAL))
    state = world.clinic.path / "state"
    shutil.copytree(state, tmp_path / "state")
    for _ in range(4):
        try:
            session = world.session()
        except LicenseDenied:
            break
        _all(session)
        session.end()
        shutil.rmtree(state)
        shutil.copytree(tmp_path / "state", state)
    # Each report was taken in before the state went back, and counts for good.
    assert world.used_at_broker() + world.held_at_broker() <= 12


def test_no_setting_of_the_clock_brings_tomorrows_slice_today_or_twice(make: Make) -> None:
    world = make(Predictions(limit=40, per=Period.DAY), Grace(hours=72, predictions=90))
    session = world.session()
    for _ in range(38):
        session.predict(1)
    session.lease.refresh()
    (entry,) = session.lease.facts.authority.budget  # type: ignore[union-attr] # a lease has one
    assert entry.later is not None
    assert entry.limit <= 2 < entry.later
    world.wire.is_cut = True
    now = world.machine.wall()
    today = 0
    for days in (0, 1, 2, -1, 0):
        world.machine.set_wall(now + timedelta(days=days))
        today += _all(session)
    assert today <= entry.limit
    world.pass_time(timedelta(days=1))
    later = 0
    for days in (1, 0, -1, 1):
        world.machine.set_wall(now + timedelta(days=days))
        later += _all(session)
    assert 0 < later <= entry.later
    world.machine.set_wall(now + timedelta(days=1))
    world.wire.is_cut = False
    session.lease._renew()
    session.end()
    assert world.used_at_broker() == 38 + today + later


@pytest.mark.parametrize("terms", [(HUNDRED, GRACE), (GRACE,)], ids=["counted", "uncounted"])
def test_a_lease_that_was_given_back_serves_nobody_who_has_it_open(
    make: Make, terms: tuple[Term, ...]
) -> None:
    world = make(*terms)
    session = world.session()
    for _ in range(5):
        session.predict(1)
    world.holder().give_back()
    world.wire.is_cut = True
    for _ in range(3):
        assert isinstance(refusal(lambda: session.predict(1)), LicenseDenied)
        world.pass_time(10 * MINUTE)
    world.wire.is_cut = False
    session.predict(2)
    world.holder().give_back()
    session.predict(1)
    session.end()
    world.session().end()
    assert world.used_at_broker() == (8 if HUNDRED in terms else 0)
    assert len(world.clinic.marks.read(world.owner_id).closed) <= 1


def test_a_suspended_license_stops_although_the_partner_keeps_its_lease(make: Make) -> None:
    world = make(GRACE, GLASS)
    session = world.session()
    world.admin.suspend_license(world.granted.license_id, ReasonAsk(reason="unpaid"))
    session.lease._renew()
    assert refusal(lambda: session.predict(1)).code == "suspended"


def check_out_file(world: LeaseWorld) -> None:
    opening = world.opening()
    check_out(
        world.clinic,
        world.client(),
        world.owner_id,
        license=opening.chain.id,
        package=opening.statement.package_digest,
        until=world.machine.wall() + 24 * HOUR,
    )


@pytest.mark.parametrize("is_open", [True, False])
def test_a_checked_out_file_is_no_shield_against_a_revocation_that_was_heard(
    make: Make, is_open: bool
) -> None:
    world = make(HUNDRED, OFFLINE, GRACE, GLASS)
    check_out_file(world)
    world.wire.is_cut = True
    session = world.session()
    session.predict(1)
    world.wire.is_cut = False
    world.revoke()
    if is_open:
        session.lease._renew()
    else:
        refusal(world.session)
    world.wire.is_cut = True
    assert not try_hard(world, session)
    world.machine.reboot()
    assert isinstance(refusal(world.session), LicenseDenied)


def test_a_file_and_leases_together_give_no_more_than_the_license_has(make: Make) -> None:
    world = make(Predictions(limit=30, per=Period.TOTAL), OFFLINE)
    check_out_file(world)
    world.wire.is_cut = True
    session = world.session()
    served = _all(session)
    world.wire.is_cut = False
    # Leases beside the file, and after its end those of what is left.
    served += _all(session)
    session.end()
    world.pass_time(25 * HOUR)
    try:
        after = world.session()
    except LicenseDenied:
        pass
    else:
        served += _all(after)
        after.end()
    assert served == 30
    assert (world.used_at_broker(), world.held_at_broker()) == (30, 0)


def test_a_home_that_is_turned_back_reports_no_file_twice_and_frees_nothing_twice(
    make: Make, tmp_path: Path
) -> None:
    world = make(Predictions(limit=30, per=Period.TOTAL), OFFLINE)
    check_out_file(world)
    for part in ("state", "leases"):
        shutil.copytree(world.clinic.path / part, tmp_path / part)
    world.wire.is_cut = True
    session = world.session()
    served = _all(session)
    session.meter.close()
    world.wire.is_cut = False
    world.pass_time(25 * HOUR)
    world.holder().take(world.worker_key)
    world.holder().give_back()
    assert (world.used_at_broker(), world.held_at_broker()) == (served, 0)
    for part in ("state", "leases"):
        shutil.rmtree(world.clinic.path / part)
        shutil.copytree(tmp_path / part, world.clinic.path / part)
    # It says that nothing was used; what was counted stays.
    world.holder().take(world.worker_key)
    world.holder().give_back()
    assert (world.used_at_broker(), world.held_at_broker()) == (served, 0)


def test_nobody_else_can_read_or_write_the_leases_of_a_home(make: Make) -> None:
    world = make()
    world.session().predict(1)
    found: list[Any] = [world.clinic.path / "leases", *(world.clinic.path / "leases").rglob("*")]
    assert len(found) > 2
    assert {path.stat().st_mode & 0o077 for path in found} == {0}


def _all(session: OpenSession) -> int:
    for count in range(1000):
        try:
            session.predict(1)
        except Error:
            return count
    raise AssertionError("no end")


def test_revocations_without_end_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    world.session().end()
    world.revoke()
    through, pages = world.wire.send, []

    def endless(request: Request, collect: Collect) -> Response:
        answer = through(request, collect)
        if request.url.partition("?")[0].endswith("/revocations"):
            # The one that there is, again and again, and always with more to come.
            pages.append(msgspec.json.decode(answer.body))
            body = {**pages[0], "next": f"place-{len(pages)}"}
            assert len(pages) < 100
            answer = Response(status=200, headers=answer.headers, body=msgspec.json.encode(body))
        return answer

    monkeypatch.setattr(world.wire, "send", endless)
    world.holder().poll()
    assert len(pages) == 2
    assert len(world.clinic.leases.notices(world.owner_id).revocations) == 1


def test_a_place_among_the_revocations_that_no_file_can_hold_is_not_kept(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make()
    world.session().end()
    through = world.wire.send

    def boastful(request: Request, collect: Collect) -> Response:
        answer = through(request, collect)
        if request.url.partition("?")[0].endswith("/revocations"):
            body = msgspec.json.encode({"revocations": [], "next": "a" * (20 << 20)})
            answer = Response(status=200, headers=answer.headers, body=body)
        return answer

    monkeypatch.setattr(world.wire, "send", boastful)
    assert refusal(world.holder().poll).code == "broker-answer"
    monkeypatch.undo()
    world.session().predict(1)
    world.holder().poll()


def test_what_was_heard_to_be_revoked_stays_so_under_a_broker_that_forgot_it(
    tmp_path: Path, database_url: str, request: pytest.FixtureRequest
) -> None:
    world = LeaseWorld.make(tmp_path, database_url=database_url)
    copy = tmp_path / "before.backup"
    backup(database_url, copy)
    world.revoke()
    # The first lease is asked for after the end: the answer is a refusal, and the news is kept.
    assert refusal(lambda: world.holder().take(world.worker_key)).code == "revoked"
    world.close()
    on_file = database_url.startswith("sqlite")
    fresh = database_url + ".restored" if on_file else request.getfixturevalue("empty_postgresql_url")
    restore(copy, fresh, world.broker.keys, world.broker_clock)
    world.database_url = fresh
    world.start_broker()
    denied = refusal(lambda: world.session().predict(1))
    world.close()
    assert denied.code == "revoked", denied
