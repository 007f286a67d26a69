from __future__ import annotations

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.log.frontier import Frontier, TileHash
from strongroom.log.merkle import EMPTY_ROOT, MAX_SIZE, leaf_hash, subtree_root
from tests.unit.log.test_merkle import reference_root

LEAVES = [leaf_hash(bytes([number % 256, number // 256])) for number in range(600)]


def test_a_tree_without_leaves() -> None:
    assert Frontier.empty().root == EMPTY_ROOT
    assert Frontier.empty().to_bytes() == bytes(8)


def test_the_root_is_that_of_all_leaves() -> None:
    frontier = Frontier.empty()
    for number, leaf in enumerate(LEAVES, start=1):
        frontier, _ = frontier.append(leaf)
        if number in (1, 2, 3, 100, 255, 256, 257, 600):
            assert frontier.size == number
            assert frontier.root == reference_root(LEAVES[:number])
            assert len(frontier.hashes) == number.bit_count()


def test_what_is_final_is_given_out_once_and_in_order() -> None:
    frontier, stored = Frontier.empty().extend(LEAVES)
    assert [each for each in stored if each.level == 0] == [
        TileHash(0, number, leaf) for number, leaf in enumerate(LEAVES)
    ]
    assert [each for each in stored if each.level > 0] == [
        TileHash(1, number, subtree_root(LEAVES[number * 256 : (number + 1) * 256])) for number in (0, 1)
    ]
    assert stored.index(TileHash(0, 255, LEAVES[255])) + 1 == stored.index(
        TileHash(1, 0, subtree_root(LEAVES[:256]))
    )
    assert frontier.size == 600


def test_a_second_level_becomes_final_at_65536_leaves() -> None:
    frontier, stored = Frontier.empty().extend([LEAVES[0]] * 65536)
    *_, lower, upper = stored
    assert (lower.level, lower.position) == (1, 255)
    assert (upper.level, upper.position) == (2, 0)
    assert upper.hash == frontier.root


def test_bytes_and_back() -> None:
    frontier, _ = Frontier.empty().extend(LEAVES[:7])
    data = frontier.to_bytes()
    assert len(data) == 8 + 3 * 32
    assert Frontier.from_bytes(data) == frontier
    assert Frontier.from_bytes(data).append(LEAVES[7]) == frontier.append(LEAVES[7])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(40),
        (7).to_bytes(8, "big") + bytes(64),
        (1).to_bytes(8, "big") + bytes(33),
        (1 << 63).to_bytes(8, "big") + bytes(32),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Frontier.from_bytes(data)


def test_a_full_log_takes_nothing() -> None:
    full = Frontier(MAX_SIZE, (bytes(32),) * 63)
    with pytest.raises(UsageError) as caught:
        full.append(LEAVES[0])
    assert caught.value.code == "log-full"


def test_the_last_leaf_but_one_of_a_log() -> None:
    frontier, stored = Frontier(MAX_SIZE - 1, (bytes(32),) * 62).append(LEAVES[0])
    assert frontier.size == MAX_SIZE
    assert stored == (TileHash(0, MAX_SIZE - 1, LEAVES[0]),)
