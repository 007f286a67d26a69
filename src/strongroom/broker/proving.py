"""What the log hands out: proofs of entries, and offers to those who saw an earlier state.

    with store.read() as kept:
        make_proof(kept, index)               # tlog-proof, with the disclosure
        make_offer(kept, old_size)            # the newest checkpoint, and how it continues

Read from a few tiles, whatever the size of the log, and checked against the signed root
before they leave: a damaged database ends in an error and never in a proof (spec/log.md).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from strongroom.broker.growth import Tiles, checkpoint_of, note_of
from strongroom.broker.records import EntryRow, LogHead
from strongroom.broker.repository import Reading, Store
from strongroom.errors import IntegrityError, ObjectNotFound
from strongroom.keys.log_key import LogKey
from strongroom.log.merkle import HASH_BYTES
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import Tile, TileReader
from strongroom.log.tree import Tree


class ProvedAct(NamedTuple):
    """One entry is in the log, and the log continues what the reader saw: both under one checkpoint."""

    proof: bytes
    offer: bytes


class KnownTiles:
    """Tiles of one log that were written or read here, the latest used. Safe to share between threads.

    A hash in a tile never changes, so what is kept is never wrong; every proof is checked against
    a signed root anyhow.
    """

    def __init__(self, store: Store, most: int = 256) -> None:
        self._store = store
        self._most = most
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._origin = ""
        self._lock = threading.Lock()

    def keep(self, origin: str, tiles: Tiles) -> None:
        """Keep committed tiles of a log; a wider one takes the place of a narrower, and a new log of all."""
        with self._lock:
            if origin != self._origin:
                self._tiles.clear()
                self._origin = origin
            for place, hashes in tiles.items():
                if len(hashes) >= len(self._tiles.get(place, b"")):
                    self._tiles[place] = hashes
                    self._tiles.move_to_end(place)
            while len(self._tiles) > self._most:
                self._tiles.popitem(last=False)

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile, of a fuller one if need be.

        Raises:
            ObjectNotFound: the database has not as many (code ``log-tile-missing``).
            StorageUnavailable: the database does not answer.
        """
        place, size = (tile.level, tile.number), tile.width * HASH_BYTES
        hashes = self._tiles.get(place, b"")
        if len(hashes) < size:
            with self._store.read() as kept:
                hashes = kept.read_tile(tile)
            self.keep(self._origin, {place: hashes})
        return hashes[:size]


class Committed:
    """What one transaction entered, and the state of the log that it left: proofs from memory.

    Good for those who wait for that transaction, and let go of with their answers.
    """

    def __init__(self, tiles: TileReader, head: LogHead, rows: Sequence[EntryRow], key: LogKey) -> None:
        self._tiles = tiles
        self.rows = rows
        self.head = head
        self.key = key
        """What signed its checkpoint."""

    def proves(self, index: int, old_size: int) -> bool:
        """Tell whether the entry is one of this transaction, and the reader saw no more than its end."""
        first = self.head.size - len(self.rows)
        return first <= index < self.head.size and old_size <= self.head.size

    def prove_act(self, index: int, old_size: int) -> ProvedAct:
        """Return the proof of one of its entries, and the offer with the same checkpoint.

        Raises:
            IntegrityError: the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        row = self.rows[index - self.head.size]
        return ProvedAct(self._prover.prove(row), self._prover.offer(old_size))

    @cached_property
    def _prover(self) -> Prover:
        return Prover(self._tiles, self.head)


class Prover:
    """Proofs under one checkpoint. Keeps the tiles that it has read: make one for each answer."""

    __slots__ = ("_head", "_note", "_tree")

    def __init__(self, reader: TileReader, head: LogHead) -> None:
        checkpoint = checkpoint_of(head)
        self._head = head
        self._note = note_of(head)
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
