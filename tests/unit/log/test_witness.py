from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Secret
from strongroom.errors import VerificationError
from strongroom.log.checkpoint import Checkpoint, predecessor_line
from strongroom.log.cosignature import MlDsa44CosignatureVerifier, MlDsa44Cosigner
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.verifiers import verifiers_for_log
from strongroom.log.witness import advance, advance_offer, cosign, succeed, verify_consistent
from tests.unit.log.memory_log import NOW, ORIGIN, MemoryLog, disclosure

LOG = MemoryLog(20)
WITNESS = MlDsa44Secret.from_bytes(bytes(32))


def other(entries: int, *, shared: int = 0) -> MemoryLog:
    """Another log under the same key that shares its first entries with ``LOG``."""
    log = MemoryLog(shared)
    for number in range(shared, entries):
        log.append(disclosure(1000 + number).entry.to_bytes())
    return log


def refused(code: str, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        call(*arguments, **named)
    assert caught.value.code == code


@pytest.mark.parametrize(("old", "new"), [(1, 20), (7, 8), (8, 20), (20, 20), (0, 5)])
def test_a_log_that_grew_is_followed(old: int, new: int) -> None:
    offer = LOG.offer(old, new)
    assert advance(LOG.checkpoint(old), offer.note, offer.hashes, LOG.keys) == LOG.checkpoint(new)
    assert advance_offer(LOG.checkpoint(old), offer, LOG.keys) == LOG.checkpoint(new)


def test_the_first_meeting_is_trusted_and_has_no_proof() -> None:
    assert advance(None, LOG.note(), (), LOG.keys) == LOG.checkpoint()
    assert advance_offer(None, LOG.offer(0), LOG.keys) == LOG.checkpoint()
    refused("log-offer-size", advance, None, LOG.note(), (bytes(32),), LOG.keys)
    refused("log-offer-size", advance_offer, None, LOG.offer(3), LOG.keys)


def test_a_stranger_is_told_from_the_owner() -> None:
    stranger = MemoryLog(21, secret=Ed25519Secret.generate())
    offer = stranger.offer(20)
    refused("log-key", advance, LOG.checkpoint(), offer.note, offer.hashes, LOG.keys)
    refused("log-key", advance, None, offer.note, (), LOG.keys)


def test_another_log_is_refused() -> None:
    second = MemoryLog(20, origin=Origin(ORIGIN.owner, 2))
    refused("log-origin", advance, LOG.checkpoint(), second.note(), (), second.keys)


def test_a_fork_of_the_same_size_is_told() -> None:
    refused("log-fork", advance, LOG.checkpoint(), other(20, shared=19).note(), (), LOG.keys)


def test_a_log_that_lost_entries_is_told() -> None:
    refused("log-rollback", advance, LOG.checkpoint(), LOG.note(19), (), LOG.keys)


def test_a_rewritten_log_is_told() -> None:
    for rewritten in (other(30, shared=19), other(30)):
        offer = rewritten.offer(20)
        refused("log-rewritten", advance, LOG.checkpoint(), offer.note, offer.hashes, LOG.keys)
    refused("log-rewritten", advance, LOG.checkpoint(5), LOG.note(), (), LOG.keys)


def test_a_proof_from_elsewhere_accuses_nobody() -> None:
    refused("log-offer-size", advance_offer, LOG.checkpoint(5), LOG.offer(4), LOG.keys)
    wrong = Offer(5, LOG.offer(4).hashes, LOG.note())
    refused("log-rewritten", advance_offer, LOG.checkpoint(5), wrong, LOG.keys)


def test_answers_may_arrive_out_of_order() -> None:
    proof = LOG.tree(12).prove_consistency(5)
    assert verify_consistent(LOG.checkpoint(12), LOG.note(5), proof, LOG.keys) == LOG.checkpoint(12)
    assert verify_consistent(LOG.checkpoint(5), LOG.note(12), proof, LOG.keys) == LOG.checkpoint(12)
    old = other(5)
    refused("log-rewritten", verify_consistent, LOG.checkpoint(12), old.note(), proof, LOG.keys)


def test_a_witness_cosigns_only_what_continues() -> None:
    cosigner = MlDsa44Cosigner("clinic", WITNESS, NOW)
    offer = LOG.offer(5)
    checkpoint, note = cosign(LOG.checkpoint(5), offer.note, offer.hashes, LOG.keys, cosigner)
    assert checkpoint == LOG.checkpoint()
    assert note.verify(LOG.keys) == checkpoint.to_bytes()
    assert note.verify([MlDsa44CosignatureVerifier("clinic", WITNESS.public)]) == checkpoint.to_bytes()
    fork = other(20)
    refused("log-fork", cosign, LOG.checkpoint(), fork.note(), (), LOG.keys, cosigner)


def test_a_log_keeps_its_predecessor() -> None:
    second = MemoryLog(20)
    second.extensions = (predecessor_line(LOG.checkpoint(3)),)
    refused("log-rewritten", advance, LOG.checkpoint(), second.note(), (), LOG.keys)


class TestAfterARestore:
    """The owner's backup had ``known`` entries; the partner had seen ``seen``."""

    @staticmethod
    def restored(known: Checkpoint, number: int = 2) -> MemoryLog:
        log = MemoryLog(1, origin=Origin(ORIGIN.owner, number))
        log.extensions = (predecessor_line(known),)
        return log

    def go_over(self, seen: int, known: int, *, accept: int = 0, log: MemoryLog | None = None) -> Checkpoint:
        new = log or self.restored(LOG.checkpoint(known))
        proof = LOG.tree(known).prove_consistency(seen) if seen <= known else ()
        return succeed(
            LOG.checkpoint(seen),
            LOG.note(known),
            proof,
            new.note(),
            old_keys=LOG.keys,
            new_keys=verifiers_for_log(new.origin, [new.secret.public]),
            accept_lost_entries=accept,
        )

    @pytest.mark.parametrize(("seen", "known"), [(20, 20), (12, 20), (0, 20)])
    def test_nothing_that_was_seen_is_gone(self, seen: int, known: int) -> None:
        assert self.go_over(seen, known).origin == "own-" + "a" * 24 + "/log/2"

    def test_what_is_gone_is_told_and_must_be_accepted(self) -> None:
        refused("log-rollback", self.go_over, 20, 15)
        refused("log-rollback", self.go_over, 20, 15, accept=4)
        assert self.go_over(20, 15, accept=5).size == 1

    def test_a_new_log_must_name_its_place(self) -> None:
        first, third = MemoryLog(1), self.restored(LOG.checkpoint(20), number=3)
        elsewhere = self.restored(LOG.checkpoint(19))
        unnamed = MemoryLog(1, origin=Origin(ORIGIN.owner, 2))
        for log in (first, third, elsewhere, unnamed):
            refused("log-origin", self.go_over, 20, 20, log=log)

    def test_a_fork_does_not_hide_behind_a_restore(self) -> None:
        fork = other(20, shared=10)
        new = self.restored(fork.checkpoint())
        for seen, code in ((20, "log-fork"), (15, "log-rewritten")):
            refused(
                code,
                succeed,
                LOG.checkpoint(seen),
                fork.note(),
                fork.tree().prove_consistency(seen),
                new.note(),
                old_keys=LOG.keys,
                new_keys=new.keys,
            )

    def test_a_stranger_starts_no_log(self) -> None:
        stranger = MemoryLog(1, origin=Origin(ORIGIN.owner, 2), secret=Ed25519Secret.generate())
        keys = verifiers_for_log(stranger.origin, [LOG.secret.public])
        refused(
            "log-key",
            succeed,
            LOG.checkpoint(),
            LOG.note(),
            (),
            stranger.note(),
            old_keys=LOG.keys,
            new_keys=keys,
        )
