"""The Merkle tree of RFC 6962 section 2: hashing, and checking proofs.

    leaf = leaf_hash(entry)
    verify_inclusion(leaf, index=5, size=7, proof=hashes, root=root)
    verify_consistency(4, old_root, 7, new_root, proof=hashes)

Both walks are those of RFC 9162 sections 2.1.3.2 and 2.1.4.2. They use every hash of
the proof exactly once, so a proof has one length and cannot carry anything else.
Making proofs is in ``tree``, growing a tree in ``frontier`` (spec/log.md, "Tree").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from strongroom.crypto.digest import DIGEST_BYTES, sha256
from strongroom.errors import IntegrityError

HASH_BYTES: Final = DIGEST_BYTES
MAX_SIZE: Final = (1 << 63) - 1
"""Entries in one log: what fits into the signed 64-bit integers of other implementations."""
MAX_PROOF_HASHES: Final = 63
EMPTY_ROOT: Final = sha256(b"")

# A leaf and a node start with different bytes: nobody can present a node as an entry.
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(_LEAF + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with two children."""
    return sha256(_NODE + left + right)


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of hashes, in place of the leaves of a complete subtree.

    Raises:
        ValueError: another number of hashes, over which this would be the root of nothing.
    """
    if len(hashes).bit_count() != 1:
        raise ValueError("a complete subtree has a power of two of hashes")
    return _subtree_root(b"".join(hashes))


# Proofs of neighbours in a log go through the same complete subtrees: a proof of an entry at the
# right edge of a tile takes a hundred hashes without this, and a handful with it.
@lru_cache(maxsize=256)
def _subtree_root(hashes: bytes) -> bytes:
    level = hashes
    while len(level) > HASH_BYTES:
        pairs = range(0, len(level), 2 * HASH_BYTES)
        level = b"".join([sha256(_NODE + level[at : at + 2 * HASH_BYTES]) for at in pairs])
    return level


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with this hash stands at ``index`` of the tree with ``size`` leaves and ``root``.

    Raises:
        IntegrityError: code ``log-inclusion``: it does not, or the proof is of another shape.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise _no_inclusion("the index is not below the size of the log")
    _check_shape(leaf, root, *proof)
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _no_inclusion("the proof is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            # On the right edge the node has no sibling on some levels, and stays as it is.
            while node & 1 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _no_inclusion("the proof is too short")
    if computed != root:
        raise _no_inclusion("the proof leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, *, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with all leaves of the old one, in the same order.

    Raises:
        IntegrityError: code ``log-consistency``: it does not, or the proof is of another shape.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise _no_consistency("the sizes are in the wrong order")
    _check_shape(old_root, new_root, *proof)
    if old_size in (0, new_size):
        _verify_trivial(old_size, old_root, new_size, new_root, proof)
        return
    hashes = list(proof)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # If the old tree is one complete subtree of the new one, its root is known already.
    start = hashes.pop(0) if node and hashes else old_root
    old, new = start, start
    for sibling in hashes:
        if last == 0:
            raise _no_consistency("the proof is too long")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node & 1 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _no_consistency("the proof is too short")
    if old != old_root or new != new_root:
        raise _no_consistency("the proof leads to another root")


def _verify_trivial(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise _no_consistency("a proof from nothing, or of no growth, is empty")
    if old_size == 0 and old_root != EMPTY_ROOT:
        raise _no_consistency("an empty log has another root")
    if old_size == new_size and old_root != new_root:
        raise _no_consistency("one size has two roots")


def _check_shape(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise IntegrityError(f"a hash does not have {HASH_BYTES} bytes", code="log-hash")


def _no_inclusion(reason: str) -> IntegrityError:
    return IntegrityError(f"an entry is not shown to be in the log: {reason}", code="log-inclusion")


def _no_consistency(reason: str) -> IntegrityError:
    return IntegrityError(f"a log is not shown to continue an earlier one: {reason}", code="log-consistency")
