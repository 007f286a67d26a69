from __future__ import annotations

import struct

import pytest

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.worker import frames
from strongroom.worker.frames import Datatype, Frame, Tensor
from strongroom.worker.messages import Answer, Predict

FRAME = Frame(Predict(id=7, method="predict"), (Tensor("X", Datatype.FP32, (1, 3), b"\x01" * 12),))
HEAD = (
    b'{"message":{"id":7,"kind":"predict","method":"predict"},'
    b'"tensors":[{"datatype":"FP32","name":"X","shape":[1,3],"size":12}]}'
)


def refused(head: bytes, body: bytes = b"") -> str:
    with pytest.raises(FormatError) as caught:
        frames.from_parts(head, body)
    return caught.value.code


def head_with(old: str, new: str) -> bytes:
    assert old.encode() in HEAD
    return HEAD.replace(old.encode(), new.encode())


def test_a_frame_has_these_bytes() -> None:
    body = b"\x01" * 12 + bytes(4)
    assert frames.to_bytes(FRAME) == struct.pack("<IQ", len(HEAD), 16) + HEAD + body


def test_a_frame_without_tensors_has_no_body() -> None:
    data = frames.to_bytes(Frame(Answer(id=1)))
    assert data[4:12] == bytes(8)
    assert frames.from_bytes(data) == Frame(Answer(id=1))


def test_tensors_are_sent_without_a_copy() -> None:
    data = bytearray(8)
    parts = frames.to_parts(Frame(Answer(id=1), (Tensor("y", Datatype.FP64, (1,), data),)))
    assert any(part is data for part in parts)


def test_tensors_are_views_into_the_body() -> None:
    body = bytearray(b"\x01" * 12 + bytes(4))
    tensor = frames.from_parts(HEAD, body).tensors[0]
    body[0] = 9
    assert tensor.data[0] == 9


@pytest.mark.parametrize("size", range(12))
def test_fewer_bytes_than_the_lengths_are_refused(size: int) -> None:
    with pytest.raises(FormatError, match="shorter"):
        frames.from_bytes(bytes(size))


def test_a_frame_with_another_length_is_refused() -> None:
    data = frames.to_bytes(FRAME)
    for altered in (data[:-1], data + b"\0"):
        with pytest.raises(FormatError) as caught:
            frames.from_bytes(altered)
        assert caught.value.code == "frame-truncated"


@pytest.mark.parametrize(
    ("head_bytes", "body_bytes"),
    [(LIMITS.max_frame_header_bytes + 1, 0), (2, LIMITS.max_frame_body_bytes + 1), (0xFFFFFFFF, 2**64 - 1)],
)
def test_lengths_beyond_the_limits_are_refused_before_anything_is_read(
    head_bytes: int, body_bytes: int
) -> None:
    with pytest.raises(FormatError) as caught:
        frames.read_prefix(struct.pack("<IQ", head_bytes, body_bytes))
    assert caught.value.code == "frame-too-large"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":"predict"', '"kind":"run"'),
        ('"id":7', '"id":-1'),
        ('"id":7', '"id":9007199254740992'),
        ('"id":7', '"id":7.0'),
        ('"id":7', '"id":7,"id":8'),
        ('"id":7', '"id":7,"keys":true'),
        ('"id":7', '"id": 7'),
        ('"shape":[1,3]', '"shape":[1,-3]'),
        ('"shape":[1,3]', '"shape":[1,3],"offset":0'),
        ('"FP32"', '"FP8"'),
        ('"name":"X"', '"name":""'),
        ('"size":12', '"size":13'),
        ('"shape":[1,3],"size":12', '"shape":[1,4],"size":12'),
        ('"shape":[1,3]', '"shape":[1,1,1,1,1,1,1,1,3]'),
        ("{", "["),
        ("predict", "pr\udcffdict".encode("utf-8", "surrogateescape").decode("latin-1")),
    ],
)
def test_a_head_that_breaks_a_rule_is_refused(old: str, new: str) -> None:
    assert refused(head_with(old, new), bytes(16)) == "frame-head"


def test_deep_nesting_is_refused() -> None:
    assert refused(b'{"message":' * 50_000) == "frame-head"


def test_a_default_written_out_is_refused() -> None:
    assert refused(b'{"message":{"id":1,"kind":"answer","remaining":null},"tensors":[]}') == "frame-head"


@pytest.mark.parametrize("body", [b"", bytes(12), bytes(17), bytes(24)])
def test_a_body_that_the_tensors_do_not_fill_is_refused(body: bytes) -> None:
    assert refused(HEAD, body) == "frame-body"


def test_padding_that_is_not_zero_is_refused() -> None:
    assert refused(HEAD, bytes(15) + b"\x01") == "frame-body"


def test_an_absurd_shape_is_refused_even_if_it_is_empty() -> None:
    head = head_with('"shape":[1,3],"size":12', '"shape":[0,9007199254740991],"size":0')
    assert refused(head) == "tensor-too-large"


def test_one_name_twice_is_refused() -> None:
    descriptor = HEAD[HEAD.index(b'{"datatype"') : -2]
    assert refused(HEAD[:-2] + b"," + descriptor + b"]}", bytes(32)) == "frame-head"


def test_too_many_tensors_are_refused() -> None:
    tensors = tuple(Tensor(str(number), Datatype.BOOL, (0,), b"") for number in range(LIMITS.max_tensors + 1))
    with pytest.raises(FormatError) as caught:
        frames.to_bytes(Frame(Answer(id=1), tensors))
    assert caught.value.code == "frame-head"


def test_a_tensor_that_does_not_fit_its_shape_is_not_sent() -> None:
    with pytest.raises(FormatError):
        frames.to_parts(Frame(Answer(id=1), (Tensor("y", Datatype.FP32, (2,), bytes(4)),)))


@pytest.mark.parametrize(("shape", "size"), [((2,), 7), ((0,), 4), ((0, 3), 1)])
def test_text_needs_a_length_for_each_element_and_nothing_if_there_is_none(
    shape: tuple[int, ...], size: int
) -> None:
    with pytest.raises(FormatError):
        frames.to_parts(Frame(Answer(id=1), (Tensor("y", Datatype.BYTES, shape, bytes(size)),)))


def test_a_head_beyond_its_limit_is_not_sent() -> None:
    with pytest.raises(FormatError) as caught:
        frames.to_parts(Frame(Predict(id=1, method="x" * LIMITS.max_frame_header_bytes)))
    assert caught.value.code == "frame-too-large"
