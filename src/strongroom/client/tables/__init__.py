"""Tables of other libraries, one file for each: rows in, answers of the same kind out.

    table = table_of(frame)
    table.names, table.rows, table.column(0)
    table.series("prediction", labels)        # a pandas.Series with the index of the frame

A library is never imported for this: whoever passes one of its tables has done so.
"""

from __future__ import annotations

from typing import Any, Final

from strongroom.client.tables.arrow import ArrowTable
from strongroom.client.tables.interface import Table
from strongroom.client.tables.numpy import NumpyTable
from strongroom.client.tables.pandas import PandasTable
from strongroom.client.tables.polars import PolarsTable
from strongroom.client.tables.python import PythonColumns, PythonRecords, PythonRows
from strongroom.errors import UsageError

_KINDS: Final[tuple[type[Table], ...]] = (
    NumpyTable,
    PandasTable,
    PolarsTable,
    ArrowTable,
    PythonColumns,
    PythonRecords,
    PythonRows,
)


def table_of(data: Any) -> Table:
    """Return the table that wraps what somebody passed.

    Raises:
        UsageError: something that is no table (code ``input-kind``).
    """
    for kind in _KINDS:
        if kind.holds(data):
            return kind(data)
    raise UsageError(
        f"a model cannot be asked with a {type(data).__module__}.{type(data).__qualname__}",
        code="input-kind",
        hint="pass a numpy array, a pandas or polars DataFrame, a pyarrow Table, or a list of rows",
    )
