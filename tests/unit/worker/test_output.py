from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strongroom.errors import LicenseDenied
from strongroom.license.verdict import OutputPolicy
from strongroom.package.contents import Schema
from strongroom.worker.output import restrict, verify_explain, verify_method

CLASSIFIER = Schema(inputs=[], outputs=[], classes=["ill", "unsure", "well"], methods=["predict"])
NUMBERED = Schema(inputs=[], outputs=[], classes=[3, 5, 7], methods=["predict"])
REGRESSOR = Schema(inputs=[], outputs=[], methods=["predict"])
SCORES = np.array([[0.125, 0.25, 0.625], [0.5, 0.375, 0.125]])
LABELS = np.array(["well", "ill"], dtype=object)
ONLY_LABEL = OutputPolicy(label_only=True)
BEST_TWO = OutputPolicy(top_k=2)


def refused(outputs: dict[str, Any], policy: OutputPolicy, schema: Schema, method: str) -> None:
    with pytest.raises(LicenseDenied) as caught:
        restrict(outputs, policy, schema, method)
    assert caught.value.code == "output-policy"


def test_everything_leaves_without_a_policy() -> None:
    outputs = {"p": SCORES, "note": np.zeros((2, 3, 4))}
    assert restrict(outputs, OutputPolicy(), REGRESSOR, "transform") == outputs


def test_numbers_are_rounded_and_nothing_else_is() -> None:
    outputs = {"p": SCORES.astype(np.float32), "label": LABELS, "count": np.array([125, 7])}
    rounded = restrict(outputs, OutputPolicy(decimals=2), CLASSIFIER, "predict_proba")
    assert rounded["p"].tolist() == np.round(SCORES.astype(np.float32), 2).tolist()
    assert rounded["p"].dtype == np.float32
    assert rounded["label"] is LABELS
    assert rounded["count"].tolist() == [125, 7]


def test_the_best_classes_leave_in_order_and_no_other() -> None:
    outputs = restrict({"p": SCORES}, BEST_TWO, CLASSIFIER, "predict_proba")
    assert outputs["top_labels"].tolist() == [["well", "unsure"], ["ill", "unsure"]]
    assert outputs["top_scores"].tolist() == [[0.625, 0.25], [0.5, 0.375]]
    assert set(outputs) == {"top_labels", "top_scores"}


def test_the_best_of_numbered_classes_are_numbers() -> None:
    labels = restrict({"p": SCORES}, OutputPolicy(top_k=1), NUMBERED, "predict_proba")["top_labels"]
    assert labels.dtype == np.int64
    assert labels.tolist() == [[7], [3]]


def test_more_than_all_classes_are_all_classes() -> None:
    assert restrict({"p": SCORES}, OutputPolicy(top_k=9), CLASSIFIER, "predict_proba")[
        "top_scores"
    ].shape == (2, 3)


def test_best_classes_are_rounded_too() -> None:
    outputs = restrict({"p": SCORES}, OutputPolicy(top_k=1, decimals=1), CLASSIFIER, "predict_proba")
    assert outputs["top_scores"].tolist() == [[0.6], [0.5]]


@pytest.mark.parametrize("policy", [ONLY_LABEL, BEST_TWO])
def test_labels_leave_under_every_policy(policy: OutputPolicy) -> None:
    assert restrict({"label": LABELS}, policy, CLASSIFIER, "predict")["label"] is LABELS
    numbers = np.array([7.0, 3.0])
    assert restrict({"label": numbers}, policy, NUMBERED, "predict")["label"] is numbers


@pytest.mark.parametrize("policy", [ONLY_LABEL, BEST_TWO])
@pytest.mark.parametrize(
    "outputs",
    [
        {"label": np.array([0.5, 0.25])},
        {"label": np.array(["well", "0.625"], dtype=object)},
        {"label": np.array([["well", "ill"], ["ill", "ill"]], dtype=object)},
        {"label": LABELS, "p": SCORES},
        {"label": np.array("well", dtype=object)},
    ],
)
def test_what_a_model_calls_a_label_must_be_one(policy: OutputPolicy, outputs: dict[str, Any]) -> None:
    refused(outputs, policy, CLASSIFIER, "predict")


@pytest.mark.parametrize(
    "outputs", [{"p": SCORES[:, 0]}, {"p": SCORES[:, :2]}, {"p": SCORES, "q": SCORES}, {"p": SCORES[None]}]
)
def test_scores_that_are_not_one_for_each_class_do_not_leave(outputs: dict[str, Any]) -> None:
    refused(outputs, BEST_TWO, CLASSIFIER, "predict_proba")


@pytest.mark.parametrize(
    ("policy", "method"),
    [
        (ONLY_LABEL, "predict_proba"),
        (ONLY_LABEL, "decision_function"),
        (BEST_TWO, "decision_function"),
        (BEST_TWO, "transform"),
    ],
)
def test_methods_that_give_numbers_are_refused_with_a_remedy(policy: OutputPolicy, method: str) -> None:
    with pytest.raises(LicenseDenied, match=method) as caught:
        verify_method(policy, CLASSIFIER, method)
    assert "predict" in str(caught.value.hint)


@pytest.mark.parametrize("policy", [ONLY_LABEL, BEST_TWO])
def test_a_model_without_classes_gives_nothing_where_only_labels_may_leave(policy: OutputPolicy) -> None:
    refused({"y": np.array([1.5])}, policy, REGRESSOR, "predict")


@pytest.mark.parametrize("policy", [ONLY_LABEL, BEST_TWO, OutputPolicy(decimals=15)])
def test_explanations_leave_only_with_everything(policy: OutputPolicy) -> None:
    verify_explain(OutputPolicy())
    with pytest.raises(LicenseDenied) as caught:
        verify_explain(policy)
    assert caught.value.code == "output-policy"
