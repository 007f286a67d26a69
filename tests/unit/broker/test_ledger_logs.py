"""Logs that follow one another, and one log of several brokers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.repository import Store
from strongroom.broker.sql.store import open_store
from strongroom.errors import (
    ObjectNotFound,
    StorageUnavailable,
)
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.entry import Kind
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.witness import advance_offer, succeed
from tests.simulators.clocks import HeldClock
from tests.simulators.log_owner import LogOwner
from tests.unit.broker.ledgers import (
    clock,
    ledger,
    owner,
    put,
    refused,
    started,
    store,
    verify_all,
)

__all__ = ["clock", "ledger", "owner", "store"]


class TestRestart:
    def test_the_new_log_names_the_last_checkpoint_of_the_old(self, ledger: Ledger, owner: LogOwner) -> None:
        for number in range(300):
            ledger.act(partial(put, key=str(number)))
        seen = advance_offer(None, Offer.from_bytes(ledger.offer(0)), owner.verifiers())
        for number in range(300, 310):
            ledger.act(partial(put, key=str(number)))
        index = ledger.restart(lambda act: put(act, "voided"))
        assert index == 2
        verify_all(ledger, owner, number=2)
        record = Proof.from_bytes(ledger.prove(0)).verify_record(owner.verifiers(2))
        known, new = Offer.from_bytes(ledger.offer(seen.size, 1)), Offer.from_bytes(ledger.offer(0, 2))
        assert record.kind is Kind.RESTORE
        assert record.document == Checkpoint.from_bytes(known.note.unverified_text).digest.hex()
        assert record.details == {"log": 2, "size": 311}
        after = succeed(
            seen, known.note, known.hashes, new.note, old_keys=owner.verifiers(1), new_keys=owner.verifiers(2)
        )
        assert (after.origin, after.size) == (f"{owner.owner().id}/log/2", 3)
        # It goes on, under the same predecessor.
        ledger.act(lambda act: put(act, "more"))
        assert verify_all(ledger, owner, number=2).predecessor == after.predecessor
        refused(ObjectNotFound, "not-found", lambda: ledger.offer(0, 3))

    def test_a_ledger_can_start_with_it(
        self, ledger: Ledger, owner: LogOwner, store: Store, clock: HeldClock
    ) -> None:
        ledger.act(partial(put, key="one"))
        ledger.close()
        # Nothing is entered into the old log, not even the version of the owner document that it lacks.
        owner.rotate()
        again = Ledger(store, owner, clock)
        again.start(restart=partial(put, key="voided"))
        assert verify_all(again, owner, number=2).size == 4
        assert verify_checkpoint(Offer.from_bytes(again.offer(0, 1)).note, owner.verifiers(1)).size == 2
        again.close()

    def test_others_wait_for_the_group_of_a_restart(self, ledger: Ledger, owner: LogOwner) -> None:
        held, release = threading.Event(), threading.Event()

        def hold(act: Act) -> None:
            held.set()
            assert release.wait(30)

        with ThreadPoolExecutor(4) as pool:
            pool.submit(ledger.act, hold)
            assert held.wait(30)
            running = []
            for submit, waiting in ((ledger.act, 1), (ledger.restart, 2), (ledger.act, 3)):
                running.append(pool.submit(submit, partial(put, key=f"waiting {waiting}")))
                while ledger.waiting < waiting:
                    time.sleep(0.001)
            release.set()
            assert [each.result() for each in running][1:] == [2, 3]
        verify_all(ledger, owner, number=2)

    def test_a_log_that_was_never_founded_has_no_successor(
        self, store: Store, owner: LogOwner, clock: HeldClock
    ) -> None:
        ledger = Ledger(store, owner, clock)
        refused_start = threading.Event()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger, "act", lambda do: refused_start.set())
            ledger.start()
        refused(StorageUnavailable, "no-log", lambda: ledger.restart(lambda act: put(act, "one")))
        ledger.close()


class TestTwoBrokersOnOneDatabase:
    def test_acts_interleave_on_sqlite(
        self, store: Store, owner: LogOwner, clock: HeldClock, tmp_path: Path
    ) -> None:
        run_two(owner, clock, store, open_store(f"sqlite:///{tmp_path / 'broker.db'}"), count=40)

    def test_acts_interleave_on_postgresql(
        self, owner: LogOwner, clock: HeldClock, postgresql_url: str
    ) -> None:
        run_two(owner, clock, open_store(postgresql_url), open_store(postgresql_url), count=60)


def run_two(owner: LogOwner, clock: HeldClock, first: Store, second: Store, *, count: int) -> None:
    """Two ledgers, four threads each; every index once, and both see one log that verifies."""
    with started(Ledger(first, owner, clock)) as one, started(Ledger(second, owner, clock)) as two:

        def run(worker: int) -> list[int]:
            ledger = (one, two)[worker % 2]
            return [ledger.act(partial(put, key=f"{worker}-{n}")) for n in range(count)]

        with ThreadPoolExecutor(8) as pool:
            indexes = Counter(index for found in pool.map(run, range(8)) for index in found)
        assert indexes == Counter(range(1, 8 * count + 1))
        assert verify_all(one, owner) == verify_all(two, owner)
        for ledger in (one, two):
            for index in (0, 1, 8 * count):
                Proof.from_bytes(ledger.prove(index)).verify_record(owner.verifiers())
    first.close()
    second.close()
