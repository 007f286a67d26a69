"""What was used and what is held, as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Text, and_, bindparam, or_, select, tuple_

from strongroom.broker.records import HoldRow
from strongroom.broker.sql.driver import Value
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import MOST_VALUES, Several, Statement, adding, in_pieces, names
from strongroom.broker.sql.tables import HOLD, USED
from strongroom.license.period import CounterKey, CounterName

HOLD_SHAPE: Final = Shape(HoldRow, HOLD)
ADD_HOLD: Final = adding(HOLD)

_HOLDS: Final = Several(lambda count: select(*HOLD_SHAPE.columns).where(HOLD.c.document.in_(names(count))))
_KEY: Final = (USED.c.document, USED.c.counter, USED.c.period)
_ADD_USED: Final = Statement(
    lambda insert: (
        insert(USED)
        .values({column.name: bindparam(column.name) for column in USED.columns})
        .on_conflict_do_update(
            index_elements=list(_KEY), set_={"amount": USED.c.amount + bindparam("amount")}
        )
    )
)


def _key_names(number: int) -> tuple[str, str, str]:
    return f"d{number}", f"c{number}", f"p{number}"


# Spelled out: SQLite finds a list of triples by no index.
_USED: Final = Several(
    lambda count: select(*USED.columns).where(
        or_(
            *(
                and_(
                    *(
                        column == bindparam(name)
                        for column, name in zip(_KEY, _key_names(number), strict=True)
                    )
                )
                for number in range(count)
            )
        )
    )
)


@cache
def _page(documents: int | None) -> Statement:
    after = tuple_(*(bindparam(name, type_=Text()) for name in _key_names(0)))
    page = select(*USED.columns).where(tuple_(*_KEY) > after)
    if documents is not None:
        page = page.where(USED.c.document.in_(names(documents)))
    return Statement(page.order_by(*_KEY).limit(bindparam("limit")))


class CountReading(Session):
    """What can be asked about counts."""

    def used(self, keys: Collection[CounterKey]) -> Mapping[CounterKey, int]:
        """Return how much was used of each key."""
        used = dict.fromkeys(keys, 0)
        wanted = list(used)
        for start in range(0, len(wanted), MOST_VALUES):
            piece = wanted[start : start + MOST_VALUES]
            values: dict[str, Value] = {}
            for number, key in enumerate(piece):
                values.update(
                    zip(_key_names(number), (key.document, key.counter.value, key.period), strict=True)
                )
            for row in self.all(_USED.of(len(piece)), **values):
                used[_to_key(row)] = row[3]
        return used

    def counts(
        self, *, after: str = "", limit: int, documents: Collection[str] | None = None
    ) -> list[tuple[CounterKey, int]]:
        """Return a page of counts in the order of their keys; ``after`` is the text of a key."""
        values: dict[str, Value] = dict(zip(_key_names(0), _to_parts(after), strict=True))
        values["limit"] = limit
        if documents is None:
            rows = self.all(_page(None), **values)
        else:
            rows = sorted(
                (
                    row
                    for piece in in_pieces(tuple(dict.fromkeys(documents)))
                    for row in self.all(_page(len(piece)), **values, **piece)
                ),
                key=lambda row: tuple(row[:3]),
            )[:limit]
        return [(_to_key(row), row[3]) for row in rows]

    def holds(self, documents: Collection[str]) -> list[HoldRow]:
        """Return what leases and offline files hold of these documents."""
        return [
            row
            for values in in_pieces(tuple(dict.fromkeys(documents)))
            for row in HOLD_SHAPE.all_from(self.all(_HOLDS.of(len(values)), **values))
        ]


class CountWriting(CountReading):
    """What can be written about counts."""

    def add_used(self, amounts: Mapping[CounterKey, int]) -> None:
        """Add to what was used."""
        self.later(
            _ADD_USED,
            [
                {
                    "document": key.document,
                    "counter": key.counter.value,
                    "period": key.period,
                    "amount": amount,
                }
                for key, amount in amounts.items()
            ],
        )


def _to_key(row: Sequence[Any]) -> CounterKey:
    return CounterKey(row[0], CounterName(row[1]), row[2])


def _to_parts(after: str) -> tuple[str, str, str]:
    if not after:
        return "", "", ""
    key = CounterKey.from_text(after)
    return key.document, key.counter.value, key.period
