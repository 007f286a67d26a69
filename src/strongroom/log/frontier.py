"""A growing tree in a few hashes: what a sequencer keeps instead of the whole log.

    frontier = Frontier.empty()
    frontier, stored = frontier.append(leaf_hash(entry))
    frontier.size, frontier.root

A *frontier* is the roots of the complete subtrees that a tree of its size falls into,
one for each bit of the size, largest first. An append costs as many hashes as the size
has trailing one bits: two on average, never more than 63. ``stored`` are the hashes that
have become final and belong into tiles (spec/log.md, "Tiles").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.errors import FormatError, UsageError
from strongroom.log.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE, node_hash
from strongroom.log.tile import TILE_HEIGHT

_SIZE_BYTES = 8


@dataclass(frozen=True, slots=True)
class TileHash:
    """One hash of a tile: the ``position``-th of its level, counted over all tiles of the level."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: its size and the roots of its complete subtrees, largest first."""

    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Frontier:
        """Return the frontier of a tree without leaves."""
        return cls(0, ())

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Read a frontier that was kept. It is believed: whoever can change it changes the log.

        Raises:
            FormatError: not the form that ``to_bytes`` writes.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if size > MAX_SIZE or len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise FormatError("a frontier has not one hash for each bit of its size")
        places = range(_SIZE_BYTES, len(data), HASH_BYTES)
        return cls(size, tuple(data[place : place + HASH_BYTES] for place in places))

    def to_bytes(self) -> bytes:
        """Return the size as eight bytes, big-endian, and the hashes."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.hashes)

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.hashes:
            return EMPTY_ROOT
        *left, root = self.hashes
        for each in reversed(left):
            root = node_hash(each, root)
        return root

    def append(self, leaf: bytes) -> tuple[Frontier, tuple[TileHash, ...]]:
        """Add one leaf, given its hash; returns the new frontier and the hashes that became final.

        Raises:
            UsageError: the log is full.
        """
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> tuple[Frontier, tuple[TileHash, ...]]:
        """Add leaves in order, given their hashes, as ``append`` one by one would.

        Raises:
            UsageError: the log is full.
        """
        size, hashes, stored = self.size, list(self.hashes), []
        for leaf in leaves:
            if size == MAX_SIZE:
                raise UsageError("a log holds no more entries than 2**63 - 1", code="log-full")
            stored.append(TileHash(0, size, leaf))
            node, height = leaf, 0
            while size >> height & 1:
                node, height = node_hash(hashes.pop(), node), height + 1
                if height % TILE_HEIGHT == 0:
                    stored.append(TileHash(height // TILE_HEIGHT, size >> height, node))
            hashes.append(node)
            size += 1
        return Frontier(size, tuple(hashes)), tuple(stored)
