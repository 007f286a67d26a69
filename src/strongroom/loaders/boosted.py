"""What the loaders of boosted trees share: how rows are passed, and what makes labels of scores.

    class LightGbmModel(BoostedModel):
        def _ask(self, rows, method): ...

Options that the intake signs, the same for all of them:

* ``answers``: ``labels`` if ``predict`` gives the label of a class, as the classifiers of these
  libraries do. Without it, ``predict`` gives what the library's own model object gives.
* ``frame``: ``pandas`` if each column of the schema is an input of its own; otherwise there is
  one matrix, named ``input``.
* ``categorical``: the columns of that table that are categories.
* ``iterations``: how many rounds of trees answer; without it, all of them.

Each method answers under its own name. ``decision_function`` is the raw score: what the
trees add up to before it becomes a probability or a label.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from strongroom.errors import FormatError
from strongroom.loaders import frame
from strongroom.loaders.interface import LoadedModel, ModelSchema
from strongroom.loaders.tensor import Array

INPUT: Final = "input"
LABELS: Final = "labels"
_METHODS: Final = {"predict", "predict_proba", "decision_function"}


class BoostedModel(LoadedModel):
    """Boosted trees of one library."""

    def __init__(self, schema: ModelSchema, options: Mapping[str, Any], width: int) -> None:
        """Check that the schema is that of the model.

        Raises:
            FormatError: other inputs, columns or methods than the model has (``schema-mismatch``).
        """
        super().__init__(schema)
        self._framed = options.get("frame") == "pandas"
        self._categorical = tuple(options.get("categorical", ()))
        self._labeled = options.get("answers") == LABELS
        self._iterations = int(options.get("iterations", 0))
        names = [field.name for field in schema.inputs]
        if names != (list(schema.columns) if self._framed else [INPUT]):
            raise mismatch("inputs")
        given = len(names) if self._framed else list(schema.inputs[0].shape[1:])
        if given != (width if self._framed else [width]):
            raise mismatch("inputs")
        if not set(self._categorical) <= set(names):
            raise mismatch("categories")
        scored = _METHODS if self._labeled else _METHODS - {"predict_proba"}
        if not set(schema.methods) <= scored:
            raise mismatch("methods")

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        return {method: np.asarray(self._ask(self._rows(inputs), method))}

    def _rows(self, inputs: dict[str, Array]) -> Any:
        """Return the rows as the library takes them: a matrix, or a table with these columns."""
        if not self._framed:
            return np.ascontiguousarray(inputs[INPUT])
        return frame.build(inputs, frozenset(self._categorical), np.nan)

    @abstractmethod
    def _ask(self, rows: Any, method: str) -> Array:
        """Let the library answer."""


def label(classes: Any, indices: Array) -> Array:
    """Return the label of each index of a class."""
    labels = list(classes)
    kind = object if any(isinstance(each, str) for each in labels) else np.int64
    return np.array(labels, kind)[indices]


def both_classes(probabilities: Array) -> Array:
    """Return a probability for each of two classes from that of the second; more classes as they are."""
    if probabilities.ndim > 1:
        return probabilities
    return np.column_stack([1.0 - probabilities, probabilities])


def split_base(contributions: Array) -> dict[str, Array]:
    """Return both parts of an explanation: ``[rows, scores, columns + 1]``, the base value at the end."""
    exact = np.asarray(contributions, np.float64)
    return {"contributions": exact[:, :, :-1], "base_values": exact[:, :, -1]}


def mismatch(what: str) -> FormatError:
    """Return the error that says that the signed schema and the model are not of one kind."""
    return FormatError(f"the {what} of the schema are not those of the model", code="schema-mismatch")
