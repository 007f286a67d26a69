"""Every vector of spec/worker-protocol.md gives exactly its outcome, and the text says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.worker import frames
from strongroom.worker.frames import Datatype, Frame
from strongroom.worker.messages import Message
from strongroom.worker.tensor import to_array

SPEC = Path(__file__).parent.parent.parent / "spec"
FOLDER = SPEC / "vectors" / "frames"
TEXT = (SPEC / "worker-protocol.md").read_text(encoding="utf-8")


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.vector"))


def read_whole(data: bytes) -> Frame:
    """Parse a frame and every element of its tensors."""
    frame = frames.from_bytes(data)
    for tensor in frame.tensors:
        assert to_array(tensor).shape == tensor.shape
    return frame


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_frames", SPEC / "vectors" / "generate_frames.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", names())
def test_vector(name: str) -> None:
    head, _, data = (FOLDER / f"{name}.vector").read_bytes().partition(b"\n\n")
    expected = dict(line.split(": ", 1) for line in head.decode().splitlines())["expect"]
    if expected == "success":
        assert frames.to_bytes(read_whole(data)) == data
        return
    with pytest.raises(FormatError) as caught:
        read_whole(data)
    assert caught.value.code == expected


def test_the_generator_writes_these_vectors() -> None:
    module = generator()
    made = {vector[0]: module.to_bytes(vector) for vector in module.vectors()}
    assert made == {name: (FOLDER / f"{name}.vector").read_bytes() for name in names()}


def test_the_example_on_the_first_screen_is_a_vector() -> None:
    data = (FOLDER / "success-predict.vector").read_bytes().partition(b"\n\n")[2]
    assert f"has {len(data)} bytes" in TEXT
    message, tensors = data[12:-8].decode().split('"tensors"')
    assert message in TEXT
    assert f'"tensors"{tensors}' in TEXT
    assert data[:4].hex(" ") in TEXT
    assert data[4:12].hex(" ") in TEXT
    assert data[-8:].hex(" ") in TEXT


def test_the_specification_lists_every_message_and_its_members() -> None:
    for kind in get_args(Message):
        tag = kind.__struct_config__.tag
        row = re.search(rf"^\| `{tag}` \|(?P<members>[^|]*)\|", TEXT, re.MULTILINE)
        assert row is not None, tag
        missing = [name for name in kind.__struct_fields__ if f"`{name}`" not in row["members"]]
        assert not missing, (tag, missing)


def test_the_specification_lists_every_datatype_and_limit() -> None:
    assert all(f"`{datatype}`" in TEXT for datatype in Datatype)
    for name, text in (
        ("max_frame_header_bytes", "| head | 4 MiB |"),
        ("max_frame_body_bytes", "| body | 4 GiB |"),
        ("max_tensors", "| tensors in a frame | 65,536 |"),
        ("max_tensor_dimensions", "| dimensions of a tensor | 8 |"),
        ("max_passphrase_bytes", "| pass-phrase | 1024 bytes |"),
    ):
        assert text in TEXT
        number, _, unit = text.split("| ")[2].rstrip(" |").partition(" ")
        factor = {"MiB": 1 << 20, "GiB": 1 << 30}.get(unit, 1)
        assert getattr(LIMITS, name) == int(number.replace(",", "")) * factor
