"""The log: growing one by one or at once is the same, every proof verifies, and no altered one does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom._encoding import to_base64
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosigned import Cosigned
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Entry, Kind, Record, commit, verify_record
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from strongroom.log.note import Note, NoteSignature, sign_note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import Bundle, Tile, bundle_from_bytes, bundle_to_bytes, from_path
from strongroom.log.tree import Tree
from strongroom.log.verifier_key import VerifierKey
from strongroom.log.witness import advance
from tests.unit.log.memory_log import CLINIC, LICENSE, MemoryLog, disclosure
from tests.unit.log.test_merkle import reference_root

SIZE = 600
LOG = MemoryLog(SIZE)
LEAVES = [leaf_hash(entry) for entry in LOG.entries]
sizes = st.integers(1, SIZE)
printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)
lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).filter(
    lambda line: not line.startswith("predecessor")
)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.data())
def test_one_by_one_is_all_at_once(leaves: list[bytes], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(leaves)))
    whole, stored = Frontier.empty().extend(leaves)
    first, early = Frontier.empty().extend(leaves[:cut])
    second, late = Frontier.from_bytes(first.to_bytes()).extend(leaves[cut:])
    assert (second, early + late) == (whole, stored)
    assert whole.root == reference_root(leaves)
    single = Frontier.empty()
    for leaf in leaves:
        single, _ = single.append(leaf)
    assert single == whole


@given(sizes, st.data())
def test_every_inclusion_verifies_and_no_altered_one(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = LOG.tree(size)
    good: dict[str, Any] = {
        "index": index,
        "size": size,
        "proof": tree.prove_inclusion(index),
        "root": tree.root,
    }
    verify_inclusion(LEAVES[index], **good)
    with pytest.raises(IntegrityError):
        verify_inclusion(flip(LEAVES[index], data), **good)
    with pytest.raises(IntegrityError):
        verify_inclusion(LEAVES[index], **{**good, "root": flip(tree.root, data)})
    wrong_index = data.draw(st.integers(0, size).filter(lambda other: other != index))
    with pytest.raises(IntegrityError):
        verify_inclusion(LEAVES[index], **{**good, "index": wrong_index})
    for proof in damaged(good["proof"], data):
        with pytest.raises(IntegrityError):
            verify_inclusion(LEAVES[index], **{**good, "proof": proof})


@given(sizes, st.data())
def test_every_consistency_verifies_and_no_altered_one(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    tree, old_root = LOG.tree(size), LOG.checkpoint(old).root
    proof = tree.prove_consistency(old)
    verify_consistency(old, old_root, size, tree.root, proof=proof)
    with pytest.raises(IntegrityError):
        verify_consistency(old, flip(old_root, data), size, tree.root, proof=proof)
    if old:
        with pytest.raises(IntegrityError):
            verify_consistency(old, old_root, size, flip(tree.root, data), proof=proof)
    for wrong in damaged(proof, data):
        with pytest.raises(IntegrityError):
            verify_consistency(old, old_root, size, tree.root, proof=wrong)


@given(sizes, st.data())
def test_a_log_with_one_other_entry_is_not_followed(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    place = data.draw(st.integers(0, old - 1))
    leaves = [*LEAVES[:place], flip(LEAVES[place], data), *LEAVES[place + 1 : size]]
    forged = MemoryLog()
    forged.append_leaves(leaves)
    offer = forged.offer(old)
    with pytest.raises(VerificationError) as caught:
        advance(LOG.checkpoint(old), offer.note, offer.hashes, LOG.keys)
    assert caught.value.code == ("log-fork" if old == size else "log-rewritten")


@given(sizes, st.data())
def test_damaged_tiles_never_give_a_proof(size: int, data: st.DataObject) -> None:
    index, bit = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0))
    read: list[Tile] = []

    class Damaged:
        def read_tile(self, tile: Tile) -> bytes:
            read.append(tile)
            return turn(LOG.read_tile(tile), bit)

    tree = Tree(Damaged(), size=size, root=LOG.checkpoint(size).root)
    honest = LOG.tree(size).prove_inclusion(index)
    try:
        proof = tree.prove_inclusion(index)
    except IntegrityError:
        return
    # The damage was in hashes that this proof does not need.
    assert proof == honest


@given(st.integers(0, 7), st.integers(0, (1 << 63) - 1), st.integers(1, 256), st.booleans())
def test_a_path_is_read_as_it_was_written(level: int, number: int, width: int, entries: bool) -> None:
    place = Bundle(number >> 8, width) if entries else Tile(level, number >> 8 * (level + 1), width)
    assert from_path(place.path) == place


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_a_bundle_is_read_as_it_was_written(entries: list[bytes]) -> None:
    assert bundle_from_bytes(bundle_to_bytes(entries)) == entries


@given(lines, st.integers(1, (1 << 63) - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3))
def test_a_checkpoint_is_read_as_it_was_written(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert Checkpoint.from_bytes(checkpoint.to_bytes()) == checkpoint
    note = sign_note(checkpoint.to_bytes(), LOG.signers)
    assert Note.from_bytes(note.to_bytes()) == note


@given(printable, st.integers(0, 255), st.binary(min_size=1, max_size=2000))
def test_a_verifier_key_is_read_as_it_was_written(name: str, algorithm: int, public: bytes) -> None:
    assume("+" not in name)
    key = VerifierKey(name, algorithm, public)
    assert VerifierKey.from_text(key.to_text()) == key


@given(
    st.sampled_from(Kind),
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), printable, max_size=5),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_a_record_is_read_as_it_was_written(
    kind: Kind, details: dict[str, str | int], salt: bytes, other_salt: bytes
) -> None:
    record = Record(kind=kind, at="2026-11-24T03:00:00Z", subjects=(LICENSE, CLINIC), details=details)
    given_out = Disclosure(record, salt)
    assert Disclosure.from_bytes(given_out.to_bytes()) == given_out
    entry = commit(record, salt).to_bytes()
    assert verify_record(record.to_bytes(), salt, entry) == record
    assume(salt != other_salt)
    with pytest.raises(IntegrityError):
        verify_record(record.to_bytes(), other_salt, entry)


READERS: dict[str, Callable[[bytes], Any]] = {
    "note": Note.from_bytes,
    "checkpoint": Checkpoint.from_bytes,
    "proof": Proof.from_bytes,
    "offer": Offer.from_bytes,
    "cosigned": Cosigned.from_bytes,
    "record": Record.from_bytes,
    "entry": Entry.from_bytes,
    "disclosure": Disclosure.from_bytes,
    "frontier": Frontier.from_bytes,
}
SEEDS = {
    "note": LOG.note().to_bytes(),
    "checkpoint": LOG.checkpoint().to_bytes(),
    "proof": LOG.proof(3, extra=disclosure(3).to_bytes()).to_bytes(),
    "offer": LOG.offer(40).to_bytes(),
    "cosigned": Cosigned(LOG.keys[0].key, LOG.note()).to_bytes(),
    "record": disclosure(1).record.to_bytes(),
    "entry": LOG.entries[0],
    "disclosure": disclosure(1).to_bytes(),
    "frontier": LOG.frontiers[9].to_bytes(),
}


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_any_bytes_are_one_value_or_refused(name: str, data: st.DataObject) -> None:
    seed = SEEDS[name]
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, len(seed)))
    for candidate in (data.draw(st.binary(max_size=300)), seed[:start] + data.draw(st.binary()) + seed[end:]):
        with contextlib.suppress(FormatError):
            assert READERS[name](candidate).to_bytes() == candidate


@given(st.text(max_size=60))
def test_any_text_is_one_value_or_refused(text: str) -> None:
    for read in (VerifierKey.from_text, NoteSignature.from_text, Origin.from_text):
        with contextlib.suppress(FormatError):
            assert read(text).to_text() == text
    with contextlib.suppress(FormatError):
        assert from_path(text).path == text
    with contextlib.suppress(FormatError):
        data = text.encode("utf-8", "surrogatepass")
        assert bundle_to_bytes(bundle_from_bytes(data)) == data


@given(st.data())
def test_no_altered_proof_shows_anything_else(data: st.DataObject) -> None:
    good = SEEDS["proof"]
    altered = turn(good, data.draw(st.integers(0)))
    with contextlib.suppress(FormatError, IntegrityError, VerificationError):
        record = Proof.from_bytes(altered).verify_record(LOG.keys)
        raise AssertionError(f"an altered proof shows {record}: {to_base64(altered)}")


def turn(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit turned over."""
    place, rest = divmod(bit % (8 * len(data)), 8)
    return data[:place] + bytes([data[place] ^ 1 << rest]) + data[place + 1 :]


def flip(data: bytes, draw: st.DataObject) -> bytes:
    return turn(data, draw.draw(st.integers(0, 8 * len(data) - 1)))


def damaged(proof: tuple[bytes, ...], draw: st.DataObject) -> list[tuple[bytes, ...]]:
    """Proofs that are longer, shorter, in another order, or have one bit turned over."""
    wrong = [(*proof, bytes(32)), (bytes(32), *proof)]
    if proof:
        place = draw.draw(st.integers(0, len(proof) - 1))
        wrong += [
            proof[:place] + proof[place + 1 :],
            (*proof[:place], flip(proof[place], draw), *proof[place + 1 :]),
            (*proof[:place], proof[place][:-1], *proof[place + 1 :]),
        ]
    if len(proof) > 1:
        wrong.append(tuple(reversed(proof)))
    return wrong
