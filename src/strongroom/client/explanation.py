"""Explanations: what each column contributed to the score of each row.

    explanation = model.explain(frame)
    explanation.contributions            # a DataFrame with the index and the columns of the frame
    explanation.base_values + explanation.contributions.sum(axis=1)     # the raw score
    explanation.top(3)                   # the three strongest columns of each row

With more than two classes there is one score for each: contributions are then a dictionary
from class to table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from strongroom.client.outputs import from_outputs
from strongroom.client.tables.interface import Label, Table
from strongroom.client.tables.numpy import NumpyTable
from strongroom.errors import FormatError, UsageError
from strongroom.loaders.interface import BASE_VALUES, CONTRIBUTIONS
from strongroom.loaders.tensor import Array
from strongroom.package.contents import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Contributions of the columns to the raw score of each row, of the kind that was passed."""

    contributions: Any
    """A table with a row for each row and a column for each column; with several scores a
    dictionary of them by class. For an array, an array of [rows, columns] or [rows, classes, columns]."""
    base_values: Any
    """The score before any column is looked at, for each row; with several scores, of each class."""
    columns: tuple[str, ...]
    """The names of the columns; ``f0``, ``f1``... for a model that was fitted on a matrix."""
    classes: tuple[Label, ...]
    """The class of each score; empty if there is one score: a regression, or the second of two classes."""
    answers: Any
    """What ``predict`` answers for the same rows; None in a session with the right ``explain`` alone."""
    remaining: int | None
    """Explanations that are left; None: they are not counted."""
    _table: Table = field(repr=False)
    _scores: Array = field(repr=False)
    """[rows, scores, columns]"""
    _base: Array = field(repr=False)

    def top(self, count: int = 3) -> Any:
        """Return the columns that contributed most to each row, strongest first.

        With several classes, those of the class with the highest score.

        Args:
            count: how many; at most as many as there are columns.

        Returns:
            A table of the kind that was passed, with columns ``reason_1``, ``reason_2``... and
            for each its contribution, ``contribution_1``... A reason is missing where nothing more
            contributed. For an array, an array of the names alone.

        Raises:
            UsageError: a count below 1.
        """
        names, values = self.strongest(count)
        places = range(names.shape[1])
        reasons: dict[Label, Array] = {f"reason_{place + 1}": names[:, place] for place in places}
        if isinstance(self._table, NumpyTable):
            return self._table.frame(reasons)
        amounts = {f"contribution_{place + 1}": values[:, place] for place in places}
        pairs = zip(reasons.items(), amounts.items(), strict=True)
        return self._table.frame(dict(each for pair in pairs for each in pair))

    def strongest(self, count: int = 3) -> tuple[Array, Array]:
        """Return the names of the strongest columns of each row, and their contributions: [rows, count].

        Raises:
            UsageError: a count below 1.
        """
        if count < 1:
            raise UsageError("ask for at least one reason", code="reason-count")
        rows = np.arange(len(self._scores))
        chosen = self._scores[rows, (self._base + self._scores.sum(axis=2)).argmax(axis=1)]
        order = np.argsort(-np.abs(chosen), axis=1, kind="stable")[:, :count]
        values = np.take_along_axis(chosen, order, axis=1)
        # As an array of objects, so that a reason can be missing.
        names = np.array([*self.columns, None], dtype=object)[order]
        names[values == 0] = None
        return names, values


def explanation_of(
    table: Table, outputs: Mapping[str, Array], schema: Schema, *, remaining: int | None
) -> Explanation:
    """Return an explanation in the kind of table that was asked with.

    Args:
        table: what was passed.
        outputs: both outputs of an explanation, and those of ``predict`` if it was asked as well.
        schema: what the model takes and gives.
        remaining: explanations that are left.

    Raises:
        FormatError: no explanation of this table (code ``unexpected-message``).
    """
    rest = {name: array for name, array in outputs.items() if name not in (CONTRIBUTIONS, BASE_VALUES)}
    scores, base = (outputs.get(name, np.zeros(0)) for name in (CONTRIBUTIONS, BASE_VALUES))
    if scores.ndim != 3 or base.shape != scores.shape[:2] or not scores.shape[1]:
        raise FormatError("the model's runtime answers something else", code="unexpected-message")
    columns = tuple(schema.columns)
    if len(columns) != scores.shape[2]:
        columns = tuple(f"f{place}" for place in range(scores.shape[2]))
    count = scores.shape[1]
    classes: tuple[Label, ...] = ()
    if count > 1:
        classes = tuple(schema.classes) if len(schema.classes) == count else tuple(range(count))
    shaped = (_arrays if isinstance(table, NumpyTable) else _tables)(table, scores, base, columns, classes)
    return Explanation(
        contributions=shaped[0],
        base_values=shaped[1],
        columns=columns,
        classes=classes,
        answers=from_outputs(table, rest, schema) if rest else None,
        remaining=remaining,
        _table=table,
        _scores=scores,
        _base=base,
    )


def _arrays(
    table: Table, scores: Array, base: Array, columns: Sequence[Label], classes: Sequence[Label]
) -> tuple[Any, Any]:
    return (scores, base) if classes else (scores[:, 0, :], base[:, 0])


def _tables(
    table: Table, scores: Array, base: Array, columns: Sequence[Label], classes: Sequence[Label]
) -> tuple[Any, Any]:
    def several(array: Array, names: Sequence[Label]) -> Any:
        return table.frame({name: array[:, place] for place, name in enumerate(names)})

    if not classes:
        return several(scores[:, 0, :], columns), table.series("base_value", base[:, 0])
    parts = {name: several(scores[:, place, :], columns) for place, name in enumerate(classes)}
    return parts, several(base, classes)
