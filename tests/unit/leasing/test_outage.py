"""How long a model works while its broker is silent, told before anybody uses it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.leasing.outage import outlook
from strongroom.license.period import Period
from strongroom.license.terms import Grace, Predictions
from tests.lease_world import LeaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LeaseWorld]:
    made = LeaseWorld.make(
        tmp_path, terms=[Predictions(limit=100, per=Period.MONTH), Grace(hours=2, predictions=3)]
    )
    yield made
    made.close()


def test_nothing_is_said_of_what_has_no_lease(world: LeaseWorld) -> None:
    assert outlook(world.clinic, world.opening(), world.machine.wall()) is None


def test_the_end_of_the_grace_is_told_and_then_that_it_has_passed(world: LeaseWorld) -> None:
    lease = world.holder().take(world.worker_key).lease.document
    found = outlook(world.clinic, world.opening(), world.machine.wall())
    assert found is not None
    assert found.denied is None
    assert found.until == lease.not_after + timedelta(hours=2)
    assert found.left == lease.budget[0].limit
    world.pass_time(timedelta(hours=3))
    later = outlook(world.clinic, world.opening(), world.machine.wall())
    assert later is not None
    assert later.until == found.until
    assert later.denied is not None
    assert later.denied.code == "grace-ended"


def test_grace_that_is_used_up_is_told(world: LeaseWorld) -> None:
    session = world.session()
    world.wire.is_cut = True
    world.pass_time(timedelta(minutes=20))
    for used in range(3):
        foreseen = outlook(world.clinic, world.opening(), world.machine.wall())
        assert foreseen is not None
        assert foreseen.left == 3 - used, "of the grace, whatever is left of the license"
        session.predict()
    found = outlook(world.clinic, world.opening(), world.machine.wall())
    assert found is not None
    assert found.denied is not None
    assert found.denied.code == "grace-used-up"
    world.wire.is_cut = False
    session.end()
