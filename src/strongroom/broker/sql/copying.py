"""Copies of a whole database, in one form for both kinds: an SQLite file with the same tables.

    dump("postgresql://broker@db.example.com/broker", path)
    with loaded(path, "sqlite:////var/lib/strongroom/broker/broker.db") as store:
        ...

A copy is one state, taken while others go on to write. What was taken in stays closed to brokers
until the block ends without an error: between those two moments it still has the log as it was in the
copy, to which nobody may append (spec/log.md, "Restoring").
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, delete, insert, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from strongroom.broker.migrations import migrate_up
from strongroom.broker.sql.engine import make_engine, sqlite_file
from strongroom.broker.sql.revision import CLOSED, read_revision, verify_revision
from strongroom.broker.sql.session import CODE, translate
from strongroom.broker.sql.store import SqlStore
from strongroom.broker.sql.tables import ANSWER, LOG_HEAD, METADATA, REVISION
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError

APPLICATION_ID: Final = 0x53524231
"""What SQLite writes into the head of the file, and ``file`` shows: ``SRB1``."""
_ROWS: Final = 1000


def dump(url: str, path: Path) -> None:
    """Copy a database into a new SQLite file. The file is as readable as the folder lets it be.

    Raises:
        UsageError: no address of a database, or one of another version.
        ObjectNotFound: there is no such database.
        StorageUnavailable: the database does not answer, or the disk is full.
    """
    engine = make_engine(url)
    try:
        if (file := sqlite_file(engine)) is not None:
            _verify_file(file)
        verify_revision(engine)
        with _translated(engine):
            if file is not None:
                _copy_file(engine, path)
            else:
                _copy_from_server(engine, path)
        _seal(path)
    finally:
        engine.dispose()


@contextmanager
def loaded(path: Path, url: str) -> Iterator[SqlStore]:
    """Take a copy in, into a new database, and open it for brokers if the block ends without an error.

    Raises:
        FormatError: code ``backup-format``: the file is no copy, or is damaged.
        ObjectNotFound: there is no such file.
        UsageError: code ``database-not-empty``: there is something already; or no address of a
            database, or a copy of another version.
        StorageUnavailable: the database does not answer, or the disk is full.
    """
    source = _open_copy(path)
    engine = make_engine(url)
    try:
        _verify_new(engine)
        with _removed_on_failure(sqlite_file(engine)):
            migrate_up(url)
            with _translated(engine):
                _fill(source, engine)
            yield SqlStore(engine)
            with _translated(engine):
                _set_revision(engine, REVISION)
    finally:
        source.dispose()
        engine.dispose()


def _copy_file(engine: Engine, path: Path) -> None:
    with engine.connect() as connection, closing(sqlite3.connect(path)) as target:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101 - that is what the engine makes
        # In one step: writers go on, into the write-ahead log, and nothing has to begin again.
        source.backup(target, pages=-1)


def _copy_from_server(engine: Engine, path: Path) -> None:
    copy = f"sqlite:///{path}"
    migrate_up(copy)
    target = make_engine(copy)
    try:
        with engine.connect() as read, target.connect() as write:
            read.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            write.exec_driver_sql("BEGIN IMMEDIATE")
            _copy_rows(read, write)
            write.commit()
    finally:
        target.dispose()


def _seal(path: Path) -> None:
    """Make one file of it, without a write-ahead log, and mark it as a copy."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        # Nobody may read what was erased from between the rows; nor is it worth its place.
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(f"DELETE FROM {ANSWER.name}")  # noqa: S608 - a name of ours
        connection.execute("VACUUM")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")


def _open_copy(path: Path) -> Engine:
    if not path.is_file():
        raise ObjectNotFound(f"there is no file {path}")
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        creator=lambda: sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None
        ),
        poolclass=NullPool,
    )
    try:
        with engine.connect() as connection:
            mark = connection.exec_driver_sql("PRAGMA application_id").scalar()
            whole = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
    except DBAPIError as error:
        raise FormatError(f"{path} is no backup of a broker", code="backup-format") from error
    if mark != APPLICATION_ID:
        raise FormatError(f"{path} is no backup of a broker", code="backup-format")
    if whole != "ok":
        raise FormatError(f"the backup {path} is damaged", code="backup-format", hint="take an earlier one")
    verify_revision(engine)
    return engine


def _verify_file(file: Path) -> None:
    if not file.is_file():
        raise ObjectNotFound(
            f"there is no database {file}",
            code="database-missing",
            hint="give the address that the broker runs with, by --database or STRONGROOM_DATABASE",
        )


def _verify_new(engine: Engine) -> None:
    file = sqlite_file(engine)
    if file is not None and not file.exists():
        return
    if file is not None or read_revision(engine) is not None:
        raise UsageError(
            "there is a broker's database at that address already",
            code="database-not-empty",
            hint="restore into a new database, then start the broker with its address",
        )


@contextmanager
def _removed_on_failure(file: Path | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if file is not None:
            for suffix in ("", "-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
        raise


def _fill(source: Engine, engine: Engine) -> None:
    with source.connect() as read, engine.connect() as write:
        write.exec_driver_sql("BEGIN")
        _copy_rows(read, write)
        write.execute(_SET_REVISION, {"new": CLOSED})
        write.commit()


def _copy_rows(read: Connection, write: Connection) -> None:
    write.execute(delete(LOG_HEAD))
    for table in METADATA.sorted_tables:
        if table is ANSWER:
            # They are for those who ask the same broker again, within a day.
            continue
        rows = read.execution_options(yield_per=_ROWS).execute(select(table))
        for part in rows.mappings().partitions():
            write.execute(insert(table), [dict(row) for row in part])


_SET_REVISION: Final = text("UPDATE alembic_version SET version_num = :new")


def _set_revision(engine: Engine, revision: str) -> None:
    with engine.connect() as connection:
        connection.execute(_SET_REVISION, {"new": revision})


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, make_engine("sqlite:///copy.db").dialect) from error
    except DBAPIError as error:
        raise translate(error.orig or error, engine.dialect) from error
    except SQLAlchemyError as error:
        raise StorageUnavailable("the broker's database cannot be copied", code=CODE) from error
