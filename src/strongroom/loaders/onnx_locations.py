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
# The only way on which onnxruntime takes external data from memory.
_MAIN_WEIGHTS: Final = ("ModelProto", "GraphProto", "TensorProto")
_MAX_TAG: Final = 1 << 32
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
        FormatError: truncated, not protobuf, nested too deeply, a name that is no UTF-8, or
            weights in a file anywhere but in the main graph (``external-data``).
    """
    found: set[str] = set()
    _walk(memoryview(graph), ("ModelProto",), found)
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


def _walk(message: memoryview, way: tuple[str, ...], found: set[str]) -> None:
    if len(way) > _MAX_DEPTH:
        raise FormatError("an ONNX graph nests too deeply", code="onnx-malformed")
    followed = _SCHEMA[way[-1]]
    for number, body in _fields(message):
        child = followed.get(number)
        if child == _EXTERNAL:
            if way != _MAIN_WEIGHTS:
                # onnxruntime takes these from the disk even if it was given the bytes.
                raise FormatError(
                    "the graph keeps weights of an inner graph in a file",
                    code="external-data",
                    hint="save the model again; only the main graph may have external data",
                )
            entry = {key: bytes(value) for key, value in _fields(body)}
            if entry.get(1) == b"location":
                found.add(_text(entry.get(2, b"")))
        elif child is not None:
            _walk(body, (*way, child), found)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the length-delimited fields of one message; others are checked and skipped."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position)
        if key >= _MAX_TAG or position - start != max((key.bit_length() + 6) // 7, 1):
            # A tag in a second spelling, or beyond 32 bits, which other readers cut off: it
            # would be another field to them than to us.
            raise FormatError("not an ONNX graph", code="onnx-malformed")
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
