"""From a fitted scikit-learn estimator to an ONNX graph. The one file that uses skl2onnx.

    converted = to_onnx(pipeline, rows, name="risk")
    converted.data, converted.options["probability_output"]

A converted model computes with 32-bit numbers and other algorithms, so its answers
differ a little; the caller compares them on a sample and tells the owner.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import skl2onnx
from skl2onnx.common import data_types

from strongroom.errors import UnsupportedError, UsageError
from strongroom.intake.estimator import classes_of, verify_fitted
from strongroom.intake.onnx_graph import Graph, read_graph
from strongroom.intake.reference import Answers
from strongroom.intake.sample import Rows
from strongroom.loaders.tensor import TEXT, Array, datatype_of
from strongroom.package.contents import Field, OptionValue, Schema

_INPUT: Final = "input"
# The newest versions that every onnxruntime of the last years understands.
_OPSETS: Final = {"": 18, "ai.onnx.ml": 3}
_MAX_MESSAGE_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Converted:
    """A graph, and how it is asked."""

    data: bytes
    options: dict[str, OptionValue]
    schema: Schema


def to_onnx(model: Any, rows: Rows | None, *, name: str) -> Converted:
    """Convert a fitted estimator.

    Raises:
        UsageError: ``not-fitted``, or ``sample-needed``.
        UnsupportedError: ``not-convertible``.
    """
    verify_fitted(model)
    if not hasattr(model, "predict"):
        raise UnsupportedError(
            f"a {type(model).__name__} predicts nothing, so it has no graph to answer with",
            code="not-convertible",
            hint="seal it without convert, or as a step of a pipeline that predicts",
        )
    data = _convert(model, rows, name)
    graph = read_graph(data)
    classes = classes_of(model)
    options = _options(model, graph, classes)
    methods = ["predict", "predict_proba"] if "probability_output" in options else ["predict"]
    schema = Schema(
        inputs=list(graph.inputs),
        outputs=[_given(field, options) for field in graph.outputs],
        columns=list(rows.columns) if rows else [],
        classes=classes,
        methods=methods,
    )
    return Converted(data, options, schema)


def renamed(answers: Answers, converted: Converted) -> Answers:
    """Return what the estimator answered under the names of the outputs of the graph."""
    outputs = {
        "predict": converted.options.get("label_output") or converted.schema.outputs[0].name,
        "predict_proba": converted.options.get("probability_output"),
    }
    return {
        method: {str(outputs[method]): _as_graph(method, array) for array in answers[method].values()}
        for method in converted.schema.methods
    }


def _as_graph(method: str, array: Array) -> Array:
    # A graph knows no truth values as labels, and no floating point ones.
    whole = method == "predict" and array.dtype.kind == "b"
    return array.astype(np.int64) if whole else array


def _given(field: Field, options: dict[str, OptionValue]) -> Field:
    is_flat = options.get("column_outputs") == [field.name]
    return Field(name=field.name, datatype=field.datatype, shape=[-1]) if is_flat else field


def _options(model: Any, graph: Graph, classes: list[str | int]) -> dict[str, OptionValue]:
    options: dict[str, OptionValue] = {}
    first = graph.outputs[0]
    if len(graph.outputs) > 1 or classes:
        options["label_output"] = first.name
    if classes and graph.probability_output and hasattr(model, "predict_proba"):
        options["probability_output"] = graph.probability_output
    if first.shape == [-1, 1]:
        # Regressors answer one column where scikit-learn answers one number a row.
        options["column_outputs"] = [first.name]
    return options


def _convert(model: Any, rows: Rows | None, name: str) -> bytes:
    # Without zipmap the probabilities are one tensor and no list of dictionaries; some
    # converters do not know the word.
    plain = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    first: Exception | None = None
    for types in _initial_types(model, rows):
        for options in (plain, None) if plain else (None,):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    graph = skl2onnx.convert_sklearn(
                        model, name, types, options=options, target_opset=dict(_OPSETS)
                    )
            except Exception as error:  # noqa: BLE001 - converters raise anything; told below
                first = first or error
            else:
                data: bytes = graph.SerializeToString()
                return data
    raise not_convertible(str(first)) from first


def not_convertible(reason: str) -> UnsupportedError:
    """Return the error that says why a model has no ONNX form."""
    first_line = reason.strip().partition("\n")[0][:_MAX_MESSAGE_CHARS]
    return UnsupportedError(
        f"skl2onnx cannot convert this model: {first_line}",
        code="not-convertible",
        hint="seal it without convert, or replace the step that the message names",
    )


def _initial_types(model: Any, rows: Rows | None) -> list[list[tuple[str, Any]]]:
    """Return the inputs that the graph may have: one matrix, or else a column for each name."""
    width = getattr(model, "n_features_in_", None)
    is_text = rows is not None and rows.array is not None and rows.array.dtype == object
    is_plain = width is not None and not hasattr(model, "feature_names_in_")
    if not is_plain if rows is None else width is None and not is_text:
        raise UsageError(
            "this model was fitted on a table or on text, whose types only a sample can show",
            code="sample-needed",
            hint="pass sample=X, a few rows of what the model was fitted on",
        )
    kind = data_types.StringTensorType if is_text else data_types.FloatTensorType
    matrix = [(_INPUT, kind([None, 1 if width is None else int(width)]))]
    if rows is None or not rows.columns:
        return [matrix]
    kinds = {TEXT: data_types.StringTensorType, "BOOL": data_types.BooleanTensorType}
    columns = [
        (name, kinds.get(datatype_of(column.values), data_types.FloatTensorType)([None, 1]))
        for name, column in rows.columns.items()
    ]
    return [columns] if rows.matrix() is None else [matrix, columns]
