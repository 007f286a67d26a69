"""From the tensors that a model answers to the kind of thing that was passed.

    from_outputs(table, {"label": labels}, schema)           # a Series for a DataFrame
    from_outputs(table, {"probabilities": p}, schema)        # a DataFrame, a column for each class

Under an output policy that names the best classes only, the answer is a ``TopK``: a
table of probabilities with zeros in the other places would be a lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.client.tables.interface import Label, Table
from strongroom.loaders.tensor import Array
from strongroom.package.contents import Schema
from strongroom.worker.output import TOP_LABELS, TOP_SCORES


@dataclass(frozen=True, slots=True)
class TopK:
    """The best classes of each row, best first; the license lets no other leave.

    ``labels`` and ``scores`` are of the kind that was passed, with a column for each rank.
    """

    labels: Any
    scores: Any


def from_outputs(table: Table, outputs: Mapping[str, Array], schema: Schema) -> Any:
    """Return the answer in the kind of table that was asked with.

    One output comes back as such; several come back in a dictionary by name.
    """
    if set(outputs) == {TOP_LABELS, TOP_SCORES}:
        ranks: list[Label] = [f"rank_{rank + 1}" for rank in range(outputs[TOP_LABELS].shape[1])]
        return TopK(
            labels=_several(table, outputs[TOP_LABELS], ranks),
            scores=_several(table, outputs[TOP_SCORES], ranks),
        )
    if len(outputs) == 1:
        return _one(table, next(iter(outputs.values())), schema)
    return {name: _one(table, array, schema) for name, array in outputs.items()}


def _one(table: Table, array: Array, schema: Schema) -> Any:
    if array.ndim == 1:
        return table.series("prediction", array)
    if array.ndim == 2:
        width = array.shape[1]
        is_classes = width == len(schema.classes)
        return _several(table, array, list(schema.classes) if is_classes else list(range(width)))
    # No table has more dimensions.
    return array


def _several(table: Table, array: Array, names: list[Label]) -> Any:
    return table.frame({name: array[:, place] for place, name in enumerate(names)})
