from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from strongroom.client.explanation import Explanation, explanation_of
from strongroom.client.tables import table_of
from strongroom.errors import FormatError, UsageError
from strongroom.package.contents import Schema

FRAME = pd.DataFrame({"age": [61, 44], "bmi": [24.5, 31.25], "ward": [1, 2]}, index=[7, 9])
PLAIN = Schema(inputs=[], outputs=[], columns=["age", "bmi", "ward"])
THREE = Schema(inputs=[], outputs=[], columns=["age", "bmi", "ward"], classes=["a", "b", "c"])
ONE = np.array([[[0.5, -2.0, 0.0]], [[1.0, 1.0, 3.0]]])
SEVERAL = np.concatenate([ONE, ONE * 2, -ONE], axis=1)


def explanation(data: Any, scores: Any = ONE, schema: Schema = PLAIN, **more: Any) -> Explanation:
    base = np.full(scores.shape[:2], 0.25)
    outputs = {**more, "contributions": scores, "base_values": base}
    return explanation_of(table_of(data), outputs, schema, remaining=5)


def test_a_frame_keeps_its_index_and_columns() -> None:
    found = explanation(FRAME, predict=np.array([1.0, 2.0]))
    pd.testing.assert_frame_equal(
        found.contributions, pd.DataFrame(ONE[:, 0], index=[7, 9], columns=["age", "bmi", "ward"])
    )
    pd.testing.assert_series_equal(
        found.base_values, pd.Series([0.25, 0.25], index=[7, 9], name="base_value")
    )
    assert found.answers.tolist() == [1.0, 2.0]
    assert (found.classes, found.remaining) == ((), 5)


def test_the_strongest_columns_come_first_and_what_gave_nothing_is_no_reason() -> None:
    top = explanation(FRAME).top(3)
    assert list(top.index) == [7, 9]
    assert list(top) == [f"{name}_{place}" for place in (1, 2, 3) for name in ("reason", "contribution")]
    assert top["reason_1"].tolist() == ["bmi", "ward"]
    assert top["contribution_1"].tolist() == [-2.0, 3.0]
    assert top["reason_3"].isna().tolist() == [True, False]
    assert list(explanation(FRAME).top(9)) == list(top)
    with pytest.raises(UsageError) as raised:
        explanation(FRAME).top(0)
    assert raised.value.code == "reason-count"


def test_each_class_has_a_table_and_reasons_are_those_of_the_best() -> None:
    found = explanation(FRAME, SEVERAL, THREE)
    assert list(found.contributions) == ["a", "b", "c"] == list(found.base_values)
    assert found.contributions["b"].loc[9].tolist() == [2.0, 2.0, 6.0]
    assert found.top(1)["contribution_1"].tolist() == [2.0, 6.0]
    unnamed = explanation(FRAME, SEVERAL)
    assert unnamed.classes == (0, 1, 2)


def test_an_array_gives_arrays() -> None:
    matrix = Schema(inputs=[], outputs=[])
    found = explanation(FRAME.to_numpy(), schema=matrix)
    assert np.array_equal(found.contributions, ONE[:, 0])
    assert found.base_values.tolist() == [0.25, 0.25]
    assert found.columns == ("f0", "f1", "f2")
    assert found.top(1).tolist() == [["f1"], ["f2"]]
    several = explanation(FRAME.to_numpy(), SEVERAL, THREE)
    assert several.contributions.shape == (2, 3, 3)
    assert several.base_values.shape == (2, 3)


def test_a_list_gives_lists() -> None:
    assert explanation([[1, 2, 3], [4, 5, 6]]).contributions == ONE[:, 0].tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"contributions": ONE},
        {"contributions": ONE[0], "base_values": ONE[0, :, 0]},
        {"contributions": ONE[:, :0], "base_values": ONE[:, :0, 0]},
    ],
)
def test_another_answer_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as raised:
        explanation_of(table_of(FRAME), wrong, PLAIN, remaining=None)
    assert raised.value.code == "unexpected-message"
