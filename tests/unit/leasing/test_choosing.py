"""Which license a name means, where its broker has refused one of several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import ObjectNotFound
from strongroom.home.leases import LeaseRecord, Refusal
from strongroom.license.period import Period
from strongroom.license.terms import Predictions
from strongroom.opening import Opening, open_model
from tests.lease_world import LeaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LeaseWorld]:
    made = LeaseWorld.make(tmp_path, terms=[Predictions(limit=100, per=Period.MONTH)])
    yield made
    made.close()


def refuse(world: LeaseWorld, opening: Opening, *, is_final: bool) -> None:
    said = Refusal(code="revoked", message="it is revoked", hint=None, is_final=is_final)
    with world.clinic.leases.locked(opening.place):
        world.clinic.leases.write(opening.place, LeaseRecord(lease=None, refusal=said))


def chosen(world: LeaseWorld, license: str | None = None) -> Opening:
    return open_model(world.clinic, "risk", now=world.machine.wall(), license_id=license)


def test_one_that_was_refused_for_good_gives_way_to_the_one_that_replaces_it(world: LeaseWorld) -> None:
    first = chosen(world)
    second = world.grant_more(Predictions(limit=50, per=Period.MONTH))
    with pytest.raises(ObjectNotFound) as caught:
        chosen(world)
    assert caught.value.code == "ambiguous-model"
    refuse(world, first, is_final=False)
    with pytest.raises(ObjectNotFound):
        chosen(world)
    refuse(world, first, is_final=True)
    assert chosen(world).chain.id == second
    # Where it is asked for, or no other is there, the broker is asked again: it may have thought better.
    assert chosen(world, first.chain.id).chain.id == first.chain.id
    refuse(world, chosen(world), is_final=True)
    assert chosen(world).chain.id in (first.chain.id, second)
