"""Checks a loaded scikit-learn model before it meets its first row: trees, and ways to a file.

    verify_bounds(model)

scikit-learn walks its trees in native code and follows their indices without looking:
a hand-made tree makes it read past its memory, or circle for ever. skops therefore
does not trust these types, our list does, and this file pays for it: every child must
lie behind its parent and inside the array, every feature must exist, every leaf of a
neighbor index must lie inside the data. Other native code of scikit-learn (libsvm
and the like) is not checked; the worker's walls are what holds there. A text vectorizer
can take its input for the names of files, and a cache can write some: neither may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.feature_extraction.text import _VectorizerMixin
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from strongroom.errors import FormatError
from strongroom.loaders.tensor import Array

_BITSET_WORDS: Final = 8


def verify_bounds(model: Any) -> None:
    """Check every part that is reachable from the model.

    Raises:
        FormatError: an index of a tree leads out of it (``model-bounds``), or a part reads or
            writes files (``model-files``).
    """
    for part in _parts(model):
        _verify_fileless(part)
        # Unfitted estimators are parts of fitted ones: a forest keeps its pattern.
        if isinstance(part, Tree):
            _verify_tree(part)
        elif isinstance(part, BaseDecisionTree) and hasattr(part, "tree_"):
            _require(part.tree_.n_features == part.n_features_in_)
        elif isinstance(part, BaseGradientBoosting) and hasattr(part, "estimators_"):
            _require(all(each.n_features_in_ == part.n_features_in_ for each in part.estimators_.flat))
        elif isinstance(part, BaseHistGradientBoosting) and hasattr(part, "_predictors"):
            _verify_histogram_trees(part)
        elif isinstance(part, KDTree | BallTree):
            _verify_neighbors(part)


def _verify_fileless(part: Any) -> None:
    reads = isinstance(part, _VectorizerMixin) and getattr(part, "input", None) != "content"
    if reads or (isinstance(part, BaseEstimator) and getattr(part, "memory", None) is not None):
        raise FormatError(
            f"a {type(part).__name__} of the model works with files",
            code="model-files",
            hint='use input="content" and memory=None, and fit the model again',
        )


def _parts(model: Any) -> Iterator[Any]:
    """Yield every object below the model once: attributes, members of containers and of object arrays."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | type):
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_members(part))


def _members(part: Any) -> Iterable[Any]:
    if isinstance(part, np.ndarray):
        return list(part.flat) if part.dtype == object else ()
    if isinstance(part, dict):
        return [*part.keys(), *part.values()]
    if isinstance(part, list | tuple | set | frozenset):
        return list(part)
    return list(vars(part).values()) if hasattr(part, "__dict__") else ()


def _verify_tree(tree: Any) -> None:
    _require(0 < tree.node_count <= tree.capacity and min(tree.value.shape) > 0)
    left, right = tree.children_left, tree.children_right
    inner = (left != -1) | (right != -1)
    _verify_children(left, right, inner)
    _verify_range(tree.feature[inner], tree.n_features)


def _verify_histogram_trees(model: Any) -> None:
    categorical = model.is_categorical_
    for predictor in (part for part in _parts(model._predictors) if isinstance(part, TreePredictor)):
        nodes = predictor.nodes
        inner = nodes["is_leaf"] == 0
        _require(len(nodes) > 0)
        _verify_children(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner)
        _verify_range(nodes["feature_idx"][inner], model._n_features)
        by_category = nodes[inner & (nodes["is_categorical"] != 0)]
        if len(by_category):
            _require(categorical is not None and bool(np.all(categorical[by_category["feature_idx"]])))
            _verify_range(by_category["bitset_idx"], len(predictor.raw_left_cat_bitsets))
            _require(predictor.raw_left_cat_bitsets.shape[1:] == (_BITSET_WORDS,))


def _verify_children(left: Array, right: Array, inner: Array) -> None:
    # A child always stands behind its parent, so no walk can turn back.
    places = np.arange(len(left))[inner]
    for children in (left[inner], right[inner]):
        _require(bool(np.all(children > places)) and bool(np.all(children < len(left))))


def _verify_neighbors(tree: Any) -> None:
    data, order, nodes, bounds = (np.asarray(array) for array in tree.get_arrays())
    _require(len(order) == len(data) and len(nodes) > 0)
    _verify_range(order, len(data))
    _require(bool(np.all(nodes["idx_start"] >= 0)) and bool(np.all(nodes["idx_end"] <= len(data))))
    _require(bool(np.all(nodes["idx_start"] <= nodes["idx_end"])))
    _require(bounds.ndim == 3 and bounds.shape[1:] == (len(nodes), data.shape[1]))
    # Node i has its children at 2 i + 1 and 2 i + 2.
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    _require(bool(np.all(2 * inner + 2 < len(nodes))))


def _verify_range(indices: Array, end: int) -> None:
    _require(bool(np.all(indices >= 0)) and bool(np.all(indices < end)))


def _require(holds: bool) -> None:
    if not holds:
        raise FormatError("a tree of the model has an index that leads out of it", code="model-bounds")
