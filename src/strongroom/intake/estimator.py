"""A fitted scikit-learn estimator as the bytes and the schema that are sealed. Never a pickle.

    taken = take_estimator(pipeline, rows)
    taken.data, taken.options["trust"], taken.schema.methods

The estimator is taken apart by skops in memory. What it is made of must be harmless
for whoever loads it (``loaders.skops_trust``); otherwise the error lists every other
type with its remedy. How rows are passed to it (as one matrix, or as the columns of a
table) is tried out on the sample with the very code of the loader, and the simplest
way that gives the same answers is what the schema says.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import skops.io
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from strongroom.errors import Error, UnsupportedError, UsageError
from strongroom.intake.reference import Answers
from strongroom.intake.remedy import remedy, untrusted_types
from strongroom.intake.sample import Rows
from strongroom.loaders import skops as skops_loader
from strongroom.loaders.interface import METHODS
from strongroom.loaders.skops_trust import refused
from strongroom.loaders.tensor import Array, datatype_of
from strongroom.package.contents import Field, OptionValue, Schema

Options = dict[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Estimator:
    """An estimator, ready to be sealed."""

    data: bytes
    options: Options
    schema: Schema


def take_estimator(model: Any, rows: Rows | None) -> Estimator:
    """Take a fitted estimator apart.

    Raises:
        UsageError: ``not-fitted``, ``sample-needed``, or a sample that the estimator refuses.
        UnsupportedError: ``untrusted-types``, ``not-storable``, ``no-method``.
    """
    verify_fitted(model)
    data = _dump(model)
    return Estimator(data, *_described(model, data, rows))


def take_skops(data: bytes, rows: Rows | None) -> tuple[Any, Estimator]:
    """Take a skops file as it is; returns the estimator in it as well.

    Raises:
        FormatError: not a skops file.
        UsageError: as ``take_estimator``.
        UnsupportedError: as ``take_estimator``.
    """
    model = estimator_in(data)
    return model, Estimator(data, *_described(model, data, rows))


def estimator_in(data: bytes) -> Any:
    """Return the fitted estimator in a skops file.

    Its types are listed without building anything. Only if all are harmless is it loaded,
    exactly as each partner's worker will load it, to ask what it takes and gives.

    Raises:
        FormatError: not a skops file.
        UsageError: ``not-fitted``, ``not-an-estimator``.
        UnsupportedError: ``untrusted-types``.
    """
    model = skops_loader.load_estimator(data, types_in(data))
    verify_fitted(model)
    return model


def verify_fitted(model: Any) -> None:
    """Check that it is an estimator of scikit-learn, and fitted.

    Raises:
        UsageError: ``not-fitted``, or ``not-an-estimator``.
    """
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise UsageError(
            f"this {type(model).__name__} is not fitted yet", code="not-fitted", hint="call fit first"
        ) from error
    except TypeError as error:
        raise UsageError(
            f"a {type(model).__name__} is no fitted estimator of scikit-learn", code="not-an-estimator"
        ) from error


def answers_of(model: Any, methods: list[str], rows: Rows) -> Answers:
    """Ask the estimator itself, with the sample as it was passed.

    Raises:
        UsageError: ``sample-refused``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {
                method: skops_loader.named_outputs(method, getattr(model, method)(rows.original))
                for method in methods
            }
    except Exception as error:
        raise UsageError(
            f"the model cannot answer for the sample: {error}",
            code="sample-refused",
            hint="pass a few rows of what the model was fitted on",
        ) from error


def classes_of(model: Any) -> list[str | int]:
    """Return the labels of a classifier in the order of its probabilities; empty for anything else."""
    labels = getattr(model, "classes_", None)
    if not isinstance(labels, np.ndarray) or labels.ndim != 1:
        return []
    return [_label(label) for label in labels.tolist()]


def _label(label: Any) -> str | int:
    # Truth values and whole numbers keep their order and equal the labels that come
    # back; a number with a fraction has no place in our JSON but as text.
    if isinstance(label, bool | int) or (isinstance(label, float) and label.is_integer()):
        return int(label)
    return str(label)


def methods_of(model: Any) -> list[str]:
    """Return what the estimator can be asked, in our order.

    Raises:
        UnsupportedError: ``no-method``.
    """
    methods = [method for method in METHODS if hasattr(model, method)]
    if not methods:
        raise UnsupportedError(
            f"a {type(model).__name__} answers for no new rows: it has none of {', '.join(METHODS)}",
            code="no-method",
        )
    return methods


def _dump(model: Any) -> bytes:
    try:
        data: bytes = skops.io.dumps(model)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise UnsupportedError(
            f"skops cannot store this model: {error}", code="not-storable", hint=remedy(kind)
        ) from error
    return data


def types_in(data: bytes) -> list[str]:
    """Return the types in a skops file that its loader must be told to trust; nothing is built.

    Raises:
        FormatError: not a skops file.
        UnsupportedError: ``untrusted-types``: others than those that are harmless for whoever loads them.
    """
    needed = skops_loader.types_to_trust(data)
    beyond = refused(needed)
    if beyond:
        raise untrusted_types(beyond)
    return needed


def _described(model: Any, data: bytes, rows: Rows | None) -> tuple[Options, Schema]:
    methods = methods_of(model)
    fixed: Options = {"trust": trust} if (trust := types_in(data)) else {}
    classes = classes_of(model)
    if rows is None:
        inputs, columns = _assumed_inputs(model)
        outputs = [_assumed_output(method, classes) for method in methods]
        return fixed, Schema(
            inputs=inputs, outputs=outputs, columns=columns, classes=classes, methods=methods
        )
    answers = answers_of(model, methods, rows)
    outputs = [_output(name, array) for each in answers.values() for name, array in each.items()]
    for inputs, columns, options in _layouts(model, rows):
        schema = Schema(inputs=inputs, outputs=outputs, columns=columns, classes=classes, methods=methods)
        if _answers_equal(model, schema, options, rows, answers):
            return fixed | options, schema
    raise UsageError(
        "the answers for the sample depend on more than its values can carry",
        code="sample-layout",
        hint="fit the model on a pandas DataFrame with one type in each column",
    )


def _layouts(model: Any, rows: Rows) -> Iterator[tuple[list[Field], list[str], Options]]:
    """Yield the ways to pass rows, the simplest for a partner first."""
    columns = list(rows.columns)
    matrix = rows.matrix()
    if matrix is not None:
        yield [_matrix_field(matrix)], columns, {}
        yield [_matrix_field(matrix)], columns, {"order": "columns"}
    if not columns:
        return
    exact = {name: datatype_of(column.values) for name, column in rows.columns.items()}
    # Whole numbers with a gap come from a partner's CSV file as floating point.
    widened = {name: "FP64" if "INT" in datatype else datatype for name, datatype in exact.items()}
    for options in _table_options(rows):
        for datatypes in (widened, exact):
            fields = [Field(name=name, datatype=kind, shape=[-1]) for name, kind in datatypes.items()]
            yield fields, columns, options


def _table_options(rows: Rows) -> Iterator[Options]:
    options: Options = {"frame": "pandas"}
    categorical = [name for name, column in rows.columns.items() if column.is_categorical]
    if categorical:
        options["categorical"] = categorical
    yield options
    # The model may have learned that None is missing, or that NaN is.
    yield options | {"missing": "none"}


def _matrix_field(matrix: Array) -> Field:
    datatype = datatype_of(matrix)
    # Numbers of any width are taken; only FP32 stays, as it is computed with as such.
    datatype = datatype if datatype in ("BYTES", "FP32") else "FP64"
    return Field(name=skops_loader.INPUT, datatype=datatype, shape=[-1, *matrix.shape[1:]])


def _answers_equal(model: Any, schema: Schema, options: Options, rows: Rows, wanted: Answers) -> bool:
    try:
        loaded = skops_loader.SkopsModel(model, options, schema)
        tensors = rows.tensors(schema.inputs)
        given = {method: loaded.predict(tensors, method) for method in schema.methods}
    except Error:
        return False
    return all(
        given[method].keys() == outputs.keys()
        and all(_same(array, given[method][name]) for name, array in outputs.items())
        for method, outputs in wanted.items()
    )


def _same(left: Array, right: Array) -> bool:
    return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def _output(name: str, array: Array) -> Field:
    return Field(name=name, datatype=datatype_of(array), shape=[-1, *array.shape[1:]])


def _assumed_inputs(model: Any) -> tuple[list[Field], list[str]]:
    """Return the inputs of a model that was fitted on a matrix of numbers.

    Raises:
        UsageError: ``sample-needed``: it was fitted on something else.
    """
    width = getattr(model, "n_features_in_", None)
    if hasattr(model, "feature_names_in_") or width is None:
        raise UsageError(
            "this model was fitted on a table or on text, whose types only a sample can show",
            code="sample-needed",
            hint="pass sample=X, a few rows of what the model was fitted on",
        )
    return [Field(name=skops_loader.INPUT, datatype="FP64", shape=[-1, int(width)])], []


def _assumed_output(method: str, classes: list[str | int]) -> Field:
    if method == "predict_proba":
        return Field(name=method, datatype="FP64", shape=[-1, len(classes) or -1])
    if method == "predict" and classes:
        text = all(isinstance(label, str) for label in classes)
        return Field(name=method, datatype="BYTES" if text else "INT64", shape=[-1])
    return Field(name=method, datatype="FP64", shape=[-1, -1] if method == "transform" else [-1])
