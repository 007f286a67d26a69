"""A model of three features that everybody can compute by hand, as ONNX, and a table for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = (0.5, -0.25, 2.0)
TABLE = "patient,age,bmi,smoker\n007,61,24.5,0\n008,44,31.25,1\n009,70,22,1\n"


def write_model(folder: Path, name: str = "risk.onnx", scale: float = 1.0) -> tuple[Path, Path]:
    """Write the model and ``patients.csv``; returns both paths."""
    model, table = folder / name, folder / "patients.csv"
    onnx.save(linear_model(scale), model)
    table.write_text(TABLE, encoding="utf-8")
    return model, table


def linear_model(scale: float = 1.0) -> onnx.ModelProto:
    """Return ``score = features @ WEIGHTS * scale``."""
    weights = numpy_helper.from_array(np.array([[w * scale] for w in WEIGHTS], dtype=np.float32), "weights")
    shape = numpy_helper.from_array(np.array([-1], dtype=np.int64), "shape")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["column"]),
            helper.make_node("Reshape", ["column", "shape"], ["score"]),
        ],
        "risk",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        [weights, shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model
