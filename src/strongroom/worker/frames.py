r"""Frames: how one message and its tensors become bytes (spec/worker-protocol.md).

    frame = Frame(Predict(id=1, method="predict"), (Tensor("X", Datatype.FP32, (1, 2), data),))
    assert from_bytes(to_bytes(frame)) == frame

A frame is ``head length (u32) || body length (u64) || head || body``, little-endian.
The head is canonical JSON, the body is the raw tensors one after another. Nothing is
ever unpickled, no length is believed before it is checked against its limit, and one
frame has one spelling. What the messages mean is in ``messages``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.worker.messages import Message

PREFIX_BYTES: Final = 12
_PREFIX: Final = struct.Struct("<IQ")
# A tensor starts at a multiple of eight bytes, so that it can be used where it lies.
_ALIGNMENT: Final = 8
_MAX_COUNT: Final = (1 << 53) - 1

Buffer = bytes | bytearray | memoryview
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MAX_COUNT)]


class Datatype(StrEnum):
    """Element types, with the names of the Open Inference Protocol."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"
    """Text: each element is its length (u32) and that many bytes of UTF-8; 2**32 - 1 is a missing value."""


ITEM_BYTES: Final = {
    Datatype.BOOL: 1,
    Datatype.UINT8: 1,
    Datatype.UINT16: 2,
    Datatype.UINT32: 4,
    Datatype.UINT64: 8,
    Datatype.INT8: 1,
    Datatype.INT16: 2,
    Datatype.INT32: 4,
    Datatype.INT64: 8,
    Datatype.FP16: 2,
    Datatype.FP32: 4,
    Datatype.FP64: 8,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array as raw little-endian bytes in row-major order."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: Buffer


@dataclass(frozen=True, slots=True)
class Frame:
    """One message with the tensors that belong to it."""

    message: Message
    tensors: tuple[Tensor, ...] = ()


class _Descriptor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    datatype: Datatype
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    shape: list[_Count]
    size: _Count


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    message: Message
    tensors: list[_Descriptor]


# msgspec with sorted members writes the same bytes as ``canonical_json`` for these
# types, at a thirtieth of the cost; a property test compares the two.
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(_Head)


def to_parts(frame: Frame) -> list[Buffer]:
    """Encode a frame as pieces to be sent in order; tensors are not copied.

    Raises:
        FormatError: a tensor does not fit its shape, or the frame is beyond a limit.
    """
    descriptors = [
        _Descriptor(tensor.datatype, tensor.name, list(tensor.shape), _byte_count(tensor.data))
        for tensor in frame.tensors
    ]
    offsets = list(_offsets(descriptors))
    head = _ENCODER.encode(_Head(frame.message, descriptors))
    prefix = _PREFIX.pack(min(len(head), 0xFFFFFFFF), offsets[-1])
    read_prefix(prefix)
    parts: list[Buffer] = [prefix, head]
    for index, (descriptor, tensor) in enumerate(zip(descriptors, frame.tensors, strict=True)):
        parts.append(tensor.data)
        parts.append(bytes(offsets[index + 1] - offsets[index] - descriptor.size))
    return [part for part in parts if _byte_count(part)]


def to_bytes(frame: Frame) -> bytes:
    """Encode a frame.

    Raises:
        FormatError: a tensor does not fit its shape, or the frame is beyond a limit.
    """
    return b"".join(to_parts(frame))


def read_prefix(prefix: Buffer) -> tuple[int, int]:
    """Return the lengths of head and body, both within their limits.

    Raises:
        FormatError: code ``frame-too-large``. What follows cannot be found again, so the
            connection must end.
    """
    head_bytes, body_bytes = _PREFIX.unpack(prefix)
    if head_bytes > LIMITS.max_frame_header_bytes:
        raise FormatError(
            f"a message's head is larger than {LIMITS.max_frame_header_bytes} bytes", code="frame-too-large"
        )
    if body_bytes > LIMITS.max_frame_body_bytes:
        raise FormatError(
            f"a message's tensors are larger than {LIMITS.max_frame_body_bytes} bytes",
            code="frame-too-large",
            hint="send fewer rows in one call",
        )
    return head_bytes, body_bytes


def from_parts(head: Buffer, body: Buffer) -> Frame:
    """Decode a frame whose lengths have been checked; tensors are views into ``body``.

    Raises:
        FormatError: no known message, not canonical, or the tensors do not fill the body.
    """
    try:
        parsed = _DECODER.decode(head)
    except (ValueError, RecursionError) as error:
        # Without the library's text: it may quote what a client sent.
        raise FormatError("a message's head is not one of this protocol", code="frame-head") from error
    if _ENCODER.encode(parsed) != head:
        raise FormatError("a message's head is not in canonical form", code="frame-head")
    offsets = list(_offsets(parsed.tensors))
    view = memoryview(body)
    if offsets[-1] != len(view):
        raise FormatError("a message's tensors do not fill its body", code="frame-body")
    tensors = []
    for descriptor, start, end in zip(parsed.tensors, offsets, offsets[1:], strict=False):
        data = view[start : start + descriptor.size]
        if any(view[start + descriptor.size : end]):
            raise FormatError("the padding after a tensor is not zero", code="frame-body")
        tensors.append(Tensor(descriptor.name, descriptor.datatype, tuple(descriptor.shape), data))
    return Frame(parsed.message, tuple(tensors))


def from_bytes(data: Buffer) -> Frame:
    """Decode exactly one frame.

    Raises:
        FormatError: any other bytes.
    """
    if len(data) < PREFIX_BYTES:
        raise FormatError("a message is shorter than its lengths", code="frame-truncated")
    view = memoryview(data)
    head_bytes, body_bytes = read_prefix(view[:PREFIX_BYTES])
    if len(view) != PREFIX_BYTES + head_bytes + body_bytes:
        raise FormatError("a message does not have the length that it states", code="frame-truncated")
    start = PREFIX_BYTES + head_bytes
    return from_parts(bytes(view[PREFIX_BYTES:start]), view[start:])


def _offsets(descriptors: Sequence[_Descriptor]) -> Iterator[int]:
    """Yield where each tensor starts, then where the body ends."""
    if len(descriptors) > LIMITS.max_tensors:
        raise FormatError(f"a message has more than {LIMITS.max_tensors} tensors", code="frame-head")
    if len({descriptor.name for descriptor in descriptors}) != len(descriptors):
        raise FormatError("a message names one tensor twice", code="frame-head")
    offset = 0
    yield offset
    for descriptor in descriptors:
        _verify_size(descriptor)
        offset += -(-descriptor.size // _ALIGNMENT) * _ALIGNMENT
        yield offset


def _verify_size(descriptor: _Descriptor) -> None:
    if len(descriptor.shape) > LIMITS.max_tensor_dimensions:
        raise FormatError(
            f"a tensor has more than {LIMITS.max_tensor_dimensions} dimensions", code="frame-head"
        )
    item_bytes = ITEM_BYTES.get(descriptor.datatype, 4)
    # Without the zeros: an empty array with absurd other dimensions breaks array libraries.
    if math.prod(size for size in descriptor.shape if size) * item_bytes > LIMITS.max_frame_body_bytes:
        raise FormatError(
            f"a tensor is larger than {LIMITS.max_frame_body_bytes} bytes",
            code="tensor-too-large",
            hint="send fewer rows in one call",
        )
    least = math.prod(descriptor.shape) * item_bytes
    is_text = descriptor.datatype is Datatype.BYTES
    if descriptor.size < least or (descriptor.size > least and (not is_text or least == 0)):
        raise FormatError("a tensor's bytes do not fit its shape", code="frame-head")


def _byte_count(data: Buffer) -> int:
    return data.nbytes if isinstance(data, memoryview) else len(data)
