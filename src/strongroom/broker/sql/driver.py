"""How statements reach a database: one at a time, or many in one round trip.

    driver.later(command("SAVEPOINT act"), [{}])
    driver.rows(statement, values)               # with what was put off, in its order
    driver.counts([(statement, values), ...])

SQLite is a library: every statement runs when it is called. PostgreSQL is another process, and a
round trip to it costs more than what it does there. So a statement whose result nobody needs waits
for the next one that has a result; a transaction that changes ten rows makes few trips.

What fails later fails at the statement that it waited for. That is right for what cannot be refused
by what stands in the database, and for nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Value = str | int | bytes | bool | None
Row = Sequence[Any]
Values = Mapping[str, Value]


class Compiled(NamedTuple):
    """The text of a statement for one kind of database."""

    text: str
    order: tuple[str, ...]
    """The names of the parameters in the order of their numbers; of none if the text has the names."""
    fixed: Values
    """The values that the statement itself brings."""


Call = tuple[Compiled, Values]


class Driver(Protocol):
    """One transaction of one thread."""

    def rows(self, statement: Compiled, values: Values) -> list[Row]:
        """Run one statement; returns its rows."""
        ...

    def counts(self, calls: Sequence[Call]) -> list[int]:
        """Run statements; returns how many rows each of them touched."""
        ...

    def later(self, statement: Compiled, rows: Sequence[Values]) -> None:
        """Run a statement for each of the rows, at the latest before the next one that has a result."""
        ...

    def mark(self) -> object:
        """Return where ``drop`` goes back to."""
        ...

    def drop(self, mark: Any) -> bool:
        """Forget what waits since the mark; returns whether nothing since then was sent."""
        ...

    def roll_back(self) -> None:
        """End the transaction, if one was begun, with nothing done."""
        ...


def command(text: str) -> Compiled:
    """Return a command of the database itself, which has no values."""
    return Compiled(text, (), {})


class Direct:
    """The driver of SQLite."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def rows(self, statement: Compiled, values: Values) -> list[Row]:
        """Run one statement; returns its rows."""
        self._cursor.execute(statement.text, values)
        rows: list[Row] = self._cursor.fetchall()
        return rows

    def counts(self, calls: Sequence[Call]) -> list[int]:
        """Run statements; returns how many rows each of them touched."""
        counts = []
        for statement, values in calls:
            self._cursor.execute(statement.text, values)
            counts.append(self._cursor.rowcount)
        return counts

    def later(self, statement: Compiled, rows: Sequence[Values]) -> None:
        """Run a statement for each of the rows: there is nothing to wait for."""
        if len(rows) == 1:
            self._cursor.execute(statement.text, rows[0])
        else:
            self._cursor.executemany(statement.text, rows)

    def mark(self) -> None:
        """Return nothing: nothing waits."""

    def drop(self, mark: None) -> bool:
        """Forget nothing: all was sent."""
        return False

    def roll_back(self) -> None:
        """End the transaction, if one was begun, with nothing done."""
        if self._connection.in_transaction:
            self._cursor.execute("ROLLBACK")
