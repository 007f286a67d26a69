"""Boosted trees answer and explain as their own libraries do, whatever they were fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from strongroom.errors import FormatError
from strongroom.intake.material import Source
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from strongroom.loaders.interface import LoadedModel
from strongroom.package.contents import Field, Loader, Schema
from tests.unit.intake import boosted_models

each_library = pytest.mark.parametrize("library", boosted_models.LIBRARIES)


def _load(source: Source, threads: int = 2) -> LoadedModel:
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    return registry.find(source.loader.name).load(files, source.loader, source.schema, threads=threads)


def _column(frame: pd.DataFrame, name: str) -> np.ndarray[Any, Any]:
    column = frame[name]
    return (
        column.astype(column.cat.categories.dtype).to_numpy()
        if column.dtype == "category"
        else column.to_numpy()
    )


def _tensors(frame: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    given = {name: _column(frame, name) for name in frame.columns}
    return {
        name: values if values.dtype.kind in "if" else values.astype(object) for name, values in given.items()
    }


@each_library
@pytest.mark.parametrize("kind", boosted_models.KINDS)
@pytest.mark.parametrize("threads", [0, 1, 2])
def test_every_answer_is_that_of_the_library(library: str, kind: str, threads: int) -> None:
    fitted, rows = boosted_models.model(library, kind), boosted_models.rows()
    model = _load(read_source(fitted, name="risk"), threads)
    plain = boosted_models.plain(library, fitted, rows)
    assert set(model.schema.methods) == set(plain)
    for method, wanted in plain.items():
        answer = model.predict({"input": rows}, method)[method]
        assert np.array_equal(answer, wanted[method])
        assert answer.shape == wanted[method].shape


@each_library
@pytest.mark.parametrize("kind", [*boosted_models.KINDS, "categorical"])
def test_contributions_add_up_to_the_raw_score(library: str, kind: str) -> None:
    is_table = kind == "categorical"
    fitted = boosted_models.categorical(library) if is_table else boosted_models.model(library, kind)
    sample = boosted_models.table() if is_table else boosted_models.rows()
    source = read_source(fitted, name="risk", sample=sample)
    assert source.reference is not None
    answer = _load(source).explain(source.reference.inputs)
    raw = boosted_models.raw(library, fitted, sample)
    scores = 3 if kind == "many" else 1
    assert answer["contributions"].shape == (len(sample), scores, sample.shape[1])
    total = answer["contributions"].sum(axis=2) + answer["base_values"]
    np.testing.assert_allclose(total, raw.reshape(len(sample), scores), atol=5e-6)
    assert np.abs(answer["contributions"]).max() > 0.01


@each_library
def test_a_table_with_other_categories_answers_as_in_the_library(library: str) -> None:
    """One row has one category only, and others stand in another order."""
    fitted, frame = boosted_models.categorical(library), boosted_models.table()
    model = _load(read_source(fitted, name="risk", sample=frame))
    for part in (frame.iloc[5:6], frame.iloc[::-1], frame[frame["ward"] == "south"]):
        wanted = boosted_models.plain(library, fitted, part)
        for method, outputs in wanted.items():
            assert np.array_equal(model.predict(_tensors(part), method)[method], outputs[method])


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_category_that_the_model_never_saw_and_a_gap_count_as_in_the_library(library: str) -> None:
    fitted, strange = boosted_models.categorical(library), boosted_models.table().iloc[:8].copy()
    model = _load(read_source(fitted, name="risk", sample=boosted_models.table()))
    wards = ["roof", "south", None, "north"] * 2
    strange["ward"] = pd.Categorical(wards)
    tensors = _tensors(strange.drop(columns="ward")) | {"ward": np.array(wards, object)}
    answer = model.predict(tensors, "decision_function")["decision_function"]
    assert np.array_equal(answer, boosted_models.raw(library, fitted, strange))


def test_only_the_best_rounds_of_xgboost_answer_where_the_estimator_says_so() -> None:
    rows, targets = boosted_models.rows(), boosted_models.targets("regression")
    fitted = boosted_models.new("xgboost", "regression", early_stopping_rounds=1)
    noise = np.random.default_rng(3).normal(size=200)
    fitted.fit(rows, targets, eval_set=[(rows, noise)], verbose=False)
    source = read_source(fitted, name="risk", sample=rows)
    assert source.loader.options == {"iterations": fitted.best_iteration + 1}
    assert np.array_equal(_load(source).predict({"input": rows})["predict"], fitted.predict(rows))
    spec = Loader(name="xgboost", entry="m", options={"iterations": 999})
    with pytest.raises(FormatError) as raised:
        registry.find("xgboost").load(
            {"m": boosted_models.data("xgboost", "regression")}, spec, source.schema
        )
    assert raised.value.code == "model-bounds"


@each_library
@pytest.mark.parametrize(
    ("options", "classes", "width"),
    [
        ({"answers": "labels"}, [0, 1], 30),
        ({"answers": "labels"}, [0, 1, 2], 31),
        ({}, [], 30),
        ({"answers": "labels", "categorical": ["ward"]}, [0, 1, 2], 30),
    ],
)
def test_a_schema_of_another_model_is_refused(
    library: str, options: dict[str, Any], classes: list[str | int], width: int
) -> None:
    schema = Schema(
        inputs=[Field(name="input", datatype="FP64", shape=[-1, width])],
        outputs=[],
        classes=classes,
        methods=["predict", "predict_proba"],
    )
    with pytest.raises(FormatError) as raised:
        registry.find(library).load(
            {"m": boosted_models.data(library)}, Loader(name=library, entry="m", options=options), schema
        )
    assert raised.value.code == "schema-mismatch"


@each_library
def test_a_model_with_categories_takes_no_matrix_and_no_unnamed_categories(library: str) -> None:
    source = read_source(boosted_models.categorical(library), name="risk", sample=boosted_models.table())
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    matrix = Schema(
        inputs=[Field(name="input", datatype="FP64", shape=[-1, 4])],
        outputs=[],
        classes=[0, 1],
        methods=["predict"],
    )
    plain = Loader(name=library, entry=source.loader.entry, options={"answers": "labels"})
    if library != "lightgbm":
        # The codes of LightGBM are numbers to whoever knows them.
        with pytest.raises(FormatError):
            registry.find(library).load(files, plain, matrix)
    if library != "catboost":
        bare = Loader(name=library, entry=plain.entry, options={"answers": "labels", "frame": "pandas"})
        with pytest.raises(FormatError):
            registry.find(library).load(files, bare, source.schema)
