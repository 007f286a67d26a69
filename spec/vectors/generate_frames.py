"""Write the vectors of spec/worker-protocol.md: ``python spec/vectors/generate_frames.py``.

Each vector is one file in ``spec/vectors/frames/`` with one outcome, named by it: a text
header, an empty line, then the bytes of a frame. Running this again gives the same
files; ``tests/vectors/test_frames.py`` checks that it does.

    expect: success | the code of the rejection
    comment: what is right or wrong with it
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "frames"
SUFFIX = ".vector"

Vector = tuple[str, str, bytes]
"""Name (it begins with the outcome), comment, frame."""

ROW = struct.pack("<2f", 1.0, 2.0)
PREDICT = {"id": 1, "kind": "predict", "method": "predict"}
ANSWER = {"id": 1, "kind": "answer", "remaining": 999}


def canonical(value: Any) -> bytes:
    """Return canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def tensor(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    """Describe a tensor."""
    return {"datatype": datatype, "name": name, "shape": shape, "size": size}


X = tensor("X", "FP32", [1, 2], 8)


def join(head: bytes, body: bytes = b"") -> bytes:
    """Return the frame of a head and a body."""
    return struct.pack("<IQ", len(head), len(body)) + head + body


def frame(message: dict[str, Any], tensors: list[dict[str, Any]], body: bytes = b"") -> bytes:
    """Return a frame."""
    return join(canonical({"message": message, "tensors": tensors}), body)


def text(*items: str | None) -> bytes:
    """Return the elements of a tensor of text."""
    pieces = []
    for item in items:
        data = b"" if item is None else item.encode()
        pieces.append(struct.pack("<I", 0xFFFFFFFF if item is None else len(data)) + data)
    return b"".join(pieces)


def pad(data: bytes) -> bytes:
    """Return data up to the next multiple of eight."""
    return data + bytes(-len(data) % 8)


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good()
    yield from bad_lengths()
    yield from bad_heads()
    yield from bad_bodies()
    yield from bad_values()


def good() -> Iterator[Vector]:
    """Yield frames that are right."""
    label = tensor("label", "INT64", [1], 8)
    yield "success-predict", "one row of two numbers", frame(PREDICT, [X], ROW)
    yield "success-answer", "one label", frame(ANSWER, [label], struct.pack("<q", 1))
    yield "success-no-tensors", "a message alone", frame({"id": 7, "kind": "export"}, [])
    words = text("north", None, "", "süd")
    ward = tensor("ward", "BYTES", [4], len(words))
    yield "success-text", "text, a missing value, empty text", frame(PREDICT, [ward], pad(words))
    flags = [tensor("a", "BOOL", [3], 3), tensor("b", "FP64", [], 8), tensor("c", "INT8", [0, 5], 0)]
    body = pad(b"\x01\x00\x01") + struct.pack("<d", 0.5)
    yield "success-padding", "padding, a single element, no elements", frame(PREDICT, flags, body)
    failure = {"code": "expired", "error": "LicenseDenied", "kind": "failure", "message": "the license ended"}
    yield "success-failure", "a refusal without id and hint", frame(failure, [])


def bad_lengths() -> Iterator[Vector]:
    """Yield frames whose lengths are wrong."""
    whole = frame(PREDICT, [X], ROW)
    yield "frame-truncated-lengths", "eleven bytes", whole[:11]
    yield "frame-truncated-head", "the head is cut", whole[:40]
    yield "frame-truncated-body", "the body is cut", whole[:-1]
    yield "frame-truncated-longer", "a byte too many", whole + b"\0"
    yield "frame-too-large-head", "a head of 4 MiB and one byte", struct.pack("<IQ", (4 << 20) + 1, 0)
    yield "frame-too-large-body", "a body of 4 GiB and one byte", struct.pack("<IQ", 2, (4 << 30) + 1)


def bad_heads() -> Iterator[Vector]:
    """Yield frames whose head breaks a rule."""
    good_head = canonical({"message": PREDICT, "tensors": [X]})
    for name, comment, old, new in (
        ("white-space", "a space after a colon", b'"id":1', b'"id": 1'),
        ("order", "members out of order", b'"id":1,"kind":"predict"', b'"kind":"predict","id":1'),
        ("kind", "no such message", b'"kind":"predict"', b'"kind":"weights"'),
        ("member", "an unknown member", b'"id":1', b'"id":1,"key":1'),
        ("missing", "a missing member", b'"id":1,', b""),
        ("twice", "a member twice", b'"id":1', b'"id":1,"id":1'),
        ("fraction", "a number with a fraction", b'"id":1', b'"id":1.0'),
        ("negative", "a negative number", b'"id":1', b'"id":-1'),
        ("large-number", "a number beyond 2**53", b'"id":1', b'"id":9007199254740992'),
        ("utf-8", "not UTF-8", b'"method":"predict"', b'"method":"\xff"'),
        ("datatype", "no such datatype", b"FP32", b"FP31"),
        ("name", "a tensor without a name", b'"name":"X"', b'"name":""'),
        ("size", "a size that is not that of the shape", b'"size":8', b'"size":12'),
        ("shape", "a shape that is not that of the size", b"[1,2]", b"[1,3]"),
        ("dimensions", "nine dimensions", b"[1,2]", b"[1,1,1,1,1,1,1,1,2]"),
        ("no-json", "no JSON", good_head, b"predict"),
    ):
        yield f"frame-head-{name}", comment, join(good_head.replace(old, new), ROW)
    yield "frame-head-null", "an optional member without a value", frame({**ANSWER, "remaining": None}, [])
    yield "frame-head-same-name", "one name twice", frame(PREDICT, [X, X], ROW + ROW)
    none = tensor("ward", "BYTES", [0], 4)
    yield "frame-head-text-size", "text without elements, with bytes", frame(PREDICT, [none], bytes(8))
    huge = tensor("X", "FP32", [0, 1 << 40], 0)
    yield "tensor-too-large", "no elements, and an absurd dimension", frame(PREDICT, [huge])


def bad_bodies() -> Iterator[Vector]:
    """Yield frames whose body does not fit their head."""
    short = tensor("a", "UINT8", [3], 3)
    yield "frame-body-short", "no padding after the tensor", frame(PREDICT, [short], b"\x01\x02\x03")
    yield "frame-body-long", "eight bytes too many", frame(PREDICT, [X], ROW + bytes(8))
    yield (
        "frame-body-padding",
        "padding that is not zero",
        frame(PREDICT, [short], b"\x01\x02\x03\0\0\0\0\x01"),
    )
    yield "frame-body-without-tensors", "a body and no tensors", frame(PREDICT, [], bytes(8))


def bad_values() -> Iterator[Vector]:
    """Yield frames with elements that their datatype has not."""
    flag = tensor("flag", "BOOL", [1], 1)
    yield "tensor-value-boolean", "a boolean of 2", frame(PREDICT, [flag], pad(b"\x02"))
    for name, comment, data in (
        ("utf-8", "text that is not UTF-8", struct.pack("<I", 2) + b"\xc3\x28"),
        ("short", "text that ends before its length", struct.pack("<I", 3) + b"ab"),
        ("rest", "bytes after the last text", text("a") + b"b"),
    ):
        ward = tensor("ward", "BYTES", [1], len(data))
        yield f"tensor-value-text-{name}", comment, frame(PREDICT, [ward], pad(data))


def expectation(name: str) -> str:
    """Return the outcome that a name begins with."""
    for outcome in ("success", "frame-too-large", "frame-truncated", "frame-head", "frame-body"):
        if name.startswith(outcome):
            return outcome
    return "-".join(name.split("-")[:2]) if name.startswith("tensor-value") else name


def to_bytes(vector: Vector) -> bytes:
    """Return the file of a vector."""
    name, comment, data = vector
    return f"expect: {expectation(name)}\ncomment: {comment}\n\n".encode() + data


def main() -> None:
    """Write every vector."""
    FOLDER.mkdir(exist_ok=True)
    for vector in vectors():
        (FOLDER / f"{vector[0]}{SUFFIX}").write_bytes(to_bytes(vector))


if __name__ == "__main__":
    main()
