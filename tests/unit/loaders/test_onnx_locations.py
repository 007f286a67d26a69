"""The names of external files are found without parsing the model, and never miss one that onnx sees."""

from __future__ import annotations

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


def _everywhere() -> Any:
    """Return a model with external data in every place that onnx.proto has for a tensor."""
    model = onnx.ModelProto(ir_version=9)
    graph = model.graph
    graph.initializer.append(_external("initializer"))
    sparse = graph.sparse_initializer.add()
    sparse.values.CopyFrom(_external("sparse-values"))
    sparse.indices.CopyFrom(_external("sparse-indices"))
    node = graph.node.add()
    node.attribute.add(name="t").t.CopyFrom(_external("attribute"))
    node.attribute.add(name="ts").tensors.append(_external("attributes"))
    node.attribute.add(name="s").sparse_tensor.values.CopyFrom(_external("sparse-attribute"))
    node.attribute.add(name="ss").sparse_tensors.add().values.CopyFrom(_external("sparse-attributes"))
    node.attribute.add(name="g").g.initializer.append(_external("branch"))
    node.attribute.add(name="gs").graphs.add().initializer.append(_external("branches"))
    function = model.functions.add()
    function.node.add().attribute.add(name="t").t.CopyFrom(_external("function"))
    function.attribute_proto.add(name="t").t.CopyFrom(_external("default-of-a-function"))
    training = model.training_info.add()
    training.initialization.initializer.append(_external("training-start"))
    training.algorithm.initializer.append(_external("training-step"))
    return model


def test_every_place_for_a_tensor_is_searched() -> None:
    assert external_locations(_everywhere().SerializeToString()) == (
        "attribute",
        "attributes",
        "branch",
        "branches",
        "default-of-a-function",
        "function",
        "initializer",
        "sparse-attribute",
        "sparse-attributes",
        "sparse-indices",
        "sparse-values",
        "training-start",
        "training-step",
    )


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
