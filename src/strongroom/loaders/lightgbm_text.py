r"""Reads the text of a LightGBM model as far as it takes to know that no number leads out of it.

    text = read_text(b"tree\nversion=v4\n...")
    text.width, text.scores, text.categories

The native reader believes every count, offset and index in the text; a changed one makes it
read past its memory, or walk in a circle for ever. Here every array must have the length
that its tree states, and every child must lie behind its parent. What follows the trees
(importances, parameters of the training with names of files) is not passed on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from strongroom.errors import FormatError
from strongroom.loaders.tensor import Array

HEAD: Final = b"tree\nversion="
"""How the text of every LightGBM model begins."""
_END: Final = "end of trees"
_CATEGORIES: Final = "pandas_categorical:"
_MAX_LEAVES: Final = 131_072
"""LightGBM grows no larger tree."""


@dataclass(frozen=True, slots=True)
class Text:
    """A model whose numbers were checked."""

    trees: str
    """The text without anything behind its trees."""
    width: int
    """How many columns a row has."""
    scores: int
    """How many scores a row gets: one for each class, or only one."""
    columns: tuple[str, ...]
    objective: str
    """The first word of what it was trained for; empty for an objective of its own."""
    categories: tuple[tuple[Any, ...], ...]
    """The categories of each column of pandas that was one."""


def read_text(data: bytes) -> Text:
    """Read and check a model.

    Raises:
        FormatError: no text of a LightGBM model (``model-unreadable``), or a number in it that leads
            out of the model (``model-bounds``).
    """
    try:
        return _read(data)
    except (ValueError, KeyError, IndexError, OverflowError, TypeError, RecursionError) as error:
        raise _unreadable() from error


def _read(data: bytes) -> Text:
    text = data.decode()
    end = text.find(f"\n{_END}") + 1
    if not data.startswith(HEAD) or end == 0 or "\0" in text or "\r" in text:
        raise _unreadable()
    first = text.find("\nTree=")
    start = end if first < 0 else first + 1
    head = _entries(text[:start])
    width, scores = int(head["max_feature_idx"]) + 1, int(head["num_tree_per_iteration"])
    columns = head["feature_names"].split(" ")
    _require(0 < width == len(columns) == len(head["feature_infos"].split(" ")))
    places = [*_starts(text, start, end), end]
    _require(0 < scores <= max(1, len(places) - 1) and int(head["num_class"]) == scores)
    _require((len(places) - 1) % scores == 0)
    objective = head.get("objective", "").split(" ")
    _require(all(int(each[10:]) == scores for each in objective if each.startswith("num_class:")))
    sizes = [int(size) for size in head.get("tree_sizes", "").split()]
    # The native reader finds its trees by these sizes, on several threads.
    _require(not sizes or sizes == [after - before for before, after in pairwise(places)])
    for before, after in pairwise(places):
        _verify_tree(_entries(text[before:after]), width)
    return Text(
        text[:end] + _END + "\n", width, scores, tuple(columns), objective[0], _categories(text[end:])
    )


def _starts(text: str, start: int, end: int) -> list[int]:
    places = []
    while start < end:
        places.append(start)
        start = text.find("\nTree=", start, end) + 1 or end
    return places


def _entries(block: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.split("\n"):
        key, _, value = line.partition("=")
        # Which of two lines with one name counts is the reader's secret.
        _require(not line or key not in found)
        found[key] = value
    return found


def _categories(tail: str) -> tuple[tuple[Any, ...], ...]:
    _, found, rest = tail.rpartition(f"\n{_CATEGORIES}")
    listed = json.loads(rest.partition("\n")[0]) if found else None
    return tuple(tuple(categories) for categories in listed or ())


def _verify_tree(tree: dict[str, str], width: int) -> None:
    leaves = int(tree["num_leaves"])
    _require(1 <= leaves <= _MAX_LEAVES)
    _require(len(_floats(tree, "leaf_value")) == leaves)
    if leaves > 1:
        _verify_splits(tree, leaves, width)
    if int(tree.get("is_linear", "0")):
        _verify_linear(tree, leaves, width)


def _verify_splits(tree: dict[str, str], leaves: int, width: int) -> None:
    inner = leaves - 1
    features, kinds = _whole(tree, "split_feature"), _whole(tree, "decision_type")
    thresholds = _floats(tree, "threshold")
    left, right = _whole(tree, "left_child"), _whole(tree, "right_child")
    _require(all(len(each) == inner for each in (features, kinds, thresholds, left, right)))
    for key in ("split_gain", "internal_value", "internal_weight", "internal_count"):
        _require(key not in tree or len(_floats(tree, key)) == inner)
    for key in ("leaf_weight", "leaf_count"):
        _require(not tree.get(key) or len(_floats(tree, key)) == leaves)
    _verify_range(features, width)
    places = np.arange(inner)
    for children in (left, right):
        # A leaf stands as the complement of its number.
        _verify_range(np.where(children < 0, ~children, 0), leaves)
        _verify_range(children[children >= 0], inner)
        _require(bool(np.all((children < 0) | (children > places))))
    _verify_categories(tree, thresholds[(kinds & 1) == 1])


def _verify_categories(tree: dict[str, str], thresholds: Array) -> None:
    count = int(tree["num_cat"])
    if count == 0:
        _require(not len(thresholds))
        return
    bounds = _whole(tree, "cat_boundaries")
    _require(len(bounds) == count + 1 and bounds[0] == 0 and bool(np.all(np.diff(bounds) >= 0)))
    _require(len(_whole(tree, "cat_threshold")) == bounds[-1])
    _require(bool(np.all(thresholds == np.floor(thresholds))))
    _verify_range(thresholds, count)


def _verify_linear(tree: dict[str, str], leaves: int, width: int) -> None:
    counts = _whole(tree, "num_features")
    _require(len(_floats(tree, "leaf_const")) == len(counts) == leaves and bool(np.all(counts >= 0)))
    features = _whole(tree, "leaf_features")
    _require(len(features) == len(_floats(tree, "leaf_coeff")) == counts.sum())
    _verify_range(features, width)


def _whole(tree: dict[str, str], key: str) -> Array:
    return np.array(tree[key].split(), np.int64)


def _floats(tree: dict[str, str], key: str) -> Array:
    return np.array(tree[key].split(), np.float64)


def _verify_range(numbers: Array, end: int) -> None:
    _require(bool(np.all((numbers >= 0) & (numbers < end))))


def _require(holds: bool) -> None:
    if not holds:
        raise FormatError("a tree of the model has a number that leads out of it", code="model-bounds")


def _unreadable() -> FormatError:
    return FormatError("not the text of a LightGBM model", code="model-unreadable")
