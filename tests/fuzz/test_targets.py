"""Every fuzz target holds on its own seeds, on their truncations and on single bit flips.

This keeps the targets working without a fuzzer and finds the cheap faults at once;
``run.py`` beside this file does the search.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz import run

_VARIANTS_PER_SEED = 60


def _variants(seed: bytes) -> Iterator[bytes]:
    yield seed
    yield seed + b"\x00"
    stride = max(1, len(seed) // (_VARIANTS_PER_SEED // 2))
    for place in range(0, len(seed), stride):
        yield seed[:place]
        flipped = bytearray(seed)
        flipped[place] ^= 1 << (place % 8)
        yield bytes(flipped)


@pytest.mark.parametrize("name", run.names())
def test_target_holds_on_damaged_seeds(name: str) -> None:
    target = run.load(name)
    seeds = list(target.seeds())
    assert seeds, "a target without seeds starts from nothing"
    for data in [b"", b"\x00", b"{}", b"\xff" * 64]:
        target.fuzz(data)
    for seed in seeds:
        for variant in _variants(seed):
            target.fuzz(variant)


def test_every_target_documents_what_it_fuzzes() -> None:
    for name in run.names():
        text = (run.HERE / f"fuzz_{name}.py").read_text(encoding="utf-8")
        assert text.startswith('"""Fuzz '), name
