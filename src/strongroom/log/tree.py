"""Proofs from tiles: a tree of any size, read where a proof needs it.

    tree = Tree(reader, size=checkpoint.size, root=checkpoint.root)
    tree.prove_inclusion(1_000_000)
    tree.prove_consistency(old_size)

A proof touches at most two tiles of each level: one on its path, one on the right edge.
At ten million entries that is five tiles, whatever the size of the entries. Every proof
is checked against the root before it is given out: a reader that returns something else
(a damaged disk, a hostile server) ends in an error, never in a proof (spec/log.md, "Tiles").
"""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import IntegrityError
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from strongroom.log.tile import TILE_HEIGHT, TILE_WIDTH, Tile, TileReader, split_hashes, tile_width


class Tree:
    """The tree of one checkpoint. Holds the few tiles that it has read; make one for each request."""

    def __init__(self, reader: TileReader, *, size: int, root: bytes) -> None:
        self._reader = reader
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self.size = size
        self.root = root

    def prove_inclusion(self, index: int) -> tuple[bytes, ...]:
        """Return the hashes from the sibling of leaf ``index`` up to the root.

        Raises:
            IntegrityError: there is no such leaf (code ``log-inclusion``), or the tiles do
                not belong to the root.
        """
        return self._prove(self.leaf(index), index)

    def verify_entry(self, entry: bytes, index: int) -> tuple[bytes, ...]:
        """Check that an entry stands at ``index``; returns the proof.

        Raises:
            IntegrityError: it does not, or the tiles do not belong to the root.
        """
        self._check_index(index)
        return self._prove(leaf_hash(entry), index)

    def prove_consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Return the hashes that show that this tree continues its own first ``old_size`` leaves.

        Raises:
            IntegrityError: the old tree is larger than this one (code ``log-consistency``),
                or the tiles do not belong to the root.
        """
        proof: tuple[bytes, ...] = ()
        old_root = self.root_at(old_size) if old_size < self.size else self.root
        if 0 < old_size < self.size:
            proof = tuple(self._subproof(old_size, 0, self.size, whole=True))
        verify_consistency(old_size, old_root, self.size, self.root, proof=proof)
        return proof

    def leaf(self, index: int) -> bytes:
        """Return the hash of a leaf, as the tiles have it.

        Raises:
            IntegrityError: there is no such leaf, or its tile has the wrong size.
        """
        self._check_index(index)
        return self._complete(0, index)

    def root_at(self, size: int) -> bytes:
        """Return the root of the first ``size`` leaves, as the tiles have it.

        Raises:
            IntegrityError: there are not as many, or a tile has the wrong size.
        """
        if not 0 <= size <= self.size:
            raise IntegrityError("a log has fewer entries than that", code="log-consistency")
        return self._range(0, size) if size else EMPTY_ROOT

    def frontier(self) -> Frontier:
        """Return the frontier, to go on appending after a restart.

        Raises:
            IntegrityError: the tiles do not belong to the root.
        """
        hashes = []
        start = 0
        for height in reversed(range(self.size.bit_length())):
            if self.size >> height & 1:
                hashes.append(self._complete(height, start >> height))
                start += 1 << height
        frontier = Frontier(self.size, tuple(hashes))
        if frontier.root != self.root:
            raise IntegrityError("the tiles of a log do not belong to its checkpoint", code="log-tile")
        return frontier

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise IntegrityError("a log has no entry of that index", code="log-inclusion")

    def _prove(self, leaf: bytes, index: int) -> tuple[bytes, ...]:
        proof = tuple(self._path(index, 0, self.size))
        verify_inclusion(leaf, index=index, size=self.size, proof=proof, root=self.root)
        return proof

    def _path(self, index: int, start: int, end: int) -> Iterator[bytes]:
        # PATH of RFC 6962 section 2.1.1, over the leaves from start to end.
        if end - start == 1:
            return
        middle = start + _split(end - start)
        if index < middle:
            yield from self._path(index, start, middle)
            yield self._range(middle, end)
        else:
            yield from self._path(index, middle, end)
            yield self._range(start, middle)

    def _subproof(self, old_size: int, start: int, end: int, *, whole: bool) -> Iterator[bytes]:
        # SUBPROOF of RFC 6962 section 2.1.2; `whole` tells that the reader knows this root.
        if old_size == end:
            if not whole:
                yield self._range(start, end)
            return
        middle = start + _split(end - start)
        if old_size <= middle:
            yield from self._subproof(old_size, start, middle, whole=whole)
            yield self._range(middle, end)
        else:
            yield from self._subproof(old_size, middle, end, whole=False)
            yield self._range(start, middle)

    def _range(self, start: int, end: int) -> bytes:
        """Return the root over the leaves from ``start`` to ``end``, where ``start`` is a node's first."""
        width = end - start
        if width & (width - 1) == 0:
            height = width.bit_length() - 1
            return self._complete(height, start >> height)
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _complete(self, height: int, number: int) -> bytes:
        """Return the root of the ``number``-th complete subtree of this height."""
        level, rest = divmod(height, TILE_HEIGHT)
        first = number << rest
        hashes = self._read(level, first // TILE_WIDTH)
        place = first % TILE_WIDTH
        return subtree_root(hashes[place : place + (1 << rest)])

    def _read(self, level: int, number: int) -> list[bytes]:
        hashes = self._tiles.get((level, number))
        if hashes is None:
            tile = Tile(level, number, tile_width(level, number, self.size))
            hashes = split_hashes(self._reader.read_tile(tile), tile)
            self._tiles[level, number] = hashes
        return hashes


def _split(width: int) -> int:
    """Return the largest power of two below ``width``."""
    return 1 << (width - 1).bit_length() - 1
