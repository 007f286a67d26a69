"""What is special about ONNX: named outputs, columns, gaps in text, no telemetry."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.loaders import registry
from strongroom.package.contents import Field, Loader, Schema
from tests.unit.intake import models


def _echo(kind: int) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "echo",
        [helper.make_tensor_value_info("x", kind, ["rows", 1])],
        [helper.make_tensor_value_info("y", kind, ["rows", 1])],
    )
    data: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ).SerializeToString()
    return data


def _load(
    data: bytes, datatype: str, shape: list[int], methods: tuple[str, ...] = ("predict",), **options: Any
) -> Any:
    schema = Schema(
        inputs=[Field(name="x", datatype=datatype, shape=shape)], outputs=[], methods=list(methods)
    )
    spec = Loader(name="onnx", entry="m.onnx", options=options)
    return registry.find("onnx").load({"m.onnx": data}, spec, schema, threads=1)


def test_without_a_label_output_predict_gives_everything() -> None:
    model = _load(models.linear_graph(), "FP32", [-1, 8])
    assert set(model.predict({"x": np.zeros((2, 8), np.float32)})) == {"y"}


def test_a_column_output_is_given_as_one_number_a_row() -> None:
    rows = {"x": np.array([1.0, 2.0], np.float32)}
    assert _load(_echo(TensorProto.FLOAT), "FP32", [-1, 1]).predict(rows)["y"].shape == (2, 1)
    flat = _load(_echo(TensorProto.FLOAT), "FP32", [-1, 1], column_outputs=["y"])
    assert flat.predict(rows)["y"].tolist() == [1.0, 2.0]


def test_text_goes_in_and_comes_out() -> None:
    model = _load(_echo(TensorProto.STRING), "BYTES", [-1, 1])
    assert model.predict({"x": np.array(["a", "ü"])})["y"].tolist() == [["a"], ["ü"]]


def test_missing_text_is_refused_instead_of_becoming_the_word_none() -> None:
    model = _load(_echo(TensorProto.STRING), "BYTES", [-1, 1])
    with pytest.raises(UsageError) as raised:
        model.predict({"x": np.array(["a", None], dtype=object)})
    assert raised.value.code == "input-missing-text"


def test_an_output_that_the_graph_lacks_is_refused() -> None:
    with pytest.raises(FormatError) as raised:
        _load(models.linear_graph(), "FP32", [-1, 8], label_output="label")
    assert raised.value.code == "schema-mismatch"


def test_probabilities_need_an_output_of_their_own() -> None:
    with pytest.raises(FormatError, match="predict_proba"):
        _load(models.linear_graph(), "FP32", [-1, 8], methods=("predict", "predict_proba"))


def test_a_graph_that_names_itself_as_its_weights_is_refused() -> None:
    with pytest.raises(FormatError) as raised:
        _load(models.linear_graph("m.onnx"), "FP32", [-1, 8])
    assert raised.value.code == "external-data"


def test_weights_that_are_too_short_are_refused() -> None:
    schema = Schema(inputs=[Field(name="x", datatype="FP32", shape=[-1, 8])], outputs=[], methods=["predict"])
    files = {"m.onnx": models.linear_graph("w.bin"), "w.bin": models.weights().tobytes()[:-4]}
    with pytest.raises(FormatError) as raised:
        registry.find("onnx").load(files, Loader(name="onnx", entry="m.onnx"), schema)
    assert raised.value.code == "model-unreadable"


def test_weights_in_a_folder_of_their_own(tmp_path: Any) -> None:
    schema = Schema(inputs=[Field(name="x", datatype="FP32", shape=[-1, 8])], outputs=[], methods=["predict"])
    files = {"a/m.onnx": models.linear_graph("w/w.bin"), "a/w/w.bin": models.weights().tobytes()}
    model = registry.find("onnx").load(files, Loader(name="onnx", entry="a/m.onnx"), schema)
    rows = np.eye(8, dtype=np.float32)
    assert np.array_equal(model.predict({"x": rows})["y"], models.weights())


def test_operators_that_onnxruntime_lacks_do_not_load() -> None:
    with pytest.raises(FormatError):
        _load(models.custom_graph("com.example"), "FP32", [-1, 8])


def test_onnxruntime_that_was_imported_with_telemetry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    assert sys.modules["onnxruntime"] is onnxruntime
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    with pytest.raises(UnsupportedError) as raised:
        _load(models.linear_graph(), "FP32", [-1, 8])
    assert raised.value.code == "onnxruntime-telemetry"


def test_the_models_of_these_tests_are_valid() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(models.linear_graph()))
