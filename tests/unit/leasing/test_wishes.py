"""A table with more rows than a slice: the broker is told how much is needed at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import LicenseDenied
from strongroom.license.period import CounterName, Period
from strongroom.license.terms import Predictions
from tests.lease_world import LeaseWorld, OpenSession
from tests.unit.leasing.test_session import leases_given

HUNDRED = Predictions(limit=100, per=Period.TOTAL)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LeaseWorld]:
    world = LeaseWorld.make(tmp_path, terms=[HUNDRED])
    yield world
    world.close()


@pytest.fixture
def session(world: LeaseWorld) -> Iterator[OpenSession]:
    session = world.session()
    yield session
    session.end()


def test_a_table_that_is_larger_than_a_slice_is_answered(world: LeaseWorld, session: OpenSession) -> None:
    assert session.meter.remaining is not None
    assert session.meter.remaining < 70
    assert session.predict(70) == 0
    # What is left of the license goes on being divided.
    session.predict(5)
    session.end()
    assert world.used_at_broker() == 75
    assert world.held_at_broker() <= 25


def test_also_when_something_of_the_slice_was_used(world: LeaseWorld, session: OpenSession) -> None:
    session.predict(3)
    session.predict(97)
    session.end()
    assert world.used_at_broker() + world.held_at_broker() == 100


def test_a_small_table_gets_a_share_and_no_slice_of_its_own_size(
    world: LeaseWorld, session: OpenSession
) -> None:
    left = session.predict(1)
    assert left is not None
    session.predict(left)
    before = leases_given(world)
    session.predict(2)
    assert leases_given(world) == before + 1
    assert session.meter.remaining is not None
    assert session.meter.remaining > 10


def test_more_than_the_license_has_is_refused_and_costs_nothing(
    world: LeaseWorld, session: OpenSession
) -> None:
    before = leases_given(world)
    for _ in range(3):
        with pytest.raises(LicenseDenied) as caught:
            session.predict(101)
        assert caught.value.code == "predictions-used-up"
    assert leases_given(world) == before + 1
    session.predict(100)
    session.end()
    assert world.used_at_broker() + world.held_at_broker() == 100


def test_a_wish_covers_what_may_be_used_until_the_answer_is_here(world: LeaseWorld) -> None:
    holder = world.holder()
    first = holder.take(world.worker_key)
    slice_of = {entry.counter: entry.limit for entry in first.lease.document.budget}
    # Nothing of it is used: all of it may be, late, and the next lease has room for that.
    second = holder.take(world.worker_key, 1)
    (entry,) = second.lease.document.budget
    assert entry.limit == slice_of[CounterName.PREDICTIONS]
