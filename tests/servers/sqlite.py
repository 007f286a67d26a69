"""A file with the broker's tables, without taking every step of the migrations once more.

    lay_tables(url)
    store = open_store(url, create=True)    # finds what it would have made

The steps are taken once in each process, by the program's own ``migrate_up``; every later file is a
copy of that one. That they make the right tables is what ``tests/unit/broker/sql`` and the tests that
start a broker as a process show, on files of their own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from strongroom.broker.migrations import migrate_up
from strongroom.broker.sql.engine import create_file, make_engine, sqlite_file


def lay_tables(url: str) -> None:
    """Make the file of an SQLite address; one that is there, and another database, stay as they are."""
    path = sqlite_file(make_engine(url))
    if path is not None and not path.exists():
        # The program makes it, so that its mode is the program's.
        create_file(path)
        path.write_bytes(_with_tables())


@cache
def _with_tables() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "broker.db"
        migrate_up(f"sqlite:///{path}")
        # Closing the last connection has taken everything out of the write-ahead log.
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        return path.read_bytes()
