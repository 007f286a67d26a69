"""CatBoost models, from their binary form (``.cbm``), in memory.

The options are those of ``boosted``. Columns that are categories must come as text or whole
numbers; CatBoost refuses others, and gaps among them.

CatBoost verifies the structure of the file by itself before it follows it (FlatBuffers). Its
reader is native code all the same; what holds if it fails are the walls of the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import catboost
import numpy as np

from strongroom.errors import FormatError
from strongroom.loaders import frame
from strongroom.loaders.boosted import INPUT, BoostedModel, mismatch, split_base
from strongroom.loaders.interface import Files, LoadedModel, Loader, LoaderSpec, ModelSchema
from strongroom.loaders.tensor import Array

HEAD: Final = b"CBM1"
"""How every binary CatBoost model begins."""
_HEADER_BYTES: Final = 8
_KINDS: Final = {"predict": "Class", "predict_proba": "Probability", "decision_function": "RawFormulaVal"}


class CatBoost(Loader):
    """Makes models of CatBoost on the CPU."""

    name: ClassVar[str] = "catboost"
    extra: ClassVar[str] = "catboost"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        return CatBoostModel(read_model(bytes(files[spec.entry])), spec.options, schema, threads)


class CatBoostModel(BoostedModel):
    """One model."""

    def __init__(self, model: Any, options: Mapping[str, Any], schema: ModelSchema, threads: int) -> None:
        super().__init__(schema, options, len(model.feature_names_))
        if self._labeled and len(schema.classes) != len(model.classes_):
            raise mismatch("classes")
        if model.get_cat_feature_indices() and not self._framed:
            raise mismatch("categories")
        self._model = model
        self._threads = threads or -1

    def _rows(self, inputs: dict[str, Array]) -> Any:
        if not self._framed:
            return inputs[INPUT]
        # CatBoost reads the values of a category, and not its codes.
        return frame.build(inputs, frozenset(), np.nan)

    def _ask(self, rows: Any, method: str) -> Array:
        labels = {} if method == "predict" and not self._labeled else {"prediction_type": _KINDS[method]}
        answer: Array = self._model.predict(rows, thread_count=self._threads, **labels)
        return answer

    def _explain(self, inputs: dict[str, Array]) -> dict[str, Array]:
        pool = catboost.Pool(self._rows(inputs), cat_features=self._model.get_cat_feature_indices())
        parts = np.asarray(
            self._model.get_feature_importance(pool, type="ShapValues", thread_count=self._threads)
        )
        return split_base(parts.reshape(len(parts), -1, parts.shape[-1]))


def read_model(data: bytes) -> Any:
    """Return the model in a file.

    Raises:
        FormatError: it is none, or one that was cut off (``model-unreadable``).
    """
    stated = int.from_bytes(data[len(HEAD) : _HEADER_BYTES], "little")
    if not data.startswith(HEAD) or stated > len(data) - _HEADER_BYTES:
        raise FormatError("not a CatBoost model", code="model-unreadable")
    model = catboost.CatBoost()
    model.load_model(blob=data)
    return model
