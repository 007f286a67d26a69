"""The Open Inference Protocol v2 as bytes: JSON, and the binary tensor extension.

    request = read_request(body, json_bytes=None, schema=schema)
    request.method, request.tensors       # "predict", (Tensor("X", Datatype.FP64, (1, 2), data),)
    answer = write_answer(request, name="risk", version="1.0.0", outputs=outputs)
    answer.body, answer.json_bytes        # json_bytes is None without binary tensors

A request of one row, and its answer:

    {"id": "7", "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP64", "data": [1.5, 2]}]}
    {"id":"7","model_name":"risk","model_version":"1.0.0",
     "outputs":[{"data":["benign"],"datatype":"BYTES","name":"predict","shape":[1]}]}

Beyond the protocol there are two request parameters. ``method`` is what to ask the model (``predict_proba``).
Without it, the selected outputs decide: one that is named as a method, or that has a floating-point number
for each class. Else it is ``predict``. With ``receipt``, the ``parameters`` of the answer hold the texts of a
receipt file, ``receipt``, and of its salt file, ``receipt_salts`` (spec/receipt.md).
``null`` is a missing value: NaN where the datatype is floating point, a missing text where it is BYTES.
No value of a request is ever part of an error.

Source: https://github.com/kserve/open-inference-protocol (REST specification); for the binary extension
Triton's ``extension_binary_data.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.loaders.tensor import Array, numpy_type
from strongroom.package.contents import Schema
from strongroom.worker.frames import ITEM_BYTES, Datatype, Tensor
from strongroom.worker.tensor import from_array, to_array

EXTENSIONS: Final = ("binary_tensor_data",)
PLATFORM: Final = "strongroom"
_MAX_METHOD_CHARS: Final = 64

_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Id = Annotated[str, msgspec.Meta(max_length=1024)]
_INTEGERS: Final = frozenset(kind for kind in Datatype if "INT" in kind)
_FLOATS: Final = frozenset({Datatype.FP16, Datatype.FP32, Datatype.FP64})


class _Input(msgspec.Struct, frozen=True):
    name: _Name
    shape: Annotated[list[_Count], msgspec.Meta(max_length=LIMITS.max_tensor_dimensions)]
    datatype: Datatype
    parameters: dict[str, Any] = {}
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Output(msgspec.Struct, frozen=True):
    name: _Name
    parameters: dict[str, Any] = {}


class _Request(msgspec.Struct, frozen=True):
    inputs: Annotated[list[_Input], msgspec.Meta(max_length=LIMITS.max_tensors)]
    id: _Id | None = None
    parameters: dict[str, Any] = {}
    outputs: Annotated[list[_Output], msgspec.Meta(max_length=LIMITS.max_tensors)] = []


_REQUEST: Final = msgspec.json.Decoder(_Request)
_KEPT: Final = msgspec.json.Decoder(Annotated[list[_Input], msgspec.Meta(max_length=LIMITS.max_tensors)])
_ANY: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()
# What is usual is decoded in one step; what is not goes through ``_ANY``.
_ELEMENTS: Final[Mapping[Datatype, Any]] = {
    **dict.fromkeys(_FLOATS, list[float | None]),
    **dict.fromkeys(_INTEGERS, list[int]),
    Datatype.BOOL: list[bool],
    Datatype.BYTES: list[str | None],
}
_FLAT: Final = {kind: msgspec.json.Decoder(elements) for kind, elements in _ELEMENTS.items()}


@dataclass(frozen=True, slots=True)
class Selected:
    """One output that a request asks for."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """What a client asks for."""

    id: str | None
    method: str
    tensors: tuple[Tensor, ...]
    outputs: tuple[Selected, ...]
    """Empty: all of them."""
    binary: bool
    """Whether outputs that the request does not name are wanted as binary tensors."""
    receipt: bool = False
    """Whether a signed receipt of the answer is wanted."""


@dataclass(frozen=True, slots=True)
class InferenceAnswer:
    """The body of an answer."""

    body: bytes
    json_bytes: int | None
    """Length of the JSON at its beginning; None if all of it is JSON."""


def read_request(body: bytes | bytearray, *, json_bytes: int | None, schema: Schema) -> InferenceRequest:
    """Read the body of a request.

    Args:
        body: All of it.
        json_bytes: What ``Inference-Header-Content-Length`` says; None without that header.
        schema: Of the model that is asked.

    Raises:
        FormatError: Not a request of the protocol (codes ``inference-...``).
        UsageError: It selects an output that the model does not have (code ``output-unknown``).
    """
    view = memoryview(body)
    end = len(view) if json_bytes is None else json_bytes
    if end > len(view):
        raise FormatError("the body is shorter than its header says", code="inference-body")
    try:
        request = _REQUEST.decode(view[:end])
    except (ValueError, RecursionError) as error:
        # The library names the member, never a value; but it may quote what it met instead.
        raise FormatError(
            "the body is no inference request of the Open Inference Protocol v2",
            code="inference-request",
            hint='{"inputs": [{"name": ..., "shape": [...], "datatype": "FP64", "data": [...]}]}',
        ) from error
    tensors = tuple(_tensors(request.inputs, view[end:]))
    binary = _flag(request.parameters, "binary_data_output", default=False)
    outputs = tuple(
        Selected(output.name, _flag(output.parameters, "binary_data", default=binary))
        for output in request.outputs
    )
    receipt = _flag(request.parameters, "receipt", default=False)
    if receipt and outputs:
        raise UsageError(
            "a receipt is for all outputs of a method",
            code="receipt-outputs",
            hint='leave "outputs" out; "parameters": {"method": ...} asks for another method',
        )
    return InferenceRequest(request.id, _method(request, schema), tensors, outputs, binary, receipt)


def read_tensors(document: bytes, member: str) -> tuple[Tensor, ...]:
    """Read the tensors of a request or an answer that somebody kept as JSON.

    Args:
        document: A body as it was sent or received, without binary tensors.
        member: ``inputs`` or ``outputs``.

    Raises:
        FormatError: No such body (codes ``inference-...``).
    """
    try:
        body = _ANY.decode(document)
        found = _KEPT.decode(_ENCODER.encode(body[member])) if isinstance(body, dict) else None
    except (ValueError, RecursionError, KeyError):
        found = None
    if not found:
        raise FormatError(
            f"there are no {member} of the Open Inference Protocol v2 here",
            code="inference-request",
            hint=f'{{"{member}": [{{"name": ..., "shape": [...], "datatype": "FP64", "data": [...]}}]}}',
        )
    return tuple(_tensors(found, memoryview(b"")))


def write_answer(
    request: InferenceRequest,
    *,
    name: str,
    version: str,
    outputs: Sequence[Tensor],
    parameters: Mapping[str, str] | None = None,
) -> InferenceAnswer:
    """Write the answer to a request.

    Args:
        request: What was asked.
        name: Of the model.
        version: Of the model.
        outputs: What the model answered.
        parameters: What is said beside: the receipt, and its salts.

    Raises:
        UsageError: The method does not give an output that was selected (code ``output-missing``).
        UnsupportedError: A number or a text that this form of answer cannot hold (code ``answer-form``).
    """
    described: list[dict[str, Any]] = []
    blobs: list[bytes | bytearray | memoryview] = []
    for tensor, binary in _selected(request, outputs):
        entry: dict[str, Any] = {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "datatype": tensor.datatype.value,
        }
        if binary:
            blob = _blob(tensor)
            entry["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            entry["data"] = _values(tensor)
        described.append(entry)
    document: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": described}
    if parameters:
        document["parameters"] = parameters
    if request.id is not None:
        document["id"] = request.id
    head = _ENCODER.encode(document)
    return InferenceAnswer(b"".join([head, *blobs]), len(head) if blobs else None)


def metadata(*, name: str, version: str, schema: Schema) -> dict[str, Any]:
    """Return what the protocol says about a model, with our methods as one more member."""
    return {
        "name": name,
        "versions": [version],
        "platform": PLATFORM,
        "inputs": [_described(field) for field in schema.inputs],
        "outputs": [_described(field) for field in schema.outputs],
        "parameters": {"methods": list(schema.methods), "classes": list(schema.classes)},
    }


def _described(field: Any) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.datatype, "shape": list(field.shape)}


def _method(request: _Request, schema: Schema) -> str:
    known = {field.name for field in schema.outputs} | set(schema.methods)
    for output in request.outputs:
        # Asked before anything is computed: what cannot be answered is not counted. Names that only an
        # output policy brings in are known when the answer is there.
        if output.name not in known and not output.name.startswith("top_"):
            raise UsageError(
                f"the model has no output {output.name[:64]!r}",
                code="output-unknown",
                hint=f"it has: {', '.join(sorted(known))}",
            )
    asked = request.parameters.get("method")
    if asked is None:
        return _implied(request, schema)
    if not isinstance(asked, str) or len(asked) > _MAX_METHOD_CHARS:
        raise FormatError("the parameter 'method' is no name of a method", code="inference-request")
    return asked


def _implied(request: _Request, schema: Schema) -> str:
    usual = "predict" if "predict" in schema.methods or not schema.methods else schema.methods[0]
    scores = {
        field.name
        for field in schema.outputs
        if "predict_proba" in schema.methods
        and schema.classes
        and field.datatype in _FLOATS
        and field.shape[1:] == [len(schema.classes)]
    }
    methods = set()
    for output in request.outputs:
        if output.name in schema.methods:
            methods.add(output.name)
        else:
            methods.add("predict_proba" if output.name in scores else usual)
    if len(methods) > 1:
        raise UsageError(
            f"these outputs come from different methods: {', '.join(sorted(methods))}",
            code="output-methods",
            hint="ask for each in a request of its own",
        )
    return methods.pop() if methods else usual


def _tensors(inputs: Sequence[_Input], blobs: memoryview) -> list[Tensor]:
    tensors = []
    offset = 0
    for item in inputs:
        size = item.parameters.get("binary_data_size")
        if size is None:
            tensors.append(_of_json(item))
            continue
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(blobs) - offset:
            raise FormatError(
                f"the binary tensor of {item.name[:64]!r} is not as long as it says", code="inference-body"
            )
        if item.data is not msgspec.UNSET:
            raise FormatError(f"input {item.name[:64]!r} has its values twice", code="inference-request")
        tensors.append(_of_bytes(item, blobs[offset : offset + size]))
        offset += size
    if offset != len(blobs):
        raise FormatError("bytes follow the last tensor of the request", code="inference-body")
    return tensors


def _of_bytes(item: _Input, data: memoryview) -> Tensor:
    width = ITEM_BYTES.get(item.datatype)
    if width is not None and len(data) != math.prod(item.shape) * width:
        raise FormatError(
            f"the binary tensor of {item.name[:64]!r} does not fit its shape", code="inference-shape"
        )
    return Tensor(item.name, item.datatype, tuple(item.shape), data)


def _of_json(item: _Input) -> Tensor:
    if item.data is msgspec.UNSET:
        raise FormatError(f"input {item.name[:64]!r} has no values", code="inference-request")
    count = math.prod(item.shape)
    values = _elements(item, item.data)
    if len(values) != count:
        raise FormatError(
            f"input {item.name[:64]!r} has {len(values)} values, and its shape needs {count}",
            code="inference-shape",
        )
    try:
        return from_array(item.name, _array(item, values).reshape(item.shape))
    except ValueError as error:
        # Of no values at all, with sizes that only numbers have.
        raise FormatError(
            f"input {item.name[:64]!r} has a shape that nothing can have", code="inference-shape"
        ) from error


def _elements(item: _Input, raw: msgspec.Raw) -> list[Any]:
    try:
        return list(_FLAT[item.datatype].decode(raw))
    except (ValueError, RecursionError):
        # Nested, or wrong; seen below.
        pass
    try:
        values = _flattened(_ANY.decode(raw), item)
        return list(msgspec.convert(values, _ELEMENTS[item.datatype]))
    except (ValueError, RecursionError) as error:
        raise _not_of(item) from error


def _flattened(values: Any, item: _Input) -> Any:
    if not isinstance(values, list) or not values or not isinstance(values[0], list):
        return values
    if not item.shape or len(values) != item.shape[0]:
        raise FormatError(
            f"the lists of input {item.name[:64]!r} do not have its shape", code="inference-shape"
        )
    for size in item.shape[1:]:
        if not all(isinstance(row, list) and len(row) == size for row in values):
            raise FormatError(
                f"the lists of input {item.name[:64]!r} do not have its shape", code="inference-shape"
            )
        values = [value for row in values for value in row]
    return values


def _array(item: _Input, values: list[Any]) -> Array:
    if item.datatype is Datatype.BYTES:
        texts = np.empty(len(values), dtype=object)
        texts[:] = values
        return texts
    dtype = numpy_type(item.datatype)
    try:
        if item.datatype not in _FLOATS:
            return np.array(values, dtype=dtype)
        wide = np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise _not_of(item) from error
    with np.errstate(over="ignore"):
        narrow: Array = wide.astype(dtype)
    if np.isinf(narrow).any():
        # JSON has no infinity, so this one came out of a number that is too large.
        raise _not_of(item)
    return narrow


def _not_of(item: _Input) -> FormatError:
    return FormatError(
        f"input {item.name[:64]!r} has a value that {item.datatype.value} cannot hold",
        code="inference-value",
    )


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise FormatError(f"the parameter {name!r} is neither true nor false", code="inference-request")
    return value


def _selected(request: InferenceRequest, outputs: Sequence[Tensor]) -> list[tuple[Tensor, bool]]:
    if not request.outputs:
        return [(tensor, request.binary) for tensor in outputs]
    given = {tensor.name: tensor for tensor in outputs}
    missing = next((selected.name for selected in request.outputs if selected.name not in given), None)
    if missing is not None:
        raise UsageError(
            f"{request.method} gives no output {missing[:64]!r}",
            code="output-missing",
            hint=f'it gives: {", ".join(given)}; "parameters": {{"method": ...}} asks for another method',
        )
    return [(given[selected.name], selected.binary) for selected in request.outputs]


def _values(tensor: Tensor) -> list[Any]:
    array = to_array(tensor).reshape(-1)
    if tensor.datatype in _FLOATS and np.isinf(array).any():
        raise UnsupportedError(
            f"output {tensor.name!r} has an infinite number, which JSON cannot hold",
            code="answer-form",
            hint='ask for binary tensors: "parameters": {"binary_data_output": true}',
        )
    # NaN becomes null.
    return list(array.tolist())


def _blob(tensor: Tensor) -> bytes | bytearray | memoryview:
    if tensor.datatype is Datatype.BYTES and any(text is None for text in to_array(tensor).reshape(-1)):
        raise UnsupportedError(
            f"output {tensor.name!r} lacks a text, which a binary tensor cannot say",
            code="answer-form",
            hint="ask for JSON",
        )
    return tensor.data
