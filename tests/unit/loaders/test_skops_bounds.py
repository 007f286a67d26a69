"""Every kind of tree that scikit-learn walks in native code passes when it is sound, and only then.

The tampered ones are in ``tests/attacks/test_intake.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from strongroom.errors import FormatError
from strongroom.loaders.skops_bounds import verify_bounds
from tests.unit.intake import models

SOUND = [
    AdaBoostClassifier(n_estimators=2),
    BaggingClassifier(n_estimators=2, max_features=5),
    DecisionTreeClassifier(max_leaf_nodes=5),
    DecisionTreeRegressor(max_depth=0 + 1),
    ExtraTreesRegressor(2),
    GradientBoostingClassifier(n_estimators=2),
    GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2),
    HistGradientBoostingClassifier(max_iter=2),
    IsolationForest(n_estimators=3, max_features=3),
    KNeighborsClassifier(algorithm="kd_tree"),
    KNeighborsClassifier(algorithm="ball_tree", leaf_size=1),
    KNeighborsClassifier(algorithm="brute"),
    LocalOutlierFactor(novelty=True),
    RandomForestRegressor(2),
    RandomTreesEmbedding(2),
]


@pytest.mark.parametrize("model", SOUND, ids=lambda model: type(model).__name__)
def test_sound_models_pass(model: Any) -> None:
    rows, labels = models.matrix()
    verify_bounds(model.fit(rows[:150], labels[:150]))


def test_sound_trees_with_categories_pass() -> None:
    rows = np.column_stack([np.arange(200) % 7, np.arange(200.0)])
    labels = (rows[:, 0] % 2 == 0).astype(int)
    verify_bounds(HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]).fit(rows, labels))


def test_a_model_without_trees_and_one_that_refers_to_itself_pass() -> None:
    verify_bounds(models.logistic())
    circle: dict[str, Any] = {"numbers": np.arange(3), "objects": np.array([None, "a"], dtype=object)}
    circle["self"] = [circle, (circle,), {"x"}]
    verify_bounds(circle)


def test_a_tree_for_more_features_than_its_model_checks_is_refused() -> None:
    rows, labels = models.matrix()
    tree = DecisionTreeClassifier().fit(rows, labels)
    tree.n_features_in_ = 3
    with pytest.raises(FormatError):
        verify_bounds(tree)
    boosted = GradientBoostingClassifier(n_estimators=1).fit(rows, labels)
    boosted.n_features_in_ = 3
    with pytest.raises(FormatError):
        verify_bounds(boosted)
    histogram = HistGradientBoostingClassifier(max_iter=1).fit(rows, labels)
    histogram._predictors[0][0].nodes = histogram._predictors[0][0].nodes[:0]
    with pytest.raises(FormatError):
        verify_bounds(histogram)
