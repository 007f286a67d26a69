"""Arrays and tensors: the only place that knows how numpy spells the wire's datatypes.

    tensor = from_array("X", numpy.zeros((2, 30), dtype=numpy.float32))
    array = to_array(tensor)              # shares the tensor's memory where it can

Text is an array of ``str`` objects on one side and length-prefixed UTF-8 on the
other; None is a missing value. Nothing else made of Python objects crosses: no
dates, no pickles.
"""

from __future__ import annotations

import math
import struct
from typing import Final

import numpy as np

from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.loaders.tensor import Array, datatype_of, numpy_type
from strongroom.worker.frames import Datatype, Tensor

_LENGTH: Final = struct.Struct("<I")
_MISSING: Final = 0xFFFFFFFF
"""The length that stands for a missing value, which has no bytes."""


def from_array(name: str, array: Array) -> Tensor:
    """Make a tensor of an array; numbers are not copied if they lie in row-major order.

    Raises:
        UsageError: elements that no datatype holds (code ``input-datatype``).
    """
    try:
        datatype = Datatype(datatype_of(array))
    except UnsupportedError as error:
        raise UsageError(
            f"input {name!r} has elements of type {array.dtype}, which cannot be sent to a model",
            code="input-datatype",
            hint="use numbers, booleans or text",
        ) from error
    if datatype is Datatype.BYTES:
        return Tensor(name, datatype, array.shape, _encode_texts(name, array))
    flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(-1)
    return Tensor(name, datatype, array.shape, flat.view(np.uint8).data)


def to_array(tensor: Tensor) -> Array:
    """Make an array of a tensor.

    Raises:
        FormatError: a boolean that is neither 0 nor 1, or text that is not UTF-8 or
            does not fill its bytes.
    """
    if tensor.datatype is Datatype.BYTES:
        return _decode_texts(tensor)
    if tensor.datatype is Datatype.BOOL and (np.frombuffer(tensor.data, np.uint8) > 1).any():
        # Any other byte is undefined behavior in code that trusts its booleans.
        raise FormatError(f"a boolean of {tensor.name!r} is neither 0 nor 1", code="tensor-value")
    dtype = numpy_type(tensor.datatype).newbyteorder("<")
    return np.frombuffer(tensor.data, dtype=dtype).reshape(tensor.shape)


def _encode_texts(name: str, array: Array) -> bytes:
    return b"".join(_encode_text(name, text) for text in array.reshape(-1).tolist())


def _encode_text(name: str, text: object) -> bytes:
    if text is None:
        return _LENGTH.pack(_MISSING)
    if not isinstance(text, str):
        raise UsageError(
            f"input {name!r} mixes text with other values",
            code="input-datatype",
            hint="convert the column to one type; None stands for a missing value",
        )
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"input {name!r} holds text that is not Unicode", code="input-datatype") from error
    return _LENGTH.pack(len(data)) + data


def _decode_texts(tensor: Tensor) -> Array:
    count = math.prod(tensor.shape)
    data = bytes(tensor.data)
    array = np.empty(count, dtype=object)
    offset = done = 0
    while done < count and offset + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        if size != _MISSING:
            array[done] = _decode_text(tensor.name, data[offset : offset + size])
            offset += size
        done += 1
    if done != count or offset != len(data):
        raise FormatError(f"the text of {tensor.name!r} does not fill its bytes", code="tensor-value")
    return array.reshape(tensor.shape)


def _decode_text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"the text of {name!r} is not UTF-8", code="tensor-value") from error
