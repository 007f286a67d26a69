"""Fuzz what sealing reads: any bytes are taken, or refused with an error of the tree."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import pickle
import zipfile
import zlib
from collections.abc import Iterable

import onnx
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from strongroom.errors import FormatError, UnsupportedError
from strongroom.intake.onnx_graph import read_graph
from strongroom.intake.refuse import verify_harmless, verify_head
from strongroom.loaders.onnx_locations import external_locations, resolve
from strongroom.loaders.skops import load_estimator, types_to_trust
from strongroom.loaders.skops_trust import refused
from tests.unit.intake import models

os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def fuzz(data: bytes) -> None:
    """Read the bytes as each kind of file that an owner may pass."""
    with contextlib.suppress(UnsupportedError):
        verify_head("model.onnx", data)
    with contextlib.suppress(UnsupportedError):
        verify_harmless("weights.bin", io.BytesIO(data))
    _graph(data)
    _skops(data)


def _graph(data: bytes) -> None:
    with contextlib.suppress(FormatError, UnsupportedError):
        read_graph(data)
    try:
        names = external_locations(data)
    except FormatError:
        return
    for name in names:
        with contextlib.suppress(FormatError):
            assert ".." not in resolve(name, "folder/model.onnx").split("/")
    model = onnx.ModelProto()
    with contextlib.suppress(Exception):
        model.ParseFromString(data)
    # Never fewer names than the parsed model has: a missed one would be read from the disk.
    seen = {
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location" and isinstance(entry.value, str)
    }
    assert seen <= set(names)


def _skops(data: bytes) -> None:
    try:
        types = types_to_trust(data)
    except FormatError:
        return
    with contextlib.suppress(FormatError, UnsupportedError):
        load_estimator(data, [name for name in types if not refused([name])])


def seeds() -> Iterable[bytes]:
    """Models and archives of each kind, small."""
    yield models.linear_graph("weights.bin")
    yield models.linear_graph(size=2)
    yield models.graph()
    yield skops.io.dumps(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))
    yield skops.io.dumps(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]))
    yield pickle.dumps(complex)
    yield pickle.dumps(complex, 0)
    yield gzip.compress(b"a,b\n1,2\n")
    yield zlib.compress(b"a,b\n1,2\n")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(complex))
    yield buffer.getvalue()
