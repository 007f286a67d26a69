"""Fuzz the frames between client, supervisor and worker: one frame in one spelling, or a FormatError."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from strongroom.errors import FormatError, LicenseDenied
from strongroom.worker import frames
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Answer, Failure, Predict
from strongroom.worker.tensor import from_array, to_array


def fuzz(data: bytes) -> None:
    """Decode a frame and its tensors; what is accepted must encode to the same bytes."""
    try:
        frame = frames.from_bytes(data)
    except FormatError:
        return
    assert frames.to_bytes(frame) == data
    for tensor in frame.tensors:
        try:
            array = to_array(tensor)
        except FormatError:
            continue
        assert from_array(tensor.name, array) == tensor


def seeds() -> Iterable[bytes]:
    """Frames with numbers, text and nothing."""
    numbers = from_array("X", np.arange(6, dtype=np.float32).reshape(2, 3))
    texts = from_array("ward", np.array(["north", None, ""], dtype=object))
    flags = from_array("flag", np.array([True, False]))
    yield frames.to_bytes(Frame(Predict(id=1, method="predict"), (numbers, texts, flags)))
    yield frames.to_bytes(Frame(Answer(id=1, remaining=999), (numbers,)))
    yield frames.to_bytes(Frame(Failure.of(LicenseDenied("the license has expired", code="expired"))))
