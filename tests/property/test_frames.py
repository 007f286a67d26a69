from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from strongroom._encoding import canonical_json
from strongroom.errors import Error, FormatError
from strongroom.package.contents import Field, FileEntry, Schema
from strongroom.worker import frames
from strongroom.worker.frames import ITEM_BYTES, PREFIX_BYTES, Datatype, Frame, Tensor
from strongroom.worker.messages import (
    Answer,
    Chunk,
    Export,
    Exported,
    Failure,
    File,
    Load,
    Message,
    Open,
    Opened,
    Pipes,
    Predict,
    Ready,
)
from strongroom.worker.tensor import from_array, to_array

TEXT = st.text(max_size=12)
NUMBER = st.integers(0, (1 << 53) - 1)
FIELDS = st.lists(
    st.builds(
        Field,
        name=TEXT,
        datatype=st.sampled_from([*Datatype]),
        shape=st.lists(st.integers(-1, 9), max_size=3),
    ),
    max_size=3,
)
SCHEMAS = st.builds(
    Schema,
    inputs=FIELDS,
    outputs=FIELDS,
    columns=st.lists(TEXT, max_size=3),
    classes=st.lists(TEXT | st.integers(-5, 5), max_size=3),
    methods=st.lists(TEXT, max_size=3),
)
PIPES = st.builds(Pipes, passphrase=st.none() | NUMBER, worker_key=st.none() | NUMBER)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Open, home=st.none() | TEXT, license=st.none() | TEXT, purpose=st.none() | TEXT, pipes=PIPES),
    st.builds(Opened, schema=SCHEMAS, remaining=st.none() | NUMBER, expires=st.none() | TEXT),
    st.builds(Load, package_fd=NUMBER, owner=st.lists(TEXT, max_size=3), pipes=PIPES),
    st.builds(Ready, schema=SCHEMAS),
    st.builds(Predict, id=NUMBER, method=TEXT),
    st.builds(Answer, id=NUMBER, remaining=st.none() | NUMBER),
    st.builds(Export, id=NUMBER),
    st.builds(File, id=NUMBER, file=st.builds(FileEntry, name=TEXT, size=NUMBER, sha256=TEXT)),
    st.builds(Chunk, id=NUMBER),
    st.builds(Exported, id=NUMBER),
    st.builds(Failure, id=st.none() | NUMBER, error=TEXT, code=TEXT, message=TEXT, hint=st.none() | TEXT),
)
ARRAYS = hnp.arrays(
    st.sampled_from(
        [np.dtype(code) for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")]
        + [np.dtype(">f8"), np.dtype(">i2")]
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


def _texts(shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return hnp.arrays(np.dtype(object), shape, elements=st.none() | TEXT)


TEXT_ARRAYS = hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=4).flatmap(_texts)


@st.composite
def raw_tensors(draw: st.DrawFn, name: str) -> Tensor:
    datatype = draw(st.sampled_from([*Datatype]))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    size = math.prod(shape) * ITEM_BYTES.get(datatype, 4)
    if datatype is Datatype.BYTES and size:
        size += draw(st.integers(0, 9))
    return Tensor(name, datatype, shape, draw(st.binary(min_size=size, max_size=size)))


@st.composite
def whole_frames(draw: st.DrawFn) -> Frame:
    names = draw(st.lists(st.text(min_size=1, max_size=5), max_size=4, unique=True))
    return Frame(draw(MESSAGES), tuple(draw(raw_tensors(name)) for name in names))


@given(whole_frames())
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    data = frames.to_bytes(frame)
    assert frames.from_bytes(data) == frame
    assert frames.to_bytes(frames.from_bytes(data)) == data


@given(MESSAGES)
def test_the_fast_encoder_writes_canonical_json(message: Message) -> None:
    head = frames.to_bytes(Frame(message))[PREFIX_BYTES:]
    assert head == canonical_json({"message": msgspec.to_builtins(message), "tensors": []})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        frames.from_bytes(data)


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_any_head_and_body_are_a_frame_or_a_format_error(head: bytes, body: bytes) -> None:
    with pytest.raises(FormatError):
        frames.from_parts(head, body)


@given(whole_frames(), st.data())
def test_an_altered_frame_has_one_spelling_or_is_refused(frame: Frame, data: st.DataObject) -> None:
    original = frames.to_bytes(frame)
    position = data.draw(st.integers(0, len(original) - 1))
    altered = bytearray(original)
    altered[position] = data.draw(st.integers(0, 255))
    try:
        parsed = frames.from_bytes(altered)
    except FormatError:
        return
    assert frames.to_bytes(parsed) == altered


@given(ARRAYS | TEXT_ARRAYS)
def test_an_array_survives_the_wire(array: np.ndarray[Any, Any]) -> None:
    tensor = from_array("X", array)
    again = to_array(frames.from_bytes(frames.to_bytes(Frame(Export(id=1), (tensor,)))).tensors[0])
    assert again.shape == array.shape
    assert again.dtype == array.dtype.newbyteorder("<")
    assert array.dtype == object or array.astype(again.dtype).tobytes() == again.tobytes()
    assert array.dtype != object or again.tolist() == array.tolist()


@given(raw_tensors("X"))
def test_any_tensor_is_an_array_or_a_format_error(tensor: Tensor) -> None:
    try:
        array = to_array(tensor)
    except FormatError:
        return
    assert from_array("X", array) == tensor


@given(st.builds(Failure, error=st.sampled_from(["LicenseDenied", "WorkerLost"]), code=TEXT.filter(bool)))
def test_an_error_survives_the_wire(failure: Failure) -> None:
    error = failure.to_error()
    assert isinstance(error, Error)
    assert Failure.of(error) == failure
