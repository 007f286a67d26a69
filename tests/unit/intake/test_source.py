"""Everything that ``seal`` may be given: what is taken, what is left, what is refused, and why."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io

from strongroom.errors import FormatError, ObjectNotFound, UnsupportedError, UsageError
from strongroom.intake import source as source_module
from strongroom.intake.folder import CHUNK_BYTES
from strongroom.intake.material import Part, in_memory
from strongroom.intake.reference import compare
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.package.names import verify_file_names
from tests.unit.intake import models

ROWS = models.matrix()[0][:6]


def _content(source: Any) -> dict[str, bytes]:
    return {file.name: b"".join(file.chunks()) for file in source.files}


def _loads(source: Any) -> None:
    verify_file_names([file.name for file in source.files])
    loaded = registry.find(source.loader.name).load(_content(source), source.loader, source.schema)
    assert compare(source.reference, loaded).is_equal


def test_an_estimator() -> None:
    source = read_source(models.pipeline(), name="risk", sample=ROWS)
    assert [(file.name, file.part) for file in source.files] == [("risk.skops", Part.MODEL)]
    assert source.loader.entry == "risk.skops"
    assert not source.is_converted
    _loads(source)


def test_an_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "Model (final).onnx"
    path.write_bytes(models.graph())
    source = read_source(path, name="risk", sample=ROWS)
    assert _content(source) == {"Model (final).onnx": models.graph()}
    assert source.schema.methods == ["predict", "predict_proba"]
    assert source.loader.options == {"label_output": "label", "probability_output": "probabilities"}
    assert source.libraries["skl2onnx"]
    _loads(source)


def test_an_onnx_file_with_weights_beside_it(tmp_path: Path) -> None:
    path = models.save_linear(tmp_path, "data/weights.bin")
    (tmp_path / "unrelated.txt").write_text("x")
    source = read_source(str(path), name="risk", sample=np.zeros((2, 8)))
    assert [(file.name, file.part) for file in source.files] == [
        ("data/weights.bin", Part.WEIGHTS),
        ("linear.onnx", Part.MODEL),
    ]
    _loads(source)


def test_an_onnx_model_in_memory() -> None:
    source = read_source(onnx.load_model_from_string(models.graph()), name="risk", sample=ROWS)
    assert [file.name for file in source.files] == ["risk.onnx"]
    _loads(source)
    with pytest.raises(UsageError) as raised:
        read_source(onnx.load_model_from_string(models.linear_graph("w.bin")), name="risk")
    assert raised.value.code == "external-data"


def test_a_skops_file_is_sealed_byte_for_byte(tmp_path: Path) -> None:
    data = skops.io.dumps(models.forest())
    (tmp_path / "m.SKOPS").write_bytes(data)
    source = read_source(tmp_path / "m.SKOPS", name="risk", sample=models.table())
    assert _content(source) == {"m.SKOPS": data}
    assert source.schema.columns == ["age", "bmi", "ward", "smoker"]
    _loads(source)


def test_a_skops_file_is_converted_on_request(tmp_path: Path) -> None:
    (tmp_path / "m.skops").write_bytes(skops.io.dumps(models.pipeline()))
    (tmp_path / "notes.txt").write_text("x")
    source = read_source(tmp_path, name="risk", sample=ROWS, convert="onnx")
    assert [file.name for file in source.files] == ["notes.txt", "risk.onnx"]
    assert source.is_converted
    (tmp_path / "notes.txt").rename(tmp_path / "risk.onnx.txt")
    os.link(tmp_path / "m.skops", tmp_path / "copy.bin")
    assert read_source(tmp_path, name="risk", convert="onnx").reference is None


def test_a_folder_is_taken_with_its_data_and_accounted_for(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "graph").mkdir(parents=True)
    models.save_linear(folder / "graph", "w/weights.bin")
    (folder / "README.md").write_text("# Model")
    (folder / ".cache").mkdir()
    (folder / "old-1.0.0.sealed").write_text("x")
    source = read_source(folder, name="risk", sample=np.ones((2, 8), np.float32))
    assert [(file.name, file.part) for file in source.files] == [
        ("README.md", Part.DATA),
        ("graph/linear.onnx", Part.MODEL),
        ("graph/w/weights.bin", Part.WEIGHTS),
    ]
    assert {left.name for left in source.left} == {".cache", "old-1.0.0.sealed"}
    assert source.loader.entry == "graph/linear.onnx"
    _loads(source)


def test_columns_of_a_graph_come_from_its_inputs_or_from_the_sample(tmp_path: Path) -> None:
    import pandas as pd

    path = models.save_linear(tmp_path)
    named = pd.DataFrame(np.ones((2, 8)), columns=list("abcdefgh"))
    assert read_source(path, name="risk", sample=named).schema.columns == list("abcdefgh")
    assert read_source(path, name="risk").schema.columns == []
    info = onnx.helper.make_tensor_value_info
    inputs = [info(name, onnx.TensorProto.FLOAT, ["n", 1]) for name in ("age", "bmi")]
    node = onnx.helper.make_node("Add", ["age", "bmi"], ["y"])
    graph = onnx.helper.make_graph([node], "g", inputs, [info("y", onnx.TensorProto.FLOAT, ["n", 1])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    assert read_source(model, name="risk").schema.columns == ["age", "bmi"]
    source = read_source(model, name="risk", sample=pd.DataFrame({"bmi": [1.0, 2.0], "age": [3, 4]}))
    assert source.reference is not None
    assert source.reference.answers["predict"]["y"].tolist() == [[4.0], [6.0]]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        read_source(tmp_path / "nothing.onnx", name="risk")
    with pytest.raises(ObjectNotFound):
        read_source("no-such-model", name="risk")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("risk-1.0.0.sealed", b"strongroom package v1-draft\n", "already-sealed"),
        ("weights.safetensors", b"\x02\0\0\0\0\0\0\0{}", "unknown-model"),
        ("model.zip", b"", "unknown-model"),
        ("model.onnx", b"", "onnx-malformed"),
        ("model.onnx", b"hello", "onnx-malformed"),
        ("model.skops", b"hello", "skops-malformed"),
    ],
)
def test_other_files_are_refused(name: str, data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((UsageError, UnsupportedError, FormatError)) as raised:
        read_source(tmp_path / name, name="risk")
    assert raised.value.code == code


def test_a_folder_needs_exactly_one_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UnsupportedError) as raised:
        read_source(tmp_path, name="risk")
    assert raised.value.code == "unknown-model"
    for name in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / name).write_bytes(models.graph())
    with pytest.raises(UsageError, match=r"decoder\.onnx, encoder\.onnx") as several:
        read_source(tmp_path, name="risk")
    assert several.value.code == "several-models"


@pytest.mark.parametrize("place", ["file", "folder"])
def test_weights_that_are_missing_are_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(models.linear_graph("weights.bin"))
    with pytest.raises((FormatError, ObjectNotFound), match=r"weights\.bin"):
        read_source(tmp_path / "m.onnx" if place == "file" else tmp_path, name="risk")
    (tmp_path / "m.onnx").write_bytes(models.linear_graph("m.onnx"))
    with pytest.raises(FormatError) as raised:
        read_source(tmp_path / "m.onnx" if place == "file" else tmp_path, name="risk")
    assert raised.value.code == "external-data"


def test_weights_behind_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = models.save_linear(tmp_path, "real/weights.bin")
    path.write_bytes(models.linear_graph("linked/weights.bin"))
    (tmp_path / "linked").symlink_to("real")
    with pytest.raises(UsageError) as raised:
        read_source(path, name="risk")
    assert raised.value.code == "not-a-plain-file"


def test_a_graph_that_is_too_large_names_external_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(models.graph())
    monkeypatch.setattr(source_module, "LIMITS", type("Small", (), {"max_onnx_graph_bytes": 100}))
    with pytest.raises(UnsupportedError) as raised:
        read_source(tmp_path / "m.onnx", name="risk")
    assert raised.value.code == "onnx-size"
    assert "external" in str(raised.value.hint)


class _Module:
    """Stands for a model of another library."""


@pytest.mark.parametrize(
    ("module", "says"),
    [("torch.nn", "torch.onnx.export"), ("xgboost.core", "onnxmltools"), ("own.code", "scikit-learn")],
)
def test_models_of_other_libraries_are_refused_with_a_way_out(module: str, says: str) -> None:
    kind = type("Module", (_Module,), {"__module__": module})
    with pytest.raises(UnsupportedError) as raised:
        read_source(kind(), name="risk")
    assert raised.value.code == "unknown-model"
    assert says in str(raised.value.hint)


def test_another_conversion_is_refused() -> None:
    with pytest.raises(UsageError, match="'coreml'"):
        read_source(models.pipeline(), name="risk", convert="coreml")


@pytest.mark.parametrize(
    ("missing", "given", "extra"),
    [
        ("strongroom.intake.onnx_source", "m.onnx", "onnx"),
        ("strongroom.intake.estimator_source", "m.skops", "sklearn"),
        ("strongroom.intake.converted_source", "m.skops", "convert"),
        ("strongroom.intake.estimator_source", "estimator", "sklearn"),
        ("strongroom.intake.converted_source", "estimator", "convert"),
    ],
)
def test_a_missing_extra_is_named(
    missing: str, given: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(models.graph())
    (tmp_path / "m.skops").write_bytes(skops.io.dumps(models.pipeline()))
    model = models.pipeline() if given == "estimator" else tmp_path / given
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delattr(f"{missing}", raising=False)
    with pytest.raises(UnsupportedError) as raised:
        read_source(model, name="risk", convert="onnx" if extra == "convert" else None)
    assert raised.value.code == "extra-missing"
    assert raised.value.hint == f'pip install "strongroom[{extra}]"'


def test_bytes_in_memory_come_in_pieces() -> None:
    data = os.urandom(2 * CHUNK_BYTES + 1)
    file = in_memory("x", data)
    assert [len(chunk) for chunk in file.chunks()] == [CHUNK_BYTES, CHUNK_BYTES, 1]
    assert b"".join(file.chunks()) == data
