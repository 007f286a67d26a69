"""Attacks by a hostile package on whoever loads it: files of the partner, caches, hidden weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from strongroom.errors import FormatError
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.loaders.onnx_locations import external_locations
from strongroom.loaders.skops import load_estimator
from strongroom.package.contents import Field, Loader, Schema
from tests.unit.intake import models


def _graph_with_inner_weights(location: str) -> bytes:
    """Weights of a branch in a file: onnxruntime reads these from the disk even if it was given bytes."""
    tensor = onnx.numpy_helper.from_array(models.weights(), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [8, 8])
    identity = onnx.helper.make_node("Identity", ["w"], ["y"])
    branch = onnx.helper.make_graph([identity], "branch", [], [output], initializer=[tensor])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.BOOL, [])]
    graph: bytes = onnx.helper.make_model(
        onnx.helper.make_graph([node], "graph", inputs, [output])
    ).SerializeToString()
    return graph


def test_weights_of_an_inner_graph_are_never_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoy of the same name in the package must not make room for the real file on the disk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"patients" * 32)
    graph = _graph_with_inner_weights("secret.bin")
    schema = Schema(
        inputs=[Field(name="x", datatype="BOOL", shape=[])],
        outputs=[Field(name="y", datatype="FP32", shape=[8, 8])],
        methods=["predict"],
    )
    files = {"m.onnx": graph, "secret.bin": bytes(256)}
    with pytest.raises(FormatError) as raised:
        registry.find("onnx").load(files, Loader(name="onnx", entry="m.onnx"), schema)
    assert raised.value.code == "external-data"
    (tmp_path / "m.onnx").write_bytes(graph)
    with pytest.raises(FormatError):
        read_source(tmp_path / "m.onnx", name="risk")


@pytest.mark.parametrize("tag", [b"\xea\x80\x80\x80\x10", b"\xea\x80\x00", b"\xea\x00\x00"])
def test_a_tag_that_others_read_otherwise_hides_no_file(tag: bytes) -> None:
    """The C++ reader cuts a tag off after 32 bits: field 13 to it, an unknown one to a careful reader."""
    entry = b"\x0a\x08location\x12\x0aetc/passwd"
    tensor = tag + bytes([len(entry)]) + entry
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    with pytest.raises(FormatError) as raised:
        external_locations(b"\x3a" + bytes([len(graph)]) + graph)
    assert raised.value.code == "onnx-malformed"


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
@pytest.mark.parametrize("source", ["filename", "file"])
def test_a_model_does_not_take_its_input_for_names_of_files(kind: Any, source: str) -> None:
    """skops trusts the class with any argument; the worker would open each row of input as a path."""
    texts = ["one two", "three four", "five"]
    pipeline = make_pipeline(kind(), LogisticRegression()).fit(texts, [0, 1, 0])
    load_estimator(skops.io.dumps(pipeline), [])
    pipeline.steps[0][1].set_params(input=source)
    with pytest.raises(FormatError) as raised:
        load_estimator(skops.io.dumps(pipeline), [])
    assert raised.value.code == "model-files"


def test_a_model_keeps_no_cache_on_the_disk(tmp_path: Path) -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(), memory=str(tmp_path / "cache"))
    pipeline.fit(np.arange(12.0).reshape(6, 2), [0, 1] * 3)
    with pytest.raises(FormatError) as raised:
        load_estimator(skops.io.dumps(pipeline), [])
    assert raised.value.code == "model-files"
