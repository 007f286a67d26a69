"""The ledger on SQLite: groups, refusals, failures, time, founding, rotation and restart."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from strongroom._encoding import to_hex
from strongroom._limits import LIMITS
from strongroom.broker.clock import SystemClock
from strongroom.broker.faults import FaultPoint
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.repository import Store
from strongroom.crypto.digest import sha256
from strongroom.errors import (
    Error,
    IntegrityError,
    LicenseDenied,
    StorageUnavailable,
    UsageError,
)
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.entry import Kind
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.witness import advance_offer
from tests.simulators.clocks import HeldClock
from tests.simulators.log_owner import NOW, LogOwner
from tests.unit.broker.ledgers import (
    LEASE,
    PARTNER,
    Raising,
    answer,
    clock,
    entries,
    ledger,
    owner,
    put,
    refuse,
    refused,
    started,
    store,
    together,
    verify_all,
)

__all__ = ["clock", "ledger", "owner", "store"]


class TestAnAct:
    def test_it_is_durable_with_its_entry(self, ledger: Ledger, owner: LogOwner) -> None:
        index = ledger.act(lambda act: put(act, "one"))
        proof = Proof.from_bytes(ledger.prove(index))
        record = proof.verify_record(owner.verifiers())
        assert record.kind is Kind.LEASE
        assert record.subjects == (LEASE, PARTNER)
        assert record.document == to_hex(sha256(b"token-one"))
        assert record.details == {"predictions": 3}
        assert record.at == "2026-11-24T03:00:00Z"
        with ledger.view() as kept:
            assert kept.answered(PARTNER, "one") is not None
            assert [row.index for row in kept.entries_about([PARTNER], after=0, limit=9)] == [index]
        verify_all(ledger, owner)

    def test_a_refusal_takes_back_only_its_own(self, ledger: Ledger, owner: LogOwner) -> None:
        first = ledger.act(lambda act: put(act, "one"))
        refused(LicenseDenied, "predictions", lambda: ledger.act(lambda act: refuse(act, "two")))
        second = ledger.act(lambda act: put(act, "three"))
        assert second == first + 1
        with ledger.view() as kept:
            assert kept.answered(PARTNER, "two") is None
            assert kept.head().generation == 0
        verify_all(ledger, owner)

    def test_a_refusal_among_others_in_one_group(self, ledger: Ledger, owner: LogOwner) -> None:
        outcomes = together(ledger, [put if number % 3 else refuse for number in range(30)])
        assert [isinstance(each, LicenseDenied) for each in outcomes] == [n % 3 == 0 for n in range(30)]
        assert sorted(each for each in outcomes if isinstance(each, int)) == list(range(1, 21))
        verify_all(ledger, owner)

    def test_nothing_is_signed_when_nothing_was_done(self, ledger: Ledger) -> None:
        with ledger.view() as kept:
            before = kept.head()
        refused(LicenseDenied, "predictions", lambda: ledger.act(lambda act: refuse(act, "one")))
        with ledger.view() as kept:
            assert kept.head() == before

    def test_an_act_without_an_entry_keeps_the_checkpoint(self, ledger: Ledger) -> None:
        with ledger.view() as kept:
            before = kept.head().checkpoint
        ledger.act(lambda act: act.kept.remember_answer(answer("one")))
        with ledger.view() as kept:
            assert kept.answered(PARTNER, "one") is not None
            assert kept.head().checkpoint == before

    def test_a_changed_rule_is_counted(self, ledger: Ledger) -> None:
        ledger.act(lambda act: act.changes_rules())
        with ledger.view() as kept:
            assert kept.head().generation == 1

    def test_a_record_that_breaks_a_rule_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(Error) as caught:
            ledger.act(lambda act: act.record(Kind.SUSPENSION, [PARTNER], reason="a\x1b[31m"))
        assert caught.value.code == "log-record"
        assert len(entries(ledger)) == 1

    def test_an_act_sees_what_was_changed_before_it_in_its_group(self, ledger: Ledger) -> None:
        def change(act: Act) -> tuple[int, int]:
            before = act.generation
            act.changes_rules()
            return before, act.generation

        assert ledger.act(change) == (0, 1)

    def test_an_act_within_an_act_is_refused(self, ledger: Ledger) -> None:
        refused(
            UsageError,
            "nested-act",
            lambda: ledger.act(lambda act: ledger.act(lambda inner: put(inner, "one"))),
        )


class TestManyThreads:
    def test_thousands_of_acts_give_a_log_that_verifies_with_every_proof(
        self, ledger: Ledger, owner: LogOwner
    ) -> None:
        def run(thread: int) -> list[int]:
            return [ledger.act(partial(put, key=f"{thread}-{n}")) for n in range(200)]

        with ThreadPoolExecutor(16) as pool:
            indexes = sorted(index for found in pool.map(run, range(16)) for index in found)
        assert indexes == list(range(1, 3201))
        checkpoint = verify_all(ledger, owner)
        verifiers = owner.verifiers()
        documents = set()
        for index in indexes:
            proof = Proof.from_bytes(ledger.prove(index))
            documents.add(proof.verify_record(verifiers).document)
            assert Checkpoint.from_bytes(proof.note.unverified_text) == checkpoint
        assert len(documents) == 3200

    def test_a_reader_follows_a_growing_log(self, ledger: Ledger, owner: LogOwner) -> None:
        last: Checkpoint | None = None
        for number in range(300):
            if number % 7 == 0:
                offer = Offer.from_bytes(ledger.offer(0 if last is None else last.size))
                last = advance_offer(last, offer, owner.verifiers())
            ledger.act(partial(put, key=str(number)))
        assert last is not None
        assert last.size > 256


class TestFailures:
    @pytest.mark.parametrize("point", [FaultPoint.LEDGER_BEFORE_SIGN, FaultPoint.LEDGER_BEFORE_COMMIT])
    def test_if_the_commit_fails_everybody_is_told_and_nothing_is_there(
        self, store: Store, owner: LogOwner, clock: HeldClock, point: FaultPoint
    ) -> None:
        faults = Raising(
            point, StorageUnavailable("the disk is full", code="database-unavailable", hint="room")
        )
        with started(Ledger(store, owner, clock, faults)) as ledger:
            before = entries(ledger)

            def arm(act: Act, key: str) -> int:
                faults.armed = True
                return put(act, key)

            outcomes = together(ledger, [arm, put, refuse, put])
            for each in outcomes:
                assert isinstance(each, StorageUnavailable)
                assert (each.code, each.hint) == ("database-unavailable", "room")
            assert len({id(each) for each in outcomes}) == 4
            assert entries(ledger) == before
            with ledger.view() as kept:
                assert kept.answered(PARTNER, "together-1") is None
            # And it goes on: the edge of the tree that was prepared is not used.
            assert ledger.act(lambda act: put(act, "again")) == 1
            verify_all(ledger, owner)

    def test_what_is_no_error_of_ours_is_told_without_its_words(
        self, store: Store, owner: LogOwner, clock: HeldClock
    ) -> None:
        faults = Raising(FaultPoint.LEDGER_BEFORE_SIGN, ValueError("planted secret"))
        with started(Ledger(store, owner, clock, faults)) as ledger:
            faults.armed = True
            error = refused(StorageUnavailable, "ledger-failed", lambda: ledger.act(lambda a: put(a, "one")))
            assert "planted" not in str(error)
            ledger.act(lambda act: put(act, "two"))

    @pytest.mark.parametrize("point", [FaultPoint.LEDGER_BEFORE_ACT, FaultPoint.LEDGER_AFTER_ACT])
    def test_if_a_savepoint_fails_the_group_does(
        self, store: Store, owner: LogOwner, clock: HeldClock, point: FaultPoint
    ) -> None:
        faults = Raising(point, StorageUnavailable("gone", code="database-unavailable"))
        with started(Ledger(store, owner, clock, faults)) as ledger:
            faults.armed = True
            refused(StorageUnavailable, "database-unavailable", lambda: ledger.act(lambda a: put(a, "one")))
            verify_all(ledger, owner)

    def test_without_a_log_key_nothing_is_done(self, ledger: Ledger, owner: LogOwner) -> None:
        before = entries(ledger)
        owner.lose_keys()
        refused(StorageUnavailable, "no-key", lambda: ledger.act(lambda act: put(act, "one")))
        assert entries(ledger) == before

    def test_a_full_queue_is_refused(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "strongroom.broker.ledger.LIMITS", dataclasses.replace(LIMITS, max_waiting_acts_length=3)
        )
        held, release = threading.Event(), threading.Event()

        def hold(act: Act) -> None:
            held.set()
            assert release.wait(30)

        with ThreadPoolExecutor(4) as pool:
            pool.submit(ledger.act, hold)
            assert held.wait(30)
            others = [pool.submit(ledger.act, lambda act: put(act, str(id(act)))) for _ in range(1)]
            others += [pool.submit(ledger.act, partial(put, key=str(n))) for n in range(2)]
            while ledger.waiting < 3:
                time.sleep(0.001)
            refused(StorageUnavailable, "broker-busy", lambda: ledger.act(lambda act: put(act, "four")))
            release.set()
            assert sorted(each.result() for each in others) == [1, 2, 3]


class TestLife:
    def test_closing_waits_for_what_runs(self, store: Store, owner: LogOwner, clock: HeldClock) -> None:
        ledger = Ledger(store, owner, clock)
        ledger.start()
        held, release = threading.Event(), threading.Event()

        def hold(act: Act) -> int:
            held.set()
            assert release.wait(30)
            return put(act, "slow")

        with ThreadPoolExecutor(3) as pool:
            slow = pool.submit(ledger.act, hold)
            assert held.wait(30)
            queued = pool.submit(ledger.act, lambda act: put(act, "queued"))
            while not ledger.waiting:
                time.sleep(0.001)
            closing = pool.submit(ledger.close)
            time.sleep(0.01)
            assert not closing.done()
            release.set()
            closing.result()
            assert (slow.result(), queued.result()) == (1, 2)
        refused(StorageUnavailable, "broker-closing", lambda: ledger.act(lambda act: put(act, "late")))
        ledger.close()

    def test_what_was_never_started_takes_nothing(
        self, store: Store, owner: LogOwner, clock: HeldClock
    ) -> None:
        ledger = Ledger(store, owner, clock)
        refused(StorageUnavailable, "broker-closing", lambda: ledger.act(lambda act: put(act, "early")))
        ledger.close()

    def test_it_is_started_once(self, ledger: Ledger) -> None:
        refused(UsageError, "ledger-started", ledger.start)

    def test_founding_enters_the_owner_document(self, ledger: Ledger, owner: LogOwner) -> None:
        record = Proof.from_bytes(ledger.prove(0)).verify_record(owner.verifiers())
        assert record.kind is Kind.OWNER_DOCUMENT
        assert record.document == owner.owner().digest
        assert record.details == {"version": 1}

    def test_starting_again_enters_nothing(self, store: Store, owner: LogOwner, clock: HeldClock) -> None:
        for _ in range(3):
            with started(Ledger(store, owner, clock)) as ledger:
                assert len(entries(ledger)) == 1

    def test_a_database_of_another_owner_is_refused(
        self, ledger: Ledger, store: Store, clock: HeldClock
    ) -> None:
        refused(StorageUnavailable, "other-owner", Ledger(store, LogOwner.found(), clock).start)


class TestTime:
    def test_it_never_runs_backwards(self, store: Store, owner: LogOwner, clock: HeldClock) -> None:
        with started(Ledger(store, owner, clock)) as ledger:
            clock.move(timedelta(hours=1))
            assert ledger.act(lambda act: act.now) == NOW + timedelta(hours=1)
            clock.move(timedelta(days=-1))
            assert ledger.act(lambda act: act.now) == NOW + timedelta(hours=1)
        with started(Ledger(store, owner, HeldClock(NOW))) as ledger:
            assert ledger.act(lambda act: act.now) == NOW + timedelta(hours=1)

    def test_the_system_clock_has_whole_seconds(self) -> None:
        now = SystemClock().now()
        assert now.microsecond == 0
        assert now.utcoffset() == timedelta()


class TestRotation:
    def test_a_new_owner_document_gets_an_entry_and_a_checkpoint(
        self, ledger: Ledger, owner: LogOwner, clock: HeldClock
    ) -> None:
        ledger.act(lambda act: put(act, "one"))
        owner.rotate()
        clock.move(timedelta(hours=1))
        offer = Offer.from_bytes(ledger.offer(2))
        checkpoint = verify_checkpoint(offer.note, owner.verifiers(at=clock.now()))
        assert checkpoint.size == 3
        record = Proof.from_bytes(ledger.prove(2)).verify_record(owner.verifiers())
        assert (record.kind, record.details) == (Kind.OWNER_DOCUMENT, {"version": 2})
        assert ledger.offer(2) == ledger.offer(2)

    def test_a_key_that_retires_on_a_day_to_come_leaves_the_checkpoint_then(
        self, ledger: Ledger, owner: LogOwner, clock: HeldClock
    ) -> None:
        owner.rotate(retired_at=NOW + timedelta(days=1))
        before = Offer.from_bytes(ledger.offer(0))
        clock.move(timedelta(days=2))
        after = Offer.from_bytes(ledger.offer(0))
        assert before.note.unverified_text == after.note.unverified_text
        verify_checkpoint(after.note, owner.verifiers(at=clock.now()))

    def test_two_versions_at_once_get_two_entries(self, ledger: Ledger, owner: LogOwner) -> None:
        owner.rotate()
        owner.rotate(NOW + timedelta(minutes=1))
        assert ledger.act(lambda act: put(act, "one")) == 3


class TestOffersAndProofs:
    def test_whoever_saw_more_is_told_what_there_is(self, ledger: Ledger, owner: LogOwner) -> None:
        offer = Offer.from_bytes(ledger.offer(99))
        assert (offer.old_size, offer.hashes) == (99, ())
        assert verify_checkpoint(offer.note, owner.verifiers()).size == 1

    def test_an_act_is_proved_with_an_offer_of_the_same_checkpoint(
        self, ledger: Ledger, owner: LogOwner
    ) -> None:
        index = ledger.act(lambda act: put(act, "one"))
        proved = ledger.prove_since(index, 1)
        proof, offer = Proof.from_bytes(proved.proof), Offer.from_bytes(proved.offer)
        assert proof.note == offer.note
        assert offer.old_size == 1
        assert proof.verify_record(owner.verifiers()).kind is Kind.LEASE

    def test_no_entry_no_proof(self, ledger: Ledger) -> None:
        for index in (1, 99):
            refused(IntegrityError, "log-inclusion", lambda: ledger.prove(index))  # noqa: B023 - called at once

    def test_an_erased_disclosure_leaves_the_entry(self, ledger: Ledger, owner: LogOwner) -> None:
        index = ledger.act(lambda act: put(act, "one"))
        ledger.act(lambda act: act.kept.erase_disclosure(index))
        proof = Proof.from_bytes(ledger.prove(index))
        assert proof.extra is None
        proof.verify_entry(entries(ledger)[index], owner.verifiers())
