"""Frames of polars."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from strongroom.client.tables.interface import Label, Table
from strongroom.loaders.tensor import Array


class PolarsTable(Table):
    """A ``polars.DataFrame``."""

    technology: ClassVar[str] = "polars"

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a ``DataFrame``."""
        polars = sys.modules.get("polars")
        return polars is not None and isinstance(data, polars.DataFrame)

    @property
    def rows(self) -> int:
        """The height of the frame."""
        height: int = self.data.height
        return height

    @property
    def names(self) -> Sequence[str]:
        """The columns."""
        return list(self.data.columns)

    def _column(self, position: int) -> Array:
        column = self.data.to_series(position)
        if column.dtype.is_numeric() and not column.null_count():
            plain: Array = column.to_numpy()
            return plain
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_list()
        return values

    def series(self, name: str, values: Array) -> Any:
        """Return a ``Series``."""
        return sys.modules["polars"].Series(name, values.tolist() if values.dtype == object else values)

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a ``DataFrame``; names that are no text are written as text."""
        series = [self.series(str(name), values) for name, values in columns.items()]
        return sys.modules["polars"].DataFrame(series)
