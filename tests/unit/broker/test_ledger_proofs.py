"""Proofs that need no look into the database: the same as those from it, and never of an older rule."""

from __future__ import annotations

from functools import partial

import pytest

from strongroom.broker.ledger import Ledger
from strongroom.broker.proving import KnownTiles
from strongroom.broker.repository import Store
from strongroom.errors import IntegrityError, ObjectNotFound
from strongroom.log.checkpoint import verify_checkpoint
from strongroom.log.entry import Kind
from strongroom.log.offer import Offer
from strongroom.log.proof import Proof
from strongroom.log.tile import Tile
from strongroom.log.witness import advance_offer
from tests.simulators.log_owner import LogOwner
from tests.unit.broker.ledgers import clock, ledger, owner, put, store

__all__ = ["clock", "ledger", "owner", "store"]


def test_they_are_those_that_the_database_gives(ledger: Ledger, owner: LogOwner) -> None:
    for number in range(600):
        index, committed = ledger.act_to_prove(partial(put, key=str(number)))
        # Partial and full tiles of two levels, and readers who saw nothing, a part, or all.
        if number % 37 == 0 or 250 < number < 262:
            for seen in {0, 1, index // 2, max(0, index - 1), index, index + 1}:
                assert ledger.prove_since(index, seen, committed) == ledger.prove_since(index, seen)
    proved = ledger.prove_since(index, 100, committed)
    assert Proof.from_bytes(proved.proof).verify_record(owner.verifiers()).kind is Kind.LEASE


def test_a_later_transaction_does_not_change_what_an_earlier_proves(ledger: Ledger, owner: LogOwner) -> None:
    first, before = ledger.act_to_prove(partial(put, key="first"))
    second, after = ledger.act_to_prove(partial(put, key="second"))
    for index, committed in ((first, before), (second, after)):
        proof = Proof.from_bytes(ledger.prove_since(index, 0, committed).proof)
        assert proof.verify_record(owner.verifiers()).kind is Kind.LEASE
        assert verify_checkpoint(proof.note, owner.verifiers()).size == index + 1


def test_what_a_transaction_did_not_enter_comes_from_the_database(ledger: Ledger, owner: LogOwner) -> None:
    first, _ = ledger.act_to_prove(partial(put, key="first"))
    _, committed = ledger.act_to_prove(partial(put, key="second"))
    proof = Proof.from_bytes(ledger.prove_since(first, 0, committed).proof)
    assert (proof.index, proof.verify_record(owner.verifiers()).document is None) == (first, False)
    # Nor does it answer who saw more than it left.
    assert Offer.from_bytes(ledger.prove_since(first, 99, committed).offer).hashes == ()


def test_after_a_rotation_nothing_is_proved_under_the_old_key(ledger: Ledger, owner: LogOwner) -> None:
    index, committed = ledger.act_to_prove(partial(put, key="one"))
    owner.rotate()
    proof = Proof.from_bytes(ledger.prove_since(index, 0, committed).proof)
    assert verify_checkpoint(proof.note, owner.verifiers()).size > index + 1


def test_a_log_that_follows_is_proved_from_its_own_tiles(ledger: Ledger, owner: LogOwner) -> None:
    for number in range(300):
        ledger.act(partial(put, key=str(number)))
    ledger.restart(partial(put, key="voided"))
    for number in range(5):
        index, committed = ledger.act_to_prove(partial(put, key=f"new {number}"))
        proved = ledger.prove_since(index, 1, committed)
        assert proved == ledger.prove_since(index, 1)
        assert Proof.from_bytes(proved.proof).verify_record(owner.verifiers(2)).kind is Kind.LEASE
        seen = advance_offer(None, Offer.from_bytes(ledger.offer(0)), owner.verifiers(2))
        assert seen.size == index + 1


def test_tiles_that_are_not_at_hand_are_read_and_checked(ledger: Ledger, store: Store) -> None:
    for number in range(300):
        index, committed = ledger.act_to_prove(partial(put, key=str(number)))
    tiles = KnownTiles(store, most=1)
    with store.read() as kept:
        for tile in (Tile(0, 0, 256), Tile(0, 1, 40), Tile(0, 0, 17), Tile(0, 1, 3)):
            assert tiles.read_tile(tile) == kept.read_tile(tile)
    with pytest.raises(ObjectNotFound) as missing:
        tiles.read_tile(Tile(0, 2, 1))
    assert missing.value.code == "log-tile-missing"
    assert committed is not None
    damaged = KnownTiles(store)
    damaged.keep(committed.head.origin, {(0, 0): bytes(32 * 256), (1, 0): bytes(32)})
    with pytest.raises(IntegrityError):
        type(committed)(damaged, committed.head, committed.rows, committed.key).prove_act(index, 0)
