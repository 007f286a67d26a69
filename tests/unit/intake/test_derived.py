from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import onnx
import pytest
import skops.io
from onnx import TensorProto, helper

from strongroom._limits import Limits
from strongroom.crypto import segment
from strongroom.errors import FormatError, UnsupportedError
from strongroom.intake import derived
from strongroom.intake.derived import verify_derived
from strongroom.intake.source import read_source
from strongroom.package.contents import Loader, Schema
from strongroom.package.names import Version
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.package.statement import signer
from strongroom.package.writer import PackageWriter
from strongroom.storage.memory import MemorySource
from tests.parties import trained_pipeline
from tests.unit.package.making import KEYS, NOW, OWNER, OWNER_SECRET, SCHEMA


def packed(files: Mapping[str, bytes], loader: Loader, schema: Schema = SCHEMA) -> OpenPackage:
    """Return an open package of these files."""
    key, sink = segment.generate_key(), io.BytesIO()
    writer = PackageWriter(
        sink, name="risk", version=Version(1, 0, 0), owner=OWNER, created_at=NOW, content_key=key
    )
    for name in sorted(files):
        with writer.file(name, len(files[name])) as file:
            file.write(files[name])
    writer.finish(loader=loader, schema=schema, bom={}, sign=signer(OWNER_SECRET))
    return PackageReader.open(MemorySource(sink.getvalue()), KEYS, owner=OWNER).unlock(key)


def graph_of(location: str | None = None, domain: str = "") -> bytes:
    """Return a graph that adds a weight, which may lie in a file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if location is not None:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", location
    node = helper.make_node("Add", ["X", "w"], ["Y"], domain=domain)
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("X", "Y")]
    graph = helper.make_graph([node], "g", floats[:1], floats[1:], [weight])
    data: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    return data


def onnx_package(graph: bytes, others: Mapping[str, bytes] | None = None, **changes: Any) -> OpenPackage:
    """Return an open package of a graph, with contents as the intake writes them."""
    source = read_source(onnx.load_model_from_string(graph_of()), name="risk")
    schema = changes.pop("schema", source.schema)
    loader = Loader(**({"name": "onnx", "entry": "m.onnx", "options": {}} | changes))
    return packed({"m.onnx": graph, **(others or {})}, loader, schema)


def skops_package(options: dict[str, Any], data: bytes | None = None) -> OpenPackage:
    """Return an open package of the small pipeline."""
    data = skops.io.dumps(trained_pipeline()) if data is None else data
    return packed({"m.skops": data}, Loader(name="skops", entry="m.skops", options=options))


def refusal(package: OpenPackage) -> str:
    with pytest.raises((FormatError, UnsupportedError)) as caught:
        verify_derived(package)
    return str(caught.value.code)


def test_what_seal_would_take_is_taken() -> None:
    verify_derived(onnx_package(graph_of(), {"notes.txt": b"data", "empty.bin": b""}))
    verify_derived(onnx_package(graph_of("w.bin"), {"w.bin": bytes(4)}))
    verify_derived(skops_package({}))
    verify_derived(skops_package({"trust": ["sklearn.tree._tree.Tree"]}))


def test_archives_are_looked_into_where_they_lie() -> None:
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("notes.txt", b"data" * 10_000)
    verify_derived(onnx_package(graph_of(), {"more.zip": inside.getvalue()}))
    with zipfile.ZipFile(inside, "a") as archive:
        archive.writestr("setup.py", b"print(1)")
    assert refusal(onnx_package(graph_of(), {"more.zip": inside.getvalue()})) == "runs-code-on-load"


def test_one_model_and_its_own_loader() -> None:
    assert refusal(onnx_package(graph_of(), {"n.onnx": graph_of()})) == "unknown-model"
    assert refusal(onnx_package(graph_of(), name="skops")) == "unknown-model"
    assert refusal(packed({"a.bin": b"x"}, Loader(name="onnx", entry="a.bin"))) == "unknown-model"


def test_a_graph_has_the_contents_that_it_says() -> None:
    assert refusal(onnx_package(graph_of(), schema=SCHEMA)) == "derived-contents"
    assert refusal(onnx_package(graph_of(), options={"label_output": "Y"})) == "derived-contents"
    assert refusal(onnx_package(graph_of("w.bin"))) == "external-data"
    assert refusal(onnx_package(graph_of("m.onnx"))) == "external-data"
    assert refusal(onnx_package(graph_of("../w.bin"))) == "external-data"
    assert refusal(onnx_package(graph_of(domain="evil"))) == "onnx-domain"
    assert refusal(onnx_package(b"not a graph")) == "onnx-malformed"


def test_a_skops_file_asks_for_harmless_types_only() -> None:
    assert refusal(skops_package({"trust": ["os.system"]})) == "derived-contents"
    assert refusal(skops_package({"trust": "os.system"})) == "derived-contents"
    assert refusal(skops_package({}, b"no archive")) == "skops-malformed"


def test_a_graph_that_nobody_can_parse_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "LIMITS", Limits(max_onnx_graph_bytes=10))
    assert refusal(onnx_package(graph_of())) == "onnx-size"


def test_a_file_of_a_package_is_read_like_a_file() -> None:
    package = onnx_package(graph_of(), {"d.bin": bytes(range(200))})
    member = derived._Member(package, package.file("d.bin"))
    assert (member.readable(), member.seekable()) == (True, True)
    assert member.seek(-10, io.SEEK_END) == 190
    assert member.read() == bytes(range(190, 200))
    assert member.seek(500) == 500
    assert member.read(1) == b""
    assert member.seek(-495, io.SEEK_CUR) == 5
    assert member.read(2) == b"\x05\x06"
    with pytest.raises(OSError, match="before the start"):
        member.seek(-1)
