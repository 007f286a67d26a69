"""Checked-out files between a real broker and a real partner's home: used, reported, not in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import BrokerUnavailable, ObjectNotFound
from strongroom.home.checkouts import CheckoutFolder
from strongroom.leasing import check_out
from strongroom.license.documents import OfflineFile
from strongroom.license.period import Period
from strongroom.license.request import Authority
from strongroom.license.signing import Signed
from strongroom.license.terms import Grace, Offline, Predictions
from strongroom.log.entry import Kind
from strongroom.metering.meter import Meter
from strongroom.protocol.broker import ReasonAsk
from tests.integration.leasing import kinds_in_log, refusal, use_up
from tests.lease_world import LeaseWorld, OpenSession

HOUR = timedelta(hours=1)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
OFFLINE = Offline(hours=48, files=2)
GRACE = Grace(hours=24, predictions=20)

Make = Callable[..., LeaseWorld]


def take_file(world: LeaseWorld, hours: int = 24) -> Signed[OfflineFile]:
    opening = world.opening()
    return check_out(
        world.clinic,
        world.client(),
        world.owner_id,
        license=opening.chain.id,
        package=opening.statement.package_digest,
        until=world.machine.wall() + hours * HOUR,
    )


def use_file(world: LeaseWorld, file: Signed[OfflineFile], rows: int) -> None:
    """Use the file as a session does that finds no broker."""
    opening = world.opening()
    facts = replace(opening.facts, authority=file.document.authority)
    meter = Meter(world.clinic.marks, opening.chain, opening.request, facts)
    meter.charge(rows, world.machine.wall())
    meter.close()


# -- reported


def test_what_was_used_under_a_file_is_reported_after_its_end_and_the_rest_is_free(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    set_aside = file.document.budget[0].limit
    use_file(world, file, 3)
    assert (world.used_at_broker(), world.held_at_broker()) == (0, set_aside)
    world.pass_time(25 * HOUR)
    world.session().end()
    assert world.used_at_broker() == 3
    assert file.id not in {each.authority for each in holds(world)}
    assert world.clinic.checkouts.read(world.owner_id).files == ()
    assert not [key for key in world.counts_here() if key.document == file.id]


def holds(world: LeaseWorld) -> list[Any]:
    with world.broker.ledger.view() as kept:
        return list(kept.holds([world.granted.license_id]))


def test_a_file_that_was_never_used_is_free_after_its_end(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    take_file(world)
    world.pass_time(25 * HOUR)
    world.holder().take(world.worker_key)
    world.holder().give_back()
    assert (world.used_at_broker(), world.held_at_broker()) == (0, 0)


def test_the_owner_reads_what_is_used_while_the_file_stands_and_nothing_is_freed(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    set_aside = world.held_at_broker()
    use_file(world, file, 3)
    for _ in range(3):
        world.holder().take(world.worker_key)
    assert kinds_in_log(world).count(Kind.USAGE) == 1 + 2  # of the file once, and of each lease but the last
    assert world.used_at_broker() == 0
    assert sum(each.amount for each in holds(world) if each.authority == file.id) == set_aside
    use_file(world, file, 2)
    world.pass_time(25 * HOUR)
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 5
    assert Kind.CLONE_ALARM not in kinds_in_log(world)


def test_the_next_checkout_reports_the_one_before(make: Make) -> None:
    world = make(HUNDRED, Offline(hours=48, files=1))
    use_file(world, take_file(world), 4)
    world.pass_time(25 * HOUR)
    file = take_file(world)
    assert world.used_at_broker() == 4
    assert {each.authority for each in holds(world)} == {file.id}


def test_a_broker_that_does_not_answer_hears_of_it_later(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    use_file(world, take_file(world), 3)
    world.pass_time(25 * HOUR)
    world.wire.lose_answers(3, of="/usage")
    assert isinstance(refusal(lambda: world.holder().take(world.worker_key)), BrokerUnavailable)
    # The report is there, the answer is not: the same is told again, and counted once.
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 3
    assert kinds_in_log(world).count(Kind.USAGE) == 1
    assert world.clinic.checkouts.read(world.owner_id).files == ()


@pytest.mark.parametrize("fatal", range(1, 8))
def test_a_crash_at_any_writing_loses_no_use_and_no_file(
    make: Make, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    world = make(HUNDRED, OFFLINE)
    world.holder().take(world.worker_key)
    world.holder().give_back()
    writings = 0
    change, forget = CheckoutFolder.change, type(world.clinic.marks).forget

    class CrashError(BaseException):
        """The power goes."""

    def tick() -> None:
        nonlocal writings
        writings += 1
        if writings == fatal:
            raise CrashError

    def changed(self: Any, *args: Any) -> Any:
        tick()
        return change(self, *args)

    def forgotten(self: Any, *args: Any) -> None:
        tick()
        forget(self, *args)

    def out() -> Signed[OfflineFile]:
        try:
            return take_file(world)
        except CrashError:
            return take_file(world)

    with monkeypatch.context() as patched:
        patched.setattr(CheckoutFolder, "change", changed)
        patched.setattr(type(world.clinic.marks), "forget", forgotten)
        use_file(world, out(), 3)
        world.pass_time(25 * HOUR)
        try:
            world.holder().take(world.worker_key)
        except CrashError:
            world.holder().take(world.worker_key)
    assert writings >= fatal or fatal > 6
    assert kinds_in_log(world).count(Kind.CHECKOUT) == 1
    assert world.used_at_broker() == 3
    world.holder().give_back()
    assert world.held_at_broker() == 0


def test_a_clock_that_runs_ahead_ends_no_file_before_its_time(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    use_file(world, file, 3)
    world.machine.set_wall(world.machine.wall() + 1000 * HOUR)
    world.holder().take(world.worker_key)
    assert world.clinic.checkouts.read(world.owner_id).files
    world.machine.set_wall(world.broker_clock.now())
    use_file(world, file, 2)
    world.pass_time(25 * HOUR)
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 5


def test_months_that_are_over_are_reported_too(make: Make) -> None:
    world = make(Predictions(limit=100, per=Period.DAY), OFFLINE)
    file = take_file(world, 47)
    use_file(world, file, 3)
    world.pass_time(24 * HOUR)
    use_file(world, file, 2)
    world.pass_time(24 * HOUR)
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 5


def test_under_a_file_that_was_reported_nothing_more_is_used(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    use_file(world, file, 3)
    world.clinic.marks.end(world.owner_id, file.id)
    assert refusal(lambda: use_file(world, file, 1)).code == "predictions-used-up"


# -- not in the way


def authority_of(session: OpenSession) -> str:
    authority = session.lease.facts.authority
    assert isinstance(authority, Authority)
    return authority.id


def test_where_the_broker_answers_a_lease_is_taken_and_the_file_is_left_alone(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    session = world.session()
    session.predict(2)
    assert authority_of(session).startswith("lea-")
    assert not [key for key in world.counts_here() if key.document == file.id]


def test_where_it_is_silent_the_file_is_used_and_when_it_answers_there_is_a_lease(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    world.wire.is_cut = True
    session = world.session()
    session.predict(2)
    assert authority_of(session) == file.id
    world.pass_time(HOUR)
    session.predict(1)
    world.wire.is_cut = False
    session.lease._renew()
    session.predict(4)
    assert authority_of(session).startswith("lea-")
    session.end()
    assert world.used_at_broker() == 4
    world.pass_time(25 * HOUR)
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 7


def test_a_lease_from_before_does_not_take_the_place_of_the_file(make: Make) -> None:
    world = make(HUNDRED, OFFLINE, GRACE)
    world.session().end()
    file = take_file(world)
    world.wire.is_cut = True
    session = world.session()
    for _ in range(3):
        session.predict(1)
        session.lease._renew()
    assert authority_of(session) == file.id


def test_a_file_that_is_spent_goes_over_into_a_lease_or_says_who_may_have_more(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    limit = take_file(world).document.budget[0].limit
    world.wire.is_cut = True
    session = world.session()
    served, denied = use_up(session)
    assert (served, denied.code) == (limit, "predictions-used-up")
    assert "the broker does not answer" in str(denied)
    again = refusal(world.session)
    assert "the broker does not answer" in str(again)
    world.wire.is_cut = False
    session.predict(1)
    assert authority_of(session).startswith("lea-")


def test_a_spent_file_leaves_the_grace_of_the_lease_before(make: Make) -> None:
    world = make(HUNDRED, OFFLINE, GRACE)
    world.session().end()
    file = take_file(world)
    use_file(world, file, file.document.budget[0].limit)
    world.wire.is_cut = True
    session = world.session()
    session.predict(1)
    assert authority_of(session).startswith("lea-")


def test_a_file_that_ends_in_a_session_goes_over_into_a_lease(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    take_file(world)
    world.wire.is_cut = True
    session = world.session()
    session.predict(2)
    world.pass_time(25 * HOUR)
    assert refusal(lambda: session.predict(1)).code == "offline-ended"
    assert isinstance(refusal(world.session), BrokerUnavailable)
    world.wire.is_cut = False
    session.predict(1)
    assert world.used_at_broker() == 2


def test_the_whole_quota_in_a_file_is_used_in_the_network_too(make: Make) -> None:
    world = make(Predictions(limit=1, per=Period.TOTAL), OFFLINE)
    file = take_file(world)
    session = world.session()
    session.predict(1)
    assert authority_of(session) == file.id
    assert refusal(lambda: session.predict(1)).code == "predictions-used-up"
    session.end()
    assert refusal(world.session).code == "predictions-used-up"


@pytest.mark.parametrize("end", ["revoked", "suspended", "partner-suspended", "version-withdrawn"])
def test_what_the_owner_ends_is_ended_under_the_file_once_the_broker_was_reached(
    make: Make, end: str
) -> None:
    world = make(HUNDRED, OFFLINE)
    take_file(world)
    world.wire.is_cut = True
    open_before = world.session()
    open_before.predict(1)
    world.wire.is_cut = False
    end_it(world, end)
    world.wire.is_cut = True
    # It does not reach who is out of reach.
    open_before.predict(1)
    world.session().predict(1)
    world.wire.is_cut = False
    open_before.lease._renew()
    assert refusal(lambda: open_before.predict(1)).code == end
    assert refusal(world.session).code == end
    world.wire.is_cut = True
    assert refusal(lambda: open_before.predict(1)).code == end
    assert refusal(world.session).code == end


def end_it(world: LeaseWorld, end: str) -> None:
    if end == "revoked":
        world.revoke()
    elif end == "suspended":
        world.suspend()
    elif end == "partner-suspended":
        partner = world.admin.partners().partners[0]
        world.admin.suspend_partner(partner.organization, ReasonAsk(reason="unpaid"))
    else:
        world.withdraw()


def test_a_restored_or_later_broker_that_knows_nothing_of_the_license_leaves_the_file(make: Make) -> None:
    world = make(HUNDRED, OFFLINE)
    file = take_file(world)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BrokerClient, "take_lease", not_found)
        session = world.session()
        session.predict(1)
    assert authority_of(session) == file.id


def not_found(*_: Any) -> Any:
    raise ObjectNotFound("there is nothing of this id that you may see", code="not-found")


def test_a_withdrawal_that_a_refusal_tells_of_stays_in_the_home(make: Make) -> None:
    world = make(HUNDRED)
    world.session().end()
    world.withdraw()
    assert refusal(world.session).code == "version-withdrawn"
    assert refusal(world.opening).code == "version-withdrawn"
