"""The log, as rows: its head, entries, tiles and cosignatures, and the logs before it.

The head is one row, and whoever writes holds it: that makes all acts of all processes one after
another. A log that ended with a restore stays, since partners go over from it with its proofs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Dialect, Select, bindparam, delete, insert, select, union_all, update

from strongroom.broker.records import EntryRow, LogHead
from strongroom.broker.sql.driver import Driver, Row, Value
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import MOST_VALUES, Several, Statement, adding, names
from strongroom.broker.sql.tables import COSIGNED, LOG_ENTRY, LOG_HEAD, LOG_SUBJECT, LOG_TILE, PAST_LOG
from strongroom.errors import ObjectNotFound, StorageUnavailable
from strongroom.log.merkle import HASH_BYTES
from strongroom.log.tile import Tile, TileReader

_HEAD: Final = Shape(LogHead, LOG_HEAD)
_PAST: Final = Shape(LogHead, PAST_LOG)

READ_HEAD: Final = Statement(select(LOG_HEAD.c.log, *_HEAD.columns))
HOLD_HEAD: Final = Statement(select(LOG_HEAD.c.log, *_HEAD.columns).with_for_update())
"""As the first statement of a writer, it waits for the writer before; SQLite's own lock has done so."""

_SET_HEAD: Final = Statement(
    update(LOG_HEAD).values(
        {name: bindparam(f"new_{name}") for name in ("log", *(column.name for column in _HEAD.columns))}
    )
)
_END_LOG: Final = adding(PAST_LOG)
_PAST_LOG: Final = Statement(
    select(PAST_LOG.c.log, *_PAST.columns).where(PAST_LOG.c.origin == bindparam("origin"))
)

_ENTRY_COLUMNS: Final = (
    LOG_ENTRY.c.index,
    LOG_ENTRY.c.entry,
    LOG_ENTRY.c.disclosure,
    LOG_ENTRY.c.subjects,
)
_OF_LOG: Final = LOG_ENTRY.c.log == bindparam("log")
_ENTRIES: Final = Statement(
    select(*_ENTRY_COLUMNS)
    .where(_OF_LOG, LOG_ENTRY.c.index >= bindparam("first"))
    .order_by(LOG_ENTRY.c.index)
    .limit(bindparam("count"))
)
_ADD_ENTRY: Final = Statement(
    insert(LOG_ENTRY).values({column.name: bindparam(column.name) for column in LOG_ENTRY.columns})
)
_ADD_SUBJECT: Final = Statement(
    insert(LOG_SUBJECT).values({column.name: bindparam(column.name) for column in LOG_SUBJECT.columns})
)
_ERASE: Final = Statement(
    update(LOG_ENTRY)
    .where(LOG_ENTRY.c.log == bindparam("in_log"), LOG_ENTRY.c.index == bindparam("at"))
    .values(disclosure=None, subjects="")
)
_ERASE_SUBJECTS: Final = Statement(
    delete(LOG_SUBJECT).where(LOG_SUBJECT.c.log == bindparam("log"), LOG_SUBJECT.c.index == bindparam("at"))
)

_TILE: Final = Statement(
    select(LOG_TILE.c.hashes).where(
        LOG_TILE.c.log == bindparam("log"),
        LOG_TILE.c.level == bindparam("level"),
        LOG_TILE.c.number == bindparam("number"),
    )
)
_PUT_TILE: Final = Statement(
    lambda insert: (
        insert(LOG_TILE)
        .values({column.name: bindparam(column.name) for column in LOG_TILE.columns})
        .on_conflict_do_update(
            index_elements=[LOG_TILE.c.log, LOG_TILE.c.level, LOG_TILE.c.number],
            set_={"hashes": bindparam("hashes")},
        )
    )
)

_COSIGNED: Final = Statement(select(COSIGNED.c.note).where(COSIGNED.c.log == bindparam("log")))
_PUT_COSIGNED: Final = Statement(
    lambda insert: (
        insert(COSIGNED)
        .values({column.name: bindparam(column.name) for column in COSIGNED.columns})
        .on_conflict_do_update(
            index_elements=[COSIGNED.c.log],
            set_={"size": bindparam("size"), "note": bindparam("note")},
            where=COSIGNED.c.size <= bindparam("size"),
        )
    )
)


def _about(count: int) -> Select[Any]:
    # One short range of the index for each subject, and not all that was ever logged about them.
    ranges = [
        select(
            select(LOG_SUBJECT.c.index)
            .where(
                LOG_SUBJECT.c.log == bindparam("log"),
                LOG_SUBJECT.c.subject == name,
                LOG_SUBJECT.c.index > bindparam("after"),
            )
            .order_by(LOG_SUBJECT.c.index)
            .limit(bindparam("limit"))
            .subquery(f"about_{number}")
            .c.index
        )
        for number, name in enumerate(names(count))
    ]
    return (
        select(*_ENTRY_COLUMNS)
        .where(_OF_LOG, LOG_ENTRY.c.index.in_(union_all(*ranges)))
        .order_by(LOG_ENTRY.c.index)
        .limit(bindparam("limit"))
    )


_ABOUT: Final = Several(_about)


class _PastTiles:
    """The tiles of a log that ended."""

    def __init__(self, session: LogReading, log: int) -> None:
        self._session = session
        self._log = log

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile."""
        return self._session.tile_of(self._log, tile)


class LogReading(Session):
    """What can be asked about the log."""

    _held: tuple[int, LogHead] | None = None
    """Number and head of the log: within a transaction nobody else changes them."""

    def _log(self) -> tuple[int, LogHead]:
        if self._held is None:
            self._held = _held(self.first(READ_HEAD))
        return self._held

    def head(self) -> LogHead:
        """Return the head; its origin is empty until the log is founded."""
        return self._log()[1]

    def past_log(self, origin: str) -> tuple[LogHead, TileReader] | None:
        """Return the last head of a log that ended with a restore, and its tiles."""
        row = self.first(_PAST_LOG, origin=origin)
        return None if row is None else (_PAST.from_values(row[1:]), _PastTiles(self, row[0]))

    def entries(self, first: int, count: int) -> list[EntryRow]:
        """Return up to ``count`` entries from an index on."""
        return _entries(self.all(_ENTRIES, log=self._log()[0], first=first, count=count))

    def entries_about(self, subjects: Collection[str] | None, *, after: int, limit: int) -> list[EntryRow]:
        """Return entries about one of the subjects (None: about anything) whose index is above ``after``."""
        if subjects is None:
            return self.entries(after + 1, limit)
        wanted = list(dict.fromkeys(subjects))
        found: dict[int, EntryRow] = {}
        for start in range(0, len(wanted), MOST_VALUES):
            piece: dict[str, Value] = {
                f"v{at}": subject for at, subject in enumerate(wanted[start : start + MOST_VALUES])
            }
            rows = self.all(_ABOUT.of(len(piece)), log=self._log()[0], after=after, limit=limit, **piece)
            found |= {row.index: row for row in _entries(rows)}
        return [found[index] for index in sorted(found)][:limit]

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile, of a fuller one if need be.

        Raises:
            ObjectNotFound: code ``log-tile-missing``: there are not as many.
        """
        return self.tile_of(self._log()[0], tile)

    def tile_of(self, log: int, tile: Tile) -> bytes:
        """Return the hashes of a tile of a log by its number here.

        Raises:
            ObjectNotFound: code ``log-tile-missing``: there are not as many.
        """
        row = self.first(_TILE, log=log, level=tile.level, number=tile.number)
        size = tile.width * HASH_BYTES
        if row is None or len(row[0]) < size:
            raise ObjectNotFound("the log has no such tile", code="log-tile-missing")
        return bytes(row[0][:size])

    def cosignatures(self) -> list[str]:
        """Return the newest note that witnesses signed, or nothing."""
        return [row[0] for row in self.all(_COSIGNED, log=self._log()[0])]


class LogWriting(LogReading):
    """What can be written about the log."""

    def __init__(self, driver: Driver, dialect: Dialect) -> None:
        super().__init__(driver, dialect)
        self._held = _held(self.first(HOLD_HEAD))

    def append_entries(self, rows: Sequence[EntryRow], tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Add entries, and replace tiles by ``(level, number)``."""
        log = self._log()[0]
        entries: list[dict[str, Value]] = [
            {
                "log": log,
                "index": row.index,
                "entry": row.entry,
                "disclosure": row.disclosure,
                "subjects": " ".join(row.subjects),
            }
            for row in rows
        ]
        subjects: list[dict[str, Value]] = [
            {"log": log, "subject": subject, "index": row.index} for row in rows for subject in row.subjects
        ]
        self.later(_ADD_ENTRY, entries)
        self.later(_ADD_SUBJECT, subjects)
        self.later(
            _PUT_TILE,
            [
                {"log": log, "level": level, "number": number, "hashes": hashes}
                for (level, number), hashes in tiles.items()
            ],
        )

    def set_head(self, head: LogHead) -> None:
        """Replace the head."""
        self._put(self._log()[0], head)

    def start_log(self, head: LogHead) -> None:
        """End the log as it stands, and begin another with this head."""
        log, last = self._log()
        self.add((_END_LOG, {"log": log, **_PAST.to_values(last)}, "log"))
        self._put(log + 1, head)

    def erase_disclosure(self, index: int) -> None:
        """Forget what an entry stood for."""
        log = self._log()[0]
        self.change(_ERASE, "entry", in_log=log, at=index)
        self.later(_ERASE_SUBJECTS, [{"log": log, "at": index}])

    def set_cosignature(self, size: int, note: str) -> None:
        """Keep the note of a checkpoint with the signatures of witnesses, unless a newer one is kept."""
        self.later(_PUT_COSIGNED, [{"log": self._log()[0], "size": size, "note": note}])

    def _put(self, log: int, head: LogHead) -> None:
        values = {f"new_{name}": value for name, value in _HEAD.to_values(head).items()}
        self.later(_SET_HEAD, [{"new_log": log, **values}])
        self._held = log, head

    def forget_held(self) -> None:
        """Ask for the head again: a savepoint was taken back."""
        self._held = None


def _held(row: Row | None) -> tuple[int, LogHead]:
    if row is None:
        raise StorageUnavailable("the broker's database has no head of a log", code="database-unavailable")
    return row[0], _HEAD.from_values(row[1:])


def _entries(rows: Sequence[Row]) -> list[EntryRow]:
    return [
        EntryRow(index=index, entry=entry, disclosure=disclosure, subjects=tuple(subjects.split()))
        for index, entry, disclosure, subjects in rows
    ]
