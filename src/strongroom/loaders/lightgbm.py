"""LightGBM models, from their text form, in memory.

The options are those of ``boosted``. Columns that are categories are turned into the codes
that the model was fitted with (``pandas_categorical`` in its text), so that no table of
pandas is needed; a category that it has never seen is a missing value, as in the library.

LightGBM follows the numbers of its text without looking. ``lightgbm_text`` checks them before,
and takes out the parameters of the training, which name files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import lightgbm
import numpy as np

from strongroom.loaders.boosted import BoostedModel, both_classes, label, mismatch, split_base
from strongroom.loaders.interface import Files, LoadedModel, Loader, LoaderSpec, ModelSchema
from strongroom.loaders.lightgbm_text import Text, read_text
from strongroom.loaders.tensor import Array


class LightGbm(Loader):
    """Makes boosters of LightGBM on the CPU."""

    name: ClassVar[str] = "lightgbm"
    extra: ClassVar[str] = "lightgbm"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        text = read_text(bytes(files[spec.entry]))
        return LightGbmModel(text, spec.options, schema, threads)


class LightGbmModel(BoostedModel):
    """One booster."""

    def __init__(self, text: Text, options: Mapping[str, Any], schema: ModelSchema, threads: int) -> None:
        super().__init__(schema, options, text.width)
        if len(self._categorical) != (len(text.categories) if self._framed else 0):
            raise mismatch("categories")
        if self._labeled and len(schema.classes) != max(2, text.scores):
            raise mismatch("classes")
        self._scores = text.scores
        self._threads = threads
        self._codes = {
            name: {category: code for code, category in enumerate(categories)}
            for name, categories in zip(self._categorical, text.categories, strict=False)
        }
        self._booster: Any = lightgbm.Booster(model_str=text.trees)

    def _rows(self, inputs: dict[str, Array]) -> Any:
        if not self._framed:
            return super()._rows(inputs)
        columns = [self._column(name, values) for name, values in inputs.items()]
        return np.column_stack(columns)

    def _column(self, name: str, values: Array) -> Array:
        codes = self._codes.get(name)
        if codes is None:
            return values.astype(np.float64)
        return np.array([codes.get(value, np.nan) for value in values.tolist()], np.float64)

    def _ask(self, rows: Any, method: str) -> Array:
        raw = method == "decision_function"
        answer: Array = self._booster.predict(rows, raw_score=raw, num_threads=self._threads)
        if raw or not self._labeled:
            return answer
        probabilities = both_classes(answer)
        if method == "predict_proba":
            return probabilities
        return label(self.schema.classes, np.argmax(probabilities, axis=1))

    def _explain(self, inputs: dict[str, Array]) -> dict[str, Array]:
        rows = self._rows(inputs)
        parts = self._booster.predict(rows, pred_contrib=True, num_threads=self._threads)
        return split_base(np.asarray(parts).reshape(len(rows), self._scores, -1))
