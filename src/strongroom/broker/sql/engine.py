"""Connections: which database an address means, how it is opened, and what it promises.

    engine = make_engine("sqlite:////var/lib/strongroom/broker/broker.db")
    engine = make_engine("postgresql://broker:secret@db.example.com/broker")

* SQLite: a write-ahead log that is flushed at every commit (``synchronous=FULL``), foreign keys
  enforced, a file that only its owner reads, and that is never made by opening it.
* PostgreSQL, by psycopg: every commit is flushed (whatever the server's default), and nobody waits
  for ever: not for a connection, not for a lock, not for a peer that stopped in the middle.

Transactions are begun and ended in so many words by ``store``; the drivers begin none.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from strongroom.broker.sql.session import CODE
from strongroom.errors import ObjectNotFound, StorageUnavailable, UnsupportedError, UsageError

WAIT_SECONDS: Final = 10
"""How long a statement waits for a lock, a thread for a connection, and a connection for its server."""
STALLED_SECONDS: Final = 60
"""After it the server ends a transaction whose program has stopped: all others wait for it."""
_CONNECTIONS: Final = 40
"""At once: as many as the server has threads."""
_KEPT_ON_SERVER: Final = 20
"""What is open on a PostgreSQL beyond these is closed after use; others want connections, too."""
_PRIVATE_MODE: Final = 0o600

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    # What is erased is overwritten: a disclosure of the log must not live on in free pages.
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA busy_timeout={WAIT_SECONDS * 1000}",
)
_SETTINGS: Final = (
    "SET synchronous_commit = on",
    f"SET lock_timeout = '{WAIT_SECONDS}s'",
    f"SET idle_in_transaction_session_timeout = '{STALLED_SECONDS}s'",
)


def make_engine(url: str) -> Engine:
    """Return an engine for an address; nothing is opened yet.

    Raises:
        UsageError: code ``database-url``: no address of a database that can be used.
        UnsupportedError: code ``postgresql-missing``: the driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause: it may hold the address, and that a password.
        parsed = None
    kind = parsed.drivername.partition("+")[0] if parsed is not None else ""
    if parsed is not None and kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return _sqlite(Path(str(parsed.database)))
    if parsed is not None and kind in ("postgresql", "postgres"):
        return _postgresql(parsed)
    raise UsageError(
        "this is no address of a database for a broker",
        code="database-url",
        hint="write sqlite:////absolute/path/broker.db or postgresql://user@host/database",
    )


def sqlite_file(engine: Engine) -> Path | None:
    """Return the file of an SQLite database, or None of another."""
    return Path(str(engine.url.database)) if engine.dialect.name == "sqlite" else None


def create_file(path: Path) -> None:
    """Make the empty file of an SQLite database, if there is none, for its owner alone.

    Raises:
        StorageUnavailable: it cannot be made.
    """
    # SQLite itself makes files that others may read; its log and index follow the mode of the file.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _PRIVATE_MODE))
    except FileExistsError:
        return
    except OSError as error:
        raise StorageUnavailable(f"cannot make {path}: {error.strerror}", code=CODE) from error


def verify_there(path: Path) -> None:
    """Check that there is a file to open.

    Raises:
        ObjectNotFound: there is none.
    """
    if not path.is_file():
        raise ObjectNotFound(
            f"there is no database {path}",
            code="database-missing",
            hint="a new one is made by `strongroom broker run`; an old one comes back by `broker restore`",
        )


def _sqlite(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            # "rw": a file that went away is missed, and not made anew, empty.
            f"file:{quote(str(path.absolute()))}?mode=rw",
            uri=True,
            timeout=WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )

    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=connect,
        paramstyle="named",
        poolclass=QueuePool,
        # All are kept: to open one costs more than what is done with it. None has to be asked whether
        # it lives, either: the file is looked at before every use (``store``).
        **_pool(_CONNECTIONS),
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: object) -> None:
        with closing(connection.cursor()) as cursor:
            for pragma in _PRAGMAS:
                cursor.execute(pragma)

    return engine


def _postgresql(url: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise UnsupportedError(
            "the driver for PostgreSQL is not installed",
            code="postgresql-missing",
            hint="pip install 'strongroom[postgresql]'",
        )
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "connect_timeout": WAIT_SECONDS,
            "tcp_user_timeout": WAIT_SECONDS * 1000,
            "keepalives_idle": WAIT_SECONDS,
        },
        use_native_hstore=False,
        hide_parameters=True,
        pool_pre_ping=True,
        **_pool(_KEPT_ON_SERVER),
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in _SETTINGS:
                cursor.execute(setting)

    return engine


def _pool(kept: int) -> dict[str, Any]:
    return {"pool_size": kept, "max_overflow": _CONNECTIONS - kept, "pool_timeout": WAIT_SECONDS}
