r"""Boosted trees of LightGBM, XGBoost and CatBoost, as the bytes that are sealed and what is known of them.

    taken = take_object(LGBMClassifier().fit(rows, labels))
    taken = take_file(b"tree\nversion=v4\n...")
    taken.loader, taken.width, taken.classes

Each library writes a format of its own that holds data and no code. A fitted object is asked
for that format in memory; a file is recognized by its first bytes and sealed as it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.errors import UnsupportedError, UsageError
from strongroom.intake.refuse import verify_head
from strongroom.intake.signs import HEAD_BYTES
from strongroom.loaders.boosted import LABELS
from strongroom.loaders.interface import extra_missing
from strongroom.loaders.lightgbm_text import HEAD as LIGHTGBM_HEAD
from strongroom.loaders.lightgbm_text import read_text
from strongroom.loaders.xgboost_form import read_form
from strongroom.package.contents import OptionValue

Ask = Callable[[Any], Any]

ENDINGS: Final = {"lightgbm": ".txt", "xgboost": ".ubj", "catboost": ".cbm"}
"""What a sealed model object is called, by its loader."""
_CLASSIFIERS: Final = {"LGBMClassifier", "XGBClassifier", "XGBRFClassifier", "CatBoostClassifier"}
_OTHERS: Final = {
    "LGBMRegressor", "LGBMRanker", "XGBRegressor", "XGBRFRegressor", "XGBRanker", "Booster",
    "CatBoost", "CatBoostRegressor", "CatBoostRanker",
}  # fmt: skip
_LABELING: Final = {"binary", "multiclass", "multiclassova", "binary:logistic", "multi:softprob"}
"""What a classifier must be trained for, so that its scores say which label it would give."""
_XGBOOST_HEAD: Final = re.compile(
    rb'\{(\s*"(learner|version)"\s*:|[iU]\x07learner|[iU]\x07version|L\0{7}\x07(learner|version))'
)
_CATBOOST_HEAD: Final = b"CBM1"
_NUMBERED: Final = re.compile(r"(Column_)?[0-9]+")


@dataclass(frozen=True, slots=True)
class Boosted:
    """A model, ready to be described."""

    loader: str
    data: bytes
    width: int
    columns: tuple[str, ...] = ()
    """The names of the features; empty where the library made them up."""
    classes: tuple[str | int, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    has_categories: bool = False
    """Whether some columns are something else than numbers."""
    asks: Mapping[str, Ask] = field(default_factory=dict)
    """The methods of the object itself; empty for a file."""


def library_of(model: Any) -> str | None:
    """Return which of the three libraries an object is of; None for all else."""
    kind = type(model)
    library = kind.__module__.partition(".")[0]
    return library if library in ENDINGS and kind.__name__ in _CLASSIFIERS | _OTHERS else None


def library_in(head: bytes) -> str | None:
    """Return which of the three libraries wrote a file that begins like this; None for all else."""
    if head.startswith(LIGHTGBM_HEAD):
        return "lightgbm"
    if head.startswith(_CATBOOST_HEAD):
        return "catboost"
    return "xgboost" if _XGBOOST_HEAD.match(head) else None


def take_object(model: Any) -> Boosted:
    """Take a fitted object of one of the libraries.

    Raises:
        UsageError: ``not-fitted``.
        UnsupportedError: ``boosted-unsupported``: its answers cannot be given from its file alone.
        FormatError: as the loader of the library.
    """
    taken = _TAKERS[str(library_of(model))](model)
    if type(model).__name__ not in _CLASSIFIERS:
        return taken
    return _with_labels(taken, model)


def take_file(name: str, data: bytes) -> Boosted:
    """Take the file of a model.

    Raises:
        UnsupportedError: ``extra-missing``, or a file that runs code.
        FormatError: as the loader of the library.
    """
    verify_head(name, data[:HEAD_BYTES])
    library = library_in(data[:HEAD_BYTES])
    if library == "lightgbm":
        return _lightgbm(data)
    return _xgboost(data) if library == "xgboost" else _catboost(data)


def _with_labels(taken: Boosted, model: Any) -> Boosted:
    asks = dict(taken.asks) | {"predict_proba": model.predict_proba}
    return Boosted(
        taken.loader,
        taken.data,
        taken.width,
        taken.columns,
        tuple(_label(each) for each in model.classes_.tolist()),
        {**taken.options, "answers": LABELS},
        taken.has_categories,
        asks,
    )


def _label(value: Any) -> str | int:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    raise _unsupported("labels with a fraction", "fit the classifier on text or whole numbers")


def _take_lightgbm(model: Any) -> Boosted:
    booster = model
    if hasattr(model, "fit"):
        _verify_fitted(model, model.__sklearn_is_fitted__())
        booster = model.booster_
    taken = _lightgbm(booster.model_to_string().encode())
    if type(model).__name__ in _CLASSIFIERS:
        _verify_labeling(read_text(taken.data).objective)
    asks = {"predict": model.predict, "decision_function": lambda rows: model.predict(rows, raw_score=True)}
    return _asking(taken, asks)


def _take_xgboost(model: Any) -> Boosted:
    if not hasattr(model, "fit"):
        return _xgboost(bytes(model.save_raw("ubj")))
    _verify_fitted(model, model.__sklearn_is_fitted__())
    if model.missing == model.missing:
        raise _unsupported("a number that stands for a missing one", "fit the model with missing=nan")
    taken = _xgboost(bytes(model.get_booster().save_raw("ubj")))
    if type(model).__name__ in _CLASSIFIERS:
        _verify_labeling(read_form(taken.data).objective)
    best = getattr(model, "best_iteration", None)
    options: dict[str, OptionValue] = {} if best is None else {"iterations": int(best) + 1}
    asks = {
        "predict": model.predict,
        "decision_function": lambda rows: model.predict(rows, output_margin=True),
    }
    return _asking(taken, asks, options)


def _take_catboost(model: Any) -> Boosted:
    _verify_fitted(model, model.is_fitted())
    # CatBoost writes its format to a path only: this one is memory.
    descriptor = os.memfd_create("model", os.MFD_CLOEXEC)
    try:
        model.save_model(f"/proc/self/fd/{descriptor}", format="cbm")
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    taken = _catboost(data)
    asks = {
        "predict": model.predict,
        "decision_function": lambda rows: model.predict(rows, prediction_type="RawFormulaVal"),
    }
    plain = Boosted(taken.loader, data, taken.width, taken.columns, has_categories=taken.has_categories)
    return _asking(plain, asks)


def _asking(
    taken: Boosted, asks: Mapping[str, Ask], options: Mapping[str, OptionValue] | None = None
) -> Boosted:
    return Boosted(
        taken.loader,
        taken.data,
        taken.width,
        taken.columns,
        taken.classes,
        options or taken.options,
        taken.has_categories,
        asks,
    )


def _lightgbm(data: bytes) -> Boosted:
    text = read_text(data)
    return Boosted("lightgbm", data, text.width, _named(text.columns), has_categories=bool(text.categories))


def _xgboost(data: bytes) -> Boosted:
    form = read_form(data)
    return Boosted("xgboost", data, form.width, _named(form.columns), has_categories=form.has_categories)


def _catboost(data: bytes) -> Boosted:
    try:
        from strongroom.loaders.catboost import read_model
    except ImportError as error:
        raise extra_missing("catboost", "sealing a model of CatBoost") from error
    model = read_model(data)
    columns = tuple(model.feature_names_)
    classes = tuple(_label(each) for each in model.classes_.tolist()) if len(model.classes_) else ()
    options: dict[str, OptionValue] = {"answers": LABELS} if classes else {}
    others = model.get_cat_feature_indices() or model.get_text_feature_indices()
    if model.get_embedding_feature_indices():
        raise _unsupported("embeddings", "no tensor of a row can hold them: fit the model on their numbers")
    return Boosted("catboost", data, len(columns), _named(columns), classes, options, bool(others))


def _named(columns: tuple[str, ...]) -> tuple[str, ...]:
    return () if all(_NUMBERED.fullmatch(name) for name in columns) else columns


def _verify_labeling(objective: str) -> None:
    if objective not in _LABELING:
        raise _unsupported(
            f"a classifier with the objective {json.dumps(objective)}", "seal the booster inside it instead"
        )


def _verify_fitted(model: Any, is_fitted: bool) -> None:
    if not is_fitted:
        raise UsageError(
            f"this {type(model).__name__} is not fitted yet", code="not-fitted", hint="call fit first"
        )


def _unsupported(what: str, hint: str) -> UnsupportedError:
    return UnsupportedError(
        f"{what} cannot be sealed in the library's own format", code="boosted-unsupported", hint=hint
    )


_TAKERS: Final[Mapping[str, Callable[[Any], Boosted]]] = {
    "lightgbm": _take_lightgbm,
    "xgboost": _take_xgboost,
    "catboost": _take_catboost,
}
