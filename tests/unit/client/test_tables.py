from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from strongroom.client.tables import table_of
from strongroom.client.tables.interface import Table, text_or_numbers
from strongroom.errors import UsageError

COLUMNS: dict[str, list[Any]] = {"age": [70, 31], "bmi": [22.5, 30.0], "ward": ["north", None]}
RECORDS = [{"age": 70, "bmi": 22.5, "ward": "north"}, {"age": 31, "bmi": 30.0, "ward": None}]

NAMED: dict[str, Any] = {
    "pandas": pd.DataFrame(COLUMNS, index=[7, 9]),
    "pandas nullable": pd.DataFrame(COLUMNS).convert_dtypes(),
    "pandas category": pd.DataFrame(COLUMNS).astype({"ward": "category"}),
    "polars": pl.DataFrame(COLUMNS),
    "polars category": pl.DataFrame(COLUMNS).with_columns(pl.col("ward").cast(pl.Categorical)),
    "arrow": pa.table(COLUMNS),
    "arrow batch": pa.RecordBatch.from_pydict(COLUMNS),
    "arrow dictionary": pa.table({**COLUMNS, "ward": pa.array(["north", None]).dictionary_encode()}),
    "records": RECORDS,
    "columns": COLUMNS,
}


@pytest.mark.parametrize("data", NAMED.values(), ids=list(NAMED))
def test_every_table_gives_the_same_columns(data: Any) -> None:
    table = table_of(data)
    assert list(table.names or []) == ["age", "bmi", "ward"]
    assert table.rows == 2
    assert [table.column(place).tolist() for place in range(3)] == list(COLUMNS.values())
    assert table.column(0).dtype.kind == "i"
    assert table.column(2).dtype == object


@pytest.mark.parametrize("data", [np.array([[70, 22.5], [31, 30.0]]), [[70.0, 22.5], (31.0, 30.0)]])
def test_unnamed_tables_give_columns_by_position(data: Any) -> None:
    table = table_of(data)
    assert table.names is None
    assert table.rows == 2
    assert table.column(1).tolist() == [22.5, 30.0]
    assert table.called(1) == "column 1"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (np.zeros((2, 1)), np.ndarray),
        (pd.DataFrame({"x": [1, 2]}), pd.Series),
        (pl.DataFrame({"x": [1, 2]}), pl.Series),
        (pa.table({"x": [1, 2]}), pa.Array),
        ([[1], [2]], list),
        ([{"x": 1}, {"x": 2}], list),
        ({"x": [1, 2]}, np.ndarray),
    ],
)
@pytest.mark.parametrize("values", [np.array([3, 4]), np.array(["a", "b"], dtype=object)])
def test_answers_come_back_in_kind(data: Any, kind: type, values: np.ndarray[Any, Any]) -> None:
    answer: Any = table_of(data).series("prediction", values)
    assert type(answer) is kind or issubclass(type(answer), kind)
    assert list(answer.to_pylist() if kind is pa.Array else answer) == values.tolist()


def test_frames_come_back_in_kind() -> None:
    columns: Any = {0: np.array([0.25, 0.5]), 1: np.array([0.75, 0.5])}

    def frame(data: Any) -> Any:
        return table_of(data).frame(columns)

    assert frame(np.zeros((2, 1))).tolist() == [[0.25, 0.75], [0.5, 0.5]]
    in_pandas = frame(pd.DataFrame({"x": [1, 2]}, index=[7, 9]))
    pd.testing.assert_frame_equal(in_pandas, pd.DataFrame(columns, index=[7, 9]))
    assert frame(pl.DataFrame({"x": [1, 2]})).to_dict(as_series=False) == {"0": [0.25, 0.5], "1": [0.75, 0.5]}
    assert frame(pa.table({"x": [1, 2]})).to_pydict() == {"0": [0.25, 0.5], "1": [0.75, 0.5]}
    assert frame([[1], [2]]) == [[0.25, 0.75], [0.5, 0.5]]
    assert frame([{"x": 1}, {"x": 2}]) == [{0: 0.25, 1: 0.75}, {0: 0.5, 1: 0.5}]
    assert frame({"x": [1, 2]})[1].tolist() == [0.75, 0.5]


def test_a_series_keeps_the_index_of_its_frame() -> None:
    answer = table_of(pd.DataFrame({"x": [1, 2]}, index=["p1", "p2"])).series("prediction", np.array([3, 4]))
    assert list(answer.index) == ["p1", "p2"]
    assert answer.name == "prediction"


def test_text_comes_back_to_numpy_as_numpy_has_it() -> None:
    table = table_of(np.zeros((2, 1)))
    assert table.series("prediction", np.array(["a", "bc"], dtype=object)).dtype.kind == "U"
    assert table.series("prediction", np.array(["a", None], dtype=object)).dtype == object


def test_a_frame_of_one_numeric_type_is_one_array() -> None:
    assert table_of(pd.DataFrame({"a": [1.0], "b": [2.0]})).matrix() is not None
    assert table_of(pd.DataFrame({"a": [1.0], "b": [2]})).matrix() is None
    assert table_of(pd.DataFrame({"a": pd.array([1], dtype="Int64")})).matrix() is None
    assert table_of(np.zeros((1, 1))).matrix() is not None
    assert table_of(np.array([["a"]], dtype=object)).matrix() is None
    assert table_of([[1]]).matrix() is None


@pytest.mark.parametrize("data", [None, 3, "patients.csv", {1, 2}, object()])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="cannot be asked") as caught:
        table_of(data)
    assert caught.value.code == "input-kind"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], [True, False]),
        ([1, np.int8(2)], [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([1, None], [1.0, pytest.approx(float("nan"), nan_ok=True)]),
        ([1.0, pd.NA], [1.0, pytest.approx(float("nan"), nan_ok=True)]),
        (["a", float("nan")], ["a", None]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_python_values_become_one_type(values: list[Any], expected: list[Any]) -> None:
    assert text_or_numbers("the input", values).tolist() == expected


@pytest.mark.parametrize(
    "values", [["a", 1], [True, None], [True, 2], [object()], [pd.Timestamp(0)], [1j], [b"a"], [1 << 70]]
)
def test_python_values_of_no_one_type_are_refused_without_showing_them(values: list[Any]) -> None:
    with pytest.raises(UsageError) as caught:
        text_or_numbers("column 'ward'", values)
    assert caught.value.code == "input-datatype"
    assert str(caught.value).startswith("column 'ward'")
    assert str(values[0]) not in str(caught.value).removeprefix("column 'ward'").split()


def test_dates_are_refused_by_name() -> None:
    frame = pd.DataFrame({"admitted": pd.to_datetime(["2026-11-24"])})
    with pytest.raises(UsageError, match="'admitted' holds datetime64"):
        table_of(frame).column(0)


def test_records_with_other_keys_are_refused_by_row() -> None:
    with pytest.raises(UsageError, match="row 1") as caught:
        table_of([{"a": 1}, {"b": 1}])
    assert caught.value.code == "input-columns"
    with pytest.raises(UsageError, match="row 1"):
        table_of([{"a": 1}, 3])


def test_rows_of_several_lengths_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        table_of([[1, 2], [3]]).column(0)
    assert caught.value.code == "input-shape"


def test_tables_work_without_the_other_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.delitem(sys.modules, name)
    assert isinstance(table_of([[1]]), Table)
    with pytest.raises(UsageError):
        table_of(object())
