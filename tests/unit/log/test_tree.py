from __future__ import annotations

import pytest

from strongroom.errors import IntegrityError
from strongroom.log.frontier import Frontier
from strongroom.log.merkle import EMPTY_ROOT, leaf_hash
from strongroom.log.tile import Tile
from strongroom.log.tree import Tree
from tests.unit.log.memory_log import MemoryLog

LOG = MemoryLog(700)


@pytest.mark.parametrize("size", [255, 256, 257, 512, 513, 700])
def test_proofs_across_tiles(size: int) -> None:
    tree = LOG.tree(size)
    for index in {0, 1, 100, 255, size // 2, size - 1}:
        assert tree.leaf(index % size) == leaf_hash(LOG.entries[index % size])
        tree.prove_inclusion(index % size)
        tree.verify_entry(LOG.entries[index % size], index % size)
    for old in (0, 1, 128, 255, size - 1, size):
        tree.prove_consistency(old)


def test_a_proof_reads_few_tiles() -> None:
    LOG.read.clear()
    LOG.tree().prove_inclusion(300)
    assert LOG.read == [Tile(0, 1, 256), Tile(1, 0, 2), Tile(0, 2, 188)]


def test_an_index_outside_is_refused() -> None:
    for index in (-1, 700):
        for use in (LOG.tree().prove_inclusion, LOG.tree().leaf):
            with pytest.raises(IntegrityError) as caught:
                use(index)
            assert caught.value.code == "log-inclusion"
        with pytest.raises(IntegrityError):
            LOG.tree().verify_entry(LOG.entries[0], index)


def test_a_size_outside_is_refused() -> None:
    for size in (-1, 701):
        with pytest.raises(IntegrityError) as caught:
            LOG.tree().root_at(size)
        assert caught.value.code == "log-consistency"
    with pytest.raises(IntegrityError):
        LOG.tree().prove_consistency(701)
    with pytest.raises(IntegrityError):
        LOG.tree().prove_consistency(-1)


def test_earlier_roots() -> None:
    for size in (1, 5, 256, 511, 700):
        assert LOG.tree().root_at(size) == LOG.checkpoint(size).root
    assert LOG.tree().root_at(0) == EMPTY_ROOT


@pytest.mark.parametrize("size", [0, 1, 255, 256, 700])
def test_a_frontier_comes_back_after_a_restart(size: int) -> None:
    assert LOG.tree(size).frontier() == LOG.frontiers[size]


def test_an_empty_tree() -> None:
    tree = Tree(LOG, size=0, root=EMPTY_ROOT)
    assert tree.frontier() == Frontier.empty()
    assert tree.prove_consistency(0) == ()
    with pytest.raises(IntegrityError):
        tree.prove_inclusion(0)


def test_another_entry_is_refused() -> None:
    with pytest.raises(IntegrityError):
        LOG.tree().verify_entry(LOG.entries[1], 0)


@pytest.mark.parametrize("damage", ["flipped", "short", "long"])
def test_damaged_tiles_give_no_proof(damage: str) -> None:
    log = MemoryLog(300)

    def distort(tile: Tile, data: bytes) -> bytes:
        if damage == "flipped":
            return bytes([data[0] ^ 1]) + data[1:]
        return data[:-32] if damage == "short" else data + bytes(32)

    log.distort = distort
    for use in (
        lambda: log.tree().prove_inclusion(3),
        lambda: log.tree().prove_consistency(255),
        lambda: log.tree().frontier(),
    ):
        with pytest.raises(IntegrityError):
            use()
