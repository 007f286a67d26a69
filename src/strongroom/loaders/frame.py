"""The one place where loaders use pandas: a table for models that select columns by name.

build({"age": ages, "ward": wards}, categorical=frozenset({"ward"}))

Models whose input is a matrix never come here, and need no pandas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from strongroom.loaders.interface import extra_missing
from strongroom.loaders.tensor import Array


def build(columns: Mapping[str, Array], categorical: frozenset[str], missing: float | None) -> Any:
    """Return a ``pandas.DataFrame`` with these columns, in this order.

    Args:
        columns: one array for each column.
        categorical: the columns that are categories.
        missing: what stands for a missing text, NaN or None: scikit-learn tells them apart.

    Raises:
        UnsupportedError: pandas is not installed (``extra-missing``).
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise extra_missing("frames", "a model that was fitted on a table") from error
    built = {
        name: pd.Series(_filled(values, missing), dtype=values.dtype, copy=False)
        for name, values in columns.items()
    }
    table = pd.DataFrame(built, copy=False)
    return table.astype({name: "category" for name in columns if name in categorical})


def _filled(values: Array, missing: float | None) -> Array:
    if values.dtype != object or missing is None:
        return values
    filled = values.copy()
    filled[np.array([value is None for value in values], bool)] = missing
    return filled
