"""Tests that run on SQLite, and on PostgreSQL as well where the database can make a difference.

    from tests.integration.databases import BOTH, database_url

    __all__ = ["database_url"]

    @BOTH
    def test_...(make): ...

Counts, periods and acts at the same time are the database's; a clock or a file of the partner is not.
Without this module, every test that asks for a world runs on both.
"""

from __future__ import annotations

from pathlib import Path

import pytest

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
"""On a test: the database matters here."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of this test: SQLite, if nothing asks for another."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'broker.db'}"
    return str(request.getfixturevalue("postgresql_url"))
