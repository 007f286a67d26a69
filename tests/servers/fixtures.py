"""A fresh PostgreSQL database for each test that asks for one.

The server starts with the first such test of a run. A new database is a copy of one that has the
broker's tables, which takes some ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.broker.migrations import migrate_up
from tests.servers.postgresql import PostgreSql
from tests.servers.sqlite import lay_tables

WITH_TABLES = "with_tables"
"""The database that those of tests are copies of."""


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """The server of this run. Who stops it starts it again."""
    with PostgreSql.started() as server:
        server.execute(f"CREATE DATABASE {WITH_TABLES}")
        migrate_up(server.url(WITH_TABLES))
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSql) -> str:
    """The address of a database of this test, with the broker's tables."""
    return postgresql.new_database(WITH_TABLES)


@pytest.fixture
def empty_postgresql_url(postgresql: PostgreSql) -> str:
    """The address of a database of this test, without tables."""
    return postgresql.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of this test, with the broker's tables: the test runs on either kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'broker.db'}"
        lay_tables(url)
        return url
    return str(request.getfixturevalue("postgresql_url"))
