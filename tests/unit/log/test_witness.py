from __future__ import annotations

from datetime import timedelta

import pytest

from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Secret
from strongroom.errors import FormatError, VerificationError
from strongroom.log.checkpoint import Checkpoint, predecessor_line
from strongroom.log.cosignature import MlDsa44CosignatureVerifier, MlDsa44Cosigner, verify_witnessed
from strongroom.log.note import Ed25519Signer, Note, sign_note
from strongroom.log.offer import Offer
from strongroom.log.verifiers import verifiers_for_log
from strongroom.log.witness import advance, advance_offer, cosign, succeed, verify_consistent
from tests.unit.log.memory_log import NOW, ORIGIN, MemoryLog

LOG = MemoryLog(20)
FORK = MemoryLog()
FORK.append(*LOG.entries[:3], b"history, changed", *LOG.entries[4:], b"one more")
NEXT = MemoryLog(3, origin=ORIGIN.following)


def refused(last: Checkpoint | None, offer: Offer) -> str:
    with pytest.raises(VerificationError) as caught:
        advance(last, offer.note, offer.hashes, LOG.keys)
    return caught.value.code


def test_the_first_checkpoint_is_trusted() -> None:
    assert advance(None, LOG.note(), (), LOG.keys) == LOG.checkpoint()


def test_a_log_grows() -> None:
    last = None
    for size in (0, 1, 1, 7, 16, 20):
        offer = LOG.offer(0 if last is None else last.size, size)
        last = advance(last, offer.note, offer.hashes, LOG.keys)
        assert last == LOG.checkpoint(size)


def test_keys_may_change_and_come_from_a_generator() -> None:
    newer = Ed25519Secret.generate()
    note = sign_note(LOG.checkpoint().to_bytes(), [Ed25519Signer(ORIGIN.to_text(), newer)])
    keys = verifiers_for_log(ORIGIN, [newer.public])
    proof = LOG.tree().prove_consistency(5)
    assert advance(LOG.checkpoint(5), note, proof, iter(keys)) == LOG.checkpoint()
    assert verify_consistent(LOG.checkpoint(5), note, proof, iter(keys)) == LOG.checkpoint()


def test_a_note_of_a_stranger() -> None:
    stranger = MemoryLog(20, secret=Ed25519Secret.generate())
    assert refused(LOG.checkpoint(5), stranger.offer(5)) == "log-key"
    assert refused(None, stranger.offer(0)) == "log-key"


def test_a_forked_log() -> None:
    assert refused(LOG.checkpoint(20), FORK.offer(20, 20)) == "log-fork"


def test_a_rewritten_log() -> None:
    assert refused(LOG.checkpoint(20), FORK.offer(20, 21)) == "log-rewritten"
    assert refused(LOG.checkpoint(5), FORK.offer(5)) == "log-rewritten"


def test_a_proof_that_is_none() -> None:
    offer = LOG.offer(5)
    for wrong in ((), offer.hashes[:-1], (*offer.hashes, bytes(32)), (b"short", *offer.hashes[1:])):
        assert refused(LOG.checkpoint(5), Offer(5, wrong, offer.note)) == "log-rewritten"
    assert refused(LOG.checkpoint(20), Offer(20, offer.hashes, offer.note)) == "log-rewritten"


def test_a_log_that_shrinks() -> None:
    assert refused(LOG.checkpoint(20), LOG.offer(0, 19)) == "log-rollback"
    assert refused(LOG.checkpoint(20), LOG.offer(0, 0)) == "log-rollback"


def test_another_log() -> None:
    with pytest.raises(VerificationError) as caught:
        advance(LOG.checkpoint(), NEXT.note(), (), NEXT.keys)
    assert caught.value.code == "log-origin"


def test_a_log_that_changes_its_predecessor() -> None:
    changed = MemoryLog(20)
    changed.extensions = (predecessor_line(FORK.checkpoint()),)
    assert refused(LOG.checkpoint(), changed.offer(20)) == "log-rewritten"
    assert refused(LOG.checkpoint(5), changed.offer(5)) == "log-rewritten"


def test_an_offer_for_somebody_who_saw_something_else() -> None:
    assert advance_offer(LOG.checkpoint(5), LOG.offer(5), LOG.keys) == LOG.checkpoint()
    assert advance_offer(None, LOG.offer(0), LOG.keys) == LOG.checkpoint()
    for last, old_size in ((LOG.checkpoint(5), 4), (LOG.checkpoint(5), 0), (None, 5)):
        with pytest.raises(VerificationError) as caught:
            advance_offer(last, LOG.offer(old_size), LOG.keys)
        assert caught.value.code == "log-offer-size"


def test_answers_out_of_order() -> None:
    proof = LOG.tree().prove_consistency(5)
    assert verify_consistent(LOG.checkpoint(5), LOG.note(), proof, LOG.keys) == LOG.checkpoint()
    assert verify_consistent(LOG.checkpoint(), LOG.note(5), proof, LOG.keys) == LOG.checkpoint()
    assert verify_consistent(LOG.checkpoint(), LOG.note(), (), LOG.keys) == LOG.checkpoint()
    for note, hashes in ((FORK.note(5), proof), (LOG.note(5), ())):
        with pytest.raises(VerificationError) as caught:
            verify_consistent(LOG.checkpoint(), note, hashes, LOG.keys)
        assert caught.value.code == "log-rewritten"
    with pytest.raises(VerificationError) as caught:
        verify_consistent(LOG.checkpoint(), NEXT.note(2), (), NEXT.keys)
    assert caught.value.code == "log-origin"


def test_a_witness_cosigns_what_it_checked() -> None:
    secret = MlDsa44Secret.generate()
    offer = LOG.offer(5)
    checkpoint, note = cosign(
        LOG.checkpoint(5), offer.note, offer.hashes, LOG.keys, MlDsa44Cosigner("clinic", secret, NOW)
    )
    assert checkpoint == LOG.checkpoint()
    witnesses = [MlDsa44CosignatureVerifier("clinic", secret.public)]
    assert verify_witnessed(note, witnesses, threshold=1, now=NOW, max_age=timedelta(hours=1))
    # The log's own reader ignores it.
    assert advance(None, Note.from_bytes(note.to_bytes()), (), LOG.keys) == checkpoint


def test_a_witness_cosigns_nothing_else() -> None:
    cosigner = MlDsa44Cosigner("clinic", MlDsa44Secret.generate(), NOW)
    offer = FORK.offer(5)
    with pytest.raises(VerificationError):
        cosign(LOG.checkpoint(5), offer.note, offer.hashes, LOG.keys, cosigner)


def restored(known: MemoryLog, size: int) -> MemoryLog:
    log = MemoryLog(2, origin=ORIGIN.following)
    log.extensions = (predecessor_line(known.checkpoint(size)),)
    return log


def go_over(last: Checkpoint, known: MemoryLog, size: int, log: MemoryLog, lost: int = 0) -> Checkpoint:
    proof = known.tree(size).prove_consistency(last.size) if last.size <= size else ()
    return succeed(
        last,
        known.note(size),
        proof,
        log.note(),
        old_keys=known.keys,
        new_keys=log.keys,
        accept_lost_entries=lost,
    )


def test_a_restored_log_that_lost_nothing_that_was_seen() -> None:
    for size in (12, 20):
        log = restored(LOG, size)
        assert go_over(LOG.checkpoint(12), LOG, size, log) == log.checkpoint()


def test_a_restored_log_that_lost_entries() -> None:
    log = restored(LOG, 12)
    for lost in (0, 7):
        with pytest.raises(VerificationError, match="8 that were seen are gone") as caught:
            go_over(LOG.checkpoint(20), LOG, 12, log, lost)
        assert caught.value.code == "log-rollback"
        assert caught.value.hint is not None
    assert go_over(LOG.checkpoint(20), LOG, 12, log, 8) == log.checkpoint()


def test_a_restored_log_that_was_rewritten_before() -> None:
    for size, code in ((20, "log-fork"), (21, "log-rewritten")):
        with pytest.raises(VerificationError) as caught:
            go_over(LOG.checkpoint(20), FORK, size, restored(FORK, size))
        assert caught.value.code == code


def test_a_new_log_must_name_what_came_before() -> None:
    silent = MemoryLog(2, origin=ORIGIN.following)
    skips = MemoryLog(2, origin=ORIGIN.following.following)
    skips.extensions = restored(LOG, 20).extensions
    same = MemoryLog(2)
    same.extensions = skips.extensions
    for log in (silent, skips, same, restored(LOG, 19), restored(FORK, 20)):
        with pytest.raises(VerificationError) as caught:
            go_over(LOG.checkpoint(20), LOG, 20, log)
        assert caught.value.code == "log-origin"


def test_the_named_checkpoint_must_be_of_the_old_log() -> None:
    with pytest.raises(VerificationError) as caught:
        go_over(LOG.checkpoint(3), NEXT, 3, restored(NEXT, 3))
    assert caught.value.code == "log-origin"


def test_a_log_of_no_owner_has_no_successor() -> None:
    with pytest.raises(FormatError):
        go_over(Checkpoint("example.com/log", 5, bytes(32)), LOG, 20, restored(LOG, 20))
