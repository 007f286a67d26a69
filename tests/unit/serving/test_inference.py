"""The protocol's bytes: what is read, what is refused, and what is written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.package.contents import Field, Schema
from strongroom.serving.inference import InferenceRequest, metadata, read_request, write_answer
from strongroom.worker.tensor import from_array, to_array
from tests.unit.serving.runtimes import SCHEMA

SECRET = "4711.25"
"""A value that no error may repeat."""


def body_of(data: Any = (1, 2), *, shape: Any = (1, 2), datatype: str = "FP32", **rest: Any) -> bytes:
    given = {"name": "X", "shape": shape, "datatype": datatype, "data": data}
    return json.dumps({"inputs": [given], **rest}).encode()


def read(body: bytes, *, json_bytes: int | None = None, schema: Schema = SCHEMA) -> InferenceRequest:
    return read_request(body, json_bytes=json_bytes, schema=schema)


def values(request: InferenceRequest) -> Any:
    return to_array(request.tensors[0])


class TestJson:
    def test_a_flat_list(self) -> None:
        request = read(body_of([1, 2.5], id="7"))
        assert request.id == "7"
        assert values(request).tolist() == [[1, 2.5]]
        assert values(request).dtype == np.float32

    def test_nested_lists(self) -> None:
        assert values(read(body_of([[1, 2], [3, 4]], shape=[2, 2]))).tolist() == [[1, 2], [3, 4]]

    @pytest.mark.parametrize(
        ("datatype", "data"),
        [
            ("INT64", [-(1 << 63), (1 << 63) - 1]),
            ("UINT64", [0, (1 << 64) - 1]),
            ("INT8", [-128, 127]),
            ("BOOL", [True, False]),
            ("BYTES", ["Zoë", None]),
            ("FP64", [0.1, 1e300]),
            ("FP16", [0.5, 65504]),
        ],
    )
    def test_every_kind_of_value_arrives(self, datatype: str, data: list[Any]) -> None:
        assert values(read(body_of(data, datatype=datatype, shape=[2]))).tolist() == data

    def test_null_is_not_a_number(self) -> None:
        assert np.isnan(values(read(body_of([1, None])))).tolist() == [[False, True]]

    def test_numbers_round_trip_bit_for_bit(self) -> None:
        row = np.array([[0.1, 1 / 3]], dtype=np.float32)
        assert values(read(body_of(row.tolist()))).tobytes() == row.tobytes()

    @pytest.mark.parametrize(
        ("datatype", "data"),
        [
            ("FP32", [1, "4711.25"]),
            ("FP32", [1, True]),
            ("FP32", [1, 1e39]),
            ("FP32", [1, {"a": 4711.25}]),
            ("INT8", [1, 4711]),
            ("INT64", [1, 1 << 63]),
            ("INT64", [1, 4711.25]),
            ("UINT8", [1, -1]),
            ("BOOL", [1, 0]),
            ("BYTES", ["x", 4711]),
            ("INT64", [1, None]),
        ],
    )
    def test_a_value_that_the_datatype_cannot_hold(self, datatype: str, data: list[Any]) -> None:
        with pytest.raises(FormatError) as refused:
            read(body_of(data, datatype=datatype, shape=[2]))
        assert refused.value.code == "inference-value"
        assert "4711" not in str(refused.value) + str(refused.value.hint)

    @pytest.mark.parametrize(
        ("data", "shape"),
        [
            ([1, 2, 3], [1, 2]),
            ([1], [1, 2]),
            ([[1, 2]], [2, 2]),
            ([[1, 2], [3]], [2, 2]),
            ([[1, 2], 3], [2, 2]),
            ([], [1, 2]),
            ([[1]], []),
            ([], [0, 2**52, 2**52]),
        ],
    )
    def test_values_that_do_not_fill_the_shape(self, data: Any, shape: list[int]) -> None:
        with pytest.raises(FormatError) as refused:
            read(body_of(data, shape=shape))
        assert refused.value.code == "inference-shape"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"{}",
            b"\xff",
            b'{"inputs": [{"name": "", "shape": [1], "datatype": "FP32", "data": [1]}]}',
            b'{"inputs": [{"name": "X", "shape": [-1], "datatype": "FP32", "data": [1]}]}',
            b'{"inputs": [{"name": "X", "shape": [1,1,1,1,1,1,1,1,1], "datatype": "FP32", "data": [1]}]}',
            b'{"inputs": [{"name": "X", "shape": [1], "datatype": "4711.25", "data": [1]}]}',
            b"[" * 100_000,
            b'{"inputs": [{"name": "X", "shape": [1], "datatype": "FP32", "data": ' + b"[" * 100_000,
            body_of(parameters={"method": 4711}),
            body_of(parameters={"method": "x" * 65}),
            body_of(parameters={"binary_data_output": "yes"}),
            b'{"inputs": [{"name": "X", "shape": [1], "datatype": "FP32"}]}',
        ],
    )
    def test_what_is_no_request(self, body: bytes) -> None:
        with pytest.raises(FormatError) as refused:
            read(body)
        assert refused.value.code == "inference-request"
        assert "4711" not in str(refused.value)

    def test_nesting_inside_the_values(self) -> None:
        body = body_of().replace(b"[1, 2]}", b"[" * 5000 + b"]" * 5000 + b"}")
        with pytest.raises(FormatError) as refused:
            read(body)
        assert refused.value.code in ("inference-value", "inference-shape", "inference-request")


class TestBinary:
    def body(self, size: Any = 8, tail: bytes = bytes(8), **rest: Any) -> tuple[bytes, int]:
        given = {"name": "X", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": size}}
        head = json.dumps({"inputs": [given | rest]}).encode()
        return head + tail, len(head)

    def test_bytes_are_the_tensor(self) -> None:
        row = np.array([[1.5, -2]], dtype="<f4")
        body, size = self.body(tail=row.tobytes())
        assert values(read(body, json_bytes=size)).tobytes() == row.tobytes()

    @pytest.mark.parametrize("size", [7, 9, -1, "8", True, 1 << 70])
    def test_a_size_that_is_not_so(self, size: Any) -> None:
        body, length = self.body(size)
        with pytest.raises(FormatError):
            read(body, json_bytes=length)

    def test_bytes_that_do_not_fit_the_shape(self) -> None:
        body, length = self.body(4, bytes(4))
        with pytest.raises(FormatError) as refused:
            read(body, json_bytes=length)
        assert refused.value.code == "inference-shape"

    def test_bytes_that_are_left_over(self) -> None:
        body, length = self.body(8, bytes(9))
        with pytest.raises(FormatError) as refused:
            read(body, json_bytes=length)
        assert refused.value.code == "inference-body"

    def test_a_body_shorter_than_its_json(self) -> None:
        with pytest.raises(FormatError) as refused:
            read(b"{}", json_bytes=3)
        assert refused.value.code == "inference-body"

    def test_values_twice(self) -> None:
        body, length = self.body(data=[1, 2])
        with pytest.raises(FormatError) as refused:
            read(body, json_bytes=length)
        assert refused.value.code == "inference-request"


class TestMethod:
    def method(self, schema: Schema = SCHEMA, **rest: Any) -> str:
        return read(body_of(**rest), schema=schema).method

    def test_is_predict(self) -> None:
        assert self.method() == "predict"

    def test_is_what_the_request_says(self) -> None:
        assert self.method(parameters={"method": "transform"}) == "transform"

    def test_follows_from_an_output_with_a_score_for_each_class(self) -> None:
        assert self.method(outputs=[{"name": "probabilities"}]) == "predict_proba"

    def test_follows_from_an_output_that_is_named_as_one(self) -> None:
        assert self.method(outputs=[{"name": "predict_proba"}]) == "predict_proba"

    def test_is_the_only_one_of_a_model_that_cannot_predict(self) -> None:
        schema = Schema(inputs=SCHEMA.inputs, outputs=SCHEMA.outputs, methods=["transform"])
        assert self.method(schema) == "transform"

    def test_of_an_unknown_output(self) -> None:
        with pytest.raises(UsageError) as refused:
            self.method(outputs=[{"name": "score"}])
        assert refused.value.code == "output-unknown"

    def test_cannot_be_two(self) -> None:
        with pytest.raises(UsageError) as refused:
            self.method(outputs=[{"name": "label"}, {"name": "probabilities"}])
        assert refused.value.code == "output-methods"


class TestAnswers:
    outputs = (
        from_array("label", np.array(["yes"], dtype=object)),
        from_array("probabilities", np.array([[0.25, np.nan]], dtype=np.float32)),
    )

    def write(self, *outputs: Any, **rest: Any) -> Any:
        answer = write_answer(
            read(body_of(**rest)), name="risk", version="1.0.0", outputs=outputs or self.outputs
        )
        head = answer.body if answer.json_bytes is None else answer.body[: answer.json_bytes]
        return json.loads(head), answer.body[len(head) :]

    def test_as_json(self) -> None:
        said, tail = self.write(id="7", parameters={"method": "predict"})
        assert not tail
        assert said == {
            "id": "7",
            "model_name": "risk",
            "model_version": "1.0.0",
            "outputs": [
                {"name": "label", "shape": [1], "datatype": "BYTES", "data": ["yes"]},
                {"name": "probabilities", "shape": [1, 2], "datatype": "FP32", "data": [0.25, None]},
            ],
        }

    def test_as_binary(self) -> None:
        said, tail = self.write(parameters={"binary_data_output": True})
        assert [output["parameters"]["binary_data_size"] for output in said["outputs"]] == [7, 8]
        assert tail[:7] == b"\x03\x00\x00\x00yes"
        assert np.frombuffer(tail[7:], "<f4")[0] == 0.25

    def test_only_what_was_selected_and_as_it_was_selected(self) -> None:
        said, tail = self.write(
            outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}],
        )
        assert [output["name"] for output in said["outputs"]] == ["probabilities"]
        assert len(tail) == 8

    def test_without_what_the_method_does_not_give(self) -> None:
        with pytest.raises(UsageError) as refused:
            self.write(self.outputs[0], outputs=[{"name": "probabilities"}])
        assert refused.value.code == "output-missing"

    def test_an_infinite_number_is_no_json(self) -> None:
        infinite = from_array("score", np.array([np.inf]))
        with pytest.raises(UnsupportedError) as refused:
            self.write(infinite)
        assert refused.value.code == "answer-form"
        assert self.write(infinite, parameters={"binary_data_output": True})[1]

    def test_a_missing_text_is_no_binary_tensor(self) -> None:
        missing = from_array("label", np.array([None], dtype=object))
        with pytest.raises(UnsupportedError):
            self.write(missing, parameters={"binary_data_output": True})
        assert self.write(missing)[0]["outputs"][0]["data"] == [None]


def test_metadata_has_true_shapes() -> None:
    said = metadata(name="risk", version="1.0.0", schema=SCHEMA)
    assert said["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 2]}]
    assert said["outputs"][1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
    assert said["versions"] == ["1.0.0"]


def test_an_input_that_a_column_schema_names() -> None:
    schema = Schema(inputs=[Field(name="X", datatype="BYTES", shape=[-1])], outputs=[], methods=["predict"])
    assert values(read(body_of(["a", "b"], datatype="BYTES", shape=[2]), schema=schema)).tolist() == [
        "a",
        "b",
    ]
