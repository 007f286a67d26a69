"""Trees of scikit-learn for ``tree_shapley``: decision trees, forests and both kinds of boosting.

    ensemble = trees_of(estimator)                  # None: not one of these, or not exactly
    ensemble.explain(rows)                          # [rows, scores, features], base [scores]

A forest and a tree are explained in units of what they average: a probability, or what a
regression answers; boosting in units of its decision function. Trees with several targets,
boosting that begins with another model, and histogram boosting with categories are not
explained: there, the mapping of features is not ours to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from strongroom.loaders.tensor import Array
from strongroom.loaders.tree_shapley import Paths

_SINGLE: Final = frozenset(
    {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}
)
_FORESTS: Final = frozenset(
    {"ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"}
)
_BOOSTED: Final = frozenset({"GradientBoostingClassifier", "GradientBoostingRegressor"})
_HISTOGRAM: Final = frozenset({"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"})
_CONSTANT: Final = frozenset({"DummyClassifier", "DummyRegressor"})


class _Tree(Protocol):
    paths: Paths

    def goes_left(self, rows: Array) -> Array:
        """Return [rows, nodes]: whether each row would go left."""
        ...


@dataclass(frozen=True, slots=True)
class TreeEnsemble:
    """Trees whose answers add up to the scores."""

    trees: Sequence[tuple[_Tree, Sequence[int]]]
    """Each with the scores that its outputs are added to."""
    base: Array
    """[scores]: what the sum begins with."""
    scale: float
    """With what each tree is multiplied."""
    width: int

    def explain(self, rows: Any) -> tuple[Array, Array]:
        """Return contributions [rows, scores, features] and base values [scores]."""
        rows = rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
        total = np.zeros((len(rows), len(self.base), self.width))
        base = self.base.astype(np.float64)
        for tree, scores in self.trees:
            places = list(scores)
            found = tree.paths.explain(tree.goes_left(rows))
            # The last outputs are those that count: of two classes, the second.
            total[:, places, :] += self.scale * found.transpose(0, 2, 1)
            base[places] += self.scale * tree.paths.base
        return total, base


def kind_of(part: Any) -> str:
    """Return the name of an estimator's class if scikit-learn itself defines it, else nothing.

    By name, because the places of the classes change from release to release.
    """
    kind = type(part)
    return kind.__name__ if kind.__module__.partition(".")[0] == "sklearn" else ""


def trees_of(model: Any) -> TreeEnsemble | None:
    """Return the trees of an estimator; None if it has none that can be explained exactly."""
    kind, width = kind_of(model), getattr(model, "n_features_in_", 0)
    if kind in _SINGLE and model.n_outputs_ == 1:
        return _averaged([model], width)
    if kind in _FORESTS and model.n_outputs_ == 1:
        return _averaged(model.estimators_, width)
    if kind in _BOOSTED:
        return _boosted(model, width)
    if kind in _HISTOGRAM and model.is_categorical_ is None:
        return _histogram(model, width)
    return None


class _PlainTree:
    """The tree of ``sklearn.tree``."""

    def __init__(self, tree: Any, values: Array) -> None:
        self._feature = np.maximum(tree.feature, 0)
        self._threshold = tree.threshold
        missing = getattr(tree, "missing_go_to_left", None)
        self._missing_left = np.zeros(tree.node_count, bool) if missing is None else missing.astype(bool)
        self.paths = Paths.of(
            tree.children_left,
            tree.children_right,
            tree.feature,
            tree.weighted_n_node_samples,
            values,
            tree.n_features,
        )

    def goes_left(self, rows: Array) -> Array:
        # In single precision, as the library compares.
        return _compared(rows.astype(np.float32)[:, self._feature], self._threshold, self._missing_left)


class _HistogramTree:
    """The tree of histogram boosting, without categories."""

    def __init__(self, nodes: Any, width: int) -> None:
        self._feature = np.where(nodes["is_leaf"] != 0, 0, nodes["feature_idx"])
        self._threshold = nodes["num_threshold"]
        self._missing_left = nodes["missing_go_to_left"].astype(bool)
        is_leaf = nodes["is_leaf"] != 0
        self.paths = Paths.of(
            np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
            np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
            nodes["feature_idx"],
            nodes["count"],
            nodes["value"][:, np.newaxis],
            width,
        )

    def goes_left(self, rows: Array) -> Array:
        return _compared(rows.astype(np.float64)[:, self._feature], self._threshold, self._missing_left)


def _compared(seen: Array, threshold: Array, missing_left: Array) -> Array:
    return np.where(np.isnan(seen), missing_left, seen <= threshold)


def _averaged(estimators: Sequence[Any], width: int) -> TreeEnsemble:
    trees = []
    count = 1
    for each in estimators:
        values = each.tree_.value[:, 0, :]
        if hasattr(each, "classes_"):
            # Old releases keep counts, new ones parts.
            values = values / values.sum(axis=1, keepdims=True)
            if values.shape[1] == 2:
                values = values[:, 1:]
        count = values.shape[1]
        trees.append((_PlainTree(each.tree_, values), range(count)))
    return TreeEnsemble(trees, np.zeros(count), 1 / len(trees), width)


def _boosted(model: Any, width: int) -> TreeEnsemble | None:
    first = model.init_
    if not isinstance(first, str) and kind_of(first) not in _CONSTANT:
        return None
    count = model.estimators_.shape[1]
    begin = np.asarray(model._raw_predict_init(np.zeros((1, width), np.float32)), np.float64).reshape(-1)
    trees = [
        (_PlainTree(each.tree_, each.tree_.value[:, 0, :]), (score,))
        for stage in model.estimators_
        for score, each in enumerate(stage)
    ]
    return TreeEnsemble(trees, np.resize(begin, count), float(model.learning_rate), width)


def _histogram(model: Any, width: int) -> TreeEnsemble:
    trees = [
        (_HistogramTree(each.nodes, width), (score,))
        for stage in model._predictors
        for score, each in enumerate(stage)
    ]
    return TreeEnsemble(trees, np.asarray(model._baseline_prediction, np.float64).reshape(-1), 1.0, width)
