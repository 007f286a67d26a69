"""Which files an ONNX graph asks for, read from its bytes without parsing the model.

    external_locations(graph)     # ('weights.bin',)

onnxruntime would open such a file by its name, relative to the working directory,
if nobody gave it the bytes. So the names are collected before it sees the graph:
this walks the protobuf wire format (https://protobuf.dev/programming-guides/encoding)
down to every ``TensorProto.external_data`` that ``onnx.proto`` allows, skips
everything else by its length, and copies no weights. It needs no library, so the
worker can refuse a graph before native code has touched it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from strongroom.errors import FormatError

Buffer = bytes | bytearray | memoryview

_MAX_DEPTH: Final = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}

# Message kind -> {field number: kind of the message in it}. Only the ways that lead
# to a tensor are listed; numbers and names are those of onnx.proto.
_EXTERNAL: Final = "StringStringEntryProto"
_SCHEMA: Final[Mapping[str, Mapping[int, str]]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: _EXTERNAL},
}


def external_locations(graph: Buffer) -> tuple[str, ...]:
    """Return the names of all files that hold weights of the graph, sorted, each once.

    Raises:
        FormatError: truncated, not protobuf, nested too deeply, or a name that is no UTF-8.
    """
    found: set[str] = set()
    _walk(memoryview(graph), "ModelProto", found, _MAX_DEPTH)
    return tuple(sorted(found))


def resolve(location: str, entry: str) -> str:
    """Return the name of the file that a graph at ``entry`` means by ``location``.

    Raises:
        FormatError: a location that leads out of the folder of the graph (``external-data``).
    """
    parts = [part for part in location.split("/") if part != "."]
    if not parts or not all(parts) or ".." in parts or "\\" in location or "\0" in location:
        raise FormatError(
            "the graph asks for a file outside of its own folder",
            code="external-data",
            hint="save the model again with its external data beside it",
        )
    folder = entry.rpartition("/")[0]
    return "/".join([folder, *parts] if folder else parts)


def _walk(message: memoryview, kind: str, found: set[str], depth: int) -> None:
    if depth < 0:
        raise FormatError("an ONNX graph nests too deeply", code="onnx-malformed")
    followed = _SCHEMA[kind]
    for number, body in _fields(message):
        child = followed.get(number)
        if child == _EXTERNAL:
            entry = {key: bytes(value) for key, value in _fields(body)}
            if entry.get(1) == b"location":
                found.add(_text(entry.get(2, b"")))
        elif child is not None:
            _walk(body, child, found, depth - 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the length-delimited fields of one message; others are checked and skipped."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            _, position = _varint(message, position)
            continue
        if wire_type == _BYTES:
            size, position = _varint(message, position)
        elif wire_type in _WIDTHS:
            size = _WIDTHS[wire_type]
        else:
            # Groups are long out of use; nothing that writes ONNX makes them.
            raise FormatError("not an ONNX graph", code="onnx-malformed")
        if size > len(message) - position:
            raise FormatError("an ONNX graph is truncated", code="onnx-malformed")
        if wire_type == _BYTES:
            yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise FormatError("an ONNX graph is truncated", code="onnx-malformed")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise FormatError("not an ONNX graph", code="onnx-malformed")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("an external data location is no UTF-8", code="onnx-malformed") from error
