"""The background of a session: it renews, polls and waits by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import LicenseDenied, StorageUnavailable
from strongroom.leasing.leaseholder import Leaseholder
from strongroom.leasing.session import Pace
from strongroom.license.period import Period
from strongroom.license.terms import Grace, Predictions
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind
from tests.integration.programs import wait_until
from tests.lease_world import LeaseWorld, OpenSession

QUICK = Pace(poll_seconds=0.02, retry_seconds=0.01, tick_seconds=0.01)
RENEWING = Pace(poll_seconds=3600, retry_seconds=0.01, tick_seconds=0.01)
MINUTE = timedelta(minutes=1)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
GRACE = Grace(hours=24, predictions=20)

Begin = Callable[..., OpenSession]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LeaseWorld]:
    world = LeaseWorld.make(tmp_path, terms=[HUNDRED, GRACE])
    yield world
    world.close()


@pytest.fixture
def begin(world: LeaseWorld) -> Iterator[Begin]:
    begun: list[OpenSession] = []

    def begin(pace: Pace = QUICK) -> OpenSession:
        begun.append(world.session(pace=pace))
        return begun[-1]

    yield begin
    for session in begun:
        session.end()


def leases_given(world: LeaseWorld) -> int:
    """Return how many the log of the broker has: a question can be sent twice, for a fresh token."""
    with world.broker.ledger.view() as kept:
        rows = kept.entries_about(None, after=-1, limit=1000)
    disclosed = [Disclosure.from_bytes(row.disclosure) for row in rows if row.disclosure is not None]
    return sum(each.record.kind is Kind.LEASE for each in disclosed)


def code_of(session: OpenSession) -> str | None:
    try:
        session.predict(1)
    except LicenseDenied as denied:
        return denied.code
    return None


def test_a_revocation_is_heard_without_a_use(world: LeaseWorld, begin: Begin) -> None:
    session = begin()
    session.predict(1)
    world.revoke()
    wait_until(lambda: bool(world.clinic.leases.notices(world.owner_id).revocations))
    wait_until(lambda: code_of(session) == "revoked")


def test_a_lease_is_renewed_when_half_of_it_is_over(world: LeaseWorld, begin: Begin) -> None:
    session = begin(RENEWING)
    before = leases_given(world)
    world.pass_time(5 * MINUTE)
    session.predict(1)
    assert leases_given(world) == before
    world.pass_time(5 * MINUTE)
    wait_until(lambda: leases_given(world) == before + 1)
    session.predict(1)


def test_a_lease_is_renewed_when_half_of_its_slice_is_used(world: LeaseWorld, begin: Begin) -> None:
    session = begin(RENEWING)
    before = leases_given(world)
    session.predict(2)
    session.predict(40)
    wait_until(lambda: leases_given(world) > before)


def test_after_a_silence_it_asks_again_until_somebody_answers(world: LeaseWorld, begin: Begin) -> None:
    session = begin()
    world.wire.is_cut = True
    world.pass_time(20 * MINUTE)
    wait_until(lambda: session.lease._outage_since is not None)
    assert code_of(session) is None
    world.wire.is_cut = False
    wait_until(lambda: session.lease._outage_since is None)
    assert code_of(session) is None
    assert session.lease.ends_at > world.machine.wall()


def test_one_session_takes_what_another_has_renewed(world: LeaseWorld, begin: Begin) -> None:
    first, second = begin(RENEWING), begin(RENEWING)
    first.predict(1)
    second.predict(1)
    wait_until(lambda: first.lease._lease.id == second.lease._lease.id)


def test_a_disk_that_does_not_answer_ends_no_session(
    world: LeaseWorld, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = begin()
    failures: list[int] = []
    with monkeypatch.context() as patched:

        def fails(self: Any) -> None:
            failures.append(1)
            raise StorageUnavailable("the disk is gone")

        patched.setattr(Leaseholder, "poll", fails)
        wait_until(lambda: len(failures) > 2)
    session.predict(1)


def test_a_session_that_is_used_up_asks_once_and_then_says_so(world: LeaseWorld, begin: Begin) -> None:
    session = begin(Pace(poll_seconds=3600, retry_seconds=3600, tick_seconds=3600))
    before = leases_given(world)
    for _ in range(5):
        with pytest.raises(LicenseDenied):
            session.predict(500)
    assert leases_given(world) <= before + 1
    session.predict(1)


def test_the_background_goes_on_whatever_happened_in_it(
    world: LeaseWorld, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = begin()
    session.predict(1)
    failed: list[int] = []

    def fail(*_: object) -> None:
        failed.append(1)
        raise OverflowError("date value out of range")

    monkeypatch.setattr(Leaseholder, "poll", fail)
    wait_until(lambda: len(failed) > 2)
    monkeypatch.undo()
    world.revoke()
    wait_until(lambda: code_of(session) == "revoked")
