"""XGBoost models, from their JSON or UBJSON form, in memory.

The options are those of ``boosted``. A table with categories is passed as one of pandas:
XGBoost finds the codes of its categories by itself, if they stand in the model.

``xgboost_form`` reads the file before XGBoost does, and checks that no number in its trees leads
out of them: the native code follows them without looking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import xgboost

from strongroom.errors import FormatError
from strongroom.loaders.boosted import BoostedModel, both_classes, label, mismatch, split_base
from strongroom.loaders.interface import Files, LoadedModel, Loader, LoaderSpec, ModelSchema
from strongroom.loaders.tensor import Array
from strongroom.loaders.xgboost_form import Form, read_form


class XgBoost(Loader):
    """Makes boosters of XGBoost on the CPU."""

    name: ClassVar[str] = "xgboost"
    extra: ClassVar[str] = "xgboost"

    def _load(self, files: Files, spec: LoaderSpec, schema: ModelSchema, threads: int) -> LoadedModel:
        data = bytearray(files[spec.entry])
        return XgBoostModel(data, read_form(bytes(data)), spec.options, schema, threads)


class XgBoostModel(BoostedModel):
    """One booster."""

    def __init__(
        self, data: bytearray, form: Form, options: Mapping[str, Any], schema: ModelSchema, threads: int
    ) -> None:
        super().__init__(schema, options, form.width)
        if self._labeled and len(schema.classes) != max(2, form.scores):
            raise mismatch("classes")
        if bool(self._categorical) != form.has_categories:
            raise mismatch("categories")
        if not 0 <= self._iterations <= form.iterations:
            raise FormatError(
                "the model has fewer rounds of trees than the package says", code="model-bounds"
            )
        self._threads = threads
        self._columns = form.columns or None
        self._types = form.types or None
        with xgboost.config_context(verbosity=0):
            self._booster = xgboost.Booster({"nthread": threads} if threads else None)
            self._booster.load_model(data)
            if threads:
                # A loaded model forgets what was set before.
                self._booster.set_param({"nthread": threads})

    def _matrix(self, inputs: dict[str, Array]) -> Any:
        rows = self._rows(inputs)
        # A table says by itself what its columns are.
        known = {} if self._framed else {"feature_names": self._columns, "feature_types": self._types}
        return xgboost.DMatrix(rows, nthread=self._threads or None, enable_categorical=True, **known)

    def _predict(self, inputs: dict[str, Array], method: str) -> dict[str, Array]:
        with xgboost.config_context(verbosity=0):
            return {method: np.asarray(self._ask(self._matrix(inputs), method))}

    def _ask(self, rows: Any, method: str) -> Array:
        raw = method == "decision_function"
        asked = (0, self._iterations)
        answer: Array = self._booster.predict(rows, output_margin=raw, iteration_range=asked)
        if raw or not self._labeled:
            return answer
        if method == "predict_proba":
            return both_classes(answer)
        indices = np.argmax(answer, axis=1) if answer.ndim > 1 else (answer > 0.5).astype(np.int64)
        return label(self.schema.classes, indices)

    def _explain(self, inputs: dict[str, Array]) -> dict[str, Array]:
        with xgboost.config_context(verbosity=0):
            matrix = self._matrix(inputs)
            parts = self._booster.predict(
                matrix, pred_contribs=True, strict_shape=True, iteration_range=(0, self._iterations)
            )
        return split_base(parts)
