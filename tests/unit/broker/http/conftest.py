from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.broker.http.wire import Asker, Wire
from tests.unit.broker.services.hospital import Clinic, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hospital with a broker."""
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def wire(world: World) -> Wire:
    """Its application."""
    return Wire(world)


@pytest.fixture
def clinic(world: World) -> Clinic:
    """An approved partner."""
    return world.clinic()


@pytest.fixture
def admin(wire: Wire) -> Asker:
    """The hospital's first admin."""
    return wire.member(wire.world.home)


@pytest.fixture
def manager(wire: Wire, clinic: Clinic) -> Asker:
    """The clinic's first member."""
    return wire.member(clinic.home)


@pytest.fixture
def runtime(wire: Wire, clinic: Clinic) -> Asker:
    """The clinic's runtime."""
    return wire.runtime(clinic.home)
