"""The seam of all tables: what a model needs to know of one, and how answers go back.

    class MyTable(Table):
        def _column(self, position): ...       # one column as an array

A technology overrides the private methods; the public ones name the column in every
refusal and never show a value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from strongroom.errors import UsageError
from strongroom.loaders.tensor import Array

Label = str | int


class Table(ABC):
    """Rows that somebody passed, whatever holds them."""

    technology: ClassVar[str]
    """What error messages call it."""

    def __init__(self, data: Any) -> None:
        self.data = data

    @classmethod
    @abstractmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether this class is for that kind of table."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """The number of rows."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str] | None:
        """The names of the columns in order; None if they have none."""

    def column(self, position: int) -> Array:
        """Return one column: numbers, booleans, or text as objects with None for missing.

        Raises:
            UsageError: values that no model takes, or of several types (code ``input-datatype``).
        """
        array = self._column(position)
        if array.dtype.kind in "biuf":
            return array
        if array.dtype.kind in "OUT":
            return text_or_numbers(self.called(position), array.tolist())
        raise UsageError(
            f"{self.called(position)} holds {array.dtype.name}, which no model takes",
            code="input-datatype",
            hint="convert it to numbers or text",
        )

    def matrix(self) -> Array | None:
        """Return all columns as one array of numbers where that costs nothing, else None."""
        return None

    def called(self, position: int) -> str:
        """Return how messages name a column."""
        return f"column {position}" if self.names is None else f"column {self.names[position]!r}"

    @abstractmethod
    def _column(self, position: int) -> Array:
        """Return one column as its library gives it."""

    @abstractmethod
    def series(self, name: str, values: Array) -> Any:
        """Return one answer for each row."""

    @abstractmethod
    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return several answers for each row."""


def text_or_numbers(called: str, values: Sequence[Any]) -> Array:
    """Make an array of Python values that are all text, all numbers or all booleans.

    A missing value is None among text and NaN among numbers; a column of nothing but
    None stays one of None.

    Raises:
        UsageError: anything else (code ``input-datatype``).
    """
    types = set(map(type, values))
    # Text is told from its types alone, without a look at each of a million values.
    kinds = {"text"} if types == {str} else {_kind(value) for value in values}
    missing = None in kinds
    kinds.discard(None)
    if kinds == {"boolean"} and not missing:
        return np.array(values, dtype=bool)
    if kinds == {"integer"} and not missing:
        return _integers(called, values)
    if kinds and kinds <= {"integer", "number"}:
        return np.array([np.nan if _kind(value) is None else value for value in values], dtype=np.float64)
    if kinds <= {"text"}:
        array = np.empty(len(values), dtype=object)
        array[:] = [None if _kind(value) is None else value for value in values] if missing else list(values)
        return array
    raise UsageError(
        f"{called} mixes text, numbers and other things",
        code="input-datatype",
        hint="convert it to one type; None stands for a missing value",
    )


def _integers(called: str, values: Sequence[Any]) -> Array:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError as error:
        raise UsageError(f"{called} has integers beyond 64 bits", code="input-datatype") from error


def _kind(value: Any) -> str | None:
    # The order counts: bool is an int; the NaN of a column of text means missing.
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool | np.bool):
        return "boolean"
    if isinstance(value, int | np.integer):
        return "integer"
    if isinstance(value, float | np.floating):
        return "number"
    # What a library has for missing (pandas.NA, pandas.NaT) is no value either.
    return None if type(value).__name__ in ("NAType", "NaTType") else "other"
