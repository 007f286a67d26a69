"""The steps by which a database gets the tables of a version, by Alembic.

    migrate_up(url)
    migrate_down(url)
    verify_current(url)

Each step is a file in ``versions`` with a number, and never changes once it was released. All
steps are one transaction: a database has all of them or is as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from strongroom.broker.sql.engine import create_file, make_engine, sqlite_file, verify_there
from strongroom.broker.sql.revision import no_broker_there, read_revision, verify_revision
from strongroom.broker.sql.session import translate

_LOCK: Final = 0x5374726F6E67726D
"""Two programs that start at once must not both make tables; PostgreSQL locks this number for it."""


def migrate_up(url: str, revision: str = "head") -> None:
    """Take all steps, or those up to a revision, that a database has not taken.

    Raises:
        UsageError: no address of a database.
        UnsupportedError: its driver is not installed.
        StorageUnavailable: the database does not answer; nothing was changed.
    """
    _migrate(url, up=revision)


def migrate_down(url: str, revision: str = "base") -> None:
    """Take steps back, with all that their tables hold.

    Raises:
        UsageError: no address of a database.
        UnsupportedError: its driver is not installed.
        StorageUnavailable: the database does not answer; nothing was changed.
    """
    _migrate(url, down=revision)


def verify_current(url: str) -> None:
    """Check that a database has the tables of this version.

    Raises:
        UsageError: code ``database-outdated`` or ``database-newer``, or no address of a database.
        StorageUnavailable: the database does not answer.
    """
    engine = make_engine(url)
    try:
        verify_revision(engine)
    finally:
        engine.dispose()


def verify_founded(url: str) -> None:
    """Check that a database has tables of a broker, of whatever version.

    Raises:
        ObjectNotFound: it has none (code ``database-missing``).
        UsageError: no address of a database.
        StorageUnavailable: the database does not answer.
    """
    engine = make_engine(url)
    try:
        if (path := sqlite_file(engine)) is not None:
            verify_there(path)
        if read_revision(engine) is None:
            raise no_broker_there()
    finally:
        engine.dispose()


def configuration(connection: Connection | None = None) -> Config:
    """Return what Alembic wants to know."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _migrate(url: str, *, up: str | None = None, down: str | None = None) -> None:
    engine = make_engine(url)
    if (path := sqlite_file(engine)) is not None:
        create_file(path)
    try:
        with engine.connect() as connection:
            _begin(connection)
            config = configuration(connection)
            if up is not None:
                command.upgrade(config, up)
            if down is not None:
                command.downgrade(config, down)
            connection.commit()
    except DBAPIError as error:
        raise translate(error.orig or error, engine.dialect) from error
    finally:
        engine.dispose()


def _begin(connection: Connection) -> None:
    # The drivers begin no transactions (sql/engine.py).
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
