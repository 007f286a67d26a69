"""The output policy: how much of an answer may leave (spec/license.md, term ``output``).

    verify_method(policy, schema, "predict_proba")            # before anything is computed or counted
    outputs = restrict(outputs, policy, schema, "predict_proba")

The supervisor applies it to what the worker answered, so a model cannot talk its way
past it. It fails closed: under ``label only`` nothing leaves but members of the
signed list of classes, whatever the model calls its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from strongroom.errors import LicenseDenied
from strongroom.license.codes import Code
from strongroom.license.verdict import OutputPolicy
from strongroom.loaders.tensor import Array
from strongroom.package.contents import Schema

TOP_LABELS: Final = "top_labels"
"""Output with the best classes of each row, best first."""
TOP_SCORES: Final = "top_scores"
"""Output with their scores."""
_LABELS: Final = "predict"
_SCORES: Final = "predict_proba"


def verify_method(policy: OutputPolicy, schema: Schema, method: str) -> None:
    """Refuse a method whose answers the policy keeps in altogether.

    Raises:
        LicenseDenied: code ``output-policy``.
    """
    if not policy.label_only and policy.top_k is None:
        return
    if not schema.classes:
        raise _denied("the license lets only class labels leave, and this model has no classes")
    allowed = [_LABELS] if policy.label_only else [_LABELS, _SCORES]
    if method not in allowed:
        raise _denied(
            f"the license lets only {_described(policy)} leave, which {method} does not give",
            hint=f"use {' or '.join(allowed)}",
        )


def verify_explain(policy: OutputPolicy) -> None:
    """Refuse explanations unless the policy lets everything leave.

    A base value and contributions add up to the score before it is rounded or left out, of
    every class; rounded ones say more of it than a rounded probability does.

    Raises:
        LicenseDenied: code ``output-policy``.
    """
    if policy != OutputPolicy():
        raise _denied(
            "the license lets only a part of an answer leave, and an explanation is made of all of it"
        )


def restrict(
    outputs: Mapping[str, Array], policy: OutputPolicy, schema: Schema, method: str
) -> dict[str, Array]:
    """Return what of the outputs may leave.

    Under ``top k``, ``predict_proba`` answers with the two outputs ``top_labels`` and
    ``top_scores``: other probabilities are absent, not zero.

    Raises:
        LicenseDenied: an output cannot be cut down to what may leave (code ``output-policy``).
    """
    verify_method(policy, schema, method)
    restricted = dict(outputs)
    if policy.label_only or (policy.top_k is not None and method == _LABELS):
        _verify_labels(restricted, schema)
    elif policy.top_k is not None:
        restricted = _best(restricted, schema, policy.top_k)
    if policy.decimals is not None:
        restricted = {name: _rounded(array, policy.decimals) for name, array in restricted.items()}
    return restricted


def _verify_labels(outputs: Mapping[str, Array], schema: Schema) -> None:
    classes = set(schema.classes)
    for array in outputs.values():
        # One label for each row: in a wider array, a pattern of labels could spell a number.
        if array.ndim != 1 or not classes.issuperset(array.tolist()):
            raise _denied("the license lets only class labels leave, and the model answered something else")


def _best(outputs: Mapping[str, Array], schema: Schema, count: int) -> dict[str, Array]:
    scores = next(iter(outputs.values()))
    if len(outputs) != 1 or scores.ndim != 2 or scores.shape[1] != len(schema.classes):
        raise _denied("the license lets only the best classes leave, and the model does not score each class")
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return {
        TOP_LABELS: _class_array(schema.classes)[order],
        TOP_SCORES: np.take_along_axis(scores, order, axis=1),
    }


def _class_array(classes: list[Any]) -> Array:
    if all(isinstance(label, int) for label in classes):
        return np.array(classes, dtype=np.int64)
    array = np.empty(len(classes), dtype=object)
    array[:] = [str(label) for label in classes]
    return array


def _rounded(array: Array, decimals: int) -> Array:
    return np.round(array, decimals) if array.dtype.kind == "f" else array


def _described(policy: OutputPolicy) -> str:
    return "the label" if policy.label_only else f"the {policy.top_k} best classes"


def _denied(reason: str, hint: str | None = None) -> LicenseDenied:
    return LicenseDenied(reason, code=Code.OUTPUT_POLICY.value, hint=hint)
