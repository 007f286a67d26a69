"""Tensors: the datatypes of the Open Inference Protocol as numpy arrays, and how input is fitted to a schema.

    datatype_of(np.zeros(3, dtype=np.float32))        # 'FP32'
    fit_tensor(field, np.zeros((2, 4))).dtype         # float32, where the field is FP32 of [-1, 4]

``BYTES`` is text here: an object array of ``str``, in which None is a missing
value. Fitting converts between numeric types where no meaning is lost (whole numbers that
fit, whole numbers to floating point, wide floating point to narrow) and refuses the rest.
Messages name the tensor and its type, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from strongroom.errors import UnsupportedError, UsageError

Array = NDArray[Any]
Tensors = Mapping[str, Array]

TEXT: Final = "BYTES"
_NUMPY_NAMES: Final = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    TEXT: "object",
}
_DATATYPES: Final = {name: datatype for datatype, name in _NUMPY_NAMES.items()}
DATATYPES: Final = frozenset(_NUMPY_NAMES)


class Field(Protocol):
    """One named tensor of a schema; ``package.contents.Field`` is one."""

    @property
    def name(self) -> str:
        """The name under which the tensor is passed."""

    @property
    def datatype(self) -> str:
        """A datatype of the Open Inference Protocol: ``FP32``, ``INT64``, ``BYTES``..."""

    @property
    def shape(self) -> Sequence[int]:
        """The extent of each dimension; -1 where it is free."""


def numpy_type(datatype: str) -> np.dtype[Any]:
    """Return the numpy type of a datatype; ``object`` for text.

    Raises:
        UnsupportedError: no such datatype here.
    """
    try:
        return np.dtype(_NUMPY_NAMES[datatype])
    except KeyError:
        raise UnsupportedError(f"no tensor has the datatype {datatype!r}", code="datatype") from None


def datatype_of(array: Array) -> str:
    """Return the datatype of an array; any array of strings or objects counts as text.

    Raises:
        UnsupportedError: times, complex numbers, structures and the like.
    """
    if array.dtype.kind in "OUST":
        return TEXT
    try:
        return _DATATYPES[array.dtype.newbyteorder("=").name]
    except KeyError:
        raise UnsupportedError(f"no tensor can hold {array.dtype.name}", code="datatype") from None


def fit_tensors(fields: Sequence[Field], tensors: Tensors) -> dict[str, Array]:
    """Fit named arrays to the fields of a schema, in the order of the schema.

    Raises:
        UsageError: ``input-missing``, ``input-unknown``, ``input-rows``, or as ``fit_tensor``.
        UnsupportedError: the schema or an array has a datatype that is not supported.
    """
    wanted = [field.name for field in fields]
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise UsageError(f"missing input: {_listed(missing)}", code="input-missing")
    unknown = sorted(set(tensors) - set(wanted))
    if unknown:
        raise UsageError(
            f"the model has no input {_listed(unknown)}",
            code="input-unknown",
            hint=f"it takes {_listed(wanted)}",
        )
    fitted = {field.name: fit_tensor(field, tensors[field.name]) for field in fields}
    _verify_rows(fields, fitted)
    return fitted


def _verify_rows(fields: Sequence[Field], fitted: Mapping[str, Array]) -> None:
    rows = {len(fitted[field.name]) for field in fields if list(field.shape[:1]) == [-1]}
    if len(rows) > 1:
        raise UsageError("the inputs differ in their number of rows", code="input-rows")
    if rows == {0}:
        raise UsageError("the input has no rows", code="input-rows")


def fit_tensor(field: Field, array: Array) -> Array:
    """Return the array in the shape and datatype of the field.

    A one-dimensional array serves a field of shape ``[-1, 1]``: a column of a table.

    Raises:
        UsageError: ``input-shape`` or ``input-datatype``.
        UnsupportedError: the field or the array has a datatype that is not supported.
    """
    if array.ndim == 1 and len(field.shape) == 2 and field.shape[1] in (1, -1):
        array = array.reshape(-1, 1)
    if not _fits_shape(field.shape, array.shape):
        raise UsageError(
            f"input {field.name!r} has the shape {list(array.shape)}, expected {list(field.shape)}",
            code="input-shape",
        )
    return _converted(field, array)


def _fits_shape(wanted: Sequence[int], given: Sequence[int]) -> bool:
    return len(wanted) == len(given) and all(
        want in (-1, have) for want, have in zip(wanted, given, strict=True)
    )


def _converted(field: Field, array: Array) -> Array:
    target = numpy_type(field.datatype)
    if field.datatype == TEXT and datatype_of(array) == TEXT:
        return _as_text(field, array)
    if array.dtype == target:
        return array
    is_whole = array.dtype.kind in "iu" and target.kind in "iu"
    is_text = TEXT in (field.datatype, datatype_of(array))
    if is_text or not (is_whole or np.can_cast(array.dtype, target, "same_kind")):
        raise UsageError(
            f"input {field.name!r} holds {array.dtype.name}, expected {field.datatype}",
            code="input-datatype",
        )
    with np.errstate(over="ignore"):
        converted = array.astype(target)
    if is_whole and not np.array_equal(converted, array):
        raise UsageError(
            f"input {field.name!r} holds a number that {field.datatype} cannot hold", code="input-datatype"
        )
    return converted


def _as_text(field: Field, array: Array) -> Array:
    items = array.astype(object)
    for item in items.flat:
        if item is not None and not isinstance(item, str):
            raise UsageError(
                f"input {field.name!r} holds a value that is no text",
                code="input-datatype",
                hint="pass strings, and None for a missing value",
            )
    return items


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
