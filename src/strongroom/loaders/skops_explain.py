"""Contributions of scikit-learn's models to their raw score, where they are exact.

    explainer = explainer_of(model, columns=30)     # None: nothing exact can be said of this model
    explainer.explain(rows)                         # contributions and base values, as the seam names them

* Linear models: coefficient times value, and the intercept as base value.
* Trees, forests, boosting: Shapley values (``tree_shapley``).

Before either of them may stand steps whose every output comes from one column: scaling,
imputing, encoding, selecting, and column transformers of these. What the outputs of one
column contribute is added up. Whatever mixes columns (principal components, polynomials)
has no answer here: a part of it would belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from strongroom.loaders.interface import BASE_VALUES, CONTRIBUTIONS, explain_missing
from strongroom.loaders.skops_trees import kind_of, trees_of
from strongroom.loaders.tensor import Array

_ONE_TO_ONE: Final = frozenset(
    {
        "Binarizer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "OrdinalEncoder",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    }
)
_REGRESSIONS: Final = frozenset(
    {
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lars",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LinearRegression",
        "LinearSVR",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
    }
)
_CLASSIFIERS: Final = frozenset(
    {
        "LinearDiscriminantAnalysis",
        "LinearSVC",
        "LogisticRegression",
        "LogisticRegressionCV",
        "PassiveAggressiveClassifier",
        "Perceptron",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
    }
)
_SEARCHES: Final = frozenset(
    {"GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV"}
)
_SELECTORS: Final = frozenset(
    {
        "GenericUnivariateSelect",
        "RFE",
        "RFECV",
        "SelectFdr",
        "SelectFpr",
        "SelectFromModel",
        "SelectFwe",
        "SelectKBest",
        "SelectPercentile",
        "SequentialFeatureSelector",
        "VarianceThreshold",
    }
)


class _Scoring(Protocol):
    def explain(self, rows: Any) -> tuple[Array, Array]:
        """Return contributions [rows, scores, features] and base values."""
        ...


@dataclass(frozen=True, slots=True)
class Explainer:
    """The steps before a model, the model, and which column each of its features comes from."""

    steps: tuple[Any, ...]
    model: Any
    scoring: _Scoring
    owners: Array
    columns: int

    def explain(self, rows: Any) -> dict[str, Array]:
        """Return contributions [rows, scores, columns] and base values [scores].

        Raises:
            UnsupportedError: a step gives other features than were foreseen (``explain-missing``).
            Exception: whatever the library says of these rows.
        """
        for step in self.steps:
            rows = step.transform(rows)
        rows = rows.tocsr() if _is_sparse(rows) else np.asarray(rows)
        if rows.shape[1] != len(self.owners):
            raise explain_missing("this model")
        values = rows.data if _is_sparse(rows) else rows
        if values.dtype == object or not np.isfinite(values).all():
            # Whether it takes them is for the model to say.
            self.model.predict(rows)
        contributions, base = self.scoring.explain(rows)
        return {CONTRIBUTIONS: self._by_column(contributions), BASE_VALUES: base}

    def _by_column(self, contributions: Array) -> Array:
        if np.array_equal(self.owners, np.arange(self.columns)):
            return contributions
        summed = np.zeros((*contributions.shape[:2], self.columns))
        for feature, owner in enumerate(self.owners):
            summed[:, :, owner] += contributions[:, :, feature]
        return summed


def explainer_of(model: Any, columns: int) -> Explainer | None:
    """Return what explains an estimator or a pipeline; None if nothing exact can be said of it."""
    steps: list[Any] = []
    while (kind := kind_of(model)) == "Pipeline" or kind in _SEARCHES:
        if kind != "Pipeline":
            model = model.best_estimator_
        else:
            steps += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
            model = model.steps[-1][1]
    scoring: _Scoring | None = _linear_of(model) or trees_of(model)
    owners: Array | None = np.arange(columns)
    for step in steps:
        owners = None if owners is None else _owners_after(step, owners)
    if scoring is None or owners is None or len(owners) != model.n_features_in_:
        return None
    return Explainer(tuple(steps), model, scoring, owners, columns)


@dataclass(frozen=True, slots=True)
class _Linear:
    """Coefficient times value."""

    coefficients: Array
    base: Array

    def explain(self, rows: Any) -> tuple[Array, Array]:
        dense = rows.toarray() if _is_sparse(rows) else rows
        values = dense.astype(np.float64, copy=False)
        return values[:, np.newaxis, :] * self.coefficients[np.newaxis], self.base


def _linear_of(model: Any) -> _Linear | None:
    kind = kind_of(model)
    is_classifier = kind in _CLASSIFIERS
    if not is_classifier and kind not in _REGRESSIONS:
        return None
    coefficients = np.atleast_2d(np.asarray(model.coef_, np.float64))
    classes = len(model.classes_) if is_classifier else 1
    if len(coefficients) not in ({1} if classes <= 2 else {classes}):
        return None
    return _Linear(coefficients, np.resize(np.asarray(model.intercept_, np.float64), len(coefficients)))


def _owners_after(step: Any, owners: Array) -> Array | None:
    """Return which column each output of a step comes from; None if one comes from several."""
    kind = kind_of(step)
    if kind == "Pipeline":
        found: Array | None = owners
        for _, inner in step.steps:
            found = found if found is None or inner in (None, "passthrough") else _owners_after(inner, found)
        return found
    if kind == "ColumnTransformer":
        return _of_columns(step, owners)
    if kind == "FunctionTransformer":
        return owners if step.func is None else None
    if getattr(step, "n_features_in_", None) != len(owners):
        return None
    if kind in _ONE_TO_ONE:
        return owners
    if kind == "SimpleImputer":
        return _of_imputer(step, owners)
    if kind == "OneHotEncoder":
        return np.repeat(owners, step._n_features_outs)
    return owners[step.get_support()] if kind in _SELECTORS else None


def _of_imputer(step: Any, owners: Array) -> Array | None:
    # A column that was empty in the training is left out by some releases, and kept by others.
    if any(value is None or value != value for value in step.statistics_):
        return None
    marked = [] if step.indicator_ is None else step.indicator_.features_
    return np.concatenate([owners, owners[np.asarray(marked, np.intp)]])


def _of_columns(step: Any, owners: Array) -> Array | None:
    parts = []
    for name, inner, _ in step.transformers_:
        places = np.asarray(step._transformer_to_input_indices.get(name, ()), np.intp)
        if (isinstance(inner, str) and inner == "drop") or not len(places):
            continue
        is_plain = isinstance(inner, str) and inner == "passthrough"
        found = owners[places] if is_plain else _owners_after(inner, owners[places])
        given = step.output_indices_.get(name, slice(0, 0))
        if found is None or len(found) != given.stop - given.start:
            return None
        parts.append(found)
    return np.concatenate(parts) if parts else None


def _is_sparse(rows: Any) -> bool:
    return hasattr(rows, "tocsr")
