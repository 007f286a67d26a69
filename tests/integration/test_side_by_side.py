"""Several licenses of one owner in one home, used at once: none gets in the way of another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from strongroom.errors import Error
from strongroom.license.terms import Grace
from strongroom.witnessing import verify_log
from tests.integration.databases import BOTH, database_url
from tests.lease_world import LeaseWorld

__all__ = ["database_url"]

GRACE = Grace(hours=2, predictions=50)


@pytest.fixture
def world(make: Callable[..., LeaseWorld]) -> LeaseWorld:
    return make(GRACE)


def all_at_once(acts: Sequence[Callable[[], object]]) -> Counter[str]:
    """Do all of it at the same time; returns how often it went well, and the codes of what did not."""
    outcomes: Counter[str] = Counter()
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        together.wait()
        try:
            act()
        except Error as error:
            outcomes[error.code] += 1
        else:
            outcomes["done"] += 1

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@BOTH
def test_a_machine_that_opens_many_licenses_at_once_gets_them_all(world: LeaseWorld) -> None:
    licenses = [world.grant_more(GRACE) for _ in range(8)]
    acts = [lambda license=each: world.session(license=license).predict(1) for each in licenses]
    assert all_at_once(acts) == {"done": 8}
    holders = [world.holder(license=each) for each in licenses]
    acts = [lambda holder=each: holder.take(world.worker_key) for each in holders]
    assert all_at_once(acts) == {"done": 8}


@BOTH
def test_the_log_is_verified_while_others_renew(world: LeaseWorld) -> None:
    holders = [world.holder(license=world.grant_more(GRACE)) for _ in range(4)]
    owner = world.clinic.trust.get(world.owner_id).owner
    enough = threading.Event()
    refusals: list[Error] = []

    def renew(index: int) -> None:
        while not enough.is_set():
            try:
                holders[index].take(world.worker_key)
            except Error as error:
                refusals.append(error)

    threads = [threading.Thread(target=renew, args=(each,)) for each in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(6):
            verify_log(world.clinic, world.client(), owner, now=world.machine.wall())
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert not refusals


def test_a_time_that_is_known_for_one_license_is_known_for_all(world: LeaseWorld) -> None:
    first, other = world.granted.license_id, world.grant_more(GRACE)
    world.session(license=first).predict(1)
    world.session(license=other).predict(1)
    world.machine.reboot()
    # The battery of the clock is empty.
    world.machine.set_wall(world.machine.wall() - timedelta(hours=24))
    world.session(license=first).predict(1)
    world.wire.is_cut = True
    world.session(license=first).predict(1)
    world.session(license=other).predict(1)
