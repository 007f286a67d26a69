"""Shapley values of decision trees: what each feature contributed to what a tree answers.

    paths = Paths.of(left, right, features, covers, values)
    base, contributions = paths.explain(goes_left)     # [outputs], [rows, features, outputs]

The method is path-dependent TreeSHAP (Lundberg et al., "From local explanations to global
understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020; algorithm 2
of arXiv:1802.03888): a feature that is not known goes both ways, in the proportion in
which the rows of the training went. The values are exact, and for each row they add up
with the base value to the answer of the tree.

It is computed leaf by leaf. With the features of a path merged, ``o`` says whether the row
goes the way of the path at a feature, ``z`` which part of the training rows did. The
Shapley weight of a set of k of m other features is the integral of t^k (1-t)^(m-k) from 0
to 1, so that all sets together are the integral of a product of z (1-t) + o t: a
polynomial, which Gauss-Legendre quadrature integrates without an error of method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import sparse

from strongroom.loaders.tensor import Array

_LEAST_PART: Final = 1e-12
"""In the place of nothing: no row of the training went there, but one may come."""
_MAX_CELLS: Final = 1 << 21
"""How many numbers of the largest array are made at once: 16 MiB."""


@dataclass(frozen=True, slots=True)
class Paths:
    """One tree as the paths to its leaves. Places are the different features of a path, padded."""

    nodes: Array
    """[leaves, steps]: the node of each step; 0 behind the end."""
    turns: Array
    """[leaves, steps]: 1 to the left, 0 to the right, 2 behind the end."""
    places: Array
    """[leaves, steps]: which place of the path the feature of the step has."""
    parts: Array
    """[leaves, places]: which part of the training rows goes on along the path; 1 behind the end."""
    weights: Any
    """Sparse [features * outputs, leaves * places]: the answers of the leaves at their features."""
    base: Array
    """[outputs]: what the tree answers where nothing is known."""
    width: int
    """The number of features."""

    @classmethod
    def of(
        cls, left: Array, right: Array, features: Array, covers: Array, values: Array, width: int
    ) -> Paths:
        """Take a tree apart.

        Args:
            left: the left child of each node; a child stands behind its parent, a leaf has none (-1).
            right: the right child of each node.
            features: which feature each node looks at.
            covers: how many rows of the training, or which weight of them, came to each node.
            values: [nodes, outputs]: what the leaves answer.
            width: the number of features.
        """
        found = list(_leaves(left, right))
        steps = max(len(path) for _, path in found)
        count = len(found)
        nodes = np.zeros((count, steps), np.intp)
        turns = np.full((count, steps), 2, np.int8)
        places = np.zeros((count, steps), np.intp)
        merged: list[dict[int, float]] = []
        for leaf, (_, path) in enumerate(found):
            seen: dict[int, float] = {}
            for step, (node, is_left) in enumerate(path):
                child = left[node] if is_left else right[node]
                feature = int(features[node])
                part = float(covers[child]) / float(covers[node]) if covers[node] > 0 else 0.0
                seen[feature] = seen.get(feature, 1.0) * part
                nodes[leaf, step], turns[leaf, step] = node, is_left
                places[leaf, step] = list(seen).index(feature)
            merged.append(seen)
        depth = max(1, *(len(seen) for seen in merged))
        parts = np.ones((count, depth))
        for leaf, seen in enumerate(merged):
            parts[leaf, : len(seen)] = np.maximum(list(seen.values()), _LEAST_PART)
        answers = values[[node for node, _ in found]].astype(np.float64)
        return cls(
            nodes=nodes,
            turns=turns,
            places=places,
            parts=parts,
            weights=_weights(merged, answers, depth, width),
            base=parts.prod(axis=1) @ answers,
            width=width,
        )

    def explain(self, goes_left: Array) -> Array:
        """Return the contributions [rows, features, outputs].

        Args:
            goes_left: [rows, nodes]: whether a row would go left at each node.
        """
        rows, outputs = len(goes_left), len(self.base)
        chunk = max(1, _MAX_CELLS // self.parts.size)
        found = [self._chunk(goes_left[start : start + chunk]) for start in range(0, rows, chunk)]
        return np.concatenate(found).reshape(rows, self.width, outputs)

    def _chunk(self, goes_left: Array) -> Array:
        follows = self._follows(goes_left)
        points, weights = np.polynomial.legendre.leggauss((self.parts.shape[1] + 1) // 2)
        total = np.zeros(follows.shape)
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            factors = self.parts * (1 - point) + follows * point
            total += weight * factors.prod(axis=2, keepdims=True) / factors
        total *= follows - self.parts
        summed: Array = self.weights @ total.reshape(len(total), -1).T
        return summed.T

    def _follows(self, goes_left: Array) -> Array:
        """Return [rows, leaves, places]: 1.0 where the row goes the way of the path at that feature."""
        follows = np.ones((len(goes_left), *self.parts.shape))
        leaves = np.arange(len(self.parts))
        for step in range(self.nodes.shape[1]):
            turns = self.turns[:, step]
            agrees = (goes_left[:, self.nodes[:, step]] == turns) | (turns == 2)
            follows[:, leaves, self.places[:, step]] *= agrees
        return follows


def _leaves(left: Array, right: Array) -> Iterator[tuple[int, tuple[tuple[int, bool], ...]]]:
    """Yield each leaf with the nodes that lead to it, and which way."""
    waiting: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(0, ())]
    while waiting:
        node, path = waiting.pop()
        if left[node] < 0:
            yield node, path
        else:
            waiting.append((int(right[node]), (*path, (node, False))))
            waiting.append((int(left[node]), (*path, (node, True))))


def _weights(merged: Sequence[dict[int, float]], answers: Array, depth: int, width: int) -> Any:
    outputs = answers.shape[1]
    owners = [
        (leaf * depth + place, leaf, feature)
        for leaf, seen in enumerate(merged)
        for place, feature in enumerate(seen)
    ]
    cells = [
        (feature * outputs + output, column) for column, _, feature in owners for output in range(outputs)
    ]
    numbers = [answers[leaf, output] for _, leaf, _ in owners for output in range(outputs)]
    lines, columns = zip(*cells, strict=True) if cells else ((), ())
    return sparse.csr_array(
        (numbers, (lines, columns)), shape=(width * outputs, len(merged) * depth), dtype=np.float64
    )
