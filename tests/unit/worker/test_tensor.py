from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.worker.frames import Datatype, Tensor
from strongroom.worker.tensor import from_array, to_array


def text_of(*items: str) -> bytes:
    return b"".join(struct.pack("<I", len(item.encode())) + item.encode() for item in items)


def test_numbers_are_not_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = from_array("X", array)
    array[0, 0] = 9
    assert to_array(tensor)[0, 0] == 9
    assert (tensor.datatype, tensor.shape) == (Datatype.FP32, (2, 3))


def test_a_strided_array_is_written_in_row_major_order() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3).T
    assert to_array(from_array("X", array)).tolist() == array.tolist()


def test_big_endian_numbers_are_turned_round() -> None:
    tensor = from_array("X", np.array([1], dtype=">i4"))
    assert bytes(tensor.data) == b"\x01\0\0\0"


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "é", ""]),
        np.array(["a", "é", ""], dtype=object),
        np.array(["a", "é", ""], dtype=np.dtypes.StringDType()),
    ],
)
def test_text_of_every_spelling_becomes_objects(array: np.ndarray[Any, Any]) -> None:
    tensor = from_array("ward", array)
    assert tensor.datatype is Datatype.BYTES
    assert bytes(tensor.data) == text_of("a", "é", "")
    again = to_array(tensor)
    assert again.dtype == object
    assert again.tolist() == ["a", "é", ""]


def test_a_missing_text_has_no_bytes() -> None:
    tensor = from_array("ward", np.array([None, "a"], dtype=object))
    assert bytes(tensor.data) == b"\xff\xff\xff\xff" + text_of("a")
    assert to_array(tensor).tolist() == [None, "a"]


@pytest.mark.parametrize(
    "array",
    [
        np.array(["2026-11-24"], dtype="datetime64[D]"),
        np.array([1j]),
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
    ],
)
def test_other_elements_are_refused_by_name(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(UsageError, match="'admitted'") as caught:
        from_array("admitted", array)
    assert caught.value.code == "input-datatype"


def test_mixed_objects_are_refused_without_showing_them() -> None:
    with pytest.raises(UsageError) as caught:
        from_array("ward", np.array(["north", 4711], dtype=object))
    assert "'ward'" in str(caught.value)
    assert "4711" not in str(caught.value) + str(caught.value.hint)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(UsageError, match="Unicode"):
        from_array("ward", np.array(["\ud800"], dtype=object))


@pytest.mark.parametrize("value", [2, 255])
def test_a_boolean_that_is_neither_zero_nor_one_is_refused(value: int) -> None:
    with pytest.raises(FormatError, match="neither"):
        to_array(Tensor("flag", Datatype.BOOL, (2,), bytes([1, value])))


@pytest.mark.parametrize(
    "data",
    [
        text_of("a"),
        text_of("a", "b") + b"\0",
        text_of("a") + b"\x05\0\0\0b",
        text_of("a") + b"\x01\0\0\0\xff",
        text_of("a", "b", "c"),
    ],
)
def test_text_that_does_not_fill_its_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        to_array(Tensor("ward", Datatype.BYTES, (2,), data))
    assert caught.value.code == "tensor-value"
