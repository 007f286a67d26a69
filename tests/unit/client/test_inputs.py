from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from strongroom.client.inputs import to_inputs
from strongroom.errors import Error, UsageError
from strongroom.package.contents import Field, Schema

MATRIX = Schema(
    inputs=[Field(name="X", datatype="FP32", shape=[-1, 2])],
    outputs=[],
    columns=["age", "bmi"],
    methods=["predict"],
)
NAMELESS = Schema(inputs=MATRIX.inputs, outputs=[], methods=["predict"])
COLUMNS = Schema(
    inputs=[
        Field(name="age", datatype="INT64", shape=[-1, 1]),
        Field(name="bmi", datatype="FP64", shape=[-1, 1]),
        Field(name="ward", datatype="BYTES", shape=[-1, 1]),
    ],
    outputs=[],
    columns=["age", "bmi", "ward"],
    methods=["predict"],
)
TEXTS = Schema(inputs=[Field(name="text", datatype="BYTES", shape=[-1])], outputs=[], methods=["predict"])
IMAGES = Schema(
    inputs=[Field(name="image", datatype="FP32", shape=[-1, 3, 4, 4])], outputs=[], methods=["predict"]
)
FRAME = pd.DataFrame({"ward": ["north", None], "bmi": [22.5, 30.0], "age": [70, 31]})


def refusal(data: Any, schema: Schema) -> Error:
    with pytest.raises(UsageError) as caught:
        to_inputs(data, schema)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        np.array([[70, 22.5], [31, 30.0]]),
        np.array([[70, 22.5], [31, 30.0]], dtype=object),
        [[70, 22.5], [31, 30.0]],
        FRAME[["bmi", "age"]],
        FRAME[["age", "bmi"]].astype(float),
        FRAME[["bmi", "age"]].astype(float),
        pl.DataFrame({"bmi": [22.5, 30.0], "age": [70, 31]}),
        [{"bmi": 22.5, "age": 70}, {"age": 31, "bmi": 30.0}],
        {"bmi": [22.5, 30.0], "age": [70, 31]},
        {"X": np.array([[70, 22.5], [31, 30.0]])},
    ],
)
def test_a_matrix_comes_from_any_table(data: Any) -> None:
    inputs, _ = to_inputs(data, MATRIX)
    assert inputs["X"].dtype == np.float32
    assert inputs["X"].tolist() == [[70, 22.5], [31, 30.0]]


def test_without_known_columns_the_order_of_the_table_counts() -> None:
    inputs, _ = to_inputs(FRAME[["bmi", "age"]], NAMELESS)
    assert inputs["X"].tolist() == [[22.5, 70], [30.0, 31]]


@pytest.mark.parametrize(
    "data",
    [
        FRAME,
        FRAME.astype({"ward": "category"}),
        pl.from_pandas(FRAME),
        FRAME.replace({np.nan: None}).to_dict("records"),
        {"age": [70, 31], "bmi": np.array([22.5, 30.0]), "ward": ["north", None]},
    ],
)
def test_each_column_can_be_an_input(data: Any) -> None:
    inputs, _ = to_inputs(data, COLUMNS)
    assert {name: array.tolist() for name, array in inputs.items()} == {
        "age": [[70], [31]],
        "bmi": [[22.5], [30.0]],
        "ward": [["north"], [None]],
    }


def test_text_comes_as_a_list_or_an_array() -> None:
    for data in (
        ["one", "two"],
        np.array(["one", "two"]),
        pd.DataFrame({"text": ["one", "two"]})["text"].to_numpy(),
    ):
        inputs, _ = to_inputs(data, TEXTS)
        assert inputs["text"].tolist() == ["one", "two"]


def test_an_array_of_higher_rank_goes_in_as_it_is() -> None:
    images = np.zeros((2, 3, 4, 4), dtype=np.float32)
    assert to_inputs(images, IMAGES)[0]["image"] is images
    assert refusal(np.zeros((2, 3, 4, 5)), IMAGES).code == "input-shape"
    assert refusal(np.zeros(2), IMAGES).code == "input-shape"


def test_missing_values_follow_the_type_of_the_input() -> None:
    inputs, _ = to_inputs([{"age": 1, "bmi": None, "ward": None}], COLUMNS)
    assert np.isnan(inputs["bmi"]).all()
    assert inputs["ward"].tolist() == [[None]]
    inputs, _ = to_inputs(pd.DataFrame({"age": [1], "bmi": [1.0], "ward": [np.nan]}), COLUMNS)
    assert inputs["ward"].tolist() == [[None]]
    inputs, _ = to_inputs([{"age": None, "bmi": 2.0}], MATRIX)
    assert np.isnan(inputs["X"][0, 0])


def test_a_missing_value_among_integers_is_refused_by_name() -> None:
    error = refusal(FRAME.assign(age=[70, np.nan]), COLUMNS)
    assert error.code == "input-datatype"
    assert "'age'" in str(error)


def test_all_missing_columns_are_listed() -> None:
    error = refusal(FRAME[["bmi"]], COLUMNS)
    assert error.code == "input-columns"
    assert "'age', 'ward'" in str(error)
    assert "'bmi'" in str(error.hint)


def test_long_lists_of_columns_are_cut() -> None:
    wide = Schema(
        inputs=[Field(name="X", datatype="FP32", shape=[-1, 20])],
        outputs=[],
        columns=[f"c{n}" for n in range(20)],
    )
    assert "and 12 more" in str(refusal(FRAME, wide))


def test_extra_columns_are_refused_with_a_remedy() -> None:
    error = refusal(FRAME, MATRIX)
    assert error.code == "input-columns"
    assert "'ward'" in str(error)
    assert "info.columns" in str(error.hint)


def test_a_column_twice_is_refused() -> None:
    twice = pd.DataFrame([[1, 2, 3]], columns=["age", "bmi", "age"])
    assert "twice: 'age'" in str(refusal(twice, MATRIX))


def test_columns_by_name_cannot_be_guessed_from_positions() -> None:
    error = refusal(np.zeros((2, 3)), COLUMNS)
    assert error.code == "input-columns"
    assert "'age', 'bmi', 'ward'" in str(error.hint)


@pytest.mark.parametrize(
    "data", [np.zeros((2, 3)), [[1, 2, 3]], pd.DataFrame([[1, 2, 3]]), np.zeros((2, 0)), np.zeros((1, 2, 2))]
)
def test_another_width_is_refused(data: Any) -> None:
    assert refusal(data, NAMELESS).code == "input-shape"


@pytest.mark.parametrize("data", [np.array([70, 22.5]), [70, 22.5]])
def test_a_single_row_without_its_list_is_refused_with_a_remedy(data: Any) -> None:
    error = refusal(data, MATRIX)
    assert error.code == "input-shape"
    assert "one row" in str(error.hint)


@pytest.mark.parametrize("data", [[], np.zeros((0, 2)), FRAME[:0], {}, np.zeros(())])
def test_no_rows_are_refused(data: Any) -> None:
    assert refusal(data, MATRIX).code == "input-rows"


def test_text_where_numbers_belong_is_refused_by_name_and_not_shown() -> None:
    for data in (
        FRAME.assign(age=["seventy", "31"])[["age", "bmi"]],
        [{"age": "seventy", "bmi": 2.0}],
        [["seventy", 2.0]],
        {"X": np.array([["seventy", "2"]])},
    ):
        error = refusal(data, MATRIX)
        assert error.code == "input-datatype"
        assert "seventy" not in f"{error} {error.hint}"
    assert "'age'" in str(refusal([{"age": "seventy", "bmi": 2.0}], MATRIX))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"age": [1, 2], "bmi": [1.0]}, "input-rows"),
        ({"age": 70, "bmi": 22.5}, "input-kind"),
        ({"age": np.zeros(()), "bmi": [1.0]}, "input-kind"),
    ],
)
def test_a_dictionary_that_is_no_table_is_refused(data: Any, code: str) -> None:
    assert refusal(data, MATRIX).code == code
