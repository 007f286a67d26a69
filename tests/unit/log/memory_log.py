"""A whole log in memory: what a broker does around the pure core, without disk, network or clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind, Record
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import HASH_BYTES, leaf_hash
from strongroom.log.note import Ed25519Signer, Note, Signer, Verifier, sign_note
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.tile import TILE_WIDTH, Tile
from strongroom.log.tree import Tree
from strongroom.log.verifiers import verifiers_for_log

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
OWNER = "own-" + "a" * 24
LICENSE = "lic-" + "b" * 24
CLINIC = "org-" + "c" * 24
ORIGIN = Origin(OWNER, 1)
SECRET = Ed25519Secret.from_bytes(b"a secret of the log's own, 32 b.")

Distort = Callable[[Tile, bytes], bytes]


def record(number: int = 0, kind: Kind = Kind.GRANT) -> Record:
    return Record(
        kind=kind,
        at="2026-11-24T03:00:00Z",
        subjects=(LICENSE, CLINIC),
        document=f"{number:064x}",
        details={"predictions": number, "reason": "an agreement of both sides"},
    )


def disclosure(number: int = 0) -> Disclosure:
    return Disclosure(record(number), number.to_bytes(32, "big"))


class MemoryLog:
    """Entries, tiles, and a signature over each size that is asked for."""

    def __init__(self, entries: int = 0, *, origin: Origin = ORIGIN, secret: Ed25519Secret = SECRET) -> None:
        self.origin = origin
        self.secret = secret
        self.extensions: tuple[str, ...] = ()
        self.entries: list[bytes] = []
        self.frontiers = [Frontier.empty()]
        self.distort: Distort | None = None
        self.read: list[Tile] = []
        self._levels: dict[int, bytearray] = {}
        for number in range(entries):
            self.append(disclosure(number).entry.to_bytes())

    @property
    def keys(self) -> list[Verifier]:
        return verifiers_for_log(self.origin, [self.secret.public])

    @property
    def signers(self) -> list[Signer]:
        return [Ed25519Signer(self.origin.to_text(), self.secret)]

    def append(self, *entries: bytes) -> None:
        self.entries += entries
        self.append_leaves([leaf_hash(entry) for entry in entries])

    def append_leaves(self, leaves: Sequence[bytes]) -> None:
        for leaf in leaves:
            frontier, stored = self.frontiers[-1].append(leaf)
            self.frontiers.append(frontier)
            for each in stored:
                level = self._levels.setdefault(each.level, bytearray())
                assert len(level) == each.position * HASH_BYTES, "tiles are written in order"
                level += each.hash

    @property
    def size(self) -> int:
        return self.frontiers[-1].size

    def read_tile(self, tile: Tile) -> bytes:
        self.read.append(tile)
        start = tile.number * TILE_WIDTH * HASH_BYTES
        data = bytes(self._levels[tile.level][start : start + tile.width * HASH_BYTES])
        return data if self.distort is None else self.distort(tile, data)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        return Checkpoint(self.origin.to_text(), size, self.frontiers[size].root, self.extensions)

    def note(self, size: int | None = None) -> Note:
        return sign_note(self.checkpoint(size).to_bytes(), self.signers)

    def tree(self, size: int | None = None) -> Tree:
        size = self.size if size is None else size
        return Tree(self, size=size, root=self.frontiers[size].root)

    def offer(self, old_size: int, size: int | None = None) -> Offer:
        return Offer(old_size, self.tree(size).prove_consistency(old_size), self.note(size))

    def proof(self, index: int, size: int | None = None, extra: bytes | None = None) -> Proof:
        return Proof(extra, index, self.tree(size).prove_inclusion(index), self.note(size))
