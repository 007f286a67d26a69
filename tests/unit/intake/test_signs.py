"""Signs of code are found where they are and nowhere else. The formats themselves are in the attacks."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.intake.signs import HEAD_BYTES, code_in


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


HARMLESS = {
    "empty": b"",
    "text": b"age,bmi,ward\n61,27.4,north\n",
    "pickle-like-text": b"country,code\nFrance\nGermany\n.\n",
    "parenthesis": b"(c\n.",
    "a-dot": b".",
    "numbers": _npy(np.arange(10.0)),
    "text-array": _npy(np.array(["a", "b"])),
    "structure": _npy(np.zeros(2, [("O", "<f8"), ("b", "i4", (2,))])),
    "json": b'{"a": 1}',
    "windows-in-name-only": b"MZ" + bytes(100),
    "carriage-return": b"ab\r\ncd",
    "hash-bang-text": b"#!not a script",
    "yaml": b"model: !include weights.bin\n",
    "hdf5-too-late": bytes(700) + b"\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_data_shows_no_sign(kind: str) -> None:
    assert code_in(HARMLESS[kind]) is None


NUMPY_MAGIC = b"\x93NUMPY\x01\0"


@pytest.mark.parametrize(
    "data",
    [
        _npy(np.array([1, "a"], dtype=object)),
        _npy(np.zeros(1, [("a", "f8"), ("b", "O")])),
        NUMPY_MAGIC + b"\x10\0not a dictionary",
        NUMPY_MAGIC + b"\xff\xff{",
        NUMPY_MAGIC + b"\x02\0{}",
        NUMPY_MAGIC + b"\x0d\0{'descr': []}",
        NUMPY_MAGIC + b"\x10\0{'descr': (1,)}\n",
        NUMPY_MAGIC + b"\x10\0{'descr': [()]}",
        b"\x93NUMPY\x03\0\x40\0\0\0" + b"{'descr': '|O'}".ljust(64),
    ],
)
def test_numpy_files_of_objects_and_those_that_cannot_be_read(data: bytes) -> None:
    expected = None if b"[]}" in data else "a numpy file of Python objects"
    assert code_in(data) == expected


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_plain_values_need_a_mark(protocol: int) -> None:
    """Protocols 0 and 1 without a call build plain values and look like any text."""
    found = code_in(pickle.dumps({"a": [1, 2.5, "b"]}, protocol))
    assert found == ("a pickle" if protocol >= 2 else None)


def test_a_long_pickle_is_recognized_by_its_beginning() -> None:
    data = pickle.dumps([bytes(100)] * 10 + [b"x" * HEAD_BYTES * 2])
    assert code_in(data[:HEAD_BYTES]) == "a pickle"


@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    found = code_in(data)
    assert found is None or isinstance(found, str)


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    code_in(text.encode())
