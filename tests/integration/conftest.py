from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.license.term import Term
from tests.lease_world import LeaseWorld


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Callable[..., LeaseWorld]]:
    """Make worlds that end with the test."""
    made: list[LeaseWorld] = []

    def make(*terms: Term, **options: Any) -> LeaseWorld:
        made.append(LeaseWorld.make(tmp_path, terms=terms, database_url=database_url, **options))
        return made[-1]

    yield make
    for world in made:
        world.close()
