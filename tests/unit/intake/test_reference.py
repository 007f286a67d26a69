"""The sealed copy is compared with the original to the last bit, or its distance is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strongroom.errors import VerificationError
from strongroom.intake.reference import Reference, compare
from strongroom.loaders.interface import LoadedModel
from strongroom.loaders.tensor import Array
from strongroom.package.contents import Field, Schema

SCHEMA = Schema(
    inputs=[Field(name="x", datatype="FP64", shape=[-1])], outputs=[], methods=["predict", "predict_proba"]
)
ROWS = {"x": np.arange(3.0)}
LABELS = np.array(["a", "b", "a"], dtype=object)
SCORES = np.array([[0.25, 0.75], [np.nan, 1.0], [1.0, 0.0]])


class _Copy(LoadedModel):
    """Answers what the test says."""

    def __init__(self, **answers: dict[str, Any]) -> None:
        super().__init__(SCHEMA)
        self._answers = answers

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        return self._answers[method]


def _reference(*, is_exact: bool) -> Reference:
    return Reference(ROWS, {"predict": {"label": LABELS}, "predict_proba": {"p": SCORES}}, is_exact)


def test_a_true_copy_is_equal() -> None:
    difference = compare(
        _reference(is_exact=True), _Copy(predict={"label": LABELS}, predict_proba={"p": SCORES})
    )
    assert difference.is_equal
    assert (difference.rows, difference.methods) == (3, ("predict", "predict_proba"))


def test_the_distance_of_a_converted_copy_is_told() -> None:
    labels = np.array(["a", "a", "a"], dtype=object)
    near = (SCORES + 0.125).astype(np.float32)
    difference = compare(
        _reference(is_exact=False), _Copy(predict={"label": labels}, predict_proba={"p": near})
    )
    assert not difference.is_equal
    assert (difference.labels, difference.largest) == (1, 0.125)


def test_a_number_in_place_of_no_number_is_infinitely_far() -> None:
    other = np.nan_to_num(SCORES)
    difference = compare(
        _reference(is_exact=False), _Copy(predict={"label": LABELS}, predict_proba={"p": other})
    )
    assert difference.largest == np.inf


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize(
    "answer", [{}, {"other": SCORES}, {"p": SCORES, "q": SCORES}, {"p": SCORES[:2]}, {"p": SCORES[:, 0]}]
)
def test_other_outputs_are_refused(is_exact: bool, answer: dict[str, Any]) -> None:
    with pytest.raises(VerificationError) as raised:
        compare(_reference(is_exact=is_exact), _Copy(predict={"label": LABELS}, predict_proba=answer))
    assert raised.value.code == "round-trip"


@pytest.mark.parametrize("scores", [np.nextafter(SCORES, 2), np.nan_to_num(SCORES)])
def test_the_last_bit_counts_where_the_copy_must_be_exact(scores: Any) -> None:
    with pytest.raises(VerificationError) as raised:
        compare(_reference(is_exact=True), _Copy(predict={"label": LABELS}, predict_proba={"p": scores}))
    assert raised.value.code == "round-trip"


def test_a_label_that_differs_is_refused() -> None:
    labels = np.array(["a", "b", "b"], dtype=object)
    with pytest.raises(VerificationError):
        compare(_reference(is_exact=True), _Copy(predict={"label": labels}, predict_proba={"p": SCORES}))
