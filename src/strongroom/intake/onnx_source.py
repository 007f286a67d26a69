"""An ONNX graph, its weights and its neighbors as one source.

    source = from_graph(graph, "risk.onnx", rows, weights, Extras())

With a sample the graph is also run, as it came, for the answers that the sealed copy
must give; without one it is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from strongroom.intake.bom import versions
from strongroom.intake.folder import LocalFile
from strongroom.intake.material import Extras, Part, Source, in_memory, on_disk
from strongroom.intake.onnx_graph import Graph, read_graph
from strongroom.intake.reference import Reference
from strongroom.intake.sample import Rows
from strongroom.loaders import registry
from strongroom.package.contents import Field, Loader, OptionValue, Schema

LIBRARIES: Final = ("numpy", "onnx", "onnxruntime")


def from_graph(
    graph: bytes, entry: str, rows: Rows | None, weights: Mapping[str, LocalFile], extras: Extras
) -> Source:
    """Make a source of a graph.

    Raises:
        FormatError: not an ONNX graph, or one that onnxruntime cannot load (with a sample only).
        UnsupportedError: operators or types that are not supported.
        UsageError: a sample that does not fit.
    """
    signature = read_graph(graph)
    loader = Loader(name="onnx", entry=entry, options=options_of(signature))
    schema = _schema(signature, rows)
    files = [in_memory(entry, graph), *(on_disk(name, file, Part.WEIGHTS) for name, file in weights.items())]
    libraries = versions(LIBRARIES)
    if signature.producer:
        producer, _, version = signature.producer.partition(" ")
        libraries[producer] = version
    return Source(
        files=tuple(sorted([*files, *extras.files], key=lambda file: file.name)),
        loader=loader,
        schema=schema,
        left=extras.left,
        libraries=libraries,
        reference=_reference(graph, weights, loader, schema, rows),
        is_converted=False,
    )


def options_of(graph: Graph) -> dict[str, OptionValue]:
    """Return what the loader has to know of a graph beside its schema."""
    options = {"label_output": graph.label_output, "probability_output": graph.probability_output}
    return {name: output for name, output in options.items() if output is not None}


def _schema(graph: Graph, rows: Rows | None) -> Schema:
    return Schema(
        inputs=list(graph.inputs),
        outputs=list(graph.outputs),
        columns=_columns(graph.inputs, rows),
        classes=list(graph.classes),
        methods=["predict", "predict_proba"] if graph.probability_output else ["predict"],
    )


def _columns(inputs: tuple[Field, ...], rows: Rows | None) -> list[str]:
    """Return names for the columns: those of the inputs, or those of the sample for one matrix."""
    if len(inputs) > 1 and all(field.shape == [-1, 1] for field in inputs):
        return [field.name for field in inputs]
    if rows is None or len(inputs) != 1 or len(inputs[0].shape) != 2:
        return []
    return list(rows.columns) if inputs[0].shape[1] in (-1, len(rows.columns)) else []


def _reference(
    graph: bytes, weights: Mapping[str, LocalFile], loader: Loader, schema: Schema, rows: Rows | None
) -> Reference | None:
    if rows is None:
        return None
    files = {loader.entry: graph} | {name: file.read() for name, file in weights.items()}
    original = registry.find(loader.name).load(files, loader, schema)
    inputs = rows.tensors(schema.inputs)
    answers = {method: original.predict(inputs, method) for method in schema.methods}
    return Reference(inputs, answers, is_exact=True)
