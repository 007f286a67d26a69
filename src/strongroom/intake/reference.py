"""The answers of the original on the sample, for comparison with those of the sealed copy.

    difference = compare(source.reference, sealed)
    difference.is_equal or print(f"differs by at most {difference.largest}")

A model that was taken as it is must answer the same to the last bit; a converted one
computes in other ways, and the owner is told by how much it differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from strongroom.errors import VerificationError
from strongroom.loaders.interface import LoadedModel
from strongroom.loaders.tensor import Array

Answers = Mapping[str, Mapping[str, Array]]
"""Method -> output -> array."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the original was asked, and what it answered."""

    inputs: Mapping[str, Array]
    answers: Answers
    is_exact: bool
    """Whether the sealed copy must answer the same to the last bit."""

    @property
    def rows(self) -> int:
        """How many rows the sample has."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a copy is from the original on the sample."""

    rows: int
    methods: tuple[str, ...]
    labels: int
    """Rows whose label (or other answer that is no floating point number) differs."""
    largest: float
    """The largest difference between two numbers; infinite where only one is a number."""

    @property
    def is_equal(self) -> bool:
        """Whether every answer is the same to the last bit."""
        return self.labels == 0 and self.largest == 0.0


def compare(reference: Reference, model: LoadedModel) -> Difference:
    """Ask the copy what the original was asked.

    Raises:
        VerificationError: ``round-trip``: another number of outputs or rows, or any difference where
            the copy must be exact.
        UsageError: the copy refuses the sample.
    """
    labels, largest = 0, 0.0
    for method, expected in reference.answers.items():
        given = model.predict(dict(reference.inputs), method)
        if set(given) != set(expected):
            raise _differs(method)
        for name, wanted in expected.items():
            if wanted.shape != given[name].shape:
                raise _differs(method)
            if wanted.dtype.kind == "f":
                largest = max(largest, _distance(wanted, given[name]))
            else:
                labels += int(np.sum(wanted != given[name]))
    difference = Difference(reference.rows, tuple(reference.answers), labels, largest)
    if reference.is_exact and not difference.is_equal:
        raise _differs(", ".join(reference.answers))
    return difference


def _distance(wanted: Array, given: Array) -> float:
    left, right = wanted.astype(np.float64), given.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    apart = np.abs(left[~same] - right[~same])
    if not apart.size:
        return 0.0
    return float(np.inf) if np.isnan(apart).any() else float(apart.max())


def _differs(method: str) -> VerificationError:
    return VerificationError(
        f"the sealed copy answers {method} differently from the original",
        code="round-trip",
        hint="a model that draws random numbers when it predicts cannot be compared; leave the sample out",
    )
