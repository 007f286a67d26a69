from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.broker.settings import Settings
from tests.unit.broker.services.hospital import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hospital with a broker."""
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[World]:
    """A hospital where two people decide."""
    world = World(tmp_path, Settings(two_people=True))
    yield world
    world.close()
