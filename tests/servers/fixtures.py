"""A fresh PostgreSQL database for each test that asks for one.

The server starts with the first such test of a run. A new database is a copy of one that has the
broker's tables, which takes some ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strongroom.broker.migrations import migrate_up
from tests.servers.postgresql import PostgreSql

_TEMPLATE = "with_tables"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """The server of this run. Who stops it starts it again."""
    with PostgreSql.started() as server:
        server.execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate_up(server.url(_TEMPLATE))
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSql) -> str:
    """The address of a database of this test, with the broker's tables."""
    return postgresql.new_database(_TEMPLATE)


@pytest.fixture
def empty_postgresql_url(postgresql: PostgreSql) -> str:
    """The address of a database of this test, without tables."""
    return postgresql.new_database()
