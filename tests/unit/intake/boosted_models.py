"""Small models of LightGBM, XGBoost and CatBoost, made once for all tests of intake and loaders."""

from __future__ import annotations

from functools import cache
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost

from tests.unit.intake import models

LIBRARIES = ("lightgbm", "xgboost", "catboost")
KINDS = ("binary", "text", "many", "regression")


def rows() -> np.ndarray[Any, Any]:
    """Return rows of the breast-cancer data."""
    data: np.ndarray[Any, Any] = models.matrix()[0][:200]
    return data


def targets(kind: str, library: str = "") -> np.ndarray[Any, Any]:
    """Return what those rows are fitted to."""
    data, labels = models.matrix()
    if kind == "regression":
        return np.asarray(data[:200, 3] / 100)
    if kind == "many":
        return np.asarray(np.digitize(data[:200, 0], [12.0, 16.0]))
    if kind == "text" and library != "xgboost":
        return np.where(labels[:200], "benign", "malign")
    return labels[:200]


def table() -> pd.DataFrame:
    """Return patients whose ward and age group are categories."""
    frame = models.table(200)[["age", "bmi", "ward"]]
    frame["ward"] = pd.Categorical(frame["ward"].fillna("west"), categories=["west", "south", "north"])
    frame["floor"] = pd.Categorical(frame["age"] % 7)
    return frame


def raised(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return an outcome that depends on the categories."""
    chance = frame["age"] + 40 * (frame["ward"] == "south") + 9 * (frame["floor"].astype(int) % 3)
    return np.asarray(chance > 75).astype(int)


def new(library: str, kind: str, **more: Any) -> Any:
    """Return a model that is not fitted yet."""
    labeled = kind != "regression"
    if library == "lightgbm":
        maker = lightgbm.LGBMClassifier if labeled else lightgbm.LGBMRegressor
        return maker(n_estimators=6, num_leaves=6, verbose=-1, n_jobs=2, **more)
    if library == "xgboost":
        maker = xgboost.XGBClassifier if labeled else xgboost.XGBRegressor
        return maker(n_estimators=6, max_depth=3, n_jobs=2, **more)
    maker = catboost.CatBoostClassifier if labeled else catboost.CatBoostRegressor
    return maker(iterations=6, depth=3, verbose=0, allow_writing_files=False, thread_count=2, **more)


@cache
def model(library: str, kind: str) -> Any:
    """Return a fitted model."""
    return new(library, kind).fit(rows(), targets(kind, library))


@cache
def categorical(library: str) -> Any:
    """Return a model that was fitted on a table with categories."""
    frame = table()
    more: dict[str, dict[str, Any]] = {
        "lightgbm": {"min_child_samples": 5, "min_data_per_group": 5, "cat_smooth": 1.0},
        "xgboost": {"enable_categorical": True, "max_cat_to_onehot": 1},
        "catboost": {"cat_features": ["ward", "floor"]},
    }
    return new(library, "binary", **more[library]).fit(frame, raised(frame))


def raw(library: str, fitted: Any, asked: Any) -> np.ndarray[Any, Any]:
    """Return the raw scores that the library itself gives."""
    if library == "lightgbm":
        return np.asarray(fitted.predict(asked, raw_score=True))
    if library == "xgboost":
        return np.asarray(fitted.predict(asked, output_margin=True))
    return np.asarray(fitted.predict(asked, prediction_type="RawFormulaVal"))


def plain(library: str, fitted: Any, asked: Any) -> dict[str, dict[str, Any]]:
    """Return every answer that the library itself gives."""
    answers = {
        "predict": np.asarray(fitted.predict(asked)),
        "decision_function": raw(library, fitted, asked),
    }
    if hasattr(fitted, "predict_proba"):
        answers["predict_proba"] = np.asarray(fitted.predict_proba(asked))
    return {method: {method: answer} for method, answer in answers.items()}


@cache
def data(library: str, kind: str = "many") -> bytes:
    """Return the file of a model."""
    from strongroom.intake.boosted import take_object

    return take_object(model(library, kind)).data
