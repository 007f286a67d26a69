"""Scikit-learn as hospitals and banks use it seals, and answers to the last bit as before.

``catalogue`` is the list of what is promised; what does not seal is in
``REFUSED``, with the reason that the user is told.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
from sklearn import (
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    isotonic,
    linear_model,
    model_selection,
    multioutput,
    naive_bayes,
    neighbors,
    pipeline,
    preprocessing,
    tree,
)
from sklearn.base import BaseEstimator

from strongroom.errors import UnsupportedError, UsageError
from strongroom.intake.estimator import classes_of, take_estimator
from strongroom.intake.reference import compare
from strongroom.intake.sample import read_sample
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.package.contents import Schema
from tests.unit.intake import models
from tests.unit.intake.catalogue import ESTIMATORS, PIPELINES, table_columns

make = pipeline.make_pipeline
Scaler = preprocessing.StandardScaler


def _title(model: Any) -> str:
    return type(model).__name__


def _round_trip(model: Any, sample: Any) -> Schema:
    """Take the model, load what was taken as a worker does, and compare every method."""
    source = read_source(model, name="risk", sample=sample)
    assert [file.name for file in source.files] == ["risk.skops"]
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    assert source.reference is not None
    loaded = registry.find("skops").load(files, source.loader, source.schema)
    assert compare(source.reference, loaded).is_equal
    return source.schema


def _fit(model: Any, rows: Any, labels: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, labels)


@pytest.mark.parametrize("model", ESTIMATORS, ids=_title)
def test_estimators_seal_and_answer_as_before(model: Any) -> None:
    chance = np.random.default_rng(3)
    rows = np.abs(chance.normal(2, 1, (60, 4)))
    rows[:, 0] = np.arange(60) % 5
    labels = np.arange(60) % 3 + 1
    targets = np.column_stack([labels, labels]) if isinstance(model, multioutput.RegressorChain) else labels
    schema = _round_trip(_fit(model, rows, targets), rows)
    assert [field.shape for field in schema.inputs] == [[-1, 4]]
    assert schema.columns == []


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_on_tables_seal_and_answer_as_before(name: str) -> None:
    frame = models.table()
    schema = _round_trip(_fit(PIPELINES[name], frame, models.outcome(frame)), frame)
    assert schema.columns == ["age", "bmi", "ward", "smoker"]
    assert [field.datatype for field in schema.inputs] == ["FP64", "FP64", "BYTES", "BOOL"]
    assert schema.classes == ["high", "low"]
    assert schema.outputs[0].datatype == "BYTES"


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_text_is_what_the_model_learned(missing: Any) -> None:
    wards = pd.Series(["a", missing, "b"] * 5, dtype=object)
    frame = pd.DataFrame({"ward": wards, "age": np.arange(15)})
    columns = compose.make_column_transformer(
        (preprocessing.OneHotEncoder(handle_unknown="ignore"), ["ward"]), remainder="passthrough"
    )
    model = _fit(make(columns, linear_model.LogisticRegression()), frame, np.arange(15) % 3 == 1)
    source = read_source(model, name="risk", sample=frame)
    assert source.loader.options.get("missing") == ("none" if missing is None else None)
    _round_trip(model, frame)


def test_a_model_of_category_columns_gets_categories() -> None:
    frame = models.table().astype({"ward": "category"})
    model = _fit(ensemble.HistGradientBoostingClassifier(max_iter=3), frame, models.outcome(frame))
    source = read_source(model, name="risk", sample=frame)
    assert source.loader.options["categorical"] == ["ward"]
    _round_trip(model, frame)


def test_a_table_of_numbers_needs_no_pandas_at_the_partner() -> None:
    frame = models.table()[["age", "bmi", "smoker"]].fillna(25.0)
    model = _fit(make(Scaler(), linear_model.LogisticRegression()), frame, models.outcome(frame))
    source = read_source(model, name="risk", sample=frame)
    assert "frame" not in source.loader.options
    assert source.schema.columns == ["age", "bmi", "smoker"]
    assert [field.name for field in source.schema.inputs] == ["input"]
    _round_trip(model, frame)


def test_whole_numbers_stay_whole_where_it_matters() -> None:
    """A text encoder that learned "20" does not know "20.0"."""
    frame = pd.DataFrame({"code": np.arange(30) % 4, "ward": ["a", "b"] * 15})
    columns = compose.ColumnTransformer(
        [
            ("code", preprocessing.FunctionTransformer(np.bitwise_not), ["code"]),
            ("w", preprocessing.OneHotEncoder(), ["ward"]),
        ]
    )
    model = _fit(make(columns, tree.DecisionTreeClassifier()), frame, np.arange(30) % 2)
    schema = _round_trip(model, frame)
    assert [field.datatype for field in schema.inputs] == ["INT64", "BYTES"]


def test_models_of_text() -> None:
    texts = ["pain in the chest", "all is well", "chest hurts", "feeling well"] * 5
    model = make(feature_extraction.text.TfidfVectorizer(stop_words="english"), naive_bayes.MultinomialNB())
    model.fit(texts, [1, 0, 1, 0] * 5)
    schema = _round_trip(model, texts)
    assert [(field.datatype, field.shape) for field in schema.inputs] == [("BYTES", [-1])]
    for vectorizer in (
        feature_extraction.text.CountVectorizer(),
        feature_extraction.text.HashingVectorizer(n_features=16),
    ):
        _round_trip(vectorizer.fit(texts), texts)


def test_models_of_text_matrices_of_single_precision_and_of_sparse_rows() -> None:
    wards = np.array([["a", "x"], ["b", "y"]] * 5, dtype=object)
    assert _round_trip(preprocessing.OneHotEncoder().fit(wards), wards).inputs[0].datatype == "BYTES"
    single = np.eye(4, dtype=np.float32)
    assert _round_trip(decomposition.PCA(2).fit(single), single).inputs[0].datatype == "FP32"
    sparse = scipy.sparse.csr_matrix(np.eye(4))
    _round_trip(linear_model.LogisticRegression().fit(sparse, [0, 1, 0, 1]), sparse)


def test_several_targets() -> None:
    rows = np.abs(np.random.default_rng(0).normal(size=(30, 3)))
    targets = np.column_stack([np.arange(30) % 2, np.arange(30) % 3])
    schema = _round_trip(
        multioutput.MultiOutputClassifier(tree.DecisionTreeClassifier()).fit(rows, targets), rows
    )
    assert [field.name for field in schema.outputs] == ["predict", "predict_proba_0", "predict_proba_1"]
    assert schema.classes == []
    _round_trip(neighbors.KNeighborsClassifier().fit(rows, targets), rows)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([0, 1], [0, 1]),
        ([-1, 7], [-1, 7]),
        (["no", "yes"], ["no", "yes"]),
        ([False, True], [0, 1]),
        ([0.0, 1.0], [0, 1]),
    ],
)
def test_labels(labels: list[Any], classes: list[Any]) -> None:
    rows = np.arange(20.0).reshape(20, 1)
    model = tree.DecisionTreeClassifier().fit(rows, labels * 10)
    assert _round_trip(model, rows).classes == classes
    assert classes_of(tree.DecisionTreeRegressor()) == []
    model.classes_ = np.array([0.5, 1.5])
    assert classes_of(model) == ["0.5", "1.5"]


def test_without_a_sample_a_model_of_a_matrix_is_described_by_what_it_learned() -> None:
    schema = take_estimator(models.pipeline(), None).schema
    assert [(field.name, field.datatype, field.shape) for field in schema.inputs] == [
        ("input", "FP64", [-1, 30])
    ]
    assert {field.name: (field.datatype, field.shape) for field in schema.outputs} == {
        "predict": ("INT64", [-1]),
        "predict_proba": ("FP64", [-1, 2]),
        "decision_function": ("FP64", [-1]),
    }
    outputs = take_estimator(models.logistic(), None).schema.outputs
    assert outputs[0].datatype == "BYTES"
    assert take_estimator(Scaler().fit(np.eye(2)), None).schema.outputs[0].shape == [-1, -1]
    assert (
        take_estimator(linear_model.Ridge().fit(np.eye(2), [1, 2]), None).schema.outputs[0].datatype == "FP64"
    )


@pytest.mark.parametrize("kind", ["table", "text"])
def test_without_a_sample_other_models_are_refused(kind: str) -> None:
    model = (
        models.forest() if kind == "table" else feature_extraction.text.CountVectorizer().fit(["a b", "bb c"])
    )
    with pytest.raises(UsageError) as raised:
        take_estimator(model, None)
    assert raised.value.code == "sample-needed"
    assert "sample=X" in str(raised.value.hint)


def test_a_sample_of_something_else_is_refused() -> None:
    for wrong in (np.zeros((3, 7)), models.table(), ["text"]):
        with pytest.raises(UsageError) as raised:
            read_source(models.pipeline(), name="risk", sample=wrong)
        assert raised.value.code == "sample-refused"


class _Peculiar(BaseEstimator):  # type: ignore[misc]  # sklearn ships no types
    """Answers by the type of its input, which no tensor carries."""

    n_features_in_ = 1

    def fit(self, rows: Any) -> _Peculiar:
        self.fitted_ = True
        return self

    def transform(self, rows: Any) -> Any:
        return np.full(len(rows), isinstance(rows, list) or bool(getattr(rows, "attrs", None)))


def test_answers_that_depend_on_more_than_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.intake.estimator.refused", lambda types: [])
    frame = models.table()
    frame.attrs["origin"] = "the north ward"
    for sample in ([[1.0]], frame):
        with pytest.raises(UsageError) as raised:
            take_estimator(_Peculiar().fit([[1.0]]), read_sample(sample))
        assert raised.value.code == "sample-layout"


@pytest.mark.parametrize(
    "model", [linear_model.Ridge(), make(Scaler(), linear_model.Ridge()), table_columns()], ids=_title
)
def test_an_unfitted_estimator_is_refused(model: Any) -> None:
    with pytest.raises(UsageError) as raised:
        take_estimator(model, None)
    assert raised.value.code == "not-fitted"


def test_what_is_no_estimator_is_refused() -> None:
    for thing in (object(), linear_model.Ridge):
        with pytest.raises(UsageError) as raised:
            take_estimator(thing, None)
        assert raised.value.code == "not-an-estimator"


def _logarithm(rows: Any) -> Any:
    return np.log1p(rows)


REFUSED: dict[str, tuple[Any, str, str]] = {
    "own-function": (preprocessing.FunctionTransformer(_logarithm), "untrusted-types", "code of your own"),
    "frozen-distribution": (
        model_selection.RandomizedSearchCV(
            linear_model.LogisticRegression(), {"C": scipy.stats.uniform(0.1, 1)}, n_iter=2, cv=2
        ),
        "untrusted-types",
        "best_estimator_",
    ),
    "own-metric": (
        neighbors.KNeighborsClassifier(metric=_logarithm, algorithm="brute"),
        "untrusted-types",
        "code of your own",
    ),
    "birch": (cluster.Birch(n_clusters=2), "not-storable", "skops cannot store"),
    "no-new-rows": (cluster.DBSCAN(), "no-method", "answers for no new rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_seal_says_why_and_what_to_do(name: str) -> None:
    model, code, says = REFUSED[name]
    rows = np.abs(np.random.default_rng(1).normal(size=(40, 2)))
    with pytest.raises(UnsupportedError) as raised:
        take_estimator(_fit(model, rows, np.arange(40) % 2), None)
    assert raised.value.code == code
    assert says in f"{raised.value} {raised.value.hint}"


def test_isotonic_regression_takes_one_number_a_row() -> None:
    model = isotonic.IsotonicRegression().fit(np.arange(10.0), np.arange(10.0))
    assert _round_trip(model, np.arange(10.0)).inputs[0].shape == [-1]
