"""Tables as Parquet, through pyarrow (extra ``frames``)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from strongroom.errors import UnsupportedError, UsageError


def read_parquet(data: bytes) -> dict[str, Any]:
    """Read a table.

    Raises:
        UsageError: it is no such table (code ``table-malformed``).
        UnsupportedError: pyarrow is not installed (code ``extra-missing``).
    """
    pyarrow = _pyarrow()
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError("the table is not a Parquet file", code="table-malformed") from error
    return {name: _values(pyarrow, table.column(place)) for place, name in enumerate(table.schema.names)}


def _values(pyarrow: Any, column: Any) -> Any:
    kinds = pyarrow.types
    if column.null_count or not (kinds.is_integer(column.type) or kinds.is_floating(column.type)):
        return column.to_pylist()
    return column.to_numpy()


def write_parquet(columns: Mapping[str, Any]) -> bytes:
    """Write a table; each column keeps its type.

    Raises:
        UnsupportedError: pyarrow is not installed (code ``extra-missing``).
    """
    pyarrow = _pyarrow()
    sink = io.BytesIO()
    pyarrow.parquet.write_table(
        pyarrow.table({name: pyarrow.array(values) for name, values in columns.items()}), sink
    )
    return sink.getvalue()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UnsupportedError(
            "Parquet needs pyarrow, which is not installed",
            code="extra-missing",
            hint="pip install 'strongroom[frames]', or use CSV",
        ) from error
    return pyarrow
