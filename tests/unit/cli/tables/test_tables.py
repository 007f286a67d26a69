from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli.tables import Kind, kind_of, plain_values, read, write
from strongroom.cli.tables.csv import typed
from strongroom.errors import UnsupportedError, UsageError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", Kind.CSV), ("a.TSV", Kind.CSV), ("a.parquet", Kind.PARQUET), ("a.b.jsonl", Kind.JSON)],
)
def test_the_name_tells_the_kind(name: str, kind: Kind) -> None:
    assert kind_of(Path(name)) is kind


def test_a_name_that_tells_nothing_needs_a_default() -> None:
    assert kind_of(Path("-"), Kind.CSV) is Kind.CSV
    with pytest.raises(UsageError, match="cannot tell"):
        kind_of(Path("patients.xlsx"))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "", "3"], [1, None, 3]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1e3", ".5", "5.", "-inf"], [1000.0, 0.5, 5.0, -math.inf]),
        (["True", "false"], [True, False]),
        (["00123", "00456"], ["00123", "00456"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["a", ""], ["a", None]),
        (["", ""], [None, None]),
        (["-", "+"], ["-", "+"]),
        (["٣"], ["٣"]),
        ([], []),
    ],
)
def test_a_column_is_typed_by_all_its_cells(cells: list[str], values: list[Any]) -> None:
    assert typed(cells) == values
    assert list(map(type, typed(cells))) == list(map(type, values))


def test_a_column_taken_verbatim_stays_text() -> None:
    assert read(b"id,age\n007,61\n", Kind.CSV, verbatim={"id"}) == {"id": ["007"], "age": [61]}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_found(separator: str) -> None:
    text = f"a{separator}b\n1{separator}2\n"
    assert read(text.encode(), Kind.CSV) == {"a": [1], "b": [2]}


def test_quotes_bom_and_line_ends_of_others_are_read() -> None:
    data = b'\xef\xbb\xbfname,x\r\n"a, ""b""\nc",1\r\n'
    assert read(data, Kind.CSV) == {"name": ['a, "b"\nc'], "x": [1]}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", Kind.CSV),
        (b"\xff\xfe", Kind.CSV),
        (b"a,a\n1,2\n", Kind.CSV),
        (b"a,b\nsecret-value\n", Kind.CSV),
        (b'a,b\n"secret-value,1\n', Kind.CSV),
        (b"", Kind.JSON),
        (b"secret-value", Kind.JSON),
        (b"[]", Kind.JSON),
        (b"[1, 2]", Kind.JSON),
        (b'"secret-value"', Kind.JSON),
        (b'[{"a": 1}, {"b": "secret-value"}]', Kind.JSON),
        (b"[" * 100_000, Kind.JSON),
        (b"secret-value", Kind.PARQUET),
    ],
)
def test_what_is_no_table_is_refused_without_showing_a_value(data: bytes, kind: Kind) -> None:
    with pytest.raises(UsageError) as caught:
        read(data, kind)
    assert caught.value.code == "table-malformed"
    assert "secret-value" not in f"{caught.value} {caught.value.hint}"


def test_json_comes_as_a_list_or_by_lines() -> None:
    expected = {"a": [1, None], "b": ["x", "y"]}
    assert read(b'[{"a": 1, "b": "x"}, {"b": "y", "a": null}]', Kind.JSON) == expected
    assert read(b'{"a": 1, "b": "x"}\n\n{"a": null, "b": "y"}\n', Kind.JSON) == expected


@pytest.mark.parametrize("kind", [Kind.CSV, Kind.JSON])
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_doubles_survive_text(kind: Kind, values: list[float]) -> None:
    again = read(write({"x": np.array(values)}, kind), kind)["x"]
    assert list(map(float, again)) == values


@pytest.mark.parametrize("kind", [Kind.CSV, Kind.JSON])
@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_short_floats_survive_text_bit_for_bit(kind: Kind, values: list[float]) -> None:
    before = np.array(values, dtype=np.float32)
    after = np.array(read(write({"x": before}, kind), kind)["x"], dtype=np.float32)
    assert after.tobytes() == before.tobytes()


def test_a_short_float_is_written_short() -> None:
    assert write({"x": np.array([0.1], dtype=np.float32)}, Kind.CSV) == b"x\n0.1\n"


def test_json_has_no_nan() -> None:
    assert b"null" in write({"x": [math.nan, math.inf]}, Kind.JSON)
    assert b"NaN" not in write({"x": [math.nan]}, Kind.JSON)


def test_parquet_keeps_types() -> None:
    columns = {
        "f": np.array([0.1, 0.2], dtype=np.float32),
        "i": np.array([1, 2], dtype=np.int64),
        "t": ["007", None],
    }
    again = read(write(columns, Kind.PARQUET), Kind.PARQUET)
    assert again["f"].dtype == np.float32
    assert plain_values(again["i"]) == [1, 2]
    assert again["t"] == ["007", None]


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnsupportedError) as caught:
        read(b"", Kind.PARQUET)
    assert "strongroom[frames]" in str(caught.value.hint)


@given(st.binary(max_size=200), st.sampled_from(list(Kind)))
def test_any_bytes_give_a_table_or_a_usage_error(data: bytes, kind: Kind) -> None:
    try:
        columns = read(data, kind)
    except UsageError:
        return
    assert len({len(column) for column in columns.values()}) <= 1
