"""Base values and contributions add up to what the model itself scores, or the model does not explain."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from strongroom.errors import UnsupportedError
from strongroom.loaders.interface import BASE_VALUES, CONTRIBUTIONS
from strongroom.loaders.skops_explain import explainer_of
from strongroom.loaders.tensor import Array
from tests.unit.intake import models

Logistic = partial(LogisticRegression, max_iter=1000)
CHANCE = np.random.default_rng(11)
ROWS = CHANCE.normal(size=(150, 5))
AMOUNT = ROWS[:, 0] - 2 * ROWS[:, 1] * ROWS[:, 2]
TWO = np.where(AMOUNT > 0, "yes", "no")
THREE = np.digitize(AMOUNT, [-1, 1])


def explained(model: Any, rows: Any) -> tuple[Array, Array]:
    """Return contributions and the sum of all with the base."""
    explainer = explainer_of(model, np.shape(rows)[1])
    assert explainer is not None
    answer = explainer.explain(rows)
    contributions = answer[CONTRIBUTIONS]
    return contributions, np.broadcast_to(answer[BASE_VALUES], contributions.shape[:2]) + contributions.sum(
        axis=2
    )


def score(model: Any, rows: Any) -> Array:
    """Return the raw score of the library, [rows, scores]."""
    if hasattr(model, "decision_function"):
        found = model.decision_function(rows)
    elif hasattr(model, "predict_proba"):
        found = model.predict_proba(rows)
        found = found[:, 1:] if found.shape[1] == 2 else found
    else:
        found = model.predict(rows)
    whole: Array = np.asarray(found, float).reshape(len(rows), -1)
    return whole


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        Ridge(),
        Lasso(alpha=0.01),
        ElasticNet(alpha=0.01, fit_intercept=False),
        SGDRegressor(),
        LinearSVR(),
        RandomForestRegressor(5, max_depth=6),
        ExtraTreesRegressor(5),
        GradientBoostingRegressor(n_estimators=10),
        GradientBoostingRegressor(n_estimators=3, init="zero"),
        HistGradientBoostingRegressor(max_iter=5),
        make_pipeline(StandardScaler(), SelectKBest(f_regression, k=3), Ridge()),
        make_pipeline(FunctionTransformer(), "passthrough", Ridge()),
        GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_regression_adds_up(model: Any) -> None:
    model.fit(ROWS, AMOUNT)
    contributions, total = explained(model, ROWS[:20])
    assert contributions.shape == (20, 1, 5)
    assert np.allclose(total, score(model, ROWS[:20]), atol=1e-9)


@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        RidgeClassifier(),
        LinearSVC(),
        SGDClassifier(),
        DecisionTreeClassifier(max_depth=4),
        ExtraTreeClassifier(),
        RandomForestClassifier(5),
        GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_classifier_adds_up(model: Any, target: Any) -> None:
    model.fit(ROWS, target)
    contributions, total = explained(model, ROWS[:20])
    assert contributions.shape == (20, 1 if target is TWO else 3, 5)
    assert np.allclose(total, score(model, ROWS[:20]), atol=1e-9)


@pytest.mark.parametrize("kind", [Logistic, RandomForestClassifier])
def test_derived_features_are_added_up_by_column(kind: Any) -> None:
    frame = models.table()
    columns = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
                ["bmi", "age"],
            ),
            ("text", OneHotEncoder(handle_unknown="ignore"), ["ward"]),
            ("again", "passthrough", ["age"]),
            ("none", "drop", ["smoker"]),
        ]
    )
    model = make_pipeline(columns, kind()).fit(frame, models.outcome(frame))
    contributions, total = explained(model, frame)
    assert contributions.shape == (len(frame), 1, 4)
    assert np.allclose(total, score(model, frame), atol=1e-9)
    # The column that is dropped has no part in it.
    assert not contributions[:, :, 3].any()
    if kind is Logistic:
        ward = model[-1].coef_[0, 3:-1] @ columns.fit_transform(frame)[:, 3:-1].T
        assert np.allclose(contributions[:, 0, 2], ward)


def test_missing_values_go_where_the_tree_sends_them() -> None:
    rows = ROWS.copy()
    rows[::3, 1] = np.nan
    for model in (HistGradientBoostingClassifier(max_iter=5), DecisionTreeClassifier(max_depth=5)):
        model.fit(rows, TWO)
        _, total = explained(model, rows)
        assert np.allclose(total, score(model, rows))


def test_what_the_model_refuses_is_not_explained() -> None:
    model = Ridge().fit(ROWS, AMOUNT)
    explainer = explainer_of(model, 5)
    assert explainer is not None
    with pytest.raises(ValueError, match="NaN"):
        explainer.explain(np.full((1, 5), np.nan))


EMPTY = np.where(np.arange(5) == 2, np.nan, ROWS)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(PCA(2), Ridge()),
        make_pipeline(PCA(2), StandardScaler(), Ridge()),
        make_pipeline(PolynomialFeatures(2), Ridge()),
        make_pipeline(FunctionTransformer(np.abs), Ridge()),
        make_pipeline(make_pipeline(PCA(2), StandardScaler()), Ridge()),
        make_pipeline(ColumnTransformer([("a", PCA(1), [0, 1])]), Ridge()),
        PoissonRegressor(),
        GradientBoostingRegressor(n_estimators=2, init=Ridge()),
        HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]),
    ],
    ids=str,
)
def test_what_mixes_columns_is_not_explained(model: Any) -> None:
    rows = np.abs(np.round(ROWS))
    model.fit(rows, np.abs(AMOUNT))
    assert explainer_of(model, 5) is None


def test_several_targets_are_not_explained() -> None:
    targets = np.stack([AMOUNT, -AMOUNT], axis=1)
    assert explainer_of(Ridge().fit(ROWS, targets), 5) is None
    assert explainer_of(RandomForestRegressor(2).fit(ROWS, targets), 5) is None


def test_other_models_are_not_explained() -> None:
    rows, labels = load_iris(return_X_y=True)
    for model in (KNeighborsClassifier(), DummyClassifier()):
        assert explainer_of(model.fit(rows, labels), 4) is None


def test_a_column_that_was_empty_is_nobodys() -> None:
    model = make_pipeline(SimpleImputer(keep_empty_features=False), Ridge())
    with pytest.warns(UserWarning, match="Skipping features"):
        model.fit(EMPTY, AMOUNT)
    assert explainer_of(model, 5) is None


def test_another_number_of_columns_is_not_explained() -> None:
    assert explainer_of(make_pipeline(StandardScaler(), Ridge()).fit(ROWS, AMOUNT), 4) is None


def test_features_that_were_not_foreseen_are_refused() -> None:
    model = make_pipeline(StandardScaler(), Ridge()).fit(ROWS, AMOUNT)
    explainer = explainer_of(model, 5)
    assert explainer is not None

    class Wider:
        def transform(self, rows: Any) -> Any:
            return np.hstack([rows, rows])

    object.__setattr__(explainer, "steps", (Wider(),))
    with pytest.raises(UnsupportedError) as raised:
        explainer.explain(ROWS)
    assert raised.value.code == "explain-missing"


def test_a_table_is_explained_as_a_table() -> None:
    frame = pd.DataFrame(ROWS, columns=list("abcde"))
    model = HistGradientBoostingRegressor(max_iter=3).fit(frame, AMOUNT)
    _, total = explained(model, frame)
    assert np.allclose(total, score(model, frame))
