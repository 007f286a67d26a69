"""A database as the ``Store`` of ``repository``: where transactions begin and end.

    store = open_store(url, create=True)
    with store.write() as kept:
        kept.add_license(row)

A writer holds the one row of the log's head from its first statement: SQLite locks the whole file
(``BEGIN IMMEDIATE``), PostgreSQL the row (``SELECT ... FOR UPDATE`` under READ COMMITTED, so that
what follows sees all that was committed before). A reader sees one state and holds nobody up.

When a database goes away, every call says ``database-unavailable``, and the first after it came
back works. If it goes away during a commit, nobody can tell whether that was done: a caller learns
it from the head, or asks again with the same idempotency key.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from strongroom.broker.sql.driver import Direct, Driver, command
from strongroom.broker.sql.engine import create_file, make_engine, sqlite_file, verify_there
from strongroom.broker.sql.reading import SqlReading
from strongroom.broker.sql.revision import read_revision, verify_revision
from strongroom.broker.sql.session import CODE, fail, translate
from strongroom.broker.sql.writing import SqlWriting
from strongroom.errors import StorageUnavailable

if TYPE_CHECKING:
    from strongroom.broker.repository import Store

_READ: Final[Mapping[str, str]] = {
    "sqlite": "BEGIN",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
_AT_HAND: Final = 4
"""Connections to a file that are not given back to the pool."""
_OF_FILE: Final = "strongroom.file"
"""Which file a connection is to; another may have taken its place since."""
_WRITE: Final[Mapping[str, str]] = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
}


class SqlStore:
    """An open database; may be used by any number of threads."""

    def __init__(self, engine: Engine) -> None:
        """Take over an engine whose database has the tables of this version."""
        self._engine = engine
        self._dialect = engine.dialect
        self._file = sqlite_file(engine)
        self._at_hand: deque[PoolProxiedConnection] = deque()
        self._identity = self._look()

    @contextmanager
    def read(self) -> Iterator[SqlReading]:
        """Look at one consistent state.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        with self._transaction(_READ[self._dialect.name]) as driver:
            kept = SqlReading(driver, self._dialect)
            yield kept
            kept.command("COMMIT")

    @contextmanager
    def write(self) -> Iterator[SqlWriting]:
        """Act: hold the log head, commit on the way out.

        Raises:
            StorageUnavailable: the database does not answer, or its disk is full; nothing was written,
                unless the answer to the commit itself was lost.
        """
        with self._transaction(_WRITE[self._dialect.name]) as driver:
            kept = SqlWriting(driver, self._dialect)
            yield kept
            kept.command("COMMIT")

    def close(self) -> None:
        """Give connections back."""
        self._dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Driver]:
        connection = self._connect()
        driver = self._drive(connection)
        try:
            try:
                driver.later(command(begin), [{}])
                yield driver
            except self._dialect.loaded_dbapi.Error as error:
                self._take_back(connection, driver)
                fail(error, self._dialect)
            except BaseException:
                self._take_back(connection, driver)
                raise
        finally:
            self._put_back(connection)

    def _put_back(self, connection: PoolProxiedConnection) -> None:
        # The pool takes longer to check a connection in and out than SQLite to look something up. A
        # few stay at hand; the rest go back, where others may wait for them.
        same = self._file is not None and connection.info.get(_OF_FILE) == self._identity
        if same and connection.is_valid and len(self._at_hand) < _AT_HAND:
            self._at_hand.append(connection)
        else:
            connection.close()

    def _dispose(self) -> None:
        with suppress(IndexError):
            while True:
                self._at_hand.pop().close()
        self._engine.dispose()

    def _take_back(self, connection: PoolProxiedConnection, driver: Driver) -> None:
        try:
            driver.roll_back()
        except self._dialect.loaded_dbapi.Error:
            # Whatever is wrong with it, nobody shall get it from the pool.
            connection.invalidate()

    def _connect(self) -> PoolProxiedConnection:
        self._verify_same_file()
        with suppress(IndexError):
            return self._at_hand.pop()
        try:
            connection = self._engine.raw_connection()
            connection.info.setdefault(_OF_FILE, self._identity)
            return connection
        except self._dialect.loaded_dbapi.Error as error:
            raise translate(error, self._dialect) from error
        except DBAPIError as error:
            raise translate(error.orig or error, self._dialect) from error
        except SQLAlchemyError as error:
            raise StorageUnavailable(
                "every connection to the broker's database is in use",
                code=CODE,
                hint="try again; the broker has more to do than the database can take",
            ) from error

    def _drive(self, connection: PoolProxiedConnection) -> Driver:
        driver: Any = connection.dbapi_connection
        if self._file is not None:
            return Direct(driver)
        # Its library is there only where it is wanted.
        from strongroom.broker.sql.libpq import Pipelined

        return Pipelined(driver, connection.info.setdefault("prepared", {}))

    def _verify_same_file(self) -> None:
        # A file that was removed lives on in open connections: what they write nobody finds again.
        if self._file is None or self._look() == self._identity:
            return
        self._dispose()
        if self._look() is None:
            raise StorageUnavailable(
                "the file of the broker's database is gone",
                code=CODE,
                hint="put it back where it was; the broker goes on by itself",
            )
        verify_revision(self._engine)
        self._identity = self._look()

    def _look(self) -> tuple[int, int] | None:
        if self._file is not None:
            with suppress(OSError):
                found = os.stat(self._file)  # noqa: PTH116 - a tenth of the time of Path.stat
                return found.st_dev, found.st_ino
        return None


def open_store(url: str, *, create: bool = False) -> SqlStore:
    """Open the database at an address.

    Args:
        url: ``sqlite:////path`` or ``postgresql://user:password@host/database``.
        create: Make the tables if the database is empty, and the file if there is none.

    Raises:
        UsageError: codes ``database-url``, ``database-outdated``, ``database-newer``.
        ObjectNotFound: code ``database-missing``: there is no such file.
        UnsupportedError: code ``postgresql-missing``: the driver is not installed.
        StorageUnavailable: the database does not answer.
    """
    engine = make_engine(url)
    try:
        _prepare(engine, url, create=create)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine)


def _prepare(engine: Engine, url: str, *, create: bool) -> None:
    if (path := sqlite_file(engine)) is not None:
        if create:
            create_file(path)
        else:
            verify_there(path)
    if create and read_revision(engine) is None:
        # Alembic takes longer to import than the broker to start.
        from strongroom.broker.migrations import migrate_up

        migrate_up(url)
    verify_revision(engine)


if TYPE_CHECKING:
    _: type[Store] = SqlStore
