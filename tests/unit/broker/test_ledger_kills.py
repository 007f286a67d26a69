"""Killed at each fault point: no acknowledged act is lost, none is half done, and the log verifies."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.broker.clock import SystemClock
from strongroom.broker.faults import FaultPoint
from strongroom.broker.ledger import Ledger
from strongroom.broker.sql.store import open_store
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.entry import Kind
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.witness import advance_offer
from tests.simulators.killed_ledger import PARTNER, put
from tests.simulators.log_owner import LogOwner

ROOT = Path(__file__).parents[3]
POINTS = [point for point in FaultPoint if point.startswith("ledger.")]


def kill(folder: Path, point: str, count: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulators.killed_ledger", str(folder), point, str(count)],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def verify_after(folder: Path, owner: LogOwner, last: Checkpoint | None) -> Checkpoint:
    """Start again as the broker would; check what was acknowledged, and everything that is there."""
    store = open_store(f"sqlite:///{folder / 'broker.db'}")
    ledger = Ledger(store, owner, SystemClock())
    ledger.start()
    said = folder / "acknowledged"
    lines = said.read_text().splitlines() if said.exists() else []
    acknowledged = {key: int(index) for index, key in map(str.split, lines)}
    logged: dict[str, int] = {}
    with ledger.view() as kept:
        size = kept.head().size
    for index in range(size):
        record = Proof.from_bytes(ledger.prove(index)).verify_record(owner.verifiers())
        if record.kind is Kind.USAGE:
            logged[str(record.details["key"])] = index
    assert acknowledged.items() <= logged.items()
    with ledger.view() as kept:
        for key, index in logged.items():
            row = kept.answered(PARTNER, key)
            assert row is not None
            assert row.body == str(index).encode()
        assert len(kept.entries_about([PARTNER], after=-1, limit=size + 1)) == len(logged)
    offer = Offer.from_bytes(ledger.offer(0 if last is None else last.size))
    newest = advance_offer(last, offer, owner.verifiers())
    ledger.act(lambda act: put(act, f"after {size}"))
    ledger.close()
    store.close()
    return newest


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_fault_point_loses_nothing(tmp_path: Path, point: FaultPoint) -> None:
    owner = LogOwner.found()
    owner.save(tmp_path)
    open_store(f"sqlite:///{tmp_path / 'broker.db'}", create=True).close()
    last: Checkpoint | None = None
    for count in (1, 40):
        kill(tmp_path, point, count)
        last = verify_after(tmp_path, owner, last)
