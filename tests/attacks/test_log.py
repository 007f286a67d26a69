"""Attacks on the log. Each test is named after the claim it tries to break."""

from __future__ import annotations

from datetime import timedelta

import pytest

from strongroom._encoding import to_base64
from strongroom.crypto.ed25519 import Ed25519Public, Ed25519Secret
from strongroom.crypto.mldsa import MlDsa44Secret
from strongroom.errors import Error, FormatError, IntegrityError, UsageError, VerificationError
from strongroom.log.checkpoint import Checkpoint, predecessor_line, verify_checkpoint
from strongroom.log.cosignature import (
    Ed25519Cosigner,
    MlDsa44CosignatureVerifier,
    MlDsa44Cosigner,
    verify_witnessed,
)
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind, Record, commit, verify_record
from strongroom.log.merkle import leaf_hash, node_hash, verify_consistency, verify_inclusion
from strongroom.log.note import Ed25519Signer, Note, NoteSignature, sign_line, sign_note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import Tile
from strongroom.log.witness import advance, cosign, succeed
from tests.unit.log.memory_log import CLINIC, LICENSE, NOW, ORIGIN, SECRET, MemoryLog, disclosure, record

SEEN = 300
HONEST = MemoryLog(400)
WITNESS = MlDsa44Secret.from_bytes(b"the witness of the clinic, 32 b.")
WITNESS_KEY = MlDsa44CosignatureVerifier("clinic", WITNESS.public)


def offered(log: MemoryLog, size: int | None = None) -> str:
    """What a partner who saw ``SEEN`` entries of the honest log makes of this one, signed by the owner."""
    size = log.size if size is None else size
    proof = log.tree(size).prove_consistency(SEEN) if size >= SEEN else ()
    with pytest.raises(VerificationError) as caught:
        advance(HONEST.checkpoint(SEEN), log.note(size), proof, log.keys)
    return caught.value.code


def log_of(entries: list[bytes]) -> MemoryLog:
    log = MemoryLog()
    log.append(*entries)
    return log


class TestTheOwnerCannotChangeWhatWasSeen:
    def test_the_honest_log_is_followed(self) -> None:
        offer = HONEST.offer(SEEN)
        checkpoint = advance(HONEST.checkpoint(SEEN), offer.note, offer.hashes, HONEST.keys)
        assert checkpoint == HONEST.checkpoint()

    @pytest.mark.parametrize("place", [0, 1, 128, 255, 256, SEEN - 1])
    def test_a_rewritten_entry_is_noticed(self, place: int) -> None:
        entries = list(HONEST.entries)
        entries[place] = disclosure(9999).entry.to_bytes()
        assert offered(log_of(entries)) == "log-rewritten"
        assert offered(log_of(entries), SEEN) == "log-fork"

    @pytest.mark.parametrize("place", [0, 200, SEEN - 1])
    def test_a_dropped_entry_is_noticed(self, place: int) -> None:
        assert offered(log_of(HONEST.entries[:place] + HONEST.entries[place + 1 :])) == "log-rewritten"

    @pytest.mark.parametrize("place", [0, 200, SEEN - 1])
    def test_an_inserted_entry_is_noticed(self, place: int) -> None:
        late = disclosure(9999).entry.to_bytes()
        assert offered(log_of([*HONEST.entries[:place], late, *HONEST.entries[place:]])) == "log-rewritten"

    def test_reordered_entries_are_noticed(self) -> None:
        first, second, *rest = HONEST.entries
        assert offered(log_of([second, first, *rest])) == "log-rewritten"
        assert offered(log_of([second, first, *rest]), SEEN) == "log-fork"

    def test_a_truncated_log_is_noticed(self) -> None:
        assert offered(HONEST, SEEN - 1) == "log-rollback"
        assert offered(HONEST, 0) == "log-rollback"

    def test_a_truncated_and_regrown_log_is_noticed(self) -> None:
        other = [disclosure(9000 + number).entry.to_bytes() for number in range(200)]
        assert offered(log_of([*HONEST.entries[: SEEN - 1], *other])) == "log-rewritten"

    def test_a_fork_is_proved_by_its_two_notes(self) -> None:
        forked = log_of([*HONEST.entries[: SEEN - 1], b"another"])
        assert offered(forked) == "log-fork"
        one, two = (verify_checkpoint(log.note(SEEN), HONEST.keys) for log in (HONEST, forked))
        assert (one.origin, one.size) == (two.origin, two.size)
        assert one.root != two.root

    def test_no_proof_of_another_log_helps(self) -> None:
        forged = log_of([disclosure(1).entry.to_bytes(), *HONEST.entries[1:]])
        for hashes in (HONEST.offer(SEEN).hashes, forged.offer(SEEN - 1).hashes, ()):
            with pytest.raises(VerificationError) as caught:
                advance(HONEST.checkpoint(SEEN), forged.note(), hashes, HONEST.keys)
            assert caught.value.code == "log-rewritten"

    def test_a_witness_cosigns_no_fork(self) -> None:
        forked = log_of([*HONEST.entries[: SEEN - 1], b"another"])
        cosigner = MlDsa44Cosigner("clinic", WITNESS, NOW)
        with pytest.raises(VerificationError):
            cosign(HONEST.checkpoint(SEEN), forked.note(), (), HONEST.keys, cosigner)

    def test_a_split_view_lacks_its_witnesses(self) -> None:
        forked = log_of([b"for one partner only"])
        line = sign_line(HONEST.note().unverified_text, MlDsa44Cosigner("clinic", WITNESS, NOW))
        day = timedelta(days=1)
        for note in (forked.note(), HONEST.note()):
            with pytest.raises(VerificationError):
                verify_witnessed(note, [WITNESS_KEY], threshold=1, now=NOW, max_age=day)
        moved = forked.note().with_signature(line)
        with pytest.raises(VerificationError):
            verify_witnessed(moved, [WITNESS_KEY], threshold=1, now=NOW, max_age=day)
        assert verify_witnessed(
            HONEST.note().with_signature(line), [WITNESS_KEY], threshold=1, now=NOW, max_age=day
        )


class TestARestoreHidesNothing:
    def test_lost_entries_are_told(self) -> None:
        new = MemoryLog(1, origin=Origin(ORIGIN.owner, 2))
        new.extensions = (predecessor_line(HONEST.checkpoint(SEEN - 10)),)
        with pytest.raises(VerificationError) as caught:
            succeed(
                HONEST.checkpoint(SEEN),
                HONEST.note(SEEN - 10),
                (),
                new.note(),
                old_keys=HONEST.keys,
                new_keys=new.keys,
            )
        assert caught.value.code == "log-rollback"
        assert "10 that were seen are gone" in str(caught.value)

    def test_a_new_log_is_not_slipped_in_as_the_old_one(self) -> None:
        new = MemoryLog(SEEN + 1, origin=Origin(ORIGIN.owner, 2))
        with pytest.raises(VerificationError) as caught:
            advance(HONEST.checkpoint(SEEN), new.note(), new.offer(SEEN).hashes, new.keys)
        assert caught.value.code == "log-origin"

    def test_an_owner_does_not_change_its_mind_about_the_log_before(self) -> None:
        other = MemoryLog(400)
        other.extensions = (predecessor_line(HONEST.checkpoint(3)),)
        for size in (SEEN, 400):
            assert offered(other, size) == "log-rewritten"

    def test_nobody_who_carries_a_note_adds_a_predecessor(self) -> None:
        note = HONEST.note()
        line = predecessor_line(HONEST.checkpoint(3)).encode()
        with pytest.raises(VerificationError):
            verify_checkpoint(Note(note.unverified_text + line + b"\n", note.signatures), HONEST.keys)

    def test_a_signature_that_leaves_out_the_predecessor_is_no_log_signature(self) -> None:
        text = HONEST.checkpoint().to_bytes() + predecessor_line(HONEST.checkpoint(3)).encode() + b"\n"
        key = MlDsa44CosignatureVerifier(ORIGIN.to_text(), WITNESS.public)
        note = sign_note(text, [MlDsa44Cosigner(ORIGIN.to_text(), WITNESS, NOW)])
        with pytest.raises(UsageError):
            verify_checkpoint(note, [key])


class TestAProofShowsOneEntryAtOnePlace:
    def test_a_node_is_not_an_entry(self) -> None:
        """Without different first bytes, the two hashes under a node would pass as a logged entry."""
        log = log_of([b"first", b"second", b"third", b"fourth"])
        left, right = leaf_hash(b"first"), leaf_hash(b"second")
        upper = log.proof(0).hashes[1:]
        for index, size in ((0, 2), (0, 3), (0, 4)):
            for forged in (left + right, b"\x01" + left + right):
                with pytest.raises(IntegrityError):
                    verify_inclusion(
                        leaf_hash(forged), index=index, size=size, proof=upper, root=log.checkpoint().root
                    )
        assert leaf_hash(left + right) != node_hash(left, right)

    def test_an_entry_is_not_at_another_place(self) -> None:
        proof = HONEST.proof(7)
        for index in (6, 8, 7 + 256, 7 + (1 << 62)):
            with pytest.raises(IntegrityError):
                Proof(None, index, proof.hashes, proof.note).verify_entry(HONEST.entries[7], HONEST.keys)

    def test_an_entry_of_another_log_is_not_in_this_one(self) -> None:
        other = log_of([b"never logged here"])
        proof = Proof(None, 0, other.proof(0).hashes, HONEST.note())
        with pytest.raises(IntegrityError):
            proof.verify_entry(b"never logged here", HONEST.keys)

    def test_a_proof_has_one_length(self) -> None:
        proof = HONEST.proof(7)
        for hashes in (proof.hashes[:-1], (*proof.hashes, bytes(32)), ()):
            with pytest.raises(IntegrityError):
                Proof(None, 7, hashes, proof.note).verify_entry(HONEST.entries[7], HONEST.keys)
        small, leaf = HONEST.tree(4), leaf_hash(HONEST.entries[0])
        for size in (2, 5, 8):
            with pytest.raises(IntegrityError):
                verify_inclusion(leaf, index=0, size=size, proof=small.prove_inclusion(0), root=small.root)

    def test_no_byte_of_a_proof_can_be_altered(self) -> None:
        data = HONEST.proof(5, extra=disclosure(5).to_bytes()).to_bytes()
        assert Proof.from_bytes(data).verify_record(HONEST.keys) == record(5)
        for place in range(len(data)):
            altered = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
            with pytest.raises((FormatError, IntegrityError, VerificationError)):
                Proof.from_bytes(altered).verify_record(HONEST.keys)

    def test_a_consistency_proof_says_nothing_about_a_larger_old_log(self) -> None:
        with pytest.raises(IntegrityError):
            verify_consistency(5, HONEST.checkpoint(5).root, 4, HONEST.checkpoint(4).root, proof=())

    def test_a_hostile_store_gives_no_proof(self) -> None:
        log = MemoryLog(400)

        def distort(tile: Tile, data: bytes) -> bytes:
            return bytes(32) + data[32:] if tile.level == 0 else data

        log.distort = distort
        with pytest.raises(IntegrityError):
            log.tree().prove_inclusion(3)


class TestOnlyTheOwnersLogKeySigns:
    @pytest.mark.parametrize("name", [ORIGIN.to_text(), f"{ORIGIN.owner}/log/3", "stranger.example"])
    def test_a_stranger_signs_no_checkpoint(self, name: str) -> None:
        note = sign_note(HONEST.checkpoint().to_bytes(), [Ed25519Signer(name, Ed25519Secret.generate())])
        with pytest.raises(VerificationError) as caught:
            advance(None, note, (), HONEST.keys)
        assert caught.value.code == "log-key"

    def test_a_log_key_signs_for_no_other_log(self) -> None:
        text = MemoryLog(1, origin=Origin(ORIGIN.owner, 2)).checkpoint().to_bytes()
        note = sign_note(text, [Ed25519Signer(ORIGIN.to_text(), SECRET)])
        with pytest.raises(VerificationError) as caught:
            verify_checkpoint(note, HONEST.keys)
        assert caught.value.code == "log-origin"

    def test_a_key_under_which_anything_verifies_is_no_key(self) -> None:
        for raw in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
            with pytest.raises(FormatError):
                Ed25519Public(raw)

    def test_a_cosignature_is_no_signature_of_the_log(self) -> None:
        """The same secret in both roles: the key id and the signed bytes keep them apart."""
        note = sign_note(HONEST.checkpoint().to_bytes(), [Ed25519Cosigner(ORIGIN.to_text(), SECRET, NOW)])
        with pytest.raises(VerificationError):
            verify_checkpoint(note, HONEST.keys)
        line = note.signatures[0]
        stripped = NoteSignature(line.name, HONEST.note().signatures[0].key_id, line.signature[8:])
        with pytest.raises(VerificationError):
            verify_checkpoint(Note(note.unverified_text, (stripped,)), HONEST.keys)

    def test_one_bad_signature_in_the_owners_name_fails_the_note(self) -> None:
        good = HONEST.note()
        bad = NoteSignature(good.signatures[0].name, good.signatures[0].key_id, bytes(64))
        for note in (good.with_signature(bad), Note(good.unverified_text, (bad, *good.signatures))):
            with pytest.raises(VerificationError):
                verify_checkpoint(note, HONEST.keys)


class TestOneWitnessCountsOnce:
    @staticmethod
    def count(note: Note, threshold: int) -> int:
        day = timedelta(days=1)
        return len(verify_witnessed(note, [WITNESS_KEY], threshold=threshold, now=NOW, max_age=day))

    def test_duplicate_signatures_count_once(self) -> None:
        note = HONEST.note()
        line = sign_line(note.unverified_text, MlDsa44Cosigner("clinic", WITNESS, NOW))
        later = sign_line(
            note.unverified_text, MlDsa44Cosigner("clinic", WITNESS, NOW - timedelta(seconds=1))
        )
        for each in (
            line,
            line,
            later,
            sign_line(note.unverified_text, MlDsa44Cosigner("clinic", WITNESS, NOW)),
        ):
            note = note.with_signature(each)
        assert self.count(note, 1) == 1
        with pytest.raises(VerificationError) as caught:
            self.count(note, 2)
        assert caught.value.code == "too-few-witnesses"

    def test_one_key_under_two_names_is_refused(self) -> None:
        second = MlDsa44CosignatureVerifier("bank", WITNESS.public)
        with pytest.raises(UsageError):
            verify_witnessed(
                HONEST.note(), [WITNESS_KEY, second], threshold=2, now=NOW, max_age=timedelta(days=1)
            )

    def test_an_old_cosignature_is_not_replayed(self) -> None:
        note = HONEST.note()
        old = MlDsa44Cosigner("clinic", WITNESS, NOW - timedelta(days=2))
        with pytest.raises(VerificationError):
            self.count(note.with_signature(sign_line(note.unverified_text, old)), 1)


class TestNoTextRepaintsATerminal:
    @pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\r", "\t", "\x0b", "\x7f", "\x9b"])
    def test_control_characters_are_refused(self, character: str) -> None:
        text = HONEST.note().to_bytes()
        for place in (0, 10, text.index(b"\n\n")):
            with pytest.raises(FormatError):
                Offer.from_bytes(b"old 0\n\n" + text[:place] + character.encode() + text[place:])
        with pytest.raises(FormatError):
            Checkpoint(ORIGIN.to_text(), 1, bytes(32), (f"a{character}b",))
        with pytest.raises(FormatError):
            NoteSignature(f"a{character}b", b"1234", b"x")
        reason: dict[str, str | int] = {"reason": f"a{character}b"}
        record = Record(kind=Kind.GRANT, at="2026-11-24T03:00:00Z", subjects=(CLINIC,), details=reason)
        with pytest.raises(FormatError):
            record.to_bytes()

    def test_a_text_does_not_smuggle_a_signature(self) -> None:
        line = HONEST.note().signatures[0].to_text()
        for text in (f"a text\n\n{line}".encode(), f"a text\n\n{line}\n\n{line}".encode()):
            with pytest.raises(FormatError):
                sign_note(text, [Ed25519Signer("x", SECRET)])


class TestTheLogTellsNothingToOthers:
    def test_entries_of_different_acts_differ_in_the_commitment_only(self) -> None:
        entries = {disclosure(number).entry.to_bytes() for number in range(50)}
        assert len(entries) == 50
        assert len({(entry[:15], entry[15 + 64 :]) for entry in entries}) == 1

    def test_no_part_of_a_record_stands_in_the_log(self) -> None:
        published = b"".join(HONEST.entries) + HONEST.note().to_bytes()
        for secret in (LICENSE, CLINIC, "grant", "agreement", "2026"):
            assert secret.encode() not in published

    def test_a_record_is_not_guessed_without_its_salt(self) -> None:
        """All that could be guessed is known, and still the entry confirms nothing."""
        entry = HONEST.entries[5]
        with pytest.raises(IntegrityError):
            verify_record(record(5).to_bytes(), bytes(32), entry)
        assert len({commit(record(5), salt.to_bytes(32, "big")).to_bytes() for salt in range(100)}) == 100

    def test_a_disclosure_is_of_one_record(self) -> None:
        honest = disclosure(5)
        for lie in (Disclosure(record(6), honest.salt), Disclosure(record(5, Kind.REVOCATION), honest.salt)):
            forged = HONEST.proof(5, extra=lie.to_bytes())
            with pytest.raises(Error) as caught:
                forged.verify_record(HONEST.keys)
            assert caught.value.code == "log-inclusion"

    def test_a_proof_cannot_carry_a_record_in_two_spellings(self) -> None:
        extra = disclosure(5).to_bytes()
        spaced = HONEST.proof(5, extra=extra.replace(b'":', b'": '))
        with pytest.raises(FormatError):
            spaced.verify_record(HONEST.keys)
        data = HONEST.proof(5, extra=extra).to_bytes()
        padded = to_base64(extra).encode()
        assert padded in data
        with pytest.raises(FormatError):
            Proof.from_bytes(data.replace(padded, padded + b"="))
