"""What an ONNX graph takes and gives, read with the ``onnx`` package and never run.

    read_graph(data).outputs      # (Field(name='label', datatype='INT64', shape=[-1]), ...)

A graph is data, with three exceptions that are refused here: an operator of a domain
that onnxruntime does not bring itself (its code would have to come from a library),
weights in files outside the folder of the graph, and what no tensor can carry out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import onnx
from google.protobuf.message import DecodeError

from strongroom.errors import FormatError, UnsupportedError
from strongroom.loaders.onnx_locations import external_locations
from strongroom.package.contents import Field

DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that come with onnxruntime itself."""

_LABEL_NAMES: Final = ("label", "output_label")
_PROBABILITY_NAMES: Final = ("probabilities", "output_probability")
_DATATYPES: Final = {
    onnx.TensorProto.FLOAT: "FP32",
    onnx.TensorProto.UINT8: "UINT8",
    onnx.TensorProto.INT8: "INT8",
    onnx.TensorProto.UINT16: "UINT16",
    onnx.TensorProto.INT16: "INT16",
    onnx.TensorProto.INT32: "INT32",
    onnx.TensorProto.INT64: "INT64",
    onnx.TensorProto.STRING: "BYTES",
    onnx.TensorProto.BOOL: "BOOL",
    onnx.TensorProto.FLOAT16: "FP16",
    onnx.TensorProto.DOUBLE: "FP64",
    onnx.TensorProto.UINT32: "UINT32",
    onnx.TensorProto.UINT64: "UINT64",
}


@dataclass(frozen=True, slots=True)
class Graph:
    """What is known of a graph without running it."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    locations: tuple[str, ...]
    """Files with weights, relative to the folder of the graph."""
    classes: tuple[str | int, ...]
    """The labels of a classifier where the graph names them; empty otherwise."""
    producer: str
    """What wrote the graph: ``skl2onnx 1.20.0``; empty if it does not say."""

    @property
    def label_output(self) -> str | None:
        """The output with the predicted label, by the name that converters give it."""
        return self._named(_LABEL_NAMES) if self.probability_output else None

    @property
    def probability_output(self) -> str | None:
        """The output with one probability for each class, by the name that converters give it."""
        name = self._named(_PROBABILITY_NAMES)
        return name if name and self._named(_LABEL_NAMES) else None

    def _named(self, names: Iterable[str]) -> str | None:
        return next((output.name for output in self.outputs if output.name in names), None)


def read_graph(data: bytes) -> Graph:
    """Read the signature of a graph.

    Raises:
        FormatError: not an ONNX graph, or one without inputs or outputs.
        UnsupportedError: ``onnx-domain`` or ``onnx-type``.
    """
    locations = external_locations(data)
    model = _parse(data)
    _verify_domains(model)
    classes = _classes(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    graph = Graph(
        inputs=tuple(_field(value, classes) for value in inputs),
        outputs=tuple(_field(value, classes) for value in model.graph.output),
        locations=locations,
        classes=classes,
        producer=f"{_text(model.producer_name)} {_text(model.producer_version)}".strip(),
    )
    _verify_names(graph.inputs)
    _verify_names(graph.outputs)
    return graph


def _parse(data: bytes) -> Any:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FormatError("not an ONNX graph", code="onnx-malformed") from error
    if model.ir_version < 3 or not model.opset_import:
        # Older graphs name their operators in another way; random bytes that happen
        # to parse have neither.
        raise FormatError("not an ONNX graph", code="onnx-malformed")
    return model


def _verify_names(fields: tuple[Field, ...]) -> None:
    names = [field.name for field in fields]
    if not names or "" in names or len(set(names)) != len(names):
        raise FormatError(
            "an ONNX graph without inputs or outputs, or with doubled names", code="onnx-malformed"
        )


def _verify_domains(model: Any) -> None:
    own = {_text(function.domain) for function in model.functions}
    used = {_text(opset.domain) for opset in model.opset_import}
    for function in model.functions:
        used |= {_text(opset.domain) for opset in function.opset_import}
    used |= {_text(node.domain) for node in _nodes(model)}
    unknown = sorted(used - DOMAINS - own)
    if unknown:
        raise UnsupportedError(
            f"the graph needs operators from outside onnxruntime: {', '.join(unknown)}",
            code="onnx-domain",
            hint="custom operators are native code; export the model with standard operators",
        )


def _nodes(model: Any) -> Iterator[Any]:
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)


def _classes(model: Any) -> tuple[str | int, ...]:
    """Return the class labels if all nodes that carry any agree."""
    found: set[tuple[str | int, ...]] = set()
    for node in _nodes(model):
        for attribute in node.attribute:
            if _text(attribute.name).startswith("classlabels_") and (attribute.ints or attribute.strings):
                found.add(tuple(attribute.ints) or tuple(_text(label) for label in attribute.strings))
    return found.pop() if len(found) == 1 else ()


def _text(raw: str | bytes) -> str:
    # protobuf hands out a string that is no UTF-8 as bytes instead of refusing it.
    try:
        return raw if isinstance(raw, str) else raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("a name in an ONNX graph is no UTF-8", code="onnx-malformed") from error


def _field(value: Any, classes: tuple[str | int, ...]) -> Field:
    name, kind = _text(value.name), value.type.WhichOneof("value")
    if kind == "tensor_type":
        tensor = value.type.tensor_type
        return Field(name=name, datatype=_datatype(name, tensor), shape=_shape(tensor))
    if kind == "sequence_type" and _is_zipmap(value.type.sequence_type.elem_type) and classes:
        return Field(name=name, datatype="FP32", shape=[-1, len(classes)])
    raise UnsupportedError(
        f"{name!r} is no tensor", code="onnx-type", hint="export the model with tensors only"
    )


def _is_zipmap(element: Any) -> bool:
    return bool(
        element.WhichOneof("value") == "map_type"
        and element.map_type.value_type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    )


def _datatype(name: str, tensor: Any) -> str:
    try:
        return _DATATYPES[tensor.elem_type]
    except KeyError:
        raise UnsupportedError(
            f"{name!r} has a type that no tensor of ours can hold",
            code="onnx-type",
            hint="cast it to a standard type at the edge of the graph",
        ) from None


def _shape(tensor: Any) -> list[int]:
    return [
        # Names, negative numbers and zeros all stand for "any" in graphs that exist.
        dimension.dim_value if dimension.dim_value > 0 else -1
        for dimension in tensor.shape.dim
    ]
