"""Receipts of any request: every row shows itself and nothing else, and files read as they were written."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from strongroom.crypto.labels import RECEIPT_INPUT, RECEIPT_OUTPUT
from strongroom.errors import FormatError
from strongroom.receipts.batch import make_entries, path_of, root_of, verify_path
from strongroom.receipts.commitment import commit, expand, take_row
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.worker.frames import Tensor
from strongroom.worker.tensor import from_array

_DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])


@st.composite
def tensors(draw: Any, rows: int) -> list[Tensor]:
    """Return a few tensors of so many rows, numbers and texts."""
    names = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3, unique=True))
    made = []
    for name in names:
        if draw(st.booleans()):
            texts = draw(st.lists(st.none() | st.text(max_size=5), min_size=rows, max_size=rows))
            made.append(from_array(name, np.array([*texts, None], dtype=object)[:-1]))
            continue
        shape = (rows, *draw(st.lists(st.integers(0, 3), max_size=2)))
        made.append(from_array(name, draw(arrays.arrays(draw(_DTYPES), shape))))
    return made


@given(st.data(), st.integers(1, 9), st.binary(min_size=32, max_size=32))
def test_every_row_shows_itself(data: Any, rows: int, seed: bytes) -> None:
    inputs, outputs = data.draw(tensors(rows)), data.draw(tensors(rows))
    entries = make_entries(inputs, outputs, predictions=rows, seed=seed)
    root = root_of(entries)
    for index, (before, after) in enumerate(expand(seed, rows)):
        entry = entries[index]
        assert entry.input == commit(RECEIPT_INPUT, before, take_row(inputs, rows, index))
        assert entry.output == commit(RECEIPT_OUTPUT, after, take_row(outputs, rows, index))
        verify_path(entry, index=index, size=rows, path=path_of(entries, index), root=root)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_back_or_refused(data: bytes) -> None:
    for kind in (ReceiptFile, SaltFile):
        try:
            assert kind.from_bytes(data).to_bytes() == data
        except FormatError:
            continue
