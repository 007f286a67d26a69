"""What the time to decide does not grow with: licenses, partners, entries of the log.

    .venv/bin/python -m benchmarks.growth                          # both databases, all three
    .venv/bin/python -m benchmarks.growth sqlite partners          # one
    .venv/bin/python -m benchmarks.growth --largest 100000         # smaller

Three databases of one kind stand side by side and are asked in turn, so that whatever else the machine
does falls on all of them alike. One client renews leases, each with its usage report, under licenses
that count. ``first`` is a renewal as the first after the rules changed, when nothing is remembered: the
license, its holder, the machine and the package are read and their signatures verified again. ``next``
is one with all of that remembered. CPU is this process's, without PostgreSQL's own.

What fills the databases has short tokens in place of signed documents, which no decision about others
reads; entries, tiles and heads of the log are real. A million entries are those of half a million
renewals, which bring their leases and reports along. The broker is started anew over what was filled.
Nobody tells PostgreSQL to look at its tables: it does so itself, or not.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from sqlalchemy import Table

from benchmarks.broker import Grant, Renewals
from benchmarks.timing import busy_elsewhere, header, row
from strongroom._encoding import to_instant
from strongroom.broker.act import Act, Journal
from strongroom.broker.clock import SystemClock
from strongroom.broker.growth import RightEdge, sign_checkpoint
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.records import EntryRow, LeaseEnd, LicenseStatus, PartyStatus
from strongroom.broker.sql.store import open_store
from strongroom.broker.sql.tables import (
    LEASE,
    LICENSE,
    LOG_ENTRY,
    LOG_SUBJECT,
    PARTNER,
    RUNTIME,
    USAGE,
)
from strongroom.log.entry import Kind, Record
from strongroom.log.frontier import Frontier
from tests.broker_scene import Scene
from tests.servers.postgresql import PostgreSql

SIZES = (1_000, 100_000, 1_000_000)
CLINICS = 8
"""Of eight machines each, which renew."""
ROUNDS = 3
SEED = 20_261_124
_BATCH = 20_000
_SHORT = "short"
"""In place of a signed document that no decision reads."""
_FIRST_ARRIVAL = 1_000_000


@dataclass(slots=True)
class Times:
    """CPU and wall time of renewals, in seconds."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def take(self, grant: Grant) -> None:
        """Do one, and note how long it took."""
        cpu, wall = time.process_time(), time.perf_counter()
        grant()
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)


def _at(times: Sequence[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


class World:
    """A broker with a database of some size."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.renewals = Renewals(folder, url, CLINICS)
        self.first, self.next = Times(), Times()

    @property
    def scene(self) -> Scene:
        """The broker, its owner and the partners."""
        return self.renewals.scene

    def close(self) -> None:
        """End the broker."""
        self.scene.close()

    def fill(self, what: str, size: int) -> None:
        """Put so many of these into the database, and start a broker over it."""
        filling = Filling(self.scene)
        self.close()
        for numbers in _batches(size):
            FILLS[what](filling, numbers)
        self.renewals.scene = self.scene.reopen()

    def round(self) -> None:
        """Renew every lease three times: as the first after the rules changed, unmeasured, as a next."""
        for grant in self.renewals.round():
            self.scene.ledger.act(Act.changes_rules)
            self.first.take(grant)
        for grant in self.renewals.round():
            grant()
        for grant in self.renewals.round():
            self.next.take(grant)


def _batches(end: int) -> Iterator[range]:
    for start in range(0, end, _BATCH):
        yield range(start, min(end, start + _BATCH))


def _name(kind: str, number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    # Ids are spread over the whole index, as those of real documents are.
    spread = number * 0x9E3779B97F4A7C15 % 2**64
    return f"{kind}-" + "".join(letters[spread >> 5 * place & 31] for place in reversed(range(24)))


class Filling:
    """Rows put into a database in bulk, while its broker is closed."""

    def __init__(self, scene: Scene) -> None:
        self._home, self._url, self._now = scene.home, scene.url, int(scene.now.timestamp())
        with scene.store.read() as kept:
            self._known = kept.licenses(limit=CLINICS)

    def _insert(self, table: Table, rows: Iterable[dict[str, object]]) -> None:
        names = [column.name for column in table.columns]
        lines = [[line.get(name) for name in names] for line in rows]
        columns = ", ".join(f'"{name}"' for name in names)
        if self._url.startswith("sqlite:///"):
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as connection, connection:
                marks = ", ".join("?" * len(names))
                connection.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", lines)  # noqa: S608 - names of our tables
            return
        with (
            psycopg.connect(self._url) as session,
            session.cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN".encode()) as copy,
        ):
            for line in lines:
                copy.write_row(line)

    def licenses(self, numbers: Sequence[int]) -> None:
        """Add licenses of the same holders."""
        self._insert(
            LICENSE,
            (
                {
                    "license": _name("lic", number),
                    "root": _name("lic", number),
                    "organization": self._known[number % CLINICS].organization,
                    "holder": self._known[number % CLINICS].holder,
                    "status": LicenseStatus.GRANTED.value,
                    "granted_at": self._now,
                    "token": _SHORT,
                }
                for number in numbers
            ),
        )

    def partners(self, numbers: Sequence[int]) -> None:
        """Add approved partners with one machine each."""
        rows = [
            {
                "organization": _name("org", number),
                "runtime": _name("run", number),
                "name": f"partner-{number}",
                "key": f"short-{number}",
                "device": f"short-{number}",
                "sealing": _SHORT,
                "enrollment": _SHORT,
                "status": PartyStatus.APPROVED.value,
                "enrolled_at": self._now,
            }
            for number in numbers
        ]
        self._insert(PARTNER, rows)
        self._insert(RUNTIME, rows)

    def entries(self, numbers: Sequence[int]) -> None:
        """Add entries of renewals that are over, with the lease and the report of each."""
        journal = self._enter(numbers)
        self._insert(
            LOG_ENTRY,
            (
                {
                    "log": 1,
                    "index": row.index,
                    "entry": row.entry,
                    "disclosure": row.disclosure,
                    "subjects": " ".join(row.subjects),
                }
                for row in journal
            ),
        )
        self._insert(
            LOG_SUBJECT,
            (
                {"log": 1, "subject": subject, "index": row.index}
                for row in journal
                for subject in row.subjects
            ),
        )
        over = [
            {
                "lease": _name("lea", number),
                "usage": _name("use", number),
                "authority": _name("lea", number),
                "arrival": _FIRST_ARRIVAL + number,
                "license": self._known[number // 2 % CLINICS].license,
                # A thousand for each of its machines, which are none of the scene.
                "runtime": _name("run", number // 1000),
                "package": "0" * 64,
                "nonce": _SHORT,
                "issued_at": self._now,
                "received_at": self._now,
                "not_after": self._now,
                "last_use_at": self._now,
                "ended": LeaseEnd.SUPERSEDED.value,
                "reported": True,
                "entry": row.index,
                "token": _SHORT,
            }
            for number, row in zip(numbers, journal, strict=True)
            if number % 2
        ]
        self._insert(LEASE, over)
        self._insert(USAGE, over)

    def _enter(self, numbers: Sequence[int]) -> list[EntryRow]:
        """Let the tree grow and its head be signed, as the ledger does."""
        keys = BrokerKeys(self._home, now=SystemClock().now())
        store = open_store(self._url)
        with closing(store), store.write() as kept:
            head = kept.head()
            journal = Journal(head)
            for number in numbers:
                of = self._known[number // 2 % CLINICS]
                kind, name = (Kind.LEASE, "lea") if number % 2 else (Kind.USAGE, "use")
                subjects = _name(name, number | 1), of.license, of.organization
                journal.enter(
                    Record(
                        kind=kind,
                        at=to_instant(head.at),
                        subjects=tuple(sorted(subjects)),
                        details={"predictions": number},
                    )
                )
            frontier, tiles = RightEdge().extend(
                kept, Frontier.from_bytes(head.frontier), (row.entry for row in journal.rows)
            )
            kept.append_entries([], tiles)
            checkpoint = sign_checkpoint(head.origin, frontier, (), keys.log_key(head.at))
            kept.set_head(
                replace(head, size=frontier.size, frontier=frontier.to_bytes(), checkpoint=checkpoint)
            )
        return journal.rows


FILLS: dict[str, Callable[[Filling, Sequence[int]], None]] = {
    "licenses": Filling.licenses,
    "partners": Filling.partners,
    "entries": Filling.entries,
}
DATABASES = ("sqlite", "postgresql")


@contextmanager
def _worlds(server: PostgreSql | None, sizes: Sequence[int], what: str) -> Iterator[dict[int, World]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        worlds: dict[int, World] = {}
        for size in sizes:
            url = f"sqlite:///{folder / f'{size}.db'}" if server is None else server.new_database()
            world = World(folder / str(size), url)
            stack.callback(world.close)
            world.fill(what, size)
            worlds[size] = world
        yield worlds


def measure(database: str, what: str, sizes: Sequence[int]) -> None:
    """Print how long a renewal takes in databases of so many of these."""
    with ExitStack() as stack:
        server = stack.enter_context(PostgreSql.started()) if database == "postgresql" else None
        began = time.perf_counter()
        worlds = stack.enter_context(_worlds(server, sizes, what))
        filled = time.perf_counter() - began
        dice = random.Random(SEED)  # noqa: S311 - an order, no secret
        with busy_elsewhere() as other:
            for _ in range(ROUNDS):
                for size in dice.sample(list(worlds), len(worlds)):
                    worlds[size].round()
        smallest = worlds[sizes[0]]
        for kind in ("next", "first"):
            least: Times = getattr(smallest, kind)
            for size, world in worlds.items():
                times: Times = getattr(world, kind)
                _print(database, what, size, kind, times, least)
        print(f"\n{database}, {what}: filled in {filled:.0f} s, other: {other():.1f} cores\n")


def _print(database: str, what: str, size: int, kind: str, times: Times, least: Times) -> None:
    cells: list[str] = []
    for values, against in ((times.cpu, least.cpu), (times.wall, least.wall)):
        for share in (0.5, 0.99):
            mine = _at(values, share)
            cells += [f"{mine * 1e3:.2f} ms", f"{mine / _at(against, share):.2f}"]
    row(database, f"{size:,} {what}", kind, len(times.cpu), *cells)


def main() -> None:
    """Print all tables, or those that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*", choices=[*FILLS, *DATABASES, []])
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    asked = parser.parse_args() if __name__ == "__main__" else parser.parse_args([])
    sizes = [size for size in SIZES if size <= asked.largest]
    print(f"seed {SEED}, {CLINICS} clinics of 8 machines, {ROUNDS} rounds in turn\n")
    header(
        *("database", "holds", "renewal", "count"),
        *("CPU p50", "ratio", "CPU p99", "ratio", "p50", "ratio", "p99", "ratio"),
    )
    for database in [name for name in DATABASES if name in asked.words] or DATABASES:
        for what in [name for name in FILLS if name in asked.words] or FILLS:
            measure(database, what, sizes)


if __name__ == "__main__":
    main()
