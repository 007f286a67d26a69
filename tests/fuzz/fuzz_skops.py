"""Fuzz skops files as `intake/` and the worker read them: a list of types, or refused; nothing is built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from strongroom.errors import FormatError, UnsupportedError
from strongroom.loaders.skops import load_estimator, untrusted_types


def fuzz(data: bytes) -> None:
    """List the types; what asks for none beyond skops' own is also built."""
    try:
        types = untrusted_types(data)
    except (FormatError, UnsupportedError):
        return
    assert all(isinstance(name, str) for name in types)
    if types:
        return
    try:
        load_estimator(data, [])
    except (FormatError, UnsupportedError):
        return


def seeds() -> Iterable[bytes]:
    """A pipeline of trusted types, a tree, and a thing that is no estimator."""
    rows, labels = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]]), np.array([0, 1, 0, 1])
    yield skops.io.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels))
    yield skops.io.dumps(DecisionTreeClassifier(max_depth=2).fit(rows, labels))
    yield skops.io.dumps({"a": [1, 2]})
