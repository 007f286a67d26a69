"""Every loader keeps one contract: from memory only, the library's own answers, errors of our tree.

Add a technology by adding a case: what a package holds, and what the library itself answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.loaders.interface import BASE_VALUES, CONTRIBUTIONS, Files, LoadedModel
from strongroom.loaders.tensor import Array
from strongroom.package.contents import CODE_LOADERS, Field, Loader, Schema
from tests.unit.intake import boosted_models, models

Answers = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Case:
    """One model as a package holds it, and the answers of the plain library."""

    files: Files
    spec: Loader
    schema: Schema
    inputs: Mapping[str, Array]
    plain: Answers

    def load(self, files: Files | None = None) -> LoadedModel:
        """Load it through the registry."""
        return registry.find(self.spec.name).load(
            self.files if files is None else files, self.spec, self.schema
        )


def _skops_case(model: Any, sample: Any) -> Case:
    source = read_source(model, name="risk", sample=sample)
    assert source.reference is not None
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    plain = {method: {method: getattr(model, method)(sample)} for method in source.schema.methods}
    return Case(files, source.loader, source.schema, source.reference.inputs, plain)


def _onnx_case(files: dict[str, bytes], folder: Path, inputs: dict[str, Array]) -> Case:
    import onnxruntime

    for name, data in files.items():
        (folder / name).write_bytes(data)
    entry = next(name for name in files if name.endswith(".onnx"))
    source = read_source(folder / entry, name="risk")
    plain = onnxruntime.InferenceSession(str(folder / entry), providers=["CPUExecutionProvider"])
    every = {
        output.name: answer
        for output, answer in zip(plain.get_outputs(), plain.run(None, inputs), strict=True)
    }
    label = source.loader.options.get("label_output")
    probability = source.loader.options.get("probability_output")
    answers: dict[str, dict[str, Array]] = {"predict": {str(label): every[str(label)]} if label else every}
    if probability:
        rows = every[str(probability)]
        if isinstance(rows, list):
            rows = np.array([[row[key] for key in source.schema.classes] for row in rows], np.float32)
        answers["predict_proba"] = {str(probability): rows}
    return Case(files, source.loader, source.schema, inputs, answers)


def _boosted_case(library: str, kind: str) -> Case:
    is_table = kind == "categorical"
    fitted = boosted_models.categorical(library) if is_table else boosted_models.model(library, kind)
    sample = boosted_models.table() if is_table else boosted_models.rows()
    source = read_source(fitted, name="risk", sample=sample)
    assert source.reference is not None
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    plain = boosted_models.plain(library, fitted, sample)
    return Case(files, source.loader, source.schema, source.reference.inputs, plain)


_CODE = """class Scorer:
    def load(self, files):
        self.weights = files["weights.bin"]
    def predict(self, inputs):
        import numpy
        if not numpy.isfinite(inputs["x"]).all():
            raise ValueError("not finite")
        return {"score": inputs["x"] @ numpy.frombuffer(self.weights)}
"""
_DESCRIPTION = """
entry = "scorer.py:Scorer"
imports = ["numpy"]
inputs = [{ name = "x", datatype = "FP64", shape = [-1, 3] }]
outputs = [{ name = "score", datatype = "FP64", shape = [-1] }]
"""


def _python_case(folder: Path) -> Case:
    weights = np.array([0.5, -2.0, 3.25])
    for name, data in (
        ("scorer.py", _CODE.encode()),
        ("strongroom.toml", _DESCRIPTION.encode()),
        ("weights.bin", weights.tobytes()),
    ):
        (folder / name).write_bytes(data)
    source = read_source(folder, name="risk", loader="python")
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    rows = np.arange(12.0).reshape(4, 3)
    return Case(files, source.loader, source.schema, {"x": rows}, {"predict": {"score": rows @ weights}})


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    rows = models.matrix()[0][:40]
    single = {"input": rows.astype(np.float32)}
    linear = {"x": np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 8)}
    weights = {"weights.bin": models.weights().tobytes()}

    def folder() -> Path:
        return tmp_path_factory.mktemp("plain")

    makers: dict[str, Callable[[], Case]] = {
        "onnx": lambda: _onnx_case({"risk.onnx": models.graph()}, folder(), single),
        "onnx-zipmap": lambda: _onnx_case({"risk.onnx": models.graph(zipmap=True)}, folder(), single),
        "onnx-external": lambda: _onnx_case(
            {"linear.onnx": models.linear_graph("weights.bin")} | weights, folder(), linear
        ),
        "python": lambda: _python_case(folder()),
        "skops": lambda: _skops_case(models.pipeline(), rows),
        "skops-text-labels": lambda: _skops_case(models.logistic(), rows),
        "skops-histogram": lambda: _skops_case(models.histogram(), rows),
        "skops-neighbors": lambda: _skops_case(models.neighbors(), rows),
        "skops-table": lambda: _skops_case(models.forest(), models.table()),
    }

    @cache
    def make(name: str) -> Case:
        if name not in makers:
            return _boosted_case(*name.split("-"))
        return makers[name]()

    return make


NAMES = [
    "onnx",
    "onnx-zipmap",
    "onnx-external",
    "python",
    "skops",
    "skops-text-labels",
    "skops-histogram",
    "skops-neighbors",
    "skops-table",
    *(f"{library}-{kind}" for library in boosted_models.LIBRARIES for kind in ("many", "categorical")),
]


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, cases: Callable[[str], Case]) -> Case:
    return cases(request.param)


def test_every_loader_of_the_registry_has_a_case(cases: Callable[[str], Case]) -> None:
    assert {cases(name).spec.name for name in NAMES} == set(registry.NAMES)


def test_the_answers_are_those_of_the_plain_library(case: Case) -> None:
    model = case.load()
    assert set(case.plain) == set(case.schema.methods)
    for method, outputs in case.plain.items():
        answer = model.predict(case.inputs, method)
        assert set(answer) == set(outputs)
        for name, wanted in outputs.items():
            assert np.array_equal(answer[name], wanted)
            assert answer[name].dtype == (object if wanted.dtype.kind in "UO" else wanted.dtype)


def test_it_loads_from_buffers_that_are_wiped_afterwards(case: Case) -> None:
    buffers = {name: bytearray(data) for name, data in case.files.items()}
    model = case.load(buffers)
    for buffer in buffers.values():
        buffer[:] = bytes(len(buffer))
    for method, outputs in case.plain.items():
        answer = model.predict(case.inputs, method)
        assert all(np.array_equal(answer[name], wanted) for name, wanted in outputs.items())


def test_it_loads_from_views(case: Case) -> None:
    case.load({name: memoryview(bytearray(data)) for name, data in case.files.items()})


def test_other_bytes_in_place_of_the_entry_are_refused(case: Case) -> None:
    entry = bytes(case.files[case.spec.entry])
    for data in (b"", b"\0", b"PK\3\4", entry[: len(entry) // 2], entry[1:], os.urandom(4096)):
        with pytest.raises((FormatError, UnsupportedError)):
            case.load({**case.files, case.spec.entry: data})


def test_a_missing_file_is_refused(case: Case) -> None:
    for name in case.files:
        rest = {other: data for other, data in case.files.items() if other != name}
        with pytest.raises(FormatError):
            case.load(rest)


def test_another_loader_is_refused(case: Case) -> None:
    other = Loader(name="other", entry=case.spec.entry)
    with pytest.raises(FormatError, match="asks for the loader 'other'"):
        registry.find(case.spec.name).load(case.files, other, case.schema)


@pytest.mark.parametrize("method", ["fit", "__class__", "set_params", "get_params", "__reduce__"])
def test_a_schema_cannot_make_an_arbitrary_attribute_callable(case: Case, method: str) -> None:
    schema = Schema(inputs=case.schema.inputs, outputs=case.schema.outputs, methods=[method])
    with pytest.raises(FormatError) as raised:
        replace(case, schema=schema).load()
    assert raised.value.code == "schema-methods"


def test_a_schema_with_other_inputs_is_refused(case: Case) -> None:
    if case.spec.name in CODE_LOADERS:
        # Code declares no inputs of its own that a schema could be compared with.
        return
    inputs = [Field(name="other", datatype="FP32", shape=[-1, 8])]
    schema = Schema(inputs=inputs, outputs=case.schema.outputs, methods=case.schema.methods)
    with pytest.raises(FormatError) as raised:
        replace(case, schema=schema).load()
    assert raised.value.code == "schema-mismatch"


def test_a_schema_with_a_method_that_the_model_lacks_is_refused(case: Case) -> None:
    schema = Schema(inputs=case.schema.inputs, outputs=case.schema.outputs, methods=["transform"])
    with pytest.raises(FormatError):
        replace(case, schema=schema).load()


def test_a_method_that_the_schema_does_not_name_is_refused(case: Case) -> None:
    with pytest.raises(UnsupportedError) as raised:
        case.load().predict(case.inputs, "fit")
    assert raised.value.code == "method-missing"
    assert raised.value.hint is not None
    assert "predict" in raised.value.hint


def test_inputs_that_do_not_fit_are_refused_by_name(case: Case) -> None:
    model = case.load()
    name, array = next(iter(case.inputs.items()))
    rest = {other: value for other, value in case.inputs.items() if other != name}
    wrong: dict[str, dict[str, Array]] = {
        "input-missing": rest,
        "input-unknown": {**case.inputs, "more": array},
        "input-shape": {**case.inputs, name: array.reshape(1, *array.shape, 1)},
        "input-rows": {other: value[:0] for other, value in case.inputs.items()},
        "input-datatype": {**case.inputs, name: array.astype(complex) if array.dtype != object else array},
    }
    for code, inputs in wrong.items():
        with pytest.raises(Error) as raised:
            model.predict(inputs)
        assert raised.value.code in (code, "datatype")


def test_what_a_model_throws_says_nothing_of_the_input(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model = case.load()

    def fail(inputs: object, method: str) -> dict[str, Array]:
        raise ValueError("patient Jane Roe")

    monkeypatch.setattr(model, "_predict", fail)
    with pytest.raises(UsageError) as raised:
        model.predict(case.inputs)
    assert raised.value.code == "input-refused"
    assert "Jane" not in f"{raised.value} {raised.value.hint}"


def test_a_model_explains_itself_or_says_that_it_cannot(case: Case) -> None:
    model = case.load()
    if not model.explains:
        with pytest.raises(UnsupportedError) as raised:
            model.explain(case.inputs)
        assert raised.value.code == "explain-missing"
        assert raised.value.hint is not None
        return
    answer = model.explain(case.inputs)
    assert set(answer) == {CONTRIBUTIONS, BASE_VALUES}
    contributions, base = answer[CONTRIBUTIONS], answer[BASE_VALUES]
    assert contributions.dtype == base.dtype == np.float64
    assert contributions.ndim == 3
    assert contributions.shape[:2] == base.shape
    first = next(iter(case.inputs.values()))
    assert contributions.shape[0] == len(first)
    assert contributions.shape[2] == (len(case.schema.columns) or first.shape[1])
    assert base.flags.writeable


def test_an_explanation_keeps_the_promises_of_a_prediction(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = case.load()

    def fail(inputs: object) -> dict[str, Array]:
        raise ValueError("patient Jane Roe")

    monkeypatch.setattr(model, "_explain", fail)
    with pytest.raises(UsageError) as raised:
        model.explain(case.inputs)
    assert raised.value.code == "input-refused"
    assert "Jane" not in f"{raised.value} {raised.value.hint}"
    with pytest.raises(UsageError) as raised:
        model.explain({"other": np.zeros((1, 1))})
    assert raised.value.code == "input-missing"


_PROBE = """
import json, os, sys, tempfile

case = json.load(sys.stdin)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink",
             "socket.connect", "socket.bind", "subprocess.Popen", "os.exec", "os.fork", "os.forkpty",
             "os.posix_spawn", "os.system", "tempfile.mkstemp", "tempfile.mkdtemp", "pickle.find_class"}
opened = []

def hook(event, arguments):
    if event in FORBIDDEN or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES):
        opened.append([event, repr(arguments)[:200]])
        raise PermissionError(event)

sys.dont_write_bytecode = True
import base64
import numpy as np
import msgspec
from strongroom.loaders import registry
from strongroom.package.contents import Loader, Schema

import importlib
for name in case["imports"]:
    importlib.import_module(name)
sys.addaudithook(hook)
files = {name: base64.b64decode(data) for name, data in case["files"].items()}
spec = msgspec.convert(case["spec"], Loader)
schema = msgspec.convert(case["schema"], Schema)
model = registry.find(spec.name).load(files, spec, schema)
inputs = {name: np.array(value, dtype=kind) for name, (kind, value) in case["inputs"].items()}
answer = {method: {name: array.tolist() for name, array in model.predict(inputs, method).items()}
          for method in schema.methods}
json.dump({"answer": answer, "opened": opened}, sys.stdout)
"""


def test_it_works_from_memory_alone(case: Case, tmp_path: Path) -> None:
    """In an own process: no file is opened for writing, nothing is started, and home and cwd stay empty."""
    import base64

    import msgspec

    homes = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "cwd")}
    for folder in homes.values():
        folder.mkdir()
    request = {
        "files": {name: base64.b64encode(data).decode() for name, data in case.files.items()},
        # Old releases of numpy start a program when their test tools are imported.
        "imports": ["numpy.testing"],
        "spec": msgspec.to_builtins(case.spec),
        "schema": msgspec.to_builtins(case.schema),
        "inputs": {name: [array.dtype.str, array.tolist()] for name, array in case.inputs.items()},
    }
    environment = {name: str(folder) for name, folder in homes.items()} | {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=homes["cwd"],
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["opened"] == []
    for method, outputs in case.plain.items():
        for name, wanted in outputs.items():
            assert np.array_equal(np.array(said["answer"][method][name]), wanted)
    assert [path for folder in homes.values() for path in folder.rglob("*")] == []
