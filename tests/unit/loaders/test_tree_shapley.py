"""Shapley values of trees, against the definition itself: every subset of features, one by one."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from strongroom.loaders.skops_trees import trees_of
from strongroom.loaders.tensor import Array

WIDTH = 4


def expected(tree: Any, row: Array, known: set[int], node: int = 0) -> Array:
    """Return what a tree answers if only some features are known: the definition of the method."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        answer: Array = tree.value[node, 0, :]
        return answer
    feature = tree.feature[node]
    if feature in known:
        is_left = np.float32(row[feature]) <= tree.threshold[node]
        return expected(tree, row, known, left if is_left else right)
    cover = tree.weighted_n_node_samples
    both: Array = (
        cover[left] * expected(tree, row, known, left) + cover[right] * expected(tree, row, known, right)
    ) / cover[node]
    return both


def shapley(tree: Any, row: Array) -> Array:
    """Return [features, outputs] by going through all subsets."""
    found = []
    for feature in range(WIDTH):
        others = [other for other in range(WIDTH) if other != feature]
        total: Any = 0.0
        for size in range(WIDTH):
            weight = math.factorial(size) * math.factorial(WIDTH - 1 - size) / math.factorial(WIDTH)
            for subset in itertools.combinations(others, size):
                gain = expected(tree, row, {*subset, feature}) - expected(tree, row, set(subset))
                total = total + weight * gain
        found.append(total)
    return np.stack(found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_values_are_those_of_the_definition(seed: int, depth: int) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(80, WIDTH))
    target = rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2])
    model = DecisionTreeRegressor(max_depth=depth, random_state=0)
    model.fit(rows, target, sample_weight=chance.random(80))
    ensemble = trees_of(model)
    assert ensemble is not None
    contributions, base = ensemble.explain(rows[:6])
    for place in range(6):
        assert np.allclose(contributions[place].T, shapley(model.tree_, rows[place]), atol=1e-10)
    assert np.allclose(base + contributions.sum(axis=2)[:, 0], model.predict(rows[:6]))


def test_each_class_has_values_of_its_own() -> None:
    chance = np.random.default_rng(5)
    rows = chance.normal(size=(90, WIDTH))
    model = DecisionTreeClassifier(max_depth=4).fit(rows, chance.integers(0, 3, 90))
    ensemble = trees_of(model)
    assert ensemble is not None
    contributions, _ = ensemble.explain(rows[:5])
    assert contributions.shape == (5, 3, WIDTH)
    for place in range(5):
        assert np.allclose(contributions[place].T, shapley(model.tree_, rows[place]), atol=1e-10)


def test_a_tree_of_one_leaf_is_its_base_value() -> None:
    rows = np.zeros((3, WIDTH))
    ensemble = trees_of(DecisionTreeRegressor().fit(rows, np.full(3, 7.0)))
    assert ensemble is not None
    contributions, base = ensemble.explain(rows)
    assert not contributions.any()
    assert base.tolist() == [7.0]


def test_many_rows_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(50, WIDTH))
    ensemble = trees_of(DecisionTreeRegressor().fit(rows, rows[:, 0] ** 2))
    assert ensemble is not None
    whole, _ = ensemble.explain(rows)
    monkeypatch.setattr("strongroom.loaders.tree_shapley._MAX_CELLS", 1)
    pieces, _ = ensemble.explain(rows)
    assert np.allclose(whole, pieces, atol=1e-15)


def test_a_branch_that_no_row_of_the_training_took_keeps_the_sum() -> None:
    chance = np.random.default_rng(4)
    rows = chance.normal(size=(60, WIDTH))
    weights = np.where(rows[:, 0] > 0, 0.0, 1.0)
    model = DecisionTreeRegressor(max_depth=5).fit(rows, rows[:, 0] + rows[:, 1], sample_weight=weights)
    ensemble = trees_of(model)
    assert ensemble is not None
    contributions, base = ensemble.explain(rows)
    assert np.isfinite(contributions).all()
    assert np.allclose(base + contributions.sum(axis=2)[:, 0], model.predict(rows))
