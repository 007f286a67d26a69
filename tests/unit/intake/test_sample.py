"""Samples of every kind that scikit-learn takes become tensors; what no tensor holds is refused."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from strongroom.errors import UnsupportedError, UsageError
from strongroom.intake import sample
from strongroom.intake.sample import read_sample
from strongroom.package.contents import Field
from tests.unit.intake import models


def test_a_table_keeps_its_columns() -> None:
    rows = read_sample(models.table())
    assert len(rows) == 120
    assert {name: column.values.dtype.name for name, column in rows.columns.items()} == {
        "age": "int64",
        "bmi": "float64",
        "ward": "object",
        "smoker": "bool",
    }
    assert rows.columns["ward"].values[4] is None
    assert rows.matrix() is None


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pd.Series(["a", None], dtype="string"), ["a", None]),
        (pd.Series(["a", np.nan], dtype=object), ["a", None]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Series([2, 1], dtype="category"), [2, 1]),
        (pd.Series([1, 2], dtype="Int64"), [1.0, 2.0]),
        (pd.Series([1.5, 2], dtype="Float32"), [1.5, 2.0]),
        (pd.Series([True, False], dtype="boolean"), [True, False]),
        (pd.Series([True, False]), [True, False]),
        (pd.Series([1, 2], dtype="uint8"), [1, 2]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_columns_of_every_type(series: Any, values: list[Any]) -> None:
    column = read_sample(pd.DataFrame({"x": series})).columns["x"]
    assert column.values.tolist() == values
    assert column.is_categorical == (str(series.dtype) == "category")


def test_missing_numbers_of_pandas_become_nan() -> None:
    column = read_sample(pd.DataFrame({"x": pd.Series([1, None], dtype="Int64")})).columns["x"]
    assert np.isnan(column.values[1])


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02"])),
        pd.Series([1j, 2j]),
        pd.Series(["a", 5], dtype=object),
        pd.Series([True, None], dtype="boolean"),
    ],
    ids=["time", "complex", "mixture", "missing-truth"],
)
def test_columns_that_no_tensor_holds_are_refused_by_name(series: Any) -> None:
    with pytest.raises(UsageError, match="column 'x'") as raised:
        read_sample(pd.DataFrame({"x": series}))
    assert raised.value.code == "sample-type"


@pytest.mark.parametrize(
    ("given", "shape", "kind"),
    [
        (np.zeros((3, 2)), (3, 2), "f"),
        ([[1, 2], [3, 4]], (2, 2), "i"),
        ([["a", "b"]], (1, 2), "O"),
        (["some text", "more"], (2,), "O"),
        (pd.Series(["some text"]), (1,), "O"),
        (scipy.sparse.csr_matrix(np.eye(2)), (2, 2), "f"),
        ((1.0, 2.0), (2,), "f"),
    ],
)
def test_everything_else_is_one_array(given: Any, shape: tuple[int, ...], kind: str) -> None:
    rows = read_sample(given)
    assert rows.array is not None
    assert rows.array.shape == shape
    assert rows.array.dtype.kind == kind
    assert rows.matrix() is rows.array


@pytest.mark.parametrize(
    "given",
    [[[1, 2], [3]], [[1, "a"], [2, object()]], 5, np.zeros(2, "datetime64[s]"), [b"a"], {"a": 1}],
    ids=["ragged", "objects", "number", "times", "bytes", "dict"],
)
def test_what_is_no_sample_is_refused(given: Any) -> None:
    with pytest.raises(UsageError) as raised:
        read_sample(given)
    assert raised.value.code == "sample-type"


@pytest.mark.parametrize("given", [[], np.zeros((0, 3)), pd.DataFrame(), models.table()[:0]])
def test_an_empty_sample_is_refused(given: Any) -> None:
    with pytest.raises(UsageError) as raised:
        read_sample(given)
    assert raised.value.code == "sample-empty"


@pytest.mark.parametrize("columns", [[1, 2], ["a", "a"]])
def test_columns_need_names_of_their_own(columns: list[Any]) -> None:
    with pytest.raises(UsageError) as raised:
        read_sample(pd.DataFrame([[1, 2]], columns=columns))
    assert raised.value.code == "sample-columns"


def test_a_long_sample_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MAX_ROWS", 5)
    for given in (np.zeros((9, 2)), models.table(), [[1, 2]] * 9, scipy.sparse.coo_matrix(np.ones((9, 2)))):
        rows = read_sample(given)
        assert len(rows) == 5
        assert np.shape(rows.original)[0] == 5


class _OtherTable:
    """A table of another library, which can become one of pandas."""

    shape = (2, 1)

    def __getitem__(self, _: slice) -> _OtherTable:
        return self

    def to_pandas(self) -> pd.DataFrame:
        if sys.modules.get("pandas", pd) is None:
            raise ImportError("pandas")
        return pd.DataFrame({"x": [1, 2]})


def test_a_table_of_another_library_goes_by_way_of_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_sample(_OtherTable()).columns["x"].values.tolist() == [1, 2]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UnsupportedError) as raised:
        read_sample(_OtherTable())
    assert raised.value.code == "extra-missing"


def _field(name: str, datatype: str, *shape: int) -> Field:
    return Field(name=name, datatype=datatype, shape=list(shape))


def test_tensors_follow_the_fields() -> None:
    rows = read_sample(models.table())
    fields = [_field("bmi", "FP32", -1, 1), _field("ward", "BYTES", -1)]
    tensors = rows.tensors(fields)
    assert {name: (str(array.dtype), array.shape) for name, array in tensors.items()} == {
        "bmi": ("float32", (120, 1)),
        "ward": ("object", (120,)),
    }
    assert rows.tensors([_field("age", "FP64", -1)])["age"].shape == (120,)
    numbers = read_sample(models.table()[["age", "bmi", "smoker"]])
    assert numbers.tensors([_field("input", "FP64", -1, 3)])["input"].shape == (120, 3)
    assert read_sample(np.zeros((4, 2))).tensors([_field("x", "FP32", -1, 2)])["x"].shape == (4, 2)


@pytest.mark.parametrize(
    "fields",
    [[_field("input", "FP64", -1, 4)], [_field("age", "FP64", -1), _field("height", "FP64", -1)]],
)
def test_fields_that_the_sample_lacks_are_refused(fields: list[Field]) -> None:
    with pytest.raises(UsageError) as raised:
        read_sample(models.table()).tensors(fields)
    assert raised.value.code == "sample-columns"


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_model_is_not_asked_with_the_very_rows_that_were_passed(order: Any) -> None:
    """A model that keeps its rows answers those in other last bits: BLAS knows a product with itself."""
    passed = np.asarray(np.arange(12.0).reshape(4, 3), order=order)
    rows = read_sample(passed)
    assert not np.shares_memory(rows.original, passed)
    assert rows.original.flags.c_contiguous == passed.flags.c_contiguous
    table = pd.DataFrame(passed, columns=["a", "b", "c"])
    assert not np.shares_memory(read_sample(table).original.to_numpy(), table.to_numpy())
