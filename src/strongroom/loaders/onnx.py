"""ONNX models, through onnxruntime, from memory.

Options that the intake signs (all of them optional):

* ``label_output``: the output with the predicted label; ``predict`` gives only this one.
* ``probability_output``: the output with one probability for each class.
* ``column_outputs``: outputs of shape ``[rows, 1]`` that are given as ``[rows]``.

Three things are prevented here. onnxruntime's telemetry, which its mere import
starts unless a variable is set before, and which stores error texts with names from
the model. Weights read from the working directory: every file that the graph names
must be among the given ones. Native code from a package: custom-op libraries exist
only through a call that this file does not make.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np

from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.loaders.interface import Buffer, Files, LoadedModel, Loader, LoaderSpec, ModelSchema
from strongroom.loaders.onnx_locations import external_locations, resolve
from strongroom.loaders.tensor import Array

_TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
_LOG_NOTHING: Final = 4
# A name that no graph can ask for: a non-empty table of external files makes
# onnxruntime refuse every name that is not in it instead of looking on the disk.
_NO_FILE: Final = "strongroom: nothing is read from the disk"


class Onnx(Loader):
    """Makes sessions of onnxruntime on the CPU."""

    name: ClassVar[str] = "onnx"
    extra: ClassVar[str] = "onnx"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        graph = files[spec.entry]
        external = _external_buffers(graph, files, spec.entry)
        onnxruntime = _import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _LOG_NOTHING
        options.add_external_initializers_from_files_in_memory(
            list(external), list(external.values()), [len(buffer) for buffer in external.values()]
        )
        # The graph is copied here: onnxruntime takes nothing but ``bytes``. Large
        # weights belong into external data, which it reads from our buffer.
        session = onnxruntime.InferenceSession(bytes(graph), options, providers=["CPUExecutionProvider"])
        return OnnxModel(session, spec.options, schema)


class OnnxModel(LoadedModel):
    """One session."""

    def __init__(self, session: Any, options: Mapping[str, Any], schema: ModelSchema) -> None:
        super().__init__(schema)
        self._session = session
        self._columns = frozenset(options.get("column_outputs", ()))
        every = [output.name for output in session.get_outputs()]
        label = options.get("label_output")
        probability = options.get("probability_output")
        self._asked = {"predict": [label] if label else every, "predict_proba": [probability]}
        self._verify({output for method in schema.methods for output in self._outputs_of(method)}, every)

    def _outputs_of(self, method: str) -> list[str]:
        asked = [name for name in self._asked.get(method, ()) if name]
        if not asked:
            raise FormatError(f"the package says of no output that it answers {method!r}")
        return asked

    def _verify(self, asked: set[str], outputs: list[str]) -> None:
        inputs = {tensor.name for tensor in self._session.get_inputs()}
        if inputs != {field.name for field in self.schema.inputs}:
            raise FormatError("the inputs of the graph are not those of the schema", code="schema-mismatch")
        if not asked <= set(outputs):
            raise FormatError("the graph lacks an output that the package names", code="schema-mismatch")

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        asked = self._outputs_of(method)
        for name, array in inputs.items():
            if array.dtype == object and any(item is None for item in array.flat):
                # onnxruntime would take it for the text "None".
                raise UsageError(
                    f"input {name!r} lacks a text, and a graph knows no missing text",
                    code="input-missing-text",
                    hint="fill the gaps with a text of their own before",
                )
        answers = self._session.run(asked, inputs)
        return {name: self._array(name, answer) for name, answer in zip(asked, answers, strict=True)}

    def _array(self, name: str, answer: Any) -> Array:
        if isinstance(answer, list):
            # A ZipMap at the end of a graph, the default of several converters: one
            # dictionary for each row, from label to probability.
            return np.array([[row[label] for label in self.schema.classes] for row in answer], np.float32)
        array = np.asarray(answer)
        return array.reshape(-1) if name in self._columns else array


def _external_buffers(graph: Buffer, files: Files, entry: str) -> dict[str, Buffer]:
    """Return the bytes for every location that the graph names; never empty."""
    names = {location: resolve(location, entry) for location in external_locations(graph)}
    missing = [name for name in names.values() if name not in files or name == entry]
    if missing:
        raise FormatError(
            f"the graph asks for a file that is not in the package: {missing[0]!r}", code="external-data"
        )
    return {location: files[name] for location, name in names.items()} or {_NO_FILE: b"\0"}


def _import_onnxruntime() -> Any:
    if "onnxruntime" in sys.modules and os.environ.get(_TELEMETRY) != "1":
        raise UnsupportedError(
            "onnxruntime was imported before, with its telemetry on",
            code="onnxruntime-telemetry",
            hint=f"set {_TELEMETRY}=1 before anything imports onnxruntime",
        )
    os.environ[_TELEMETRY] = "1"
    import onnxruntime

    return onnxruntime
