"""From whatever somebody passes to the tensors that the model takes.

    arrays, table = to_inputs(frame, schema)

Columns go by name where both sides have names, in any order; otherwise by position.
A missing column, one too many, another type or shape is refused by name, and no
message ever shows a value: it may be a patient's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from strongroom.client.tables import table_of
from strongroom.client.tables.interface import Table
from strongroom.errors import UsageError
from strongroom.loaders.tensor import TEXT, Array, datatype_of, fit_tensor
from strongroom.package.contents import Field, Schema

_SHOWN_NAMES: Final = 8


def to_inputs(data: Any, schema: Schema) -> tuple[dict[str, Array], Table]:
    """Return one array for each input of the model, and the table that they came from.

    Raises:
        UsageError: what was passed does not fit the model: codes ``input-kind``,
            ``input-columns``, ``input-shape``, ``input-datatype``, ``input-rows``.
        UnsupportedError: an element type that no tensor has.
    """
    table = table_of(data)
    if table.rows == 0:
        raise UsageError("the input has no rows", code="input-rows")
    if isinstance(data, Mapping) and set(data) == {field.name for field in schema.inputs}:
        return _by_input(data, schema.inputs), table
    if len(schema.inputs) == 1:
        field = schema.inputs[0]
        array = _single(table, field, schema.columns)
        return {field.name: fit_tensor(field, array)}, table
    return _by_column(table, schema.inputs), table


def _by_input(data: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, Array]:
    """Take a dictionary of tensors, or of columns that are inputs."""
    table = table_of(data)
    arrays = {}
    for position, field in enumerate(fields):
        value = data[field.name]
        if not isinstance(value, np.ndarray):
            value = table.column(list(data).index(field.name))
        arrays[fields[position].name] = fit_tensor(field, _filled(field, value))
    return arrays


def _by_column(table: Table, fields: Sequence[Field]) -> dict[str, Array]:
    """Take each input from the column of its name."""
    if table.names is None:
        raise UsageError(
            f"the model takes {len(fields)} columns by name, and a {table.technology} has no names",
            code="input-columns",
            hint=f"pass a DataFrame with the columns {_listed([field.name for field in fields])}",
        )
    places = _places(table.names, [field.name for field in fields])
    return {
        field.name: fit_tensor(field, _filled(field, table.column(place)))
        for field, place in zip(fields, places, strict=True)
    }


def _single(table: Table, field: Field, columns: Sequence[str]) -> Array:
    """Make the one tensor of a model that takes a matrix."""
    width = _width(table)
    if width is None:
        return _flat(table, field)
    places = list(range(width))
    if table.names is not None and columns:
        places = _places(table.names, columns)
    elif len(field.shape) == 2 and field.shape[1] not in (-1, width):
        raise UsageError(
            f"the input has {width} columns, the model takes {field.shape[1]}", code="input-shape"
        )
    whole = table.matrix()
    if whole is not None:
        return whole if places == list(range(width)) else whole[:, places]
    return np.stack([_column(table, place, field) for place in places], axis=1)


def _width(table: Table) -> int | None:
    """Return the number of columns; None for an array that is not two-dimensional."""
    if table.names is not None:
        return len(table.names)
    if isinstance(table.data, np.ndarray):
        return table.data.shape[1] if table.data.ndim == 2 else None
    row = table.data[0]
    return len(row) if isinstance(row, list | tuple) else None


def _flat(table: Table, field: Field) -> Array:
    """Take rows that are one value each, or an array of another rank."""
    array = table.data if isinstance(table.data, np.ndarray) else table.column(0)
    if array.ndim == 1 and len(field.shape) == 2 and field.shape[1] not in (1, -1):
        raise UsageError(
            f"the input has one dimension, the model takes rows of {field.shape[1]} values",
            code="input-shape",
            hint="a single row is passed as a list of one row: X[:1] or [row]",
        )
    return array


def _column(table: Table, place: int, field: Field) -> Array:
    name = str(place) if table.names is None else table.names[place]
    scalar = Field(name=name, datatype=field.datatype, shape=[-1])
    return fit_tensor(scalar, _filled(scalar, table.column(place)))


def _filled(field: Field, array: Array) -> Array:
    """Return NaN for a column of nothing but None, and None for one of nothing but NaN."""
    if field.datatype == TEXT:
        is_empty = array.dtype.kind == "f" and bool(np.isnan(array).all())
        return np.full(array.shape, None, dtype=object) if is_empty else array
    if array.dtype == object and all(value is None for value in array.flat):
        return np.full(array.shape, np.nan)
    if datatype_of(array) == TEXT:
        raise UsageError(
            f"column {field.name!r} holds text, the model takes {field.datatype}", code="input-datatype"
        )
    return array


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each wanted column is.

    Raises:
        UsageError: missing, doubled or unknown columns, all of them named.
    """
    missing = [name for name in wanted if name not in set(names)]
    if missing:
        raise UsageError(
            f"missing columns: {_listed(missing)}",
            code="input-columns",
            hint=f"the model takes {_listed(wanted)}",
        )
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        raise UsageError(f"columns that are there twice: {_listed(twice)}", code="input-columns")
    unknown = [name for name in names if name not in set(wanted)]
    if unknown:
        raise UsageError(
            f"columns that the model does not take: {_listed(unknown)}",
            code="input-columns",
            hint="select the columns first: frame[list(model.info.columns)]",
        )
    where = {name: place for place, name in enumerate(names)}
    return [where[name] for name in wanted]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} and {len(names) - _SHOWN_NAMES} more"
