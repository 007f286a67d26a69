"""The store over the two kinds of database that every test of the broker's storage runs over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strongroom.broker.repository import Store
from strongroom.broker.sql.store import open_store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = open_store(database_url, create=True)
    yield opened
    opened.close()
