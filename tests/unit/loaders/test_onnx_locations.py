"""The names of external files are found without parsing the model, and never miss one that onnx sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from strongroom.errors import FormatError
from strongroom.loaders.onnx_locations import external_locations, resolve
from tests.unit.intake import models


def _external(location: str) -> Any:
    tensor = TensorProto(name=location, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value="0")
    return tensor


def _in_function(model: Any) -> None:
    model.functions.add().node.add().attribute.add(name="t").t.CopyFrom(_external("w"))


INNER: dict[str, Callable[[Any], object]] = {
    "values": lambda m: m.graph.sparse_initializer.add().values.CopyFrom(_external("w")),
    "indices": lambda m: m.graph.sparse_initializer.add().indices.CopyFrom(_external("w")),
    "attribute": lambda m: m.graph.node.add().attribute.add(name="t").t.CopyFrom(_external("w")),
    "attributes": lambda m: m.graph.node.add().attribute.add(name="t").tensors.append(_external("w")),
    "sparse": lambda m: (
        m.graph.node.add().attribute.add(name="s").sparse_tensor.values.CopyFrom(_external("w"))
    ),
    "sparses": lambda m: (
        m.graph.node.add().attribute.add(name="s").sparse_tensors.add().values.CopyFrom(_external("w"))
    ),
    "branch": lambda m: m.graph.node.add().attribute.add(name="g").g.initializer.append(_external("w")),
    "branches": lambda m: (
        m.graph.node.add().attribute.add(name="g").graphs.add().initializer.append(_external("w"))
    ),
    "function": _in_function,
    "default": lambda m: m.functions.add().attribute_proto.add(name="t").t.CopyFrom(_external("w")),
    "start": lambda m: m.training_info.add().initialization.initializer.append(_external("w")),
    "step": lambda m: m.training_info.add().algorithm.initializer.append(_external("w")),
}
"""Every place that onnx.proto has for a tensor, but for the initializers of the main graph."""


def test_the_main_graph_may_keep_its_weights_in_files() -> None:
    model = onnx.ModelProto(ir_version=9)
    model.graph.initializer.append(_external("b"))
    model.graph.initializer.append(_external("a"))
    assert external_locations(model.SerializeToString()) == ("a", "b")


@pytest.mark.parametrize("place", INNER)
def test_every_other_place_for_a_tensor_is_searched_and_refused(place: str) -> None:
    model = onnx.ModelProto(ir_version=9)
    INNER[place](model)
    with pytest.raises(FormatError) as raised:
        external_locations(model.SerializeToString())
    assert raised.value.code == "external-data"


def test_a_graph_with_its_weights_inside_names_no_file() -> None:
    assert external_locations(models.graph()) == ()
    assert external_locations(models.linear_graph()) == ()
    assert external_locations(models.linear_graph("w.bin")) == ("w.bin",)


def test_a_location_in_a_field_that_is_merged_is_found() -> None:
    """Protobuf joins repeated occurrences of one field: half a tensor here, half there."""
    first = onnx.ModelProto(ir_version=9)
    first.graph.initializer.append(_external("first"))
    second = onnx.ModelProto()
    second.graph.initializer.append(_external("second"))
    joined = first.SerializeToString() + second.SerializeToString()
    assert external_locations(joined) == ("first", "second")


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x3a",
        b"\x3a\x05ab",
        b"\x0b",
        b"\x0c",
        b"\x0e",
        b"\xff" * 11,
        b"\x09abc",
        b"\x0d\0",
    ],
    ids=[
        "cut-key",
        "no-length",
        "short-body",
        "group",
        "group-end",
        "type-6",
        "long-varint",
        "fixed64",
        "fixed32",
    ],
)
def test_what_is_no_protobuf_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        external_locations(data)


def test_fixed_width_fields_are_skipped() -> None:
    assert external_locations(b"\x09" + bytes(8) + b"\x0d" + bytes(4)) == ()


def test_a_location_that_is_no_text_is_refused() -> None:
    data = models.linear_graph("weights.bin").replace(b"weights.bin", b"weights\xff\xffin")
    with pytest.raises(FormatError, match=r"UTF-8"):
        external_locations(data)


def _field(number: int, body: bytes) -> bytes:
    size = len(body)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + body


def test_deep_nesting_is_refused_and_not_followed() -> None:
    graph = b""
    for _ in range(40):
        # a graph in an attribute of a node of a graph
        graph = _field(1, _field(5, _field(6, graph)))
    with pytest.raises(FormatError, match="too deeply"):
        external_locations(_field(7, graph))


@given(st.binary(max_size=400))
def test_any_bytes_give_names_or_a_format_error(data: bytes) -> None:
    try:
        names = external_locations(data)
    except FormatError:
        return
    assert list(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("location", "entry", "name"),
    [
        ("w.bin", "m.onnx", "w.bin"),
        ("./w.bin", "m.onnx", "w.bin"),
        ("a/w.bin", "m.onnx", "a/w.bin"),
        ("w.bin", "sub/m.onnx", "sub/w.bin"),
        ("a/./b", "x/y/m.onnx", "x/y/a/b"),
    ],
)
def test_a_location_is_relative_to_the_graph(location: str, entry: str, name: str) -> None:
    assert resolve(location, entry) == name


@pytest.mark.parametrize(
    "location", ["", ".", "..", "../w", "a/../w", "/w", "//w", "a//w", "a/", "a\\w", "a\0"]
)
def test_a_location_that_leads_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(FormatError) as raised:
        resolve(location, "sub/m.onnx")
    assert raised.value.code == "external-data"
