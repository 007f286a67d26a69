"""Ledgers over SQLite for the tests beside this module: fixtures, acts, and a stranger's check of a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from strongroom.broker.faults import FaultPoint, NoFaults
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.records import IdempotencyRow
from strongroom.broker.repository import Store
from strongroom.broker.sql.store import open_store
from strongroom.errors import (
    Error,
    LicenseDenied,
)
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.entry import Kind
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import leaf_hash
from strongroom.log.note import Note
from tests.servers.sqlite import lay_tables
from tests.simulators.clocks import HeldClock
from tests.simulators.log_owner import NOW, LogOwner

PARTNER = "org-cccccccccccccccccccccccc"
LEASE = "lea-bbbbbbbbbbbbbbbbbbbbbbbb"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'broker.db'}"
    lay_tables(url)
    opened = open_store(url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def owner() -> LogOwner:
    return LogOwner.found()


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(NOW)


@pytest.fixture
def ledger(store: Store, owner: LogOwner, clock: HeldClock) -> Iterator[Ledger]:
    with started(Ledger(store, owner, clock)) as opened:
        yield opened


@contextmanager
def started(ledger: Ledger) -> Iterator[Ledger]:
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.close()


def answer(key: str) -> IdempotencyRow:
    return IdempotencyRow(principal=PARTNER, key=key, request=64 * "0", status=200, body=key.encode(), at=NOW)


def put(act: Act, key: str) -> int:
    """An act with a row and an entry."""
    act.kept.remember_answer(answer(key))
    return act.record(Kind.LEASE, [PARTNER, LEASE], document=f"token-{key}", predictions=3)


def refuse(act: Act, key: str) -> int:
    put(act, key)
    act.changes_rules()
    raise LicenseDenied("no", code="predictions")


def entries(ledger: Ledger) -> list[bytes]:
    with ledger.view() as kept:
        return [row.entry for row in kept.entries(0, 100_000)]


def verify_all(ledger: Ledger, owner: LogOwner, number: int = 1) -> Checkpoint:
    """Check the whole log as a stranger would; returns its newest checkpoint."""
    with ledger.view() as kept:
        head = kept.head()
        rows = kept.entries(0, head.size + 10)
    checkpoint = verify_checkpoint(Note.from_bytes(head.checkpoint.encode()), owner.verifiers(number))
    grown, _ = Frontier.empty().extend(leaf_hash(row.entry) for row in rows)
    assert (checkpoint.size, checkpoint.root) == (head.size, head_root(head.frontier))
    assert (grown.size, grown.root) == (checkpoint.size, checkpoint.root)
    assert [row.index for row in rows] == list(range(head.size))
    return checkpoint


def head_root(frontier: bytes) -> bytes:
    return Frontier.from_bytes(frontier).root


def together(ledger: Ledger, acts: Sequence[Callable[[Act, str], int]]) -> list[int | Error]:
    """Have acts wait until all of them are taken in one group; returns what each returned or raised."""
    held, release = threading.Event(), threading.Event()

    def hold(act: Act) -> None:
        held.set()
        assert release.wait(30)

    def run(number: int) -> int | Error:
        try:
            return ledger.act(lambda act: acts[number](act, f"together-{number}"))
        except Error as error:
            return error

    with ThreadPoolExecutor(len(acts) + 1) as pool:
        pool.submit(ledger.act, hold)
        assert held.wait(30)
        running = [pool.submit(run, number) for number in range(len(acts))]
        while ledger.waiting < len(acts):
            time.sleep(0.001)
        release.set()
        return [each.result() for each in running]


def refused(kind: type[Error], code: str, call: object) -> Error:
    assert callable(call)
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    return caught.value


class Raising(NoFaults):
    """Raises at one point, as long as it is armed."""

    def __init__(self, point: FaultPoint, error: BaseException) -> None:
        self._point, self._error = point, error
        self.armed = False

    def reach(self, point: str, /) -> None:
        if self.armed and point == self._point:
            self.armed = False
            raise self._error
