"""Tables of pyarrow."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from strongroom.client.tables.interface import Label, Table
from strongroom.loaders.tensor import Array


class ArrowTable(Table):
    """A ``pyarrow.Table`` or a ``pyarrow.RecordBatch``."""

    technology: ClassVar[str] = "pyarrow"

    @classmethod
    def holds(cls, data: Any) -> bool:
        """Tell whether it is a ``Table`` or a ``RecordBatch``."""
        pyarrow = sys.modules.get("pyarrow")
        return pyarrow is not None and isinstance(data, pyarrow.Table | pyarrow.RecordBatch)

    @property
    def rows(self) -> int:
        """The number of rows."""
        rows: int = self.data.num_rows
        return rows

    @property
    def names(self) -> Sequence[str]:
        """The columns."""
        return list(self.data.schema.names)

    def _column(self, position: int) -> Array:
        types = sys.modules["pyarrow"].types
        column = self.data.column(position)
        if (types.is_integer(column.type) or types.is_floating(column.type)) and not column.null_count:
            plain: Array = np.asarray(column)
            return plain
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_pylist()
        return values

    def series(self, name: str, values: Array) -> Any:
        """Return an ``Array``."""
        return sys.modules["pyarrow"].array(values.tolist() if values.dtype == object else values)

    def frame(self, columns: Mapping[Label, Array]) -> Any:
        """Return a ``Table``; names that are no text are written as text."""
        arrays = {str(name): self.series(str(name), values) for name, values in columns.items()}
        return sys.modules["pyarrow"].table(arrays)
