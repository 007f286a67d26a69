"""A few rows of real input, as tensors: what a schema is read from and a round trip is proven on.

    rows = read_sample(frame)
    rows.columns["ward"].values      # object array of str, None where a value is missing

Takes what scikit-learn takes: arrays, lists of rows, sparse matrices, tables of
pandas, and tables of polars or pyarrow by way of pandas. A table keeps its columns
apart, everything else is one array. Nothing of a row ever reaches a message.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from strongroom.errors import UsageError
from strongroom.loaders.interface import extra_missing
from strongroom.loaders.tensor import Array, Field, fit_tensor

MAX_ROWS: Final = 10_000
"""More rows prove no more, and each is asked several times."""
_TEXT_TYPES: Final = ("object", "str", "string")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    values: Array
    is_categorical: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """A sample in the forms that intake needs."""

    original: Any
    """What was passed: the model itself is asked with this."""
    columns: Mapping[str, Column]
    """The columns of a table; empty for an array."""
    array: Array | None
    """The array; None for a table."""

    def __len__(self) -> int:
        if self.array is not None:
            return len(self.array)
        return len(next(iter(self.columns.values())).values)

    def matrix(self) -> Array | None:
        """Return all numbers as one FP64 matrix; None if a column holds text or categories."""
        if self.array is not None:
            return self.array
        if any(column.is_categorical or column.values.dtype == object for column in self.columns.values()):
            return None
        return np.column_stack([column.values.astype(np.float64) for column in self.columns.values()])

    def tensors(self, fields: Sequence[Field]) -> dict[str, Array]:
        """Return the sample as the tensors of these fields.

        Raises:
            UsageError: it has not these columns, or not this shape (``sample-columns``, ``input-shape``).
        """
        if len(fields) == 1:
            only = fields[0]
            values = self.columns[only.name].values if only.name in self.columns else self.matrix()
            if values is None:
                raise _wrong_columns(fields)
            return {only.name: fit_tensor(only, values)}
        if not all(field.name in self.columns for field in fields):
            raise _wrong_columns(fields)
        return {field.name: fit_tensor(field, self.columns[field.name].values) for field in fields}


def read_sample(sample: Any) -> Rows:
    """Read a sample of whatever kind; of a long one the first 10,000 rows.

    Raises:
        UsageError: ``sample-empty``, or ``sample-type`` for what no tensor can hold.
        UnsupportedError: a table of polars or pyarrow, and pandas is not installed.
    """
    # A copy: a model that keeps the rows it was fitted on multiplies them with themselves
    # when it is asked with the very same array, which takes another way through BLAS and
    # ends in other last bits than the rows of a stranger do.
    rows = _rows(copy.deepcopy(_head(sample)))
    if not (rows.columns or rows.array is not None) or len(rows) == 0:
        raise UsageError("the sample has no rows", code="sample-empty")
    return rows


def _head(sample: Any) -> Any:
    if hasattr(sample, "tocsr"):
        # Not every sparse matrix can be cut.
        return sample.tocsr()[:MAX_ROWS]
    if not hasattr(sample, "shape"):
        return sample[:MAX_ROWS] if isinstance(sample, list | tuple) else sample
    return (sample.iloc if hasattr(sample, "iloc") else sample)[:MAX_ROWS]


def _rows(sample: Any) -> Rows:
    if hasattr(sample, "to_pandas"):
        try:
            table = sample.to_pandas()
        except ImportError as error:
            raise extra_missing("frames", "reading this kind of table") from error
        return Rows(original=sample, columns=_columns(table), array=None)
    if hasattr(sample, "iloc") and hasattr(sample, "columns"):
        return Rows(original=sample, columns=_columns(sample), array=None)
    return Rows(original=sample, columns={}, array=_array(sample))


def _array(sample: Any) -> Array:
    dense = sample.toarray() if hasattr(sample, "toarray") else sample
    try:
        array = np.asarray(dense)
    except ValueError as error:
        raise UsageError("the rows of the sample differ in their length", code="sample-type") from error
    if array.dtype.kind in "OUT":
        return _text(array, "the sample")
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise UsageError(f"no tensor can hold a sample of {array.dtype.name}", code="sample-type")
    return array


def _columns(table: Any) -> dict[str, Column]:
    names = list(table.columns)
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise UsageError(
            "the columns of the sample have names that are no text, or twice the same", code="sample-columns"
        )
    return {name: _column(name, table[name]) for name in names}


def _column(name: str, series: Any) -> Column:
    kind = str(series.dtype)
    if kind == "category":
        return Column(_column(name, series.astype(series.cat.categories.dtype)).values, is_categorical=True)
    what = f"column {name!r} of the sample"
    if kind.startswith(_TEXT_TYPES):
        return Column(_text(series.to_numpy(dtype=object), what), is_categorical=False)
    if kind == "boolean" and not series.isna().any():
        return Column(series.to_numpy(dtype=bool), is_categorical=False)
    if kind.startswith(("Int", "UInt", "Float")):
        # Numbers of pandas that may be missing: NaN says the same to scikit-learn.
        return Column(series.to_numpy(dtype=np.float64, na_value=np.nan), is_categorical=False)
    values = series.to_numpy()
    if values.dtype.kind not in "biuf":
        raise _no_tensor(what, kind)
    return Column(values, is_categorical=False)


def _text(values: Array, what: str) -> Array:
    """Return an object array of ``str`` and None.

    Raises:
        UsageError: a value is neither text nor missing.
    """
    items = np.empty(values.shape, dtype=object)
    for place, value in np.ndenumerate(values):
        if isinstance(value, str):
            items[place] = str(value)
        elif not _is_missing(value):
            raise _no_tensor(what, f"a mixture with {type(value).__name__}")
    return items


def _is_missing(value: Any) -> bool:
    # NaN differs from itself; the missing value of pandas has no truth value at all.
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def _no_tensor(what: str, kind: str) -> UsageError:
    return UsageError(
        f"no tensor can hold {what}: {kind}",
        code="sample-type",
        hint="give each column one type: numbers, text or truth values",
    )


def _wrong_columns(fields: Sequence[Field]) -> UsageError:
    return UsageError(
        "the sample does not fit the inputs of the model",
        code="sample-columns",
        hint=f"it takes: {', '.join(field.name for field in fields)}",
    )
