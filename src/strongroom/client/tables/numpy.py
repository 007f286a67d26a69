"""Arrays of numpy: columns have positions, not names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from strongroom.client.tables.interface import Label, Table
from strongroom.loaders.tensor import Array


class NumpyTable(Table):
    """An ``ndarray`` of any rank; its first dimension counts the rows."""

    technology: ClassVar[str] = "numpy"
    data: Array

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is an ``ndarray``."""
        return isinstance(data, np.ndarray)

    @property
    def rows(self) -> int:
        """The first dimension."""
        return self.data.shape[0] if self.data.ndim else 0

    @property
    def names(self) -> None:
        """An array has none."""
        return

    def matrix(self) -> Array | None:
        """Return the array itself, unless it holds objects."""
        return self.data if self.data.dtype.kind in "biuf" else None

    def _column(self, position: int) -> Array:
        column: Array = self.data[:, position]
        return column

    def series(self, name: str, values: Array) -> Array:
        """Return the values; text as numpy has it."""
        return _as_numpy_text(values)

    def frame(self, columns: Mapping[Label, Array]) -> Array:
        """Return the values side by side."""
        return np.column_stack([_as_numpy_text(values) for values in columns.values()])


def _as_numpy_text(values: Array) -> Array:
    if values.dtype == object and all(isinstance(value, str) for value in values.flat):
        return values.astype(str)
    return values
