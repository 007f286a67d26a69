"""Boosted trees as one source: how rows are passed to them, and what they answer.

    source = from_object(LGBMClassifier().fit(rows, labels), "risk.txt", rows)
    source = from_file(data, "risk.cbm", rows, Extras())

A model is loaded and asked as a partner's worker will do it: once with the sample, or with one
row of zeros where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from strongroom.errors import UsageError
from strongroom.intake.bom import versions
from strongroom.intake.boosted import Boosted, take_file, take_object
from strongroom.intake.material import Extras, Source, in_memory
from strongroom.intake.reference import Answers, Reference
from strongroom.intake.sample import Rows
from strongroom.loaders import registry
from strongroom.loaders.boosted import INPUT
from strongroom.loaders.interface import LoadedModel
from strongroom.loaders.tensor import Array, datatype_of
from strongroom.package.contents import Field, Loader, OptionValue, Schema

_LIBRARIES: Final = {
    "lightgbm": ("lightgbm", "numpy"),
    "xgboost": ("numpy", "xgboost", "xgboost-cpu"),
    "catboost": ("catboost", "numpy"),
}


def from_object(model: Any, entry: str, rows: Rows | None) -> Source:
    """Make a source of a fitted object of one of the libraries.

    Raises:
        UsageError: ``not-fitted``, ``sample-needed``, ``sample-refused``, ``categories-missing``.
        UnsupportedError: as ``boosted.take_object``.
        FormatError: as the loader of the library.
    """
    return _source(take_object(model), entry, rows, Extras())


def from_file(data: bytes, entry: str, rows: Rows | None, extras: Extras) -> Source:
    """Make a source of the file of a model, which is sealed byte for byte.

    Raises:
        UsageError: as ``from_object``.
        UnsupportedError: as ``boosted.take_file``.
        FormatError: as the loader of the library.
    """
    return _source(take_file(entry, data), entry, rows, extras)


def _source(taken: Boosted, entry: str, rows: Rows | None, extras: Extras) -> Source:
    inputs, columns, options = _layout(taken, rows)
    loader = Loader(name=taken.loader, entry=entry, options={**taken.options, **options})
    methods = ["predict", "decision_function"]
    if "answers" in taken.options:
        methods.insert(1, "predict_proba")
    asked = Schema(inputs=inputs, outputs=[], columns=columns, classes=list(taken.classes), methods=methods)
    model = registry.find(taken.loader).load({entry: taken.data}, loader, asked)
    tensors: Mapping[str, Array] = (
        {INPUT: np.zeros((1, taken.width))} if rows is None else rows.tensors(inputs)
    )
    answers = _answers(taken, model, rows, tensors)
    outputs = [_output(name, array) for each in answers.values() for name, array in each.items()]
    return Source(
        files=tuple(sorted([in_memory(entry, taken.data), *extras.files], key=lambda file: file.name)),
        loader=loader,
        schema=Schema(
            inputs=inputs, outputs=outputs, columns=columns, classes=asked.classes, methods=methods
        ),
        left=extras.left,
        libraries=versions(_LIBRARIES[taken.loader]),
        reference=None if rows is None else Reference(tensors, answers, is_exact=True),
        is_converted=False,
    )


def _answers(taken: Boosted, model: LoadedModel, rows: Rows | None, tensors: Mapping[str, Array]) -> Answers:
    if rows is None or not taken.asks:
        return {method: model.predict(tensors, method) for method in model.schema.methods}
    try:
        return {
            method: {method: np.asarray(taken.asks[method](rows.original))} for method in model.schema.methods
        }
    except Exception as error:
        raise UsageError(
            f"the model cannot answer for the sample ({type(error).__name__})",
            code="sample-refused",
            hint="pass a few rows of what the model was fitted on",
        ) from error


def _output(name: str, array: Array) -> Field:
    return Field(name=name, datatype=datatype_of(array), shape=[-1, *array.shape[1:]])


def _layout(taken: Boosted, rows: Rows | None) -> tuple[list[Field], list[str], dict[str, OptionValue]]:
    """Return how rows are passed: as one matrix, or column by column where some hold no numbers."""
    matrix = [Field(name=INPUT, datatype="FP64", shape=[-1, taken.width])]
    if not taken.has_categories:
        if rows is None:
            return matrix, list(taken.columns), {}
        if rows.matrix() is not None:
            return matrix, list(rows.columns), {}
    if rows is None or not rows.columns:
        raise UsageError(
            "this model has columns that are categories, whose types only a sample can show",
            code="sample-needed",
            hint="pass sample=X, a few rows of the table that the model was fitted on",
        )
    fields = [
        Field(name=name, datatype=_datatype(taken, column), shape=[-1])
        for name, column in rows.columns.items()
    ]
    categorical = [name for name, column in rows.columns.items() if column.is_categorical]
    if taken.loader == "catboost":
        return fields, list(rows.columns), {"frame": "pandas"}
    if bool(categorical) != taken.has_categories:
        raise UsageError(
            "the sample has categories that do not stand in the model, or lacks those that do",
            code="categories-missing",
            hint="pass rows of the table that the model was fitted on; with XGBoost, fit with 3.1 or later",
        )
    return fields, list(rows.columns), {"frame": "pandas", "categorical": categorical}


def _datatype(taken: Boosted, column: Any) -> str:
    exact = datatype_of(column.values)
    # Whole numbers with a gap come from a partner's CSV file as floating point; CatBoost
    # takes no such number for a category.
    is_kept = column.is_categorical or exact == "BYTES" or taken.loader == "catboost"
    return exact if is_kept else "FP64"
