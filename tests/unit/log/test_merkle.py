from __future__ import annotations

from collections.abc import Sequence

import pytest

from strongroom.crypto.digest import sha256
from strongroom.errors import IntegrityError
from strongroom.log.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    leaf_hash,
    node_hash,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.log.memory_log import MemoryLog

LOG = MemoryLog(40)
ROOT = LOG.checkpoint().root


def reference_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + reference_root(leaves[:split]) + reference_root(leaves[split:]))


@pytest.mark.parametrize("count", [0, 3, 6, 255])
def test_a_subtree_that_is_not_complete_has_no_root(count: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        subtree_root([sha256(b"leaf")] * count)


def test_hashes_are_those_of_the_rfc() -> None:
    # The roots of certificate-transparency's reference tree of eight leaves.
    leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    hashes = [leaf_hash(bytes.fromhex(each)) for each in leaves]
    expected = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {size: reference_root(hashes[:size]).hex() for size in expected} == expected
    assert subtree_root(hashes).hex() == expected[8]
    assert expected[0] == EMPTY_ROOT.hex()
    assert node_hash(hashes[0], hashes[1]).hex() == expected[2]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 40])
def test_every_leaf_is_proved(size: int) -> None:
    tree = LOG.tree(size)
    for index in range(size):
        proof = tree.prove_inclusion(index)
        verify_inclusion(leaf_hash(LOG.entries[index]), index=index, size=size, proof=proof, root=tree.root)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 40])
def test_every_earlier_size_is_proved(size: int) -> None:
    tree = LOG.tree(size)
    for old in range(size + 1):
        old_root = LOG.checkpoint(old).root
        verify_consistency(old, old_root, size, tree.root, proof=tree.prove_consistency(old))


@pytest.mark.parametrize(
    ("index", "size", "reason"),
    [(5, 5, "not below"), (-1, 40, "not below"), (5, MAX_SIZE + 1, "not below"), (0, 0, "not below")],
)
def test_an_impossible_place_is_refused(index: int, size: int, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason) as caught:
        verify_inclusion(bytes(32), index=index, size=size, proof=(), root=ROOT)
    assert caught.value.code == "log-inclusion"


def test_an_inclusion_proof_of_another_shape_is_refused() -> None:
    leaf, proof = leaf_hash(LOG.entries[5]), LOG.tree().prove_inclusion(5)
    for wrong, reason in [
        (proof[:-1], "too short"),
        ((), "too short"),
        ((*proof, bytes(32)), "too long"),
        ((bytes(32), *proof[1:]), "another root"),
        (tuple(reversed(proof)), "another root"),
    ]:
        with pytest.raises(IntegrityError, match=reason):
            verify_inclusion(leaf, index=5, size=40, proof=wrong, root=ROOT)
    with pytest.raises(IntegrityError, match="another root"):
        verify_inclusion(leaf, index=6, size=40, proof=proof, root=ROOT)


def test_a_hash_of_another_size_is_refused() -> None:
    proof = LOG.tree().prove_inclusion(5)
    with pytest.raises(IntegrityError) as caught:
        verify_inclusion(
            leaf_hash(LOG.entries[5]), index=5, size=40, proof=(proof[0][:-1], *proof[1:]), root=ROOT
        )
    assert caught.value.code == "log-hash"
    with pytest.raises(IntegrityError):
        verify_consistency(0, b"", 1, bytes(32), proof=())


@pytest.mark.parametrize(("old", "new"), [(5, 4), (-1, 4), (1, MAX_SIZE + 1)])
def test_sizes_in_the_wrong_order_are_refused(old: int, new: int) -> None:
    with pytest.raises(IntegrityError, match="wrong order") as caught:
        verify_consistency(old, ROOT, new, ROOT, proof=())
    assert caught.value.code == "log-consistency"


@pytest.mark.parametrize("old", [4, 5, 6, 32, 33, 39])
def test_a_consistency_proof_of_another_shape_is_refused(old: int) -> None:
    old_root, proof = LOG.checkpoint(old).root, LOG.tree().prove_consistency(old)
    for wrong in [proof[:-1], (), (*proof, bytes(32)), (bytes(32), *proof[1:]), (*proof[:-1], bytes(32))]:
        with pytest.raises(IntegrityError, match=r"too short|too long|another root"):
            verify_consistency(old, old_root, 40, ROOT, proof=wrong)
    with pytest.raises(IntegrityError, match="another root"):
        verify_consistency(old, bytes(32), 40, ROOT, proof=proof)
    with pytest.raises(IntegrityError, match="another root"):
        verify_consistency(old, old_root, 40, bytes(32), proof=proof)


def test_proofs_from_nothing_and_of_no_growth_are_empty() -> None:
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, proof=())
    verify_consistency(0, EMPTY_ROOT, 40, ROOT, proof=())
    verify_consistency(40, ROOT, 40, ROOT, proof=())
    with pytest.raises(IntegrityError, match="is empty"):
        verify_consistency(0, EMPTY_ROOT, 40, ROOT, proof=(bytes(32),))
    with pytest.raises(IntegrityError, match="is empty"):
        verify_consistency(40, ROOT, 40, ROOT, proof=(bytes(32),))
    with pytest.raises(IntegrityError, match="empty log has another root"):
        verify_consistency(0, bytes(32), 40, ROOT, proof=())
    with pytest.raises(IntegrityError, match="two roots"):
        verify_consistency(40, ROOT, 40, bytes(32), proof=())
