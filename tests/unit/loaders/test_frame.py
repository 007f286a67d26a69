"""Tables are built column by column, with the gaps that pandas itself would have."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from strongroom.errors import UnsupportedError
from strongroom.loaders import frame


def test_columns_keep_their_order_type_and_gaps() -> None:
    ward = np.array(["a", None], dtype=object)
    table = frame.build(
        {"ward": ward, "age": np.array([1, 2]), "bmi": np.array([1.5, np.nan])}, frozenset(), np.nan
    )
    assert list(table.columns) == ["ward", "age", "bmi"]
    assert [str(kind) for kind in table.dtypes] == ["object", "int64", "float64"]
    assert table["ward"][0] == "a"
    assert np.isnan(table["ward"][1])
    assert ward[1] is None, "the caller's array is not changed"


def test_missing_text_can_stay_none() -> None:
    table = frame.build({"ward": np.array(["a", None], dtype=object)}, frozenset(), None)
    assert table["ward"][1] is None


def test_categories_are_categories() -> None:
    table = frame.build({"ward": np.array(["a", None, "b"], dtype=object)}, frozenset({"ward"}), np.nan)
    assert list(table["ward"].cat.categories) == ["a", "b"]
    assert table["ward"].isna().tolist() == [False, True, False]


def test_without_pandas_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UnsupportedError) as raised:
        frame.build({"a": np.zeros(1)}, frozenset(), np.nan)
    assert raised.value.hint == 'pip install "strongroom[frames]"'
