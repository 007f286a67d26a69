"""One transaction: statements to a driver, and its failures as errors of ours.

    rows = session.all(_PARTNERS, after="", limit=100)
    session.run(_ADD_SEAT, **values)

What a driver reports never goes into a message: it may hold values, and a person can do nothing
with it. It stays the cause of the error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from sqlalchemy import Dialect

from strongroom.broker.sql.driver import Call, Driver, Row, Value, command
from strongroom.broker.sql.statement import Statement
from strongroom.errors import Error, ObjectNotFound, StorageUnavailable, UsageError

CODE: Final = "database-unavailable"

_FULL: Final = ("SQLITE_FULL", "53100", "53400")
_LOCKED: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "57014", "40001", "40P01", "25P03")
_REFERENCE: Final = ("SQLITE_CONSTRAINT_FOREIGNKEY", "23503")
_REFUSALS: Final = (
    (
        "28",
        re.compile(r'authentication failed|no password supplied|pg_hba\.conf|role ".*" does not exist'),
        "the database server does not let the broker in: it refuses the user or the password",
        "see the user in the address; its password goes into a file of your own that PGPASSFILE names",
    ),
    (
        "3D",
        re.compile(r'database ".*" does not exist'),
        "the database server has no database of that name",
        "see the name in the address, or make it: createdb --owner USER NAME",
    ),
    (
        "42501",
        re.compile("permission denied"),
        "the database server does not allow the broker's user to make and use its tables",
        "make that user the owner of the database: ALTER DATABASE ... OWNER TO ...",
    ),
)
"""The code of PostgreSQL, the words of which one is there without it, and what to say."""
_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "XX001", "XX002")


def translate(error: Exception, dialect: Dialect) -> Error:
    """Return the error of ours for what a driver raised."""
    driver = dialect.loaded_dbapi
    name = str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "")
    if isinstance(error, driver.IntegrityError):
        if name in _REFERENCE:
            return UsageError("a row names another that the database does not have", code="row-missing")
        return UsageError("the database has something else under that id or name", code="exists-already")
    if isinstance(error, driver.DataError):
        return UsageError("a value cannot be stored", code="value-not-storable")
    if name.startswith(_FULL):
        return StorageUnavailable(
            "the disk of the broker's database is full; nothing was written",
            code=CODE,
            hint="make room on that disk; the broker goes on by itself",
        )
    if name.startswith(_LOCKED):
        return StorageUnavailable(
            "another program holds the broker's database for too long",
            code=CODE,
            hint="try again; if it stays so, end the other program",
        )
    if name.startswith(_DAMAGED):
        return StorageUnavailable(
            "the broker's database is damaged",
            code=CODE,
            hint="stop the broker, keep the damaged database, and restore the last backup",
        )
    for state, words, message, hint in _REFUSALS:
        # What refuses a connection comes without its code: libpq hands only the words on.
        if name.startswith(state) if name else words.search(str(error)):
            return StorageUnavailable(message, code="database-refused", hint=hint)
    return StorageUnavailable(
        "the broker's database does not answer",
        code=CODE,
        hint="see that the database runs and can be reached; a broker that runs goes on by itself",
    )


def fail(error: Exception, dialect: Dialect) -> NoReturn:
    """Raise what a driver raised as an error of ours, or as it is if it is a defect.

    Raises:
        StorageUnavailable: the database does not answer.
        UsageError: it refuses what was asked.
    """
    if isinstance(error, dialect.loaded_dbapi.ProgrammingError):
        raise error
    raise translate(error, dialect) from error


class Session:
    """Statements within one transaction, by one thread."""

    def __init__(self, driver: Driver, dialect: Dialect) -> None:
        self._driver = driver
        self._dialect = dialect
        self._kind = dialect.name
        self._failure: type[Exception] = dialect.loaded_dbapi.Error

    def first(self, statement: Statement, /, **values: Value) -> Row | None:
        """Return the first row, or None.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        rows = self.all(statement, **values)
        return rows[0] if rows else None

    def all(self, statement: Statement, /, **values: Value) -> list[Row]:
        """Return every row.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        try:
            return self._driver.rows(*self._call(statement, values))
        except self._failure as error:
            fail(error, self._dialect)

    def run(self, *calls: tuple[Statement, dict[str, Value]]) -> list[int]:
        """Run statements in one go; returns how many rows each of them touched.

        Raises:
            StorageUnavailable: the database does not answer.
            UsageError: it refuses a row.
        """
        try:
            return self._driver.counts([self._call(statement, values) for statement, values in calls])
        except self._failure as error:
            fail(error, self._dialect)

    def later(self, statement: Statement, rows: Sequence[dict[str, Value]]) -> None:
        """Run a statement that cannot be refused, for each row, now or with the next one.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        if not rows:
            return
        compiled = statement.compiled(self._kind)
        fixed = compiled.fixed
        try:
            self._driver.later(compiled, [{**fixed, **row} for row in rows] if fixed else rows)
        except self._failure as error:
            fail(error, self._dialect)

    def add(self, *rows: Added) -> None:
        """Add rows in one go.

        Raises:
            StorageUnavailable: the database does not answer.
            UsageError: code ``exists-already``: there is one of them.
        """
        for (_, _, what), count in zip(rows, self.run(*(row[:2] for row in rows)), strict=True):
            if count != 1:
                raise UsageError(f"the database has this {what} already", code="exists-already")

    def change(self, statement: Statement, what: str, /, **values: Value) -> None:
        """Change one row.

        Raises:
            StorageUnavailable: the database does not answer.
            UsageError: the change is refused.
            ObjectNotFound: there is none.
        """
        verify_found(self.run((statement, values))[0], what)

    def command(self, text: str) -> None:
        """Run a command of the database itself, and all that waits.

        Raises:
            StorageUnavailable: the database does not answer.
            UsageError: it refuses.
        """
        try:
            self._driver.rows(command(text), {})
        except self._failure as error:
            fail(error, self._dialect)

    def _call(self, statement: Statement, values: dict[str, Value]) -> Call:
        compiled = statement.compiled(self._kind)
        return compiled, {**compiled.fixed, **values} if compiled.fixed else values


Added = tuple[Statement, dict[str, Value], str]
"""A statement from ``adding``, the values of its row, and what to call it in an error."""


def verify_found(count: int, what: str) -> None:
    """Check that a change found its row.

    Raises:
        ObjectNotFound: it found none.
    """
    if count != 1:
        raise ObjectNotFound(f"the database has no such {what}")
