"""A scikit-learn estimator, converted to ONNX, as one source.

    source = from_estimator(pipeline, "risk.onnx", rows, Extras())
    source.reference.is_exact        # False: the graph computes in another way

What the converter wrote is loaded and asked once before anyone relies on it.
"""

from __future__ import annotations

from typing import Any, Final

from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.intake.bom import versions
from strongroom.intake.convert import Converted, not_convertible, renamed, to_onnx
from strongroom.intake.estimator import answers_of, estimator_in, methods_of
from strongroom.intake.estimator_source import LIBRARIES
from strongroom.intake.material import Extras, Source, in_memory
from strongroom.intake.onnx_source import LIBRARIES as ONNX_LIBRARIES
from strongroom.intake.reference import Reference, compare
from strongroom.intake.sample import Rows
from strongroom.loaders import registry
from strongroom.package.contents import Loader

_ONNX: Final = ".onnx"


def from_skops(data: bytes, entry: str, rows: Rows | None, extras: Extras) -> Source:
    """Make a source of the estimator in a skops file.

    Raises:
        FormatError: not a skops file.
        UsageError: as ``from_estimator``.
        UnsupportedError: ``untrusted-types``, or as ``from_estimator``.
    """
    return from_estimator(estimator_in(data), entry, rows, extras)


def from_estimator(model: Any, entry: str, rows: Rows | None, extras: Extras) -> Source:
    """Make a source of a fitted estimator.

    Raises:
        UsageError: ``not-fitted``, ``sample-needed``, ``sample-refused``.
        UnsupportedError: ``not-convertible``.
    """
    converted = to_onnx(model, rows, name=entry.removesuffix(_ONNX))
    loader = Loader(name="onnx", entry=entry, options=converted.options)
    reference = None
    if rows is not None:
        answers = renamed(answers_of(model, methods_of(model), rows), converted)
        reference = Reference(rows.tensors(converted.schema.inputs), answers, is_exact=False)
    _verify_runs(converted, loader, reference)
    return Source(
        files=tuple(sorted([in_memory(entry, converted.data), *extras.files], key=lambda file: file.name)),
        loader=loader,
        schema=converted.schema,
        left=extras.left,
        libraries=versions([*ONNX_LIBRARIES, *LIBRARIES, "skl2onnx"]),
        reference=reference,
        is_converted=True,
    )


def _verify_runs(converted: Converted, loader: Loader, reference: Reference | None) -> None:
    """Make sure that the graph loads and answers: converters write broken ones at times."""
    try:
        graph = registry.find(loader.name).load({loader.entry: converted.data}, loader, converted.schema)
        if reference is not None:
            compare(reference, graph)
    except (FormatError, VerificationError) as error:
        raise not_convertible("the graph that it writes does not work") from error
    except UsageError as error:
        if error.code != "input-refused":
            raise
        raise not_convertible("the graph that it writes does not work") from error
