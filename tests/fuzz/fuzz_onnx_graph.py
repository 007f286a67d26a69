"""Fuzz ONNX graphs as `intake/` and the worker read them before native code does: nothing is run."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import AttributeProto, TensorProto, helper

from strongroom.errors import FormatError, UnsupportedError
from strongroom.intake.onnx_graph import read_graph
from strongroom.loaders.onnx_locations import external_locations, resolve


def fuzz(data: bytes) -> None:
    """Read signature and locations; a location that is accepted stays in the folder of the graph."""
    try:
        locations = external_locations(data)
    except FormatError:
        locations = ()
    for location in locations:
        try:
            name = resolve(location, "folder/model.onnx")
        except FormatError:
            continue
        assert name.startswith("folder/")
        assert ".." not in name.split("/")
    try:
        graph = read_graph(data)
    except (FormatError, UnsupportedError):
        return
    assert graph.inputs
    assert graph.outputs


def _tensor(name: str, *, location: str | None = None) -> TensorProto:
    tensor: TensorProto = helper.make_tensor(name, TensorProto.FLOAT, [2, 1], [0.5, 0.25])
    if location is not None:
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
    return tensor


def _model(weights: TensorProto, *, domain: str = "") -> bytes:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph(
        [node],
        "fuzz",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])],
        [weights],
    )
    return bytes(helper.make_model(graph).SerializeToString())


def _branches() -> bytes:
    value: AttributeProto = helper.make_attribute("value", _tensor("c", location="c.bin"))
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(value)
    branch = helper.make_graph(
        [constant], "branch", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2, 1])]
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [node],
        "fuzz",
        [helper.make_tensor_value_info("x", TensorProto.BOOL, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 1])],
    )
    return bytes(helper.make_model(graph).SerializeToString())


def seeds() -> Iterable[bytes]:
    """Graphs with weights inside, outside, in a branch, and with an operator of a library."""
    yield _model(_tensor("w"))
    yield _model(_tensor("w", location="weights.bin"))
    yield _model(_tensor("w", location="../weights.bin"))
    yield _model(_tensor("w"), domain="com.example")
    yield _branches()
