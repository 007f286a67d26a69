from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom._encoding import canonical_json
from strongroom.errors import FormatError
from strongroom.package import contents as contents_module
from strongroom.package.contents import Contents, Field, FileEntry, Loader, Schema, place
from tests.unit.package.making import SCHEMA

ZERO = "00" * 32
CONTENTS = Contents(
    format="v1-draft",
    files=[
        FileEntry(name="a.bin", size=70, sha256=ZERO),
        FileEntry(name="b.bin", size=0, sha256=ZERO),
        FileEntry(name="c.bin", size=64, sha256=ZERO),
    ],
    loader=Loader(name="onnx", entry="a.bin", options={"trust": ["x"], "threads": 2, "fast": True, "s": ""}),
    schema=SCHEMA,
    bom={"bomFormat": "CycloneDX", "components": [{"name": "numpy"}]},
)


def _value() -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(CONTENTS)
    return value


def _refuse(value: Any, code: str = "malformed") -> None:
    with pytest.raises(FormatError) as refused:
        Contents.from_bytes(canonical_json(value))
    assert refused.value.code == code


def test_round_trip() -> None:
    data = CONTENTS.to_bytes()
    assert Contents.from_bytes(data) == CONTENTS
    assert Contents.from_bytes(data).to_bytes() == data


def test_the_bytes_are_those_of_the_specification() -> None:
    small = Contents(
        format="v1-draft",
        files=[FileEntry(name="m", size=1, sha256=ZERO)],
        loader=Loader(name="onnx", entry="m"),
        schema=Schema(inputs=[Field(name="X", datatype="FP32", shape=[-1, 2])], outputs=[]),
        bom={},
    )
    assert small.to_bytes() == (
        b'{"bom":{},"files":[{"name":"m","sha256":"' + b"0" * 64 + b'","size":1}],"format":"v1-draft",'
        b'"loader":{"entry":"m","name":"onnx","options":{}},"schema":{"classes":[],"columns":[],'
        b'"inputs":[{"datatype":"FP32","name":"X","shape":[-1,2]}],"methods":[],"outputs":[]}}'
    )


def test_offsets_are_multiples_of_64() -> None:
    assert CONTENTS.offsets() == [0, 128, 128]
    assert CONTENTS.payload_bytes() == 192


@pytest.mark.parametrize(
    ("sizes", "offsets", "end"),
    [
        ([], [], 0),
        ([0], [0], 0),
        ([1, 0], [0, 64], 64),
        ([64, 1], [0, 64], 65),
        ([65, 0, 0], [0, 128, 128], 128),
    ],
)
def test_place(sizes: list[int], offsets: list[int], end: int) -> None:
    assert place(sizes) == (offsets, end)


@pytest.mark.parametrize("member", ["bom", "files", "format", "loader", "schema"])
def test_every_member_is_required(member: str) -> None:
    value = _value()
    del value[member]
    _refuse(value)


@pytest.mark.parametrize("member", ["options", "name", "entry"])
def test_every_member_of_the_loader_is_required(member: str) -> None:
    value = _value()
    del value["loader"][member]
    _refuse(value)


@pytest.mark.parametrize("member", ["inputs", "outputs", "columns", "classes", "methods"])
def test_every_member_of_the_schema_is_required(member: str) -> None:
    value = _value()
    del value["schema"][member]
    _refuse(value)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("bom", []),
        ("files", {}),
        ("loader.options", {"a": None}),
        ("loader.options", {"a": [1]}),
        ("schema.classes", [True]),
        ("schema.classes", [None]),
        ("schema.columns", [1]),
        ("loader.name", 1),
    ],
)
def test_other_types_are_refused(path: str, wrong: Any) -> None:
    value = _value()
    *parents, last = path.split(".")
    inner = value
    for parent in parents:
        inner = inner[parent]
    inner[last] = wrong
    _refuse(value)


def test_an_unknown_member_is_refused() -> None:
    _refuse(_value() | {"comment": ""})


def test_another_format_is_refused() -> None:
    _refuse(_value() | {"format": "v2"}, "unknown-format")


def test_no_files_are_refused() -> None:
    _refuse(_value() | {"files": []}, "file-count")


def test_too_many_files_are_refused() -> None:
    value = _value()
    value["files"] = [{"name": f"{n:06}", "size": 0, "sha256": ZERO} for n in range(65_537)]
    value["loader"]["entry"] = "000000"
    _refuse(value, "file-count")


@pytest.mark.parametrize("size", [-1, (1 << 44) + 1])
def test_an_impossible_file_size_is_refused(size: int) -> None:
    value = _value()
    value["files"][0]["size"] = size
    _refuse(value, "file-size")


@pytest.mark.parametrize("digest", ["", "0" * 62, "AB" * 32, "xy" * 32])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    value = _value()
    value["files"][0]["sha256"] = digest
    _refuse(value)


def test_an_unsorted_list_of_files_is_refused() -> None:
    value = _value()
    value["files"].reverse()
    _refuse(value, "file-order")


@pytest.mark.parametrize("name", ["", "ONNX", "../onnx", "a" * 65, "on nx"])
def test_an_impossible_loader_name_is_refused(name: str) -> None:
    value = _value()
    value["loader"]["name"] = name
    _refuse(value, "loader-name")


def test_an_entry_that_is_no_file_is_refused() -> None:
    value = _value()
    value["loader"]["entry"] = "z.bin"
    _refuse(value, "loader-entry")


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": [{"name": "X", "datatype": "FLOAT", "shape": []}]},
        {"outputs": [{"name": "X", "datatype": "FP32", "shape": [-2]}]},
        {"outputs": [{"name": "X", "datatype": "FP32", "shape": [1] * 33}]},
        {"inputs": [{"name": "X", "datatype": "FP32", "shape": []}] * 2},
        {"columns": ["a", "b", "a"]},
        {"methods": ["predict", "predict"]},
        # Both are shown on terminals.
        {"columns": ["age\x1b[2J"]},
        {"classes": ["well\n"]},
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    value = _value()
    value["schema"] |= change
    _refuse(value, "schema")


def test_every_datatype_of_the_protocol_is_known() -> None:
    assert sorted(contents_module.DATATYPES) == [
        "BOOL", "BYTES", "FP16", "FP32", "FP64", "INT16", "INT32", "INT64", "INT8", "UINT16", "UINT32",
        "UINT64", "UINT8",
    ]  # fmt: skip


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(FormatError):
        msgspec.structs.replace(CONTENTS, files=[]).to_bytes()
    with pytest.raises(FormatError):
        msgspec.structs.replace(CONTENTS, bom={"x": 1.5}).to_bytes()


def test_contents_above_the_limit_are_not_written() -> None:
    large = msgspec.structs.replace(CONTENTS, bom={"x": "y" * (64 << 20)})
    with pytest.raises(FormatError) as refused:
        large.to_bytes()
    assert refused.value.code == "contents-size"


def test_contents_with_too_many_values_are_neither_written_nor_parsed() -> None:
    with pytest.raises(FormatError) as refused:
        msgspec.structs.replace(CONTENTS, bom={"x": [0] * 2_000_001}).to_bytes()
    assert refused.value.code == "contents-size"
    with pytest.raises(FormatError) as refused:
        Contents.from_bytes(b'{"bom":{"x":[' + b"[]," * 2_000_001 + b"[]]}}")
    assert refused.value.code == "contents-size"


def test_another_spelling_is_refused() -> None:
    with pytest.raises(FormatError):
        Contents.from_bytes(CONTENTS.to_bytes() + b"\n")
