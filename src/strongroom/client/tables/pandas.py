"""Frames of pandas: answers keep the index."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from strongroom.client.tables.interface import Label, Table
from strongroom.loaders.tensor import Array


class PandasTable(Table):
    """A ``pandas.DataFrame``."""

    technology: ClassVar[str] = "pandas"

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a ``DataFrame``."""
        pandas = sys.modules.get("pandas")
        return pandas is not None and isinstance(data, pandas.DataFrame)

    @property
    def rows(self) -> int:
        """The length of the frame."""
        return len(self.data)

    @property
    def names(self) -> Sequence[str]:
        """The columns; a name that is no text is written as text."""
        return [str(name) for name in self.data.columns]

    def matrix(self) -> Array | None:
        """Return the frame as one array if all its columns are plain numbers of one type."""
        dtypes = set(self.data.dtypes)
        if len(dtypes) == 1 and all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in dtypes):
            array: Array = self.data.to_numpy()
            return array
        return None

    def _column(self, position: int) -> Array:
        column = self.data.iloc[:, position]
        if isinstance(column.dtype, np.dtype):
            plain: Array = column.to_numpy()
            return plain
        # Categories, nullable integers, strings: as Python values, with None for missing.
        values = np.empty(len(column), dtype=object)
        values[:] = column.astype(object).tolist()
        values[column.isna().to_numpy(dtype=bool)] = None
        return values

    def series(self, name: str, values: Array) -> Any:
        """Return a ``Series`` with the index of the frame."""
        return sys.modules["pandas"].Series(values, index=self.data.index, name=name)

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a ``DataFrame`` with the index of the frame."""
        return sys.modules["pandas"].DataFrame(dict(columns), index=self.data.index)
