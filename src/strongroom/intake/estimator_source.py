"""A scikit-learn estimator as one source: as it is, from a skops file, or converted to ONNX.

source = from_estimator(pipeline, "risk.skops", rows)
source = from_conversion(pipeline, "risk.onnx", rows)
"""

from __future__ import annotations

from typing import Any, Final

from strongroom.intake.bom import versions
from strongroom.intake.estimator import (
    Estimator,
    answers_of,
    take_estimator,
    take_skops,
)
from strongroom.intake.material import Extras, Source, in_memory
from strongroom.intake.reference import Reference
from strongroom.intake.sample import Rows
from strongroom.package.contents import Loader

_NOTHING: Final = Extras()
LIBRARIES: Final = ("numpy", "scikit-learn", "scipy", "skops")


def from_estimator(model: Any, entry: str, rows: Rows | None) -> Source:
    """Make a source of a fitted estimator.

    Raises:
        UsageError: as ``estimator.take_estimator``.
        UnsupportedError: as ``estimator.take_estimator``.
    """
    return _source(model, take_estimator(model, rows), entry, rows, _NOTHING)


def from_skops(data: bytes, entry: str, rows: Rows | None, extras: Extras) -> Source:
    """Make a source of a skops file, which is sealed byte for byte.

    Raises:
        FormatError: not a skops file.
        UsageError: as ``estimator.take_estimator``.
        UnsupportedError: as ``estimator.take_estimator``.
    """
    model, taken = take_skops(data, rows)
    return _source(model, taken, entry, rows, extras)


def _source(model: Any, taken: Estimator, entry: str, rows: Rows | None, extras: Extras) -> Source:
    reference = None
    if rows is not None:
        answers = answers_of(model, list(taken.schema.methods), rows)
        reference = Reference(rows.tensors(taken.schema.inputs), answers, is_exact=True)
    return Source(
        files=tuple(sorted([in_memory(entry, taken.data), *extras.files], key=lambda file: file.name)),
        loader=Loader(name="skops", entry=entry, options=taken.options),
        schema=taken.schema,
        left=extras.left,
        libraries=versions(LIBRARIES),
        reference=reference,
        is_converted=False,
    )
