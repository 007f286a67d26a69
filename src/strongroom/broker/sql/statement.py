"""A statement of SQLAlchemy Core, made into text once for each kind of database.

    _LEASE = Statement(select(*SHAPE.columns).where(LEASE.c.lease == bindparam("lease")))
    row = session.first(_LEASE, lease="lea-...")

The text goes to the driver as it is, past SQLAlchemy's own execution: that costs about ten
microseconds for each statement, more than SQLite takes to answer, and a renewal has twenty. It is
not needed here, since the columns have only types that both drivers carry unchanged.

What is asked of several ids has one text for each number of ids (``Several``); a list longer than
``MOST_VALUES`` is asked for in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Dialect, Executable, Table, Text, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from strongroom.broker.sql.driver import Compiled, Value

Insert = sqlite.Insert | postgresql.Insert
Build = Callable[[type[sqlite.Insert] | type[postgresql.Insert]], Executable]

MOST_VALUES: Final = 64
"""How many values of one kind go into one statement."""

_DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call] # as it is
}
_INSERTS: Final[Mapping[str, type[sqlite.Insert] | type[postgresql.Insert]]] = {
    "sqlite": sqlite.Insert,
    "postgresql": postgresql.Insert,
}


class Statement:
    """One statement, with names in place of its values."""

    __slots__ = ("_build", "_compiled")

    def __init__(self, build: Executable | Build) -> None:
        """Take the statement, or a function that makes it from the database's own INSERT."""
        self._build = build
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, kind: str) -> Compiled:
        """Return the text for ``sqlite`` or ``postgresql``."""
        try:
            return self._compiled[kind]
        except KeyError:
            compiled = self._compiled[kind] = self._compile(kind)
            return compiled

    def _compile(self, kind: str) -> Compiled:
        built = self._build if isinstance(self._build, Executable) else self._build(_INSERTS[kind])
        assert isinstance(built, ClauseElement)  # noqa: S101 - every Executable of Core is one
        compiled = built.compile(dialect=_DIALECTS[kind], compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - as is every statement
        fixed = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        return Compiled(str(compiled), tuple(compiled.positiontup or ()), fixed)


class Several:
    """A statement about a number of values, which are named ``v0``, ``v1`` and so on."""

    __slots__ = ("of",)

    def __init__(self, build: Callable[[int], Executable]) -> None:
        self.of: Callable[[int], Statement] = lru_cache(MOST_VALUES)(lambda count: Statement(build(count)))


def names(count: int) -> list[BindParameter[Any]]:
    """Return ``count`` parameters for texts, ``v0`` and following."""
    return [bindparam(f"v{number}", type_=Text()) for number in range(count)]


def in_pieces(values: Sequence[str]) -> Iterator[dict[str, Value]]:
    """Yield the values under their names, ``MOST_VALUES`` at a time."""
    for start in range(0, len(values), MOST_VALUES):
        yield {f"v{at}": value for at, value in enumerate(values[start : start + MOST_VALUES])}


def adding(table: Table, **made: ColumnElement[Any]) -> Statement:
    """Return the INSERT of a whole row, which does nothing if there is such a row.

    A refused INSERT would end the transaction in PostgreSQL, and not in SQLite.

    Args:
        table: Where to.
        made: Columns whose values the database makes, and how.
    """
    values = {column.name: made.get(column.name, bindparam(column.name)) for column in table.columns}
    return Statement(lambda insert: insert(table).values(values).on_conflict_do_nothing())


def replacing(table: Table) -> Statement:
    """Return the INSERT of a whole row, which takes the place of the one with the same key."""
    values: dict[str, BindParameter[Any]] = {column.name: bindparam(column.name) for column in table.columns}
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in key}
    return Statement(
        lambda insert: insert(table).values(values).on_conflict_do_update(index_elements=key, set_=others)
    )
