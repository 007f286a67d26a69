"""Arrays are fitted to a schema where no meaning is lost, and refused by name otherwise."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from strongroom.errors import Error, UnsupportedError, UsageError
from strongroom.loaders.tensor import DATATYPES, datatype_of, fit_tensor, fit_tensors, numpy_type
from strongroom.package.contents import DATATYPES as CONTENTS_DATATYPES
from strongroom.package.contents import Field


def _field(datatype: str, *shape: int, name: str = "x") -> Field:
    return Field(name=name, datatype=datatype, shape=list(shape))


def test_the_datatypes_are_those_that_contents_may_name() -> None:
    assert DATATYPES == CONTENTS_DATATYPES


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_numpy_type_and_datatype_of_are_inverses(datatype: str) -> None:
    assert datatype_of(np.zeros(2, numpy_type(datatype))) == datatype


def test_big_endian_arrays_have_the_same_datatype() -> None:
    assert datatype_of(np.zeros(2, ">f4")) == "FP32"


@pytest.mark.parametrize("kind", ["datetime64[s]", "complex128", [("a", "i4")], "S3", "float128"])
def test_what_no_tensor_holds_is_refused(kind: Any) -> None:
    array = np.zeros(2, kind)
    if array.dtype.kind == "S":
        assert datatype_of(array) == "BYTES"
        return
    with pytest.raises(UnsupportedError):
        datatype_of(array)


def test_an_unknown_datatype_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="'BF16'"):
        numpy_type("BF16")


@pytest.mark.parametrize(
    ("datatype", "given", "wanted"),
    [
        ("FP64", np.array([1, 2], np.int64), np.float64),
        ("FP64", np.array([True, False]), np.float64),
        ("FP32", np.array([1.5, 2.5]), np.float32),
        ("INT64", np.array([1, 2], np.int8), np.int64),
        ("INT8", np.array([1, 2], np.int64), np.int8),
        ("UINT8", np.array([1, 255], np.int64), np.uint8),
        ("BYTES", np.array(["a", "b"]), object),
    ],
)
def test_numbers_are_converted_where_their_kind_stays(datatype: str, given: Any, wanted: Any) -> None:
    fitted = fit_tensor(_field(datatype, -1), given)
    assert fitted.dtype == wanted
    assert list(fitted) == list(given)


@pytest.mark.parametrize(
    ("datatype", "array"),
    [
        ("INT64", np.array([1.5])),
        ("BOOL", np.array([1])),
        ("FP32", np.array(["1"])),
        ("BYTES", np.array([1])),
        ("BYTES", np.array(["a", 3], dtype=object)),
        ("UINT8", np.array([-1], np.int64)),
        ("INT8", np.array([300], np.int64)),
        ("INT64", np.array([2**63], np.uint64)),
    ],
)
def test_other_kinds_are_refused(datatype: str, array: Any) -> None:
    with pytest.raises(UsageError) as raised:
        fit_tensor(_field(datatype, -1), array)
    assert raised.value.code == "input-datatype"
    assert not re.search(r"\b3\b|1\.5", str(raised.value)), "a value in the message"


def test_missing_text_stays_missing() -> None:
    assert list(fit_tensor(_field("BYTES", -1), np.array(["a", None], dtype=object))) == ["a", None]


def test_a_column_serves_a_field_of_one_column() -> None:
    assert fit_tensor(_field("FP64", -1, 1), np.arange(3.0)).shape == (3, 1)


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 4, 1), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError) as raised:
        fit_tensor(_field("FP64", -1, 4), np.zeros(shape))
    assert raised.value.code == "input-shape"


def test_tensors_come_in_the_order_of_the_schema() -> None:
    fields = [_field("FP64", -1, name="b"), _field("BYTES", -1, name="a")]
    fitted = fit_tensors(fields, {"a": np.array(["x"]), "b": np.array([1])})
    assert list(fitted) == ["b", "a"]


def test_many_missing_inputs_are_not_all_listed() -> None:
    fields = [_field("FP64", -1, name=f"column-{number}") for number in range(20)]
    with pytest.raises(UsageError, match="and 12 more"):
        fit_tensors(fields, {})


def test_rows_must_agree_where_they_are_free() -> None:
    fields = [_field("FP64", -1, name="a"), _field("FP64", -1, name="b"), _field("FP64", 2, name="fixed")]
    arrays = {"a": np.zeros(3), "b": np.zeros(3), "fixed": np.zeros(2)}
    assert len(fit_tensors(fields, arrays)) == 3
    with pytest.raises(UsageError) as raised:
        fit_tensors(fields, {**arrays, "b": np.zeros(4)})
    assert raised.value.code == "input-rows"
    with pytest.raises(UsageError) as raised:
        fit_tensors(fields, {**arrays, "a": np.zeros(0), "b": np.zeros(0)})
    assert raised.value.code == "input-rows"


@given(
    st.sampled_from(sorted(DATATYPES)),
    st.lists(st.integers(-1, 3), max_size=3),
    arrays.arrays(
        np.dtype(object),
        arrays.array_shapes(min_dims=0, max_dims=3, max_side=3),
        elements=st.none() | st.text() | st.integers() | st.floats(),
    )
    | arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=3, max_side=3)),
)
def test_any_array_fits_or_is_refused_with_an_error_of_ours(
    datatype: str, shape: list[int], array: Any
) -> None:
    try:
        fitted = fit_tensor(_field(datatype, *shape), array)
    except Error:
        return
    assert fitted.dtype == numpy_type(datatype)
    assert fitted.size == array.size
