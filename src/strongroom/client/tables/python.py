"""Plain Python: rows as lists, rows as dictionaries, columns in a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from strongroom.client.tables.interface import Label, Table, text_or_numbers
from strongroom.errors import UsageError
from strongroom.loaders.tensor import Array


class PythonRows(Table):
    """A list of rows, each a list of values; or a list of plain values."""

    technology: ClassVar[str] = "list"
    data: Sequence[Any]

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a list or a tuple."""
        return isinstance(data, list | tuple)

    @property
    def rows(self) -> int:
        """The length of the list."""
        return len(self.data)

    @property
    def names(self) -> Sequence[str] | None:
        """A list has none."""
        return None

    @property
    def width(self) -> int | None:
        """The length of every row; None if a row is one plain value.

        Raises:
            UsageError: the rows differ in length (code ``input-shape``).
        """
        widths = {len(row) if isinstance(row, list | tuple) else None for row in self.data}
        if len(widths) > 1:
            raise UsageError("the rows differ in their number of values", code="input-shape")
        return widths.pop() if widths else None

    def _column(self, position: int) -> Array:
        if self.width is None:
            return text_or_numbers("the input", self.data)
        return text_or_numbers(self.called(position), [row[position] for row in self.data])

    def series(self, name: str, values: Array) -> Any:
        """Return a list."""
        return values.tolist()

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a list of lists."""
        return [list(row) for row in zip(*(values.tolist() for values in columns.values()), strict=True)]


class PythonRecords(Table):
    """A list of dictionaries with the same keys."""

    technology: ClassVar[str] = "list of dictionaries"
    data: Sequence[Any]

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self._names = [str(name) for name in self.data[0]]
        for number, row in enumerate(self.data):
            if not isinstance(row, Mapping) or row.keys() != self.data[0].keys():
                raise UsageError(
                    f"row {number} does not have the same columns as row 0",
                    code="input-columns",
                    hint="None stands for a missing value",
                )

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a list that begins with a dictionary."""
        return isinstance(data, list | tuple) and bool(data) and isinstance(data[0], Mapping)

    @property
    def rows(self) -> int:
        """The length of the list."""
        return len(self.data)

    @property
    def names(self) -> Sequence[str]:
        """The keys of the first row."""
        return self._names

    def _column(self, position: int) -> Array:
        key = list(self.data[0])[position]
        return text_or_numbers(self.called(position), [row[key] for row in self.data])

    def series(self, name: str, values: Array) -> Any:
        """Return a list."""
        return values.tolist()

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a list of dictionaries."""
        lists = [values.tolist() for values in columns.values()]
        return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


class PythonColumns(Table):
    """A dictionary from names to columns, or from the names of inputs to tensors."""

    technology: ClassVar[str] = "dictionary"
    data: Mapping[str, Any]

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        if not all(isinstance(column, list | tuple) or np.ndim(column) for column in self.data.values()):
            raise UsageError(
                "a dictionary must hold lists or arrays, one for each column",
                code="input-kind",
                hint="a single row is passed as a list of one dictionary: [row]",
            )
        if len({len(column) for column in self.data.values()}) > 1:
            raise UsageError("the columns differ in their number of rows", code="input-rows")

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a dictionary."""
        return isinstance(data, Mapping)

    @property
    def rows(self) -> int:
        """The length of the first column."""
        return len(next(iter(self.data.values()), ()))

    @property
    def names(self) -> Sequence[str]:
        """The keys."""
        return [str(name) for name in self.data]

    def _column(self, position: int) -> Array:
        column = list(self.data.values())[position]
        return column if isinstance(column, np.ndarray) else text_or_numbers(self.called(position), column)

    def series(self, name: str, values: Array) -> Any:
        """Return an array."""
        return values

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a dictionary of arrays."""
        return dict(columns)
