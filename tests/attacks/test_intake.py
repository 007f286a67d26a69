"""What sealing takes in and what loaders load can run nothing, reach nothing, and hide nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.loaders.skops import load_estimator, untrusted_types
from strongroom.loaders.skops_trust import ALLOWED, refused
from strongroom.package.contents import Field, Loader, Schema
from tests.unit.intake import models


class _Payload:
    """Whoever unpickles this creates a file named ``ran`` in the working directory."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("ran",)


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return buffer.getvalue()


def _tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _joblib(compress: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump({"model": _Payload(), "weights": np.arange(5000.0)}, buffer, compress=compress)
    return buffer.getvalue()


def _numpy_objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Payload()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


_PICKLE = pickle.dumps(_Payload())
_TORCH = _zip(archive__data_dot_pkl=_PICKLE, archive__data__0=b"\0" * 64, archive__version=b"3\n")
CODE: dict[str, bytes] = {
    **{f"pickle-protocol-{number}": pickle.dumps(_Payload(), number) for number in range(6)},
    "pickle-of-a-model": pickle.dumps(DecisionTreeClassifier().fit([[0], [1]], [0, 1])),
    "joblib": _joblib(0),
    **{f"joblib-{kind}": _joblib((kind, 3)) for kind in ("zlib", "gzip", "bz2", "lzma", "xz")},
    "torch": _TORCH,
    "torch-behind-other-bytes": b"weights" * 100 + _TORCH,
    "numpy-objects": _numpy_objects(),
    "numpy-objects-in-npz": _zip(a_dot_npy=_numpy_objects()),
    "keras-h5": b"\x89HDF\r\n\x1a\n" + bytes(600),
    "keras-h5-with-a-user-block": bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(600),
    "keras-v3": _zip(config_dot_json=b"{}", model_dot_weights_dot_h5=b"\x89HDF\r\n\x1a\n"),
    "elf": Path(sys.executable).resolve().read_bytes()[:4096],
    "windows": b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(100),
    "script": b"#!/bin/sh\ntouch ran\n",
    "compiled-python": (3495).to_bytes(2, "little") + b"\r\n" + bytes(12) + b"\xe3",
    "yaml-objects": b"model: !!python/object/apply:os.mkdir ['ran']\n",
    "r-data": gzip.compress(b"RDX3\nX\n" + bytes(100)),
    "python-in-a-zip": _zip(model_dot_py=b"import os\n"),
    "library-in-a-tar": _tar("lib/libmodel.so.1", b"\x7fELF" + bytes(100)),
    "pickle-in-a-tar": _tar("weights", _PICKLE),
    "pickle-in-a-gzip": gzip.compress(_PICKLE),
    "pickle-in-a-tar-in-a-gzip": gzip.compress(_tar("a/b/c", _PICKLE)),
    "pickle-in-a-zip-in-a-tar-in-an-xz": lzma.compress(_tar("a", _zip(b=_PICKLE))),
    "pickle-in-a-bz2": bz2.compress(_PICKLE),
    "pickle-in-a-zlib-stream": zlib.compress(_PICKLE),
}


@pytest.fixture
def _nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("_nothing_ran")
@pytest.mark.parametrize("kind", CODE)
@pytest.mark.parametrize("name", ["weights.bin", "model.onnx", "model.skops", "readme.txt"])
def test_code_is_refused_whatever_its_name(kind: str, name: str, tmp_path: Path) -> None:
    """By content: alone, as a model, and beside a good model in a folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_bytes(CODE[kind])
    with pytest.raises(Error) as raised:
        read_source(folder / name, name="risk")
    if not name.endswith((".onnx", ".skops")):
        assert raised.value.code == "runs-code-on-load"
        assert raised.value.hint
    if name != "model.onnx":
        (folder / "good.onnx").write_bytes(models.graph())
        with pytest.raises(Error):
            read_source(folder, name="risk")


@pytest.mark.parametrize(
    "name",
    ["m.pkl", "m.PICKLE", "m.joblib", "m.pt", "m.pth", "m.h5", "m.keras", "m.py", "sub/m.so", "libm.so.6",
     "m.ckpt", "saved_model.pb", "run.sh", "m.ipynb", "m.rds"],
)  # fmt: skip
def test_code_is_refused_by_name_even_when_it_is_empty(name: str, tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(models.graph())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnsupportedError) as raised:
        read_source(tmp_path, name="risk")
    assert raised.value.code == "runs-code-on-load"
    assert name in str(raised.value)
    assert raised.value.hint


def test_random_weights_are_not_taken_for_code(tmp_path: Path) -> None:
    """The other side of the claim: what is refused shows a sign, not just an unlucky byte."""
    chance = np.random.default_rng(0)
    for start in (b"\x80\x04", b"x\x9c", b"BZh", b"MZ", b"#!", b"\x5d\x00\x00", b"PK\3\4", b"c\n", b"("):
        (tmp_path / "weights.bin").write_bytes(start + chance.bytes(4000))
        (tmp_path / "linear.onnx").write_bytes(models.linear_graph())
        assert len(read_source(tmp_path, name="risk").files) == 2


@pytest.mark.usefixtures("_nothing_ran")
def test_an_archive_that_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(models.graph())
    bomb = _zip(zeros=bytes(300 << 20))
    deep = _PICKLE
    for _ in range(6):
        deep = gzip.compress(deep)
    broken = _zip(data=os.urandom(1000))
    unknown = [magic + bytes(20) for magic in (b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")]
    damaged = [broken[:20] + b"\xff" * 40 + broken[60:], gzip.compress(b"a" * 1000)[:20]]
    for data in (bomb, deep, *damaged, *unknown):
        (tmp_path / "extra.dat").write_bytes(data)
        with pytest.raises(UnsupportedError) as raised:
            read_source(tmp_path, name="risk")
        assert raised.value.code in ("archive-unchecked", "runs-code-on-load")


def test_sealing_an_estimator_never_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("something was pickled")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, fail)
    monkeypatch.setattr(joblib, "dump", fail)
    source = read_source(models.forest(), name="risk", sample=models.table())
    data = b"".join(source.files[0].chunks())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {Path(name).suffix for name in archive.namelist()} <= {".json", ".npy", ".npz"}


class _OwnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn ships no types
    """An owner's own estimator: its code would have to travel."""

    def fit(self, rows: Any, labels: Any) -> _OwnClassifier:
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows))


def test_an_estimator_of_ones_own_is_refused_with_a_remedy_for_each_type() -> None:
    with pytest.raises(UnsupportedError) as raised:
        read_source(_OwnClassifier().fit([[0], [1]], [0, 1]), name="risk")
    assert raised.value.code == "untrusted-types"
    assert "_OwnClassifier: code of your own cannot travel" in str(raised.value)


def _evil_skops(module: str, name: str, loader: str = "ConstructorFromReduceNode") -> bytes:
    """Return a skops file that calls ``module.name("ran")`` when it is built."""
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"ran"'}
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [text]}
    root: dict[str, Any] = {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "content": arguments,
    }
    if loader == "MethodNode":
        inner = {"__class__": name, "__module__": module, "__loader__": "ObjectNode", "__id__": 5}
        root["content"] = {"func": "fit", "obj": inner}
    return _zip(schema_dot_json=json.dumps({**root, "protocol": 2, "_skops_version": "0.16"}).encode())


@pytest.mark.usefixtures("_nothing_ran")
@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "mkdir", "ConstructorFromReduceNode"),
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "ConstructorFromReduceNode"),
        ("builtins", "open", "TypeNode"),
        ("functools", "reduce", "FunctionNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("sklearn.linear_model._logistic", "LogisticRegression", "MethodNode"),
        ("operator", "methodcaller", "OperatorFuncNode"),
        ("sklearn.metrics._dist_metrics", "PyFuncDistance64", "ObjectNode"),
        ("sklearn.datasets._base", "load_files", "FunctionNode"),
        ("joblib.memory", "Memory", "ObjectNode"),
    ],
)  # fmt: skip
def test_a_skops_file_builds_nothing_that_is_not_harmless(
    module: str, name: str, loader: str, tmp_path: Path
) -> None:
    """Neither at the owner, nor at a partner whose owner signed that it is to be trusted."""
    data = _evil_skops(module, name, loader)
    path = tmp_path / "model.skops"
    path.write_bytes(data)
    with pytest.raises((UnsupportedError, FormatError)):
        read_source(path, name="risk")
    schema = Schema(
        inputs=[Field(name="input", datatype="FP64", shape=[-1, 1])], outputs=[], methods=["predict"]
    )
    for trust in ([], [f"{module}.{name}"], [f"{module}.{name}", f"{module}.{name}.fit"]):
        spec = Loader(name="skops", entry="m", options={"trust": list(trust)})
        with pytest.raises((UnsupportedError, FormatError)):
            registry.find("skops").load({"m": data}, spec, schema)


def test_the_list_of_harmless_types_names_no_program_file_or_network() -> None:
    processes = "os. sys subprocess socket builtins. importlib shutil ctypes import eval exec"
    files = "pickle joblib datasets memory load open fetch PyFunc"
    telling = f"{processes} {files}".split()
    for name in ALLOWED - {"numpy.dtype"}:
        assert not any(part in name for part in telling), name
    assert refused(["os.system", "sklearn.tree._tree.Tree"]) == ["os.system"]


def _tampered(model: Any, change: Callable[[dict[str, Any]], None], key: str) -> bytes:
    """Store the model with other tree nodes: a new array in place of each one with the field ``key``."""
    source = skops.io.dumps(model)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(data))
                if array.dtype.names and key in array.dtype.names:
                    change({field: array[field] for field in array.dtype.names})
                    changed = io.BytesIO()
                    np.save(changed, array)
                    data = changed.getvalue()
            new.writestr(name, data)
    return buffer.getvalue()


def _set(field: str, place: int, value: int) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        fields[field][place] = value

    return change


def test_a_hand_made_tree_is_refused_before_it_can_read_outside_of_itself() -> None:
    """Without the check, each of these makes scikit-learn read wild memory, or never return."""
    rows, labels = models.matrix()
    trees: list[tuple[Any, str, list[tuple[str, int, int]]]] = [
        (RandomForestClassifier(2, random_state=0), "left_child",
         [("left_child", 0, 10**9), ("right_child", 0, 0), ("left_child", 0, -7), ("feature", 0, 31),
          ("feature", 0, -5)]),
        (GradientBoostingClassifier(n_estimators=2, random_state=0), "left_child", [("feature", 0, 10**6)]),
        (HistGradientBoostingClassifier(max_iter=2, random_state=0), "feature_idx",
         [("left", 0, 10**9), ("right", 0, 0), ("feature_idx", 0, 30), ("is_categorical", 0, 1)]),
        (KNeighborsClassifier(algorithm="kd_tree"), "idx_start",
         [("idx_end", 0, 10**9), ("idx_start", 1, -1), ("is_leaf", -1, 0)]),
        (KNeighborsClassifier(algorithm="ball_tree"), "idx_start", [("idx_end", 0, 10**9)]),
    ]  # fmt: skip
    for model, key, changes in trees:
        model.fit(rows, labels)
        good = skops.io.dumps(model)
        trust = untrusted_types(good)
        load_estimator(good, trust)
        for field, place, value in changes:
            with pytest.raises(FormatError) as raised:
                load_estimator(_tampered(model, _set(field, place, value), key), trust)
            assert raised.value.code == "model-bounds", (model, field)


ESCAPES = ["../secret.bin", "/etc/hostname", "sub/../../secret.bin", "..", "", "a//b", "a\\b", "sub/./../x"]


@pytest.mark.parametrize("location", ESCAPES)
def test_a_graph_cannot_take_in_files_from_outside_its_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(models.weights().tobytes())
    (folder / "linear.onnx").write_bytes(models.linear_graph(location or " "))
    for path in (folder / "linear.onnx", folder):
        with pytest.raises(Error) as raised:
            read_source(path, name="risk")
        assert raised.value.code in ("external-data", "not-found", "file-name")


def test_a_loaded_graph_never_reads_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime by itself opens ``weights.bin`` there if nobody gives it the bytes."""
    monkeypatch.chdir(tmp_path)
    models.save_linear(tmp_path)
    import onnxruntime

    graph = models.linear_graph("weights.bin")
    onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    schema = Schema(
        inputs=[Field(name="x", datatype="FP32", shape=[-1, 8])],
        outputs=[Field(name="y", datatype="FP32", shape=[-1, 8])],
        methods=["predict"],
    )
    spec = Loader(name="onnx", entry="linear.onnx")
    for files in ({"linear.onnx": graph}, {"linear.onnx": graph, "other.bin": b"1"}):
        with pytest.raises(FormatError) as raised:
            registry.find("onnx").load(files, spec, schema)
        assert raised.value.code == "external-data"


def test_weights_hidden_in_a_branch_of_the_graph_are_found(tmp_path: Path) -> None:
    """External data in a constant of a subgraph, where initializers alone would not show it."""
    tensor = onnx.numpy_helper.from_array(models.weights(), "hidden")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    constant = onnx.helper.make_node("Constant", [], ["y"], value=tensor)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [8, 8])
    branch = onnx.helper.make_graph([constant], "branch", [], [output])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.BOOL, [])]
    graph = onnx.helper.make_graph([node], "graph", inputs, [output])
    (tmp_path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(FormatError) as raised:
        read_source(tmp_path / "m.onnx", name="risk")
    assert raised.value.code == "external-data"


def test_operators_from_a_library_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(models.custom_graph("com.example"))
    with pytest.raises(UnsupportedError) as raised:
        read_source(tmp_path / "m.onnx", name="risk")
    assert raised.value.code == "onnx-domain"
    assert "com.example" in str(raised.value)


def test_links_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(models.graph())
    (tmp_path / "target").write_bytes(b"x")
    listener = socket.socket(socket.AF_UNIX)
    makers: dict[str, Callable[[Path], object]] = {
        "link": lambda path: path.symlink_to("/etc/passwd"),
        "link-to-a-folder": lambda path: path.symlink_to("/etc"),
        "broken-link": lambda path: path.symlink_to("nowhere"),
        "pipe": lambda path: os.mkfifo(path),
        "socket": lambda path: listener.bind(str(path)),
    }
    for name, make in makers.items():
        make(tmp_path / name)
        for path in (tmp_path, tmp_path / name):
            with pytest.raises(UsageError) as raised:
                read_source(path, name="risk")
            assert raised.value.code == "not-a-plain-file", name
        (tmp_path / name).unlink()
    listener.close()
    with pytest.raises(UsageError):
        read_source("/dev/zero", name="risk")
    (tmp_path / "sub").symlink_to("/etc")
    with pytest.raises(UsageError):
        read_source(tmp_path, name="risk")


def test_a_file_that_changes_between_look_and_seal_is_noticed(tmp_path: Path) -> None:
    path = models.save_linear(tmp_path)
    source = read_source(path, name="risk")
    weights = next(file for file in source.files if file.name == "weights.bin")
    assert b"".join(weights.chunks()) == models.weights().tobytes()
    data = bytearray(models.weights().tobytes())
    data[0] ^= 1
    (tmp_path / "weights.bin").write_bytes(data)
    with pytest.raises(UsageError) as raised:
        list(weights.chunks())
    assert raised.value.code == "source-changed"
    (tmp_path / "weights.bin").unlink()
    (tmp_path / "weights.bin").symlink_to("/etc/passwd")
    with pytest.raises(Error):
        list(weights.chunks())


def test_onnxruntime_with_telemetry_is_not_used() -> None:
    """Its import writes a device id and a database unless a variable is set before."""
    program = (
        "import onnxruntime, strongroom.loaders.onnx as onnx\n"
        "from strongroom.errors import UnsupportedError\n"
        "try:\n    onnx._import_onnxruntime()\n"
        "except UnsupportedError as error:\n    print(error.code)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "onnxruntime-telemetry"
    late = program.partition("\n")[0].replace("onnxruntime, ", "")
    program = f"{late}\nimport os\nonnx._import_onnxruntime()\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "1"
