from __future__ import annotations

import numpy as np
import pytest

from strongroom.errors import Error, UnsupportedError
from strongroom.package.contents import Field, Schema
from strongroom.worker.frames import Tensor
from strongroom.worker.inputs import count_rows, verify_request
from strongroom.worker.tensor import from_array

MATRIX = Schema(inputs=[Field(name="X", datatype="FP32", shape=[-1, 4])], outputs=[], methods=["predict"])
COLUMNS = Schema(
    inputs=[
        Field(name="age", datatype="INT64", shape=[-1, 1]),
        Field(name="text", datatype="BYTES", shape=[-1]),
        Field(name="threshold", datatype="FP32", shape=[3]),
    ],
    outputs=[],
    methods=["predict"],
)


def tensor(name: str, *shape: int) -> Tensor:
    return from_array(name, np.zeros(shape, dtype=np.float32))


def code(schema: Schema, *tensors: Tensor, method: str = "predict") -> str:
    with pytest.raises(Error) as caught:
        verify_request(schema, method, tensors)
    return caught.value.code


def test_a_request_that_fits_passes() -> None:
    verify_request(MATRIX, "predict", [tensor("X", 7, 4)])
    verify_request(COLUMNS, "predict", [tensor("age", 7), tensor("text", 7), tensor("threshold", 3)])
    verify_request(COLUMNS, "predict", [tensor("age", 7, 1), tensor("text", 7), tensor("threshold", 3)])


def test_what_does_not_fit_is_refused() -> None:
    assert code(MATRIX) == "input-missing"
    assert code(MATRIX, tensor("X", 7, 4), tensor("Y", 7)) == "input-unknown"
    assert code(MATRIX, tensor("X", 7, 5)) == "input-shape"
    assert code(MATRIX, tensor("X", 7)) == "input-shape"
    assert code(MATRIX, tensor("X", 7, 4, 1)) == "input-shape"
    assert code(MATRIX, tensor("X", 0, 4)) == "input-rows"
    assert code(COLUMNS, tensor("age", 7), tensor("text", 7), tensor("threshold", 4)) == "input-shape"


def test_a_method_that_the_model_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(UnsupportedError) as caught:
        verify_request(MATRIX, "predict_proba", [tensor("X", 7, 4)])
    assert (caught.value.code, caught.value.hint) == ("method-missing", "it has: predict")


def test_rows_are_those_of_the_longest_input_and_at_least_one() -> None:
    assert count_rows(MATRIX, [tensor("X", 7, 4)]) == 7
    assert count_rows(COLUMNS, [tensor("age", 7), tensor("text", 9), tensor("threshold", 3)]) == 9
    assert count_rows(Schema(inputs=[], outputs=[]), [tensor("X", 7)]) == 1
    assert count_rows(MATRIX, []) == 1
