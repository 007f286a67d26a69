"""Small models of the kinds that partners share, made once for all tests of intake and loaders."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import skl2onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

WIDTH = 30


@cache
def matrix() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the breast-cancer data."""
    rows, labels = load_breast_cancer(return_X_y=True)
    return rows, labels


def table(rows: int = 120) -> pd.DataFrame:
    """Return patients with numbers, text, truth values and gaps."""
    chance = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": chance.integers(20, 90, rows),
            "bmi": chance.normal(25, 4, rows),
            "ward": chance.choice(["north", "south", "west"], rows),
            "smoker": chance.random(rows) > 0.5,
        }
    )
    frame.loc[3, "bmi"] = np.nan
    frame.loc[4, "ward"] = None
    return frame


def outcome(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return what the patients of the table are classified as."""
    return np.where(frame["age"] > 55, "high", "low")


@cache
def pipeline() -> Any:
    """Return scaling and gradient boosting on the breast-cancer data."""
    rows, labels = matrix()
    return make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=5)).fit(rows, labels)


@cache
def forest() -> Any:
    """Return a forest on a table with text columns."""
    frame = table()
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "bmi"]),
            ("text", OneHotEncoder(handle_unknown="ignore"), ["ward"]),
        ],
        remainder="passthrough",
    )
    return make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(frame, outcome(frame))


@cache
def logistic() -> Any:
    """Return a logistic regression with text labels."""
    rows, labels = matrix()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(
        rows, np.where(labels, "benign", "malign")
    )


@cache
def histogram() -> Any:
    """Return histogram gradient boosting on the breast-cancer data: OpenMP code."""
    return HistGradientBoostingClassifier(max_iter=3).fit(*matrix())


@cache
def neighbors() -> Any:
    """Return nearest neighbors by brute force on the breast-cancer data: OpenMP code."""
    rows, labels = matrix()
    return KNeighborsClassifier(algorithm="brute").fit(rows[:100], labels[:100])


@cache
def graph(*, zipmap: bool = False) -> bytes:
    """Return the pipeline as an ONNX graph, with or without a ZipMap at its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.convert_sklearn(
            pipeline(),
            "risk",
            [("input", FloatTensorType([None, WIDTH]))],
            options={id(pipeline()): {"zipmap": zipmap}},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
    data: bytes = model.SerializeToString()
    return data


def weights(size: int = 8) -> np.ndarray[Any, Any]:
    """Return the weights of the linear graph."""
    return np.arange(size * size, dtype=np.float32).reshape(size, size) / 7


def linear_graph(location: str = "", size: int = 8) -> bytes:
    """Return a graph that multiplies with a matrix, which stands in the file ``location``."""
    matrix = numpy_helper.from_array(weights(size), "W")
    if location:
        matrix.ClearField("raw_data")
        matrix.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(4 * size * size))):
            matrix.external_data.add(key=key, value=value)
    return _serialized(helper.make_node("MatMul", ["x", "W"], ["y"]), [matrix], size)


def _serialized(node: Any, initializers: list[Any], size: int) -> bytes:
    graph = helper.make_graph(
        [node],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", size])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    data: bytes = model.SerializeToString()
    return data


def custom_graph(domain: str) -> bytes:
    """Return a graph with one operator of that domain."""
    node = helper.make_node("Run", ["x"], ["y"], domain=domain)
    model = onnx.load_model_from_string(_serialized(node, [], 8))
    model.opset_import.append(helper.make_opsetid(domain, 1))
    data: bytes = model.SerializeToString()
    return data


def save_linear(folder: Path, location: str = "weights.bin") -> Path:
    """Write the linear graph with its weights beside it."""
    path = folder / "linear.onnx"
    path.write_bytes(linear_graph(location))
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    (folder / location).write_bytes(weights().tobytes())
    return path
