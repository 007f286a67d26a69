from __future__ import annotations

import numpy as np
import pandas as pd

from strongroom.client.outputs import TopK, from_outputs
from strongroom.client.tables import table_of
from strongroom.package.contents import Schema

CLASSIFIER = Schema(inputs=[], outputs=[], classes=["ill", "well"])
FRAME = pd.DataFrame({"x": [1, 2]}, index=[7, 9])
PROBABILITIES = np.array([[0.25, 0.75], [0.5, 0.5]])


def test_labels_are_one_answer_for_each_row() -> None:
    answer = from_outputs(table_of(FRAME), {"label": np.array(["ill", "well"], dtype=object)}, CLASSIFIER)
    pd.testing.assert_series_equal(
        answer, pd.Series(["ill", "well"], index=[7, 9], name="prediction"), check_dtype=False
    )


def test_probabilities_have_a_column_for_each_class() -> None:
    answer = from_outputs(table_of(FRAME), {"probabilities": PROBABILITIES}, CLASSIFIER)
    pd.testing.assert_frame_equal(answer, pd.DataFrame(PROBABILITIES, index=[7, 9], columns=["ill", "well"]))


def test_other_columns_are_numbered() -> None:
    answer = from_outputs(table_of(FRAME), {"y": np.zeros((2, 3))}, CLASSIFIER)
    assert list(answer.columns) == [0, 1, 2]


def test_several_outputs_come_by_name() -> None:
    answer = from_outputs(table_of(FRAME), {"a": np.array([1, 2]), "b": PROBABILITIES}, CLASSIFIER)
    assert isinstance(answer["a"], pd.Series)
    assert isinstance(answer["b"], pd.DataFrame)


def test_an_array_of_higher_rank_stays_one() -> None:
    assert from_outputs(table_of(FRAME), {"image": np.zeros((2, 3, 3))}, CLASSIFIER).shape == (2, 3, 3)


def test_the_best_classes_come_as_labels_and_scores() -> None:
    outputs = {
        "top_labels": np.array([["well"], ["ill"]], dtype=object),
        "top_scores": np.array([[0.75], [0.5]]),
    }
    answer = from_outputs(table_of(FRAME), outputs, CLASSIFIER)
    assert isinstance(answer, TopK)
    assert answer.labels.to_dict("list") == {"rank_1": ["well", "ill"]}
    assert answer.scores.to_dict("list") == {"rank_1": [0.75, 0.5]}
