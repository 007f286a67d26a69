"""Boosted trees as they are handed to ``seal``: objects, files, folders, and what is turned away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from strongroom.errors import FormatError, UnsupportedError, UsageError
from strongroom.intake.boosted import library_in, take_object
from strongroom.intake.reference import compare
from strongroom.intake.source import read_source
from strongroom.loaders import registry
from tests.unit.intake import boosted_models

each_library = pytest.mark.parametrize("library", boosted_models.LIBRARIES)
ENTRIES = {"lightgbm": "risk.txt", "xgboost": "risk.ubj", "catboost": "risk.cbm"}


def _proven(source: Any) -> Any:
    files = {file.name: b"".join(file.chunks()) for file in source.files}
    loaded = registry.find(source.loader.name).load(files, source.loader, source.schema)
    assert compare(source.reference, loaded).is_equal
    return loaded


@each_library
def test_an_object(library: str) -> None:
    fitted = boosted_models.model(library, "text")
    source = read_source(fitted, name="risk", sample=boosted_models.rows())
    assert source.loader.entry == ENTRIES[library]
    assert source.schema.classes == fitted.classes_.tolist()
    assert [field.name for field in source.schema.outputs] == source.schema.methods
    assert any(name.startswith(library) for name in source.libraries)
    _proven(source)


@each_library
def test_a_file_is_sealed_byte_for_byte_whatever_its_ending(library: str, tmp_path: Path) -> None:
    data = boosted_models.data(library)
    path = tmp_path / "final model.dat"
    path.write_bytes(data)
    source = read_source(path, name="risk", sample=boosted_models.rows())
    assert b"".join(source.files[0].chunks()) == data
    assert source.loader.name == library
    assert source.schema.classes == ([0, 1, 2] if library == "catboost" else [])
    _proven(source)


def test_a_json_file_of_xgboost(tmp_path: Path) -> None:
    fitted = boosted_models.model("xgboost", "many")
    path = tmp_path / "risk.json"
    fitted.get_booster().save_model(path)
    source = read_source(path, name="risk", sample=boosted_models.rows())
    answers = _proven(source).predict({"input": boosted_models.rows()})["predict"]
    assert np.array_equal(answers, fitted.predict_proba(boosted_models.rows()))


@each_library
def test_a_folder_with_data_beside_it(library: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(boosted_models.data(library))
    (tmp_path / "notes.json").write_text('{"learner": 1')
    (tmp_path / "notes.txt").write_text("tree")
    (tmp_path / "notes.json").write_text("{}")
    source = read_source(tmp_path, name="risk")
    assert source.loader.entry == "model.bin"
    assert len(source.files) == 3


@each_library
def test_a_file_that_was_cut_off_is_refused(library: str, tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(boosted_models.data(library)[:-400] if library != "lightgbm" else b"tree\nversion=v4\n")
    with pytest.raises(FormatError):
        read_source(path, name="risk")


def test_the_bare_booster_of_each_library() -> None:
    rows = boosted_models.rows()
    trees = boosted_models.model("lightgbm", "many").booster_
    source = read_source(trees, name="risk", sample=rows)
    assert source.loader.options == {}
    assert np.array_equal(_proven(source).predict({"input": rows})["predict"], trees.predict(rows))
    booster = boosted_models.model("xgboost", "many").get_booster()
    source = read_source(booster, name="risk", sample=rows)
    wanted = booster.predict(xgboost.DMatrix(rows))
    assert np.array_equal(_proven(source).predict({"input": rows})["predict"], wanted)


def test_columns_come_from_the_sample_or_the_model() -> None:
    frame = boosted_models.table()[["age", "bmi"]]
    for library in boosted_models.LIBRARIES:
        fitted = boosted_models.new(library, "binary").fit(
            frame, boosted_models.raised(boosted_models.table())
        )
        assert read_source(fitted, name="risk").schema.columns == ["age", "bmi"]
        source = read_source(fitted, name="risk", sample=frame)
        assert source.schema.columns == ["age", "bmi"]
        assert [field.name for field in source.schema.inputs] == ["input"]
        _proven(source)


@each_library
def test_what_is_not_fitted_is_refused(library: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_source(boosted_models.new(library, "many"), name="risk")
    assert raised.value.code == "not-fitted"


@each_library
def test_categories_need_a_sample_with_them(library: str) -> None:
    fitted, frame = boosted_models.categorical(library), boosted_models.table()
    for sample in (None, boosted_models.rows()[:, :4]):
        with pytest.raises(UsageError) as raised:
            read_source(fitted, name="risk", sample=sample)
        assert raised.value.code == "sample-needed"
    if library != "catboost":
        with pytest.raises(UsageError) as raised:
            read_source(fitted, name="risk", sample=frame.astype({"ward": str, "floor": int}))
        assert raised.value.code == "categories-missing"


def test_a_sample_that_does_not_fit_is_refused_without_the_text_of_the_library() -> None:
    with pytest.raises(UsageError) as raised:
        read_source(boosted_models.model("lightgbm", "many"), name="risk", sample=np.ones((2, 3)))
    assert raised.value.code in ("sample-refused", "input-shape")


@pytest.mark.parametrize(
    "make",
    [
        lambda: xgboost.XGBClassifier(n_estimators=1, missing=-9.0).fit(*_two()),
        lambda: xgboost.XGBClassifier(n_estimators=1, objective="binary:hinge").fit(*_two()),
        lambda: lightgbm.LGBMClassifier(n_estimators=1, verbose=-1, objective=_own).fit(*_two()),
        lambda: boosted_models.new("catboost", "binary").fit(_two()[0], _two()[1] + 0.5),
    ],
)
def test_what_its_file_cannot_say_is_refused(make: Any) -> None:
    with pytest.raises(UnsupportedError) as raised:
        take_object(make())
    assert raised.value.code == "boosted-unsupported"
    assert raised.value.hint


def _two() -> tuple[Any, Any]:
    return boosted_models.rows(), boosted_models.targets("binary")


def _own(wanted: Any, given: Any) -> tuple[Any, Any]:
    return given - wanted, np.ones_like(given)


def test_other_objects_of_these_libraries_and_pipelines_are_refused() -> None:
    with pytest.raises(UnsupportedError) as raised:
        read_source(xgboost.DMatrix(boosted_models.rows()), name="risk")
    assert raised.value.code == "unknown-model"
    pipeline = make_pipeline(StandardScaler(), boosted_models.new("lightgbm", "many"))
    with pytest.raises(UnsupportedError) as raised:
        read_source(pipeline.fit(boosted_models.rows(), boosted_models.targets("many")), name="risk")
    assert raised.value.code == "untrusted-types"
    assert "not as a step of a pipeline" in str(raised.value)


def test_a_file_of_these_libraries_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "m.cbm").write_bytes(boosted_models.data("catboost"))
    with pytest.raises(UsageError) as raised:
        read_source(tmp_path / "m.cbm", name="risk", convert="onnx")
    assert raised.value.code == "convert"


def test_plain_data_is_not_taken_for_a_model() -> None:
    for head in (b"", b"{}", json.dumps({"a": "learner"}).encode(), b"tree\n", b"CBM", b"{U\x07learned"):
        assert library_in(head) is None
    assert library_in(b'{ "version" : [3, 2, 0]') == "xgboost"
