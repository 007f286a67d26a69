"""Leases between a real broker and a real partner's home, with a wire and clocks that can be damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom.errors import (
    BrokerRefused,
    BrokerUnavailable,
    VerificationError,
)
from strongroom.home.home import Home
from strongroom.home.leases import Leases
from strongroom.leasing import check_out
from strongroom.license.period import CounterName, Period
from strongroom.license.report_documents import Usage
from strongroom.license.signing import read_unverified
from strongroom.license.terms import BreakGlass, Grace, Offline, Predictions, Runtimes
from strongroom.log.entry import Kind
from strongroom.protocol.broker import LeaseAnswer, LeaseAsk, ReasonAsk
from tests.integration.leasing import kinds_in_log, refusal, use_up
from tests.lease_world import LeaseWorld, OpenSession

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FAR = datetime(2040, 1, 1, tzinfo=UTC)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
GRACE = Grace(hours=24, predictions=20)
GLASS = BreakGlass(hours=2, uses=2)

Make = Callable[..., LeaseWorld]


# -- taking and renewing


def test_what_is_used_is_reported_with_the_next_renewal_and_counted_once(make: Make) -> None:
    world = make(HUNDRED)
    session = world.session()
    session.predict(7)
    assert world.used_at_broker() == 0
    session.end()
    assert world.used_at_broker() == 7
    again = world.session()
    again.predict(5)
    again.end()
    assert world.used_at_broker() == 12


def test_a_quota_is_used_up_to_the_row_across_renewals(make: Make) -> None:
    world = make(Predictions(limit=30, per=Period.TOTAL))
    session = world.session()
    served, denied = use_up(session, then=lambda: world.pass_time(3 * MINUTE))
    assert (served, denied.code) == (30, "predictions-used-up")
    session.end()
    # The renewal was refused; the report went in by itself.
    assert (world.used_at_broker(), world.held_at_broker()) == (30, 0)


def test_two_sessions_of_one_home_share_one_lease_and_lose_nothing(make: Make) -> None:
    world = make(HUNDRED)
    first = world.session()
    first.predict(3)
    second = world.session()
    second.predict(4)
    first.predict(1)
    assert first.lease._lease.id == second.lease._lease.id
    first.end()
    second.predict(2)
    second.end()
    world.session().end()
    assert world.used_at_broker() == 10


def test_a_lease_that_has_ended_is_renewed_when_it_is_needed(make: Make) -> None:
    world = make(HUNDRED)
    session = world.session()
    session.predict(1)
    world.pass_time(2 * HOUR)
    assert session.predict(1) is not None
    session.end()
    assert world.used_at_broker() == 2


def test_a_lease_that_is_given_back_frees_its_seat_and_reports(make: Make) -> None:
    world = make(HUNDRED, Runtimes(limit=1))
    session = world.session()
    session.predict(6)
    session.meter.close()
    world.holder().give_back()
    assert (world.used_at_broker(), world.held_at_broker()) == (6, 0)
    assert world.admin.leases().leases == ()
    assert world.holder().kept() is None
    [closed] = world.clinic.marks.read(world.owner_id).closed.values()
    assert closed.late == {}
    world.session().predict(1)


# -- lost, delayed, replayed


def test_a_lost_answer_is_asked_for_again_and_raises_no_alarm(make: Make) -> None:
    world = make(HUNDRED)
    holder = world.holder()
    first = holder.take(world.worker_key)
    world.wire.lose_answers(3, of="/leases")
    assert isinstance(refusal(lambda: holder.take(world.worker_key)), BrokerUnavailable)
    assert holder.record().pending is not None
    assert holder.kept() is not None
    second = holder.take(world.worker_key)
    assert second.lease.document.previous != first.lease.id
    assert Kind.CLONE_ALARM not in kinds_in_log(world)
    assert holder.record().pending is None


def test_what_is_used_after_a_lost_answer_is_charged_to_the_lease_that_it_held(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(5)
    world.wire.lose_answers(3, of="/leases")
    world.wire.is_cut = False
    session.lease._renew()
    world.wire.is_cut = True
    # The broker may or may not have counted; the ward goes on, within the old slice.
    assert session.predict(4) is not None
    world.wire.is_cut = False
    session.lease._renew()
    session.predict(1)
    session.end()
    assert world.used_at_broker() == 10


def test_no_more_is_used_between_a_lost_answer_and_the_next_than_the_slice_has(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(5)
    limit = session.lease.facts.authority.budget[0].limit  # type: ignore[union-attr] # a lease has one
    world.wire.lose_answers(3, of="/leases")
    session.lease._renew()
    world.wire.is_cut = True
    served = 5 + use_up(session)[0]
    assert served == limit
    world.wire.is_cut = False
    session.lease._renew()
    session.lease.refresh()
    session.end()
    assert world.used_at_broker() == served
    assert world.used_at_broker() + world.held_at_broker() <= 100


@pytest.mark.parametrize("fatal", range(1, 5))
def test_a_crash_at_any_writing_is_followed_by_the_same_request(
    make: Make, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    world = make(HUNDRED)
    session = world.session()
    session.predict(9)
    session.meter.close()
    writings = 0
    write = Leases.write

    class CrashError(BaseException):
        """The power goes."""

    def counted(self: Any, place: Any, record: Any) -> None:
        nonlocal writings
        writings += 1
        if writings == fatal:
            raise CrashError
        write(self, place, record)

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "write", counted)
        try:
            world.holder().take(world.worker_key)
        except CrashError:
            assert fatal <= 2
    world.holder().take(world.worker_key)
    assert world.used_at_broker() == 9
    assert Kind.CLONE_ALARM not in kinds_in_log(world)


def test_an_answer_that_is_replayed_is_not_believed(make: Make) -> None:
    world = make()
    holder = world.holder()
    holder.take(world.worker_key)
    world.wire.replay("/leases")
    error = refusal(lambda: holder.take(world.worker_key))
    assert (type(error), error.code) == (VerificationError, "wrong-nonce")
    world.wire.replay("/leases", on=False)
    holder.take(world.worker_key)


def test_an_answer_that_is_held_back_does_not_make_time_run_late(make: Make) -> None:
    world = make()
    world.wire.delay = lambda: world.pass_time(10 * MINUTE)
    holder = world.holder()
    held = holder.take(world.worker_key)
    world.wire.delay = None
    assert holder.now() >= held.lease.document.issued_at + 10 * MINUTE
    session = world.session()
    world.wire.is_cut = True
    world.pass_time(16 * MINUTE)
    assert refusal(lambda: session.predict(1)).code == "grace-not-allowed"


def test_an_old_request_that_never_arrived_is_made_anew(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session = world.session()
    session.predict(2)
    world.wire.is_cut = True
    session.lease._renew()
    world.pass_time(2 * HOUR)
    assert session.predict(2) is not None
    world.wire.is_cut = False
    session.lease._renew()
    session.predict(1)
    session.end()
    assert world.used_at_broker() == 5


# -- the owner ends it


def test_a_revocation_that_is_heard_ends_the_use_at_once(make: Make) -> None:
    world = make(HUNDRED, GRACE, GLASS)
    session = world.session()
    session.predict(1)
    world.revoke()
    session.lease._poll()
    assert refusal(lambda: session.predict(1)).code == "revoked"
    world.wire.is_cut = True
    world.pass_time(20 * MINUTE)
    assert refusal(lambda: session.predict(1)).code == "revoked"
    assert refusal(world.opening).code == "revoked"


def test_a_refusal_at_renewal_ends_the_use_and_the_grace(make: Make) -> None:
    world = make(HUNDRED, GRACE, GLASS)
    session = world.session()
    session.predict(1)
    world.suspend()
    session.lease._renew()
    assert refusal(lambda: session.predict(1)).code == "suspended"
    world.wire.is_cut = True
    world.pass_time(20 * MINUTE)
    assert refusal(lambda: session.predict(1)).code == "suspended"
    world.wire.is_cut = False
    world.admin.resume_license(world.granted.license_id)
    session.lease._renew()
    session.predict(2)
    session.end()
    assert world.used_at_broker() == 3


def test_an_outage_does_not_take_a_refusal_back(make: Make) -> None:
    world = make(HUNDRED, GRACE, GLASS)
    world.session().predict(1)
    world.suspend()
    assert refusal(world.session).code == "suspended"
    world.wire.is_cut = True
    assert refusal(world.session).code == "suspended"
    world.pass_time(2 * HOUR)
    assert refusal(world.session).code == "suspended"


def test_a_suspended_runtime_hears_so(make: Make) -> None:
    world = make(GRACE)
    session = world.session()
    session.predict(1)
    world.admin.suspend_runtime(world.opening().request.runtime, ReasonAsk(reason="stolen"))
    session.lease._renew()
    assert refusal(lambda: session.predict(1)).code == "runtime-suspended"
    assert refusal(world.session).code == "runtime-suspended"
    world.admin.resume_runtime(world.opening().request.runtime)
    world.session().predict(1)


def test_a_license_that_is_revoked_is_refused_when_it_is_opened(make: Make) -> None:
    world = make()
    world.revoke()
    assert refusal(world.session).code == "revoked"


# -- copies


def test_a_copy_of_a_home_is_noticed_and_the_owner_can_let_it_start_again(make: Make, tmp_path: Path) -> None:
    world = make(HUNDRED)
    world.session().predict(1)
    shutil.copytree(world.clinic.path, tmp_path / "copy")
    copy = Home.open(tmp_path / "copy")
    world.holder(copy).take(world.worker_key)
    error = refusal(lambda: world.holder().take(world.worker_key))
    assert (type(error), error.code) == (BrokerRefused, "clone-suspected")
    assert "lease release" in str(error.hint)
    assert Kind.CLONE_ALARM in kinds_in_log(world)
    newest = world.admin.leases().leases[-1].lease
    world.admin.release_lease(newest, ReasonAsk(reason="the copy is gone"))
    world.holder().take(world.worker_key)


# -- documents


def test_reports_follow_one_another(make: Make) -> None:
    world = make(HUNDRED)
    holder = world.holder()
    asked: list[LeaseAsk] = []
    send = holder._client.take_lease

    def noted(ask: LeaseAsk) -> LeaseAnswer:
        asked.append(ask)
        return send(ask)

    holder._client.take_lease = noted  # type: ignore[method-assign] # watches what is sent
    for _ in range(3):
        holder.take(world.worker_key)
    reports = [read_unverified(ask.usage, Usage) for ask in asked if ask.usage is not None]
    assert asked[0].usage is None
    assert [each.previous for each in reports] == [None, reports[0].id]
    assert {each.authority for each in reports} != {None}


def test_an_offline_file_is_checked_out_and_found_at_the_next_opening(make: Make) -> None:
    world = make(HUNDRED, Offline(hours=48, files=1))
    opening = world.opening()
    assert opening.release is None
    offline = check_out(
        world.clinic,
        world.client(),
        world.owner_id,
        license=opening.chain.id,
        package=opening.statement.package_digest,
        until=world.machine.wall() + 24 * HOUR,
    )
    found = world.opening()
    # It is for when the broker is silent.
    assert found.release is None
    assert found.spare is not None
    assert found.spare.id == offline.id
    assert offline.document.budget[0].counter is CounterName.PREDICTIONS
    world.pass_time(25 * HOUR)
    assert world.opening().release is None


def test_the_record_of_a_lease_is_private(make: Make) -> None:
    world = make()
    world.session().predict(1)
    path = next((world.clinic.path / "leases").rglob("lic-*.json"))
    assert path.stat().st_mode & 0o077 == 0
    record = msgspec.json.decode(path.read_bytes())
    assert set(record) >= {"lease", "pending", "refusal"}


def test_sessions_end_in_an_outage_without_a_word(make: Make) -> None:
    world = make(HUNDRED, GRACE)
    session: OpenSession = world.session()
    session.predict(1)
    world.wire.is_cut = True
    session.end()
    session.end()
    world.wire.is_cut = False
    world.session().end()
    assert world.used_at_broker() == 1
