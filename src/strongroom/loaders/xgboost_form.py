r"""Reads an XGBoost model as far as it takes to know that no number leads out of its trees.

    form = read_form(b'{"learner":{...},"version":[3,2,0]}')
    form.width, form.scores, form.columns

Both forms hold the same document; JSON is read by Python's library, UBJSON by
``xgboost_ubj``. XGBoost follows children and columns without looking. Every array must have as
many members as its tree states nodes, no node may be reached in two ways, and no column may
lie beyond the width of the model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from strongroom.errors import FormatError
from strongroom.loaders.tensor import Array
from strongroom.loaders.xgboost_ubj import read_ubj

_MAX_WIDTH: Final = 1 << 20
_MAX_SCORES: Final = 1 << 16
_TREES: Final = ("gbtree", "dart")
_NODE_ARRAYS: Final = (
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "default_left",
    "split_type",
    "loss_changes",
    "sum_hessian",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A model whose numbers were checked."""

    width: int
    """How many columns a row has."""
    scores: int
    """How many scores a row gets: one for each class, or only one."""
    iterations: int
    """How many rounds of trees it has."""
    columns: tuple[str, ...]
    types: tuple[str, ...]
    objective: str
    has_categories: bool
    """Whether the categories of a table stand in the model."""


def read_form(data: bytes) -> Form:
    """Read and check a model.

    Raises:
        FormatError: no model of XGBoost (``model-unreadable``), or a number in it that leads out of
            the model (``model-bounds``).
    """
    try:
        # A JSON document has a quotation mark or space here, UBJSON the type of a length.
        is_json = data[:1] == b"{" and data[1:2] in b'" \t\r\n'
        return _read(json.loads(data) if is_json else read_ubj(data))
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
        raise FormatError("not a model of XGBoost", code="model-unreadable") from error


def _read(document: dict[str, Any]) -> Form:
    learner = document["learner"]
    stated = learner["learner_model_param"]
    width, classes = int(stated["num_feature"]), int(stated["num_class"])
    scores = max(1, classes, int(stated.get("num_target", 1)))
    _require(0 < width <= _MAX_WIDTH and classes >= 0 and scores <= _MAX_SCORES)
    _require(classes < 2 or int(stated.get("num_target", 1)) == 1)
    columns, types = tuple(learner.get("feature_names", ())), tuple(learner.get("feature_types", ()))
    _require(len(columns) in (0, width) and len(types) in (0, width))
    booster = learner["gradient_booster"]
    if booster["name"] not in _TREES:
        raise FormatError(
            "the model holds no trees",
            code="model-unreadable",
            hint='only boosters "gbtree" and "dart" can be loaded',
        )
    trees = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    categories = trees.get("cats", {}).get("enc", ())
    iterations = _verify_trees(trees, width, scores)
    _require("weight_drop" not in booster or len(booster["weight_drop"]) == len(trees["trees"]))
    return Form(
        width,
        scores,
        iterations,
        columns,
        types,
        str(learner["objective"]["name"]),
        any(len(each["values"]) > 0 for each in categories),
    )


def _verify_trees(model: dict[str, Any], width: int, scores: int) -> int:
    trees, groups = model["trees"], _whole(model["tree_info"])
    stated = model["gbtree_model_param"]
    _require(int(stated["num_trees"]) == len(trees) == len(groups))
    _verify_range(groups, scores)
    ends = _whole(model.get("iteration_indptr", ()))
    # Old files have no such array; XGBoost makes it from the number of trees in a round.
    together = scores * max(1, int(stated.get("num_parallel_tree", 1)))
    if len(ends):
        _require(ends[0] == 0 and ends[-1] == len(trees) and bool(np.all(np.diff(ends) > 0)))
    for tree in trees:
        _verify_tree(tree, width)
    return len(ends) - 1 if len(ends) else len(trees) // together


def _verify_tree(tree: dict[str, Any], width: int) -> None:
    stated = tree["tree_param"]
    nodes, leaf = int(stated["num_nodes"]), int(stated.get("size_leaf_vector", 1))
    if leaf > 1:
        raise FormatError(
            "trees with several scores in one leaf cannot be loaded",
            code="model-unreadable",
            hint='fit the model with multi_strategy="one_output_per_tree"',
        )
    left, right = _whole(tree["left_children"]), _whole(tree["right_children"])
    _require(nodes > 0 and len(left) == len(tree["base_weights"]) == nodes)
    _require(all(len(tree[key]) == nodes for key in _NODE_ARRAYS if key in tree))
    _require(int(stated["num_feature"]) in (0, width))
    inner = left != -1
    _require(bool(np.all(inner == (right != -1))))
    children = np.concatenate([left[inner], right[inner]])
    # The root is nobody's child, and no node is the child of two: so no walk can turn back.
    _require(bool(np.all((children > 0) & (children < nodes))) and len(np.unique(children)) == len(children))
    _verify_range(_whole(tree["split_indices"])[inner], width)
    _verify_categories(tree, nodes)


def _verify_categories(tree: dict[str, Any], nodes: int) -> None:
    kinds = _whole(tree.get("split_type", ()))
    _verify_range(kinds, 2)
    named, starts, sizes, members = (
        _whole(tree.get(key, ()))
        for key in ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    )
    _require(len(named) == len(starts) == len(sizes))
    _verify_range(named, nodes)
    _require(bool(np.all(np.diff(named) > 0)))
    inner = _whole(tree["left_children"]) != -1
    split = np.flatnonzero((kinds == 1) & inner) if len(kinds) else np.array([], np.int64)
    _require(set(split.tolist()) == set(named.tolist()))
    _require(bool(np.all((starts >= 0) & (sizes > 0) & (starts + sizes <= len(members)))))
    # XGBoost makes a field of bits as long as the largest code.
    _verify_range(members, 1 << 24)


def _whole(numbers: Any) -> Array:
    array = np.asarray(numbers)
    _require(array.ndim == 1 and (array.dtype.kind in "iub" or not len(array)))
    return array.astype(np.int64)


def _verify_range(numbers: Array, end: int) -> None:
    _require(bool(np.all((numbers >= 0) & (numbers < end))))


def _require(holds: bool) -> None:
    if not holds:
        raise FormatError("a tree of the model has a number that leads out of it", code="model-bounds")
