"""How the values of ``records`` stand in the columns of ``tables``.

    SHAPE = Shape(LeaseRow, LEASE)
    session.run(_ADD, **SHAPE.to_values(row))
    SHAPE.from_values(session.first(_LEASE, lease=lease))

A field stands in the column of its name. Instants become seconds since 1970, members of an
enumeration their text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import UnionType
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from sqlalchemy import Column, Table

from strongroom.broker.sql.driver import Value

R = TypeVar("R")
_Convert = Callable[[Any], Any]


def to_seconds(moment: datetime) -> int:
    """Return an instant as it stands in a column: whole seconds since 1970."""
    return int(moment.timestamp())


def from_seconds(seconds: int) -> datetime:
    """Return the instant that stands in a column, aware, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


class Shape(Generic[R]):
    """The columns of one kind of row."""

    __slots__ = ("_decoders", "_encoders", "_kind", "_make", "_names", "columns")

    def __init__(self, kind: type[R], table: Table) -> None:
        hints = get_type_hints(kind)
        self._kind = kind
        self._names = tuple(hints)
        self.columns: tuple[Column[Any], ...] = tuple(table.columns[name] for name in hints)
        """In the order of the fields, as ``from_values`` takes them."""
        converters = [_converters(hint) for hint in hints.values()]
        self._encoders = [
            (name, encode)
            for name, (encode, _) in zip(self._names, converters, strict=True)
            if encode is not None
        ]
        self._decoders = [(at, decode) for at, (_, decode) in enumerate(converters) if decode is not None]
        self._make: Callable[[Sequence[Any]], R] = getattr(kind, "_make", self._make_by_name)

    def to_values(self, row: R) -> dict[str, Value]:
        """Return the values of the columns by name."""
        values = {name: getattr(row, name) for name in self._names}
        for name, encode in self._encoders:
            if (value := values[name]) is not None:
                values[name] = encode(value)
        return values

    def from_values(self, values: Sequence[Any]) -> R:
        """Make the row from the values of ``columns``."""
        converted = list(values)
        for at, decode in self._decoders:
            if (value := converted[at]) is not None:
                converted[at] = decode(value)
        return self._make(converted)

    def _make_by_name(self, values: Sequence[Any]) -> R:
        return self._kind(**dict(zip(self._names, values, strict=True)))

    def all_from(self, rows: Sequence[Sequence[Any]]) -> list[R]:
        """Make every row."""
        return [self.from_values(values) for values in rows]

    def optional(self, values: Sequence[Any] | None) -> R | None:
        """Make the row, if there is one."""
        return None if values is None else self.from_values(values)


_UNCHANGED: Final = (str, int, bytes)


def _converters(hint: Any) -> tuple[_Convert | None, _Convert | None]:
    if get_origin(hint) is UnionType:
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if hint is datetime:
        return to_seconds, from_seconds
    if hint is bool:
        return None, bool
    if issubclass(hint, StrEnum):
        # The drivers know nothing of enumerations, or write their names.
        return (lambda member: member.value), {member.value: member for member in hint}.__getitem__
    if hint not in _UNCHANGED:
        raise TypeError(f"no column holds {hint}")
    return None, None
