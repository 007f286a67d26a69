"""What the log hands out: proofs of entries, and offers to those who saw an earlier state.

    with store.read() as kept:
        make_proof(kept, index)               # tlog-proof, with the disclosure
        make_offer(kept, old_size)            # the newest checkpoint, and how it continues

Read from a few tiles, whatever the size of the log, and checked against the signed root
before they leave: a damaged database ends in an error and never in a proof (spec/log.md).
"""

from __future__ import annotations

from typing import NamedTuple

from strongroom.broker.growth import checkpoint_of
from strongroom.broker.records import EntryRow, LogHead
from strongroom.broker.repository import Reading
from strongroom.errors import IntegrityError, ObjectNotFound
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import TileReader
from strongroom.log.tree import Tree


class ProvedAct(NamedTuple):
    """One entry is in the log, and the log continues what the reader saw: both under one checkpoint."""

    proof: bytes
    offer: bytes


class Prover:
    """Proofs under one checkpoint. Keeps the tiles that it has read: make one for each answer."""

    __slots__ = ("_head", "_note", "_tree")

    def __init__(self, reader: TileReader, head: LogHead) -> None:
        checkpoint = checkpoint_of(head)
        self._head = head
        self._note = Note.from_bytes(head.checkpoint.encode())
        self._tree = Tree(reader, size=checkpoint.size, root=checkpoint.root)

    def prove(self, row: EntryRow) -> bytes:
        """Return the proof file of an entry; without disclosure if that was erased.

        Raises:
            IntegrityError: the tree has another entry at that index, or its tiles are damaged.
        """
        hashes = self._tree.verify_entry(row.entry, row.index)
        return Proof(row.disclosure, row.index, hashes, self._note).to_bytes()

    def offer(self, old_size: int) -> bytes:
        """Return the checkpoint, with the proof that it continues the first ``old_size`` entries.

        A log that has fewer entries cannot prove that, and offers what it has: whoever saw more
        must learn of it from a signed checkpoint, and not from silence.

        Raises:
            IntegrityError: the tiles are damaged.
        """
        hashes = self._tree.prove_consistency(old_size) if old_size <= self._head.size else ()
        return Offer(old_size, hashes, self._note).to_bytes()


def make_proof(kept: Reading, index: int) -> bytes:
    """Return the proof file of an entry, under the newest checkpoint.

    Raises:
        IntegrityError: there is no such entry (code ``log-inclusion``), or the database is damaged.
    """
    return Prover(kept, kept.head()).prove(_entry(kept, index))


def make_offer(kept: Reading, old_size: int, number: int | None = None) -> bytes:
    """Return an offer by the log of this number; without one, by the log that goes on.

    Raises:
        ObjectNotFound: there was no such log (code ``not-found``).
        IntegrityError: the database is damaged.
    """
    head = kept.head()
    origin = Origin.from_text(head.origin)
    if number is None or number == origin.number:
        return Prover(kept, head).offer(old_size)
    past = kept.past_log(f"{origin.owner}/log/{number}")
    if past is None:
        raise ObjectNotFound("the owner has had no log of that number", code="not-found")
    last, tiles = past
    return Prover(tiles, last).offer(old_size)


def prove_act(kept: Reading, index: int, old_size: int) -> ProvedAct:
    """Return the proof of an entry, and an offer with the same checkpoint.

    Raises:
        IntegrityError: there is no such entry (code ``log-inclusion``), or the database is damaged.
    """
    prover = Prover(kept, kept.head())
    return ProvedAct(prover.prove(_entry(kept, index)), prover.offer(old_size))


def _entry(kept: Reading, index: int) -> EntryRow:
    rows = kept.entries(index, 1)
    if not rows or rows[0].index != index:
        raise IntegrityError("a log has no entry of that index", code="log-inclusion")
    return rows[0]
