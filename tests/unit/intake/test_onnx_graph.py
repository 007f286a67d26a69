"""A graph tells what it takes and gives without being run; hostile ones are refused."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from strongroom.errors import Error, FormatError, UnsupportedError
from strongroom.intake.onnx_graph import DOMAINS, read_graph
from strongroom.package.contents import Field
from tests.unit.intake import models

FLOAT = TensorProto.FLOAT


def _model(inputs: list[Any], outputs: list[Any], nodes: list[Any] | None = None, **changes: Any) -> Any:
    graph = helper.make_graph(nodes or [], "graph", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, **changes)


def _tensor(name: str, kind: int = FLOAT, shape: Any = ("rows", 2)) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _read(model: Any) -> Any:
    return read_graph(model.SerializeToString())


def test_a_classifier_of_skl2onnx() -> None:
    graph = read_graph(models.graph())
    assert graph.inputs == (Field(name="input", datatype="FP32", shape=[-1, 30]),)
    assert graph.outputs == (
        Field(name="label", datatype="INT64", shape=[-1]),
        Field(name="probabilities", datatype="FP32", shape=[-1, 2]),
    )
    assert (graph.label_output, graph.probability_output) == ("label", "probabilities")
    assert graph.classes == (0, 1)
    assert graph.producer.startswith("skl2onnx 1.")
    assert graph.locations == ()


def test_a_classifier_with_a_zipmap() -> None:
    graph = read_graph(models.graph(zipmap=True))
    assert graph.outputs[1] == Field(name="output_probability", datatype="FP32", shape=[-1, 2])
    assert (graph.label_output, graph.probability_output) == ("output_label", "output_probability")
    assert graph.classes == (0, 1)


def test_a_graph_that_is_no_classifier() -> None:
    graph = read_graph(models.linear_graph("weights.bin"))
    assert (graph.label_output, graph.probability_output, graph.classes) == (None, None, ())
    assert graph.locations == ("weights.bin",)
    assert graph.producer == ""


@pytest.mark.parametrize(
    ("kind", "datatype"),
    [("FLOAT", "FP32"), ("DOUBLE", "FP64"), ("FLOAT16", "FP16"), ("STRING", "BYTES"), ("BOOL", "BOOL"),
     *((name, name) for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"))],
)  # fmt: skip
def test_every_datatype(kind: str, datatype: str) -> None:
    graph = _read(_model([_tensor("x", getattr(TensorProto, kind))], [_tensor("y")]))
    assert graph.inputs[0].datatype == datatype


@pytest.mark.parametrize("kind", ["BFLOAT16", "COMPLEX64", "FLOAT8E4M3FN", "UNDEFINED"])
def test_other_datatypes_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        _read(_model([_tensor("x", getattr(TensorProto, kind))], [_tensor("y")]))
    assert raised.value.code == "onnx-type"


def test_free_dimensions() -> None:
    graph = _read(_model([_tensor("x", shape=["n", None, 3, 0, -4])], [_tensor("y", shape=[])]))
    assert graph.inputs[0].shape == [-1, -1, 3, -1, -1]
    assert graph.outputs[0].shape == []


def test_weights_that_are_also_inputs_are_not_asked_for() -> None:
    model = _model([_tensor("x"), _tensor("w")], [_tensor("y")])
    model.graph.initializer.add(name="w")
    assert [field.name for field in _read(model).inputs] == ["x"]


def test_what_is_no_tensor_is_refused() -> None:
    sequence = helper.make_tensor_sequence_value_info("y", FLOAT, None)
    untyped = onnx.ValueInfoProto(name="y")
    by_label = helper.make_value_info(
        "y",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(7, helper.make_tensor_type_proto(FLOAT, []))
        ),
    )
    for output in (sequence, untyped, by_label):
        with pytest.raises(UnsupportedError) as raised:
            _read(_model([_tensor("x")], [output]))
        assert raised.value.code == "onnx-type"


def test_class_labels_that_disagree_are_not_believed() -> None:
    nodes = [
        helper.make_node("LinearClassifier", ["x"], ["a"], domain="ai.onnx.ml", classlabels_ints=[0, 1]),
        helper.make_node(
            "LinearClassifier", ["x"], ["b"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]
        ),
    ]
    outputs = [_tensor("label"), _tensor("probabilities")]
    assert _read(_model([_tensor("x")], outputs, nodes)).classes == ()
    assert _read(_model([_tensor("x")], outputs, nodes[1:])).classes == ("no", "yes")
    nodes[1].attribute[0].strings[0] = b"\xff"
    with pytest.raises(FormatError, match="UTF-8"):
        _read(_model([_tensor("x")], outputs, nodes))


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_domains_of_onnxruntime_itself_pass(domain: str) -> None:
    read_graph(models.custom_graph(domain))


def test_domains_of_libraries_are_refused_wherever_they_stand() -> None:
    for place in ("import", "node", "branch", "function"):
        model = _model([_tensor("x")], [_tensor("y")], [helper.make_node("If", ["x"], ["y"])])
        if place == "import":
            model.opset_import.append(helper.make_opsetid("ai.example", 1))
        elif place == "node":
            model.graph.node[0].domain = "ai.example"
        elif place == "branch":
            branch = model.graph.node[0].attribute.add(name="then_branch").g
            branch.node.append(helper.make_node("Run", [], [], domain="ai.example"))
        else:
            function = model.functions.add(name="f", domain="own")
            function.node.append(helper.make_node("Run", [], [], domain="ai.example"))
        with pytest.raises(UnsupportedError, match=r"ai\.example") as raised:
            _read(model)
        assert raised.value.code == "onnx-domain"


def test_functions_of_the_graph_itself_may_have_a_domain() -> None:
    model = _model([_tensor("x")], [_tensor("y")], [helper.make_node("F", ["x"], ["y"], domain="own")])
    function = model.functions.add(name="F", domain="own")
    function.node.append(helper.make_node("Identity", ["a"], ["b"]))
    function.opset_import.append(helper.make_opsetid("", 18))
    _read(model)


def test_what_is_no_graph_is_refused() -> None:
    good = models.graph()
    empty = _model([], [])
    twice = _model([_tensor("x"), _tensor("x")], [_tensor("y")])
    nameless = _model([_tensor("")], [_tensor("y")])
    old = _model([_tensor("x")], [_tensor("y")])
    old.ir_version = 2
    for data in (b"", b"\x08\x09", good[: len(good) // 2], b"PK\3\4" + good,
                 *(model.SerializeToString() for model in (empty, twice, nameless, old))):  # fmt: skip
        with pytest.raises(FormatError):
            read_graph(data)


def test_text_that_is_no_utf8_is_refused() -> None:
    good = models.graph()
    for text in (b"probabilities", b"skl2onnx", b"ai.onnx.ml", b"classlabels_int64s"):
        assert text in good
        with pytest.raises(FormatError, match="UTF-8"):
            read_graph(good.replace(text, text[:-1] + b"\xff"))


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_any_bytes_give_a_graph_or_an_error_of_ours(data: bytes, place: int) -> None:
    good = models.linear_graph("weights.bin")
    for candidate in (data, good[:place] + data + good[place + len(data) :], good[:place]):
        try:
            graph = read_graph(candidate)
        except (FormatError, UnsupportedError):
            continue
        assert graph.inputs
        assert graph.outputs


def test_names_of_files_are_never_fewer_than_onnx_itself_sees() -> None:
    """The walk over the wire format and the parsed model agree."""
    for location in ("w.bin", "a/b/c"):
        model = onnx.load_model_from_string(models.linear_graph(location))
        seen = {
            entry.value
            for tensor in model.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        assert set(read_graph(models.linear_graph(location)).locations) == seen
    assert issubclass(FormatError, Error)
