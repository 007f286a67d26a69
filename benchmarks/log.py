"""Proofs from a large log: time and memory of an inclusion proof at a thousand and at ten million entries.

    .venv/bin/python -m benchmarks.log                # all sizes
    .venv/bin/python -m benchmarks.log 100000         # one

The log lies in an SQLite database as the broker keeps it, every tile of it. Rows of entries are there
for one in a thousand (what a proof reads of them is one row, by its key), and proofs are asked for
these. A proof is made as for a partner: database, tiles, disclosure, check against the signed root.
``append`` is the price of one more entry in a commit of its own, without any act.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.timing import header, row
from strongroom._encoding import to_instant
from strongroom.broker.clock import SystemClock
from strongroom.broker.growth import sign_checkpoint
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.records import EntryRow
from strongroom.broker.repository import Store, Writing
from strongroom.broker.sql.store import open_store
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind, Record, generate_salt
from strongroom.log.merkle import leaf_hash, subtree_root
from strongroom.log.proof import Proof
from strongroom.log.tile import TILE_WIDTH
from strongroom.log.tree import Tree
from tests.simulators.log_owner import NOW, LogOwner

SIZES = (1_000, 100_000, 10_000_000)
SPARSE = 1000
"""One entry of so many has its row."""
PROOFS = 500
_BATCH_TILES = 2000

Place = tuple[int, int]


def entry_at(index: int) -> EntryRow:
    """Make the row of an entry."""
    record = Record(
        kind=Kind.LEASE,
        at=to_instant(NOW),
        subjects=("lea-" + 24 * "a", "org-" + 24 * "c"),
        details={"predictions": index},
    )
    disclosure = Disclosure(record, generate_salt())
    return EntryRow(
        index=index,
        entry=disclosure.entry.to_bytes(),
        disclosure=disclosure.to_bytes(),
        subjects=record.subjects,
    )


def build(store: Store, owner: LogOwner, size: int) -> None:
    """Fill a founded log up to a size, without its acts."""
    with store.write() as kept:
        first = kept.entries(0, 1)[0]
        head = kept.head()
        roots = _write_leaves(kept, size, first)
        level = 1
        while roots:
            roots = _write_level(kept, level, roots)
            level += 1
        root = Tree(kept, size=size, root=b"").root_at(size)
        frontier = Tree(kept, size=size, root=root).frontier()
        checkpoint = sign_checkpoint(head.origin, frontier, (), owner.log_key(head.at))
        kept.set_head(replace(head, size=size, frontier=frontier.to_bytes(), checkpoint=checkpoint))


def _write_leaves(kept: Writing, size: int, first: EntryRow) -> list[bytes]:
    roots: list[bytes] = []
    for tiles, rows in _batches(size, first):
        kept.append_entries(rows, tiles)
        roots += [
            subtree_root([hashes[at : at + 32] for at in range(0, len(hashes), 32)])
            for hashes in tiles.values()
            if len(hashes) == 32 * TILE_WIDTH
        ]
    return roots


def _batches(size: int, first: EntryRow) -> Iterator[tuple[dict[Place, bytes], list[EntryRow]]]:
    tiles: dict[Place, bytes] = {}
    rows: list[EntryRow] = []
    for number in range(-(-size // TILE_WIDTH)):
        leaves = []
        for index in range(number * TILE_WIDTH, min(size, (number + 1) * TILE_WIDTH)):
            if index == 0:
                leaves.append(leaf_hash(first.entry))
            elif index % SPARSE == 0:
                rows.append(entry_at(index))
                leaves.append(leaf_hash(rows[-1].entry))
            else:
                # As long as a real entry, so that it costs as much to hash.
                leaves.append(leaf_hash(b'{"commitment":"%064x","format":"log-entry/v1"}' % index))
        tiles[0, number] = b"".join(leaves)
        if len(tiles) == _BATCH_TILES:
            yield tiles, rows
            tiles, rows = {}, []
    yield tiles, rows


def _write_level(kept: Writing, level: int, hashes: list[bytes]) -> list[bytes]:
    pieces = [hashes[at : at + TILE_WIDTH] for at in range(0, len(hashes), TILE_WIDTH)]
    kept.append_entries([], {(level, number): b"".join(piece) for number, piece in enumerate(pieces)})
    return [subtree_root(piece) for piece in pieces if len(piece) == TILE_WIDTH]


def measure(folder: Path, size: int) -> None:
    """Build a log of a size, and measure it."""
    owner = LogOwner.found()
    store = open_store(f"sqlite:///{folder / f'{size}.db'}", create=True)
    ledger = Ledger(store, owner, SystemClock())
    ledger.start()
    began = time.perf_counter()
    build(store, owner, size)
    built = time.perf_counter() - began
    indexes = [random.Random(number).randrange(0, size, SPARSE) for number in range(PROOFS)]  # noqa: S311 - a choice of places
    walls = sorted(_timed(ledger, index) for index in indexes)
    tracemalloc.start()
    ledger.prove(indexes[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    proof = Proof.from_bytes(ledger.prove(indexes[0]))
    proof.verify_record(owner.verifiers())
    appends = []
    for _ in range(200):
        before = time.perf_counter()
        ledger.act(_append)
        appends.append(time.perf_counter() - before)
    ledger.close()
    store.close()
    row(
        f"{size:,}",
        f"{statistics.median(walls) * 1000:.2f} ms",
        f"{walls[int(len(walls) * 0.99)] * 1000:.2f} ms",
        f"{peak / 1024:.0f} KiB",
        len(proof.hashes),
        f"{statistics.median(appends) * 1000:.2f} ms",
        f"{built:.0f} s",
    )


def _append(act: Act) -> int:
    return act.record(Kind.LEASE, ["org-" + 24 * "c"])


def _timed(ledger: Ledger, index: int) -> float:
    began = time.perf_counter()
    ledger.prove(index)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    sizes = [int(text) for text in sys.argv[1:]] if __name__ == "__main__" else []
    header("entries", "proof, median", "p99", "peak memory", "hashes", "append and commit", "built in")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes or SIZES:
            measure(Path(folder), size)


if __name__ == "__main__":
    main()
