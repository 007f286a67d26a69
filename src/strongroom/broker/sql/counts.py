"""What was used and what is held, as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Text, and_, bindparam, case, literal_column, or_, select, tuple_

from strongroom.broker.records import HoldRow
from strongroom.broker.sql.driver import Value
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import MOST_VALUES, Several, Statement, adding, in_pieces, names
from strongroom.broker.sql.tables import AFTER_LAST_PERIOD, HOLD, USED
from strongroom.license.fields import MAX_COUNT
from strongroom.license.period import CounterKey, CounterName, Period

HOLD_SHAPE: Final = Shape(HoldRow, HOLD)
ADD_HOLD: Final = adding(HOLD)

_HOLDS: Final = Several(lambda count: select(*HOLD_SHAPE.columns).where(HOLD.c.document.in_(names(count))))
_OPEN_HOLDS: Final = Several(
    lambda count: select(*HOLD_SHAPE.columns).where(
        HOLD.c.document.in_(names(count)), bindparam("hour", type_=Text()) < AFTER_LAST_PERIOD
    )
)
_HOLDS_OF: Final = Statement(select(*HOLD_SHAPE.columns).where(HOLD.c.authority == bindparam("authority")))
_KEY: Final = (USED.c.document, USED.c.counter, USED.c.period)
# No message carries a larger number: without it, a few reports would make a page unreadable for good.
_MOST: Final = literal_column(str(MAX_COUNT), BigInteger)
_ADD_USED: Final = Statement(
    lambda insert: (
        insert(USED)
        .values({column.name: bindparam(column.name) for column in USED.columns})
        .on_conflict_do_update(
            index_elements=list(_KEY),
            set_={
                "amount": case(
                    (USED.c.amount + bindparam("amount") > _MOST, _MOST),
                    else_=USED.c.amount + bindparam("amount"),
                )
            },
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

    def holds(self, documents: Collection[str], now: datetime | None = None) -> list[HoldRow]:
        """Return what is held of these documents; with ``now``, only where a period is not over then."""
        statements, more = (_HOLDS, {}) if now is None else (_OPEN_HOLDS, {"hour": Period.HOUR.key(now)})
        return [
            row
            for values in in_pieces(tuple(dict.fromkeys(documents)))
            for row in HOLD_SHAPE.all_from(self.all(statements.of(len(values)), **values, **more))
        ]

    def holds_of(self, authority: str) -> list[HoldRow]:
        """Return what a lease or offline file holds."""
        return HOLD_SHAPE.all_from(self.all(_HOLDS_OF, authority=authority))


class CountWriting(CountReading):
    """What can be written about counts."""

    def add_used(self, amounts: Mapping[CounterKey, int]) -> None:
        """Add to what was used, up to ``MAX_COUNT``."""
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
