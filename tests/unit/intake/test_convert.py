"""Estimators become ONNX graphs that answer almost as before, or the error says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    ensemble,
    linear_model,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from strongroom.errors import UnsupportedError, UsageError
from strongroom.intake import converted_source
from strongroom.intake.convert import to_onnx
from strongroom.intake.material import Source
from strongroom.intake.reference import Difference, compare
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from tests.unit.intake import models

CONVERTED: list[Any] = [
    calibration.CalibratedClassifierCV(svm.LinearSVC()),
    ensemble.AdaBoostClassifier(n_estimators=3),
    ensemble.ExtraTreesClassifier(3),
    ensemble.GradientBoostingClassifier(n_estimators=3),
    ensemble.RandomForestClassifier(3),
    ensemble.StackingClassifier([("a", tree.DecisionTreeClassifier())], linear_model.LogisticRegression()),
    linear_model.LogisticRegression(),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(loss="log_loss"),
    naive_bayes.GaussianNB(),
    neighbors.KNeighborsClassifier(),
    neural_network.MLPClassifier(hidden_layer_sizes=(4,), max_iter=20),
    svm.LinearSVC(),
    svm.SVC(),
    tree.DecisionTreeClassifier(),
    ensemble.GradientBoostingRegressor(n_estimators=3),
    ensemble.RandomForestRegressor(3),
    linear_model.ElasticNet(),
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    neighbors.KNeighborsRegressor(),
    svm.SVR(),
    cluster.KMeans(3),
]


def _convert(model: Any, sample: Any) -> tuple[Source, Difference]:
    source = read_source(model, name="risk", sample=sample, convert="onnx")
    assert source.is_converted
    assert source.reference is not None
    assert not source.reference.is_exact
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    assert list(files) == ["risk.onnx"]
    loaded = registry.find("onnx").load(files, source.loader, source.schema)
    return source, compare(source.reference, loaded)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", CONVERTED, ids=lambda model: type(model).__name__)
def test_converted_estimators_answer_almost_as_before(model: Any) -> None:
    chance = np.random.default_rng(1)
    # Single precision from the start, so that no threshold falls between two values.
    rows = np.abs(chance.normal(2, 1, (60, 4))).astype(np.float32).astype(np.float64)
    source, difference = _convert(model.fit(rows, np.arange(60) % 2), rows)
    assert difference.labels == 0
    assert difference.largest < 1e-4
    has_probabilities = hasattr(model, "predict_proba")
    assert source.schema.methods == ["predict", *(["predict_proba"] if has_probabilities else [])]
    assert [field.shape for field in source.schema.inputs] == [[-1, 4]]
    assert source.schema.outputs[0].shape == [-1]
    assert source.schema.classes == ([0, 1] if hasattr(model, "classes_") else [])


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [0.0, 1.0], [3, 8]])
def test_labels_of_every_kind(labels: list[Any]) -> None:
    rows = np.arange(20.0).reshape(20, 1)
    source, difference = _convert(tree.DecisionTreeClassifier().fit(rows, labels * 10), rows)
    assert (difference.labels, difference.largest) == (0, 0.0)
    assert len(source.schema.classes) == 2


def _columns() -> Any:
    return compose.ColumnTransformer(
        [
            ("n", preprocessing.StandardScaler(), ["age", "bmi"]),
            ("t", preprocessing.OneHotEncoder(), ["ward"]),
        ]
    )


def _table_pipeline() -> tuple[Any, pd.DataFrame]:
    frame = models.table().dropna().drop(columns="smoker")
    columns = compose.ColumnTransformer(
        [
            ("n", preprocessing.StandardScaler(), ["age", "bmi"]),
            ("t", preprocessing.OneHotEncoder(), ["ward"]),
        ]
    )
    return pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(
        frame, models.outcome(frame)
    ), frame


def test_a_pipeline_on_a_table_takes_one_input_for_each_column() -> None:
    model, frame = _table_pipeline()
    source, difference = _convert(model, frame)
    assert [(field.name, field.datatype, field.shape) for field in source.schema.inputs] == [
        ("age", "FP32", [-1, 1]),
        ("bmi", "FP32", [-1, 1]),
        ("ward", "BYTES", [-1, 1]),
    ]
    assert source.schema.columns == ["age", "bmi", "ward"]
    assert difference.labels == 0
    assert 0 < difference.largest < 1e-4


def test_a_model_on_a_table_of_numbers_takes_one_matrix() -> None:
    frame = models.table()[["age", "bmi"]].fillna(25.0)
    source, _ = _convert(linear_model.LogisticRegression().fit(frame, models.outcome(frame)), frame)
    assert [field.shape for field in source.schema.inputs] == [[-1, 2]]
    assert source.schema.columns == ["age", "bmi"]


def test_without_a_sample_a_model_of_a_matrix_is_converted_too() -> None:
    source = read_source(models.pipeline(), name="risk", convert="onnx")
    assert source.reference is None
    assert source.loader.options == {"label_output": "label", "probability_output": "probabilities"}
    assert source.libraries.keys() >= {"skl2onnx", "scikit-learn", "onnxruntime"}


def test_without_a_sample_a_model_of_a_table_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        read_source(models.forest(), name="risk", convert="onnx")
    assert raised.value.code == "sample-needed"


def test_gaps_in_text_are_refused() -> None:
    with pytest.raises(UsageError) as raised:
        read_source(models.forest(), name="risk", sample=models.table(), convert="onnx")
    assert raised.value.code == "input-missing-text"


@pytest.mark.parametrize("shape", ["multi", "spline"])
def test_what_the_converter_does_not_know_is_refused(shape: str) -> None:
    rows = np.abs(np.random.default_rng(0).normal(size=(30, 2)))
    model: Any = preprocessing.SplineTransformer()
    if shape == "multi":
        model = pipeline.make_pipeline(model, linear_model.Ridge())
    with pytest.raises(UnsupportedError) as raised:
        read_source(model.fit(rows, rows[:, 0]), name="risk", sample=rows, convert="onnx")
    assert raised.value.code == "not-convertible"
    assert "SplineTransformer" in str(raised.value)


def test_an_unfitted_model_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        read_source(linear_model.Ridge(), name="risk", convert="onnx")
    assert raised.value.code == "not-fitted"


def test_what_predicts_nothing_is_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    with pytest.raises(UnsupportedError) as raised:
        read_source(decomposition.PCA(2).fit(rows), name="risk", sample=rows, convert="onnx")
    assert raised.value.code == "not-convertible"


@pytest.mark.parametrize("fault", ["broken", "wrong-answers", "refuses"])
def test_a_converter_that_writes_rubbish_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = models.matrix()[0][:5]

    def bad(model: Any, sample: Any, *, name: str) -> Any:
        converted = to_onnx(model, sample, name=name)
        data = converted.data
        if fault == "broken":
            data = data.replace(b"Scaler", b"Skaler")
        elif fault == "wrong-answers":
            converted.options["label_output"] = "probabilities"
        return type(converted)(data, converted.options, converted.schema)

    def refuse(*_: object) -> None:
        raise UsageError("the model refused this input", code="input-refused")

    monkeypatch.setattr(converted_source, "to_onnx", bad)
    if fault == "refuses":
        monkeypatch.setattr(converted_source, "compare", refuse)
    with pytest.raises(UnsupportedError, match="does not work") as raised:
        read_source(models.pipeline(), name="risk", sample=rows, convert="onnx")
    assert raised.value.code == "not-convertible"
