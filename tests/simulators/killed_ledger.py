"""A ledger in a process that is killed at a fault point: ``python -m tests.simulators.killed_ledger``.

    killed_ledger FOLDER POINT COUNT

Eight threads act as fast as they can. What was acknowledged is written to ``FOLDER/acknowledged``,
one line for each act, after the ledger said so. The process kills itself when it has reached the
point so many times.
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from strongroom.broker.clock import SystemClock
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.records import IdempotencyRow
from strongroom.broker.sql.store import open_store
from strongroom.log.entry import Kind
from tests.simulators.log_owner import LogOwner

PARTNER = "org-cccccccccccccccccccccccc"


class Killing:
    """Kills this process at the ``count``-th passing of a point."""

    def __init__(self, point: str, count: int) -> None:
        self._point, self._left = point, count

    def reach(self, point: str, /) -> None:
        if point == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def put(act: Act, key: str) -> int:
    """An act with a row and an entry that name each other."""
    index = act.record(Kind.USAGE, [PARTNER], key=key)
    act.kept.remember_answer(
        IdempotencyRow(
            principal=PARTNER,
            key=key,
            request=64 * "0",
            status=200,
            body=str(index).encode(),
            at=datetime(2026, 11, 24, tzinfo=UTC),
        )
    )
    return index


def main() -> None:
    folder, point, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    ledger = Ledger(
        open_store(f"sqlite:///{folder / 'broker.db'}"),
        LogOwner.load(folder),
        SystemClock(),
        Killing(point, count),
    )
    ledger.start()
    said = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def run(thread: int) -> None:
        for number in range(10_000):
            key = f"{os.getpid()}-{thread}-{number}"
            index = ledger.act(lambda act: put(act, key))  # noqa: B023 - done before the next
            os.write(said, f"{index} {key}\n".encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))


if __name__ == "__main__":
    main()
