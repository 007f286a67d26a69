"""What is special about scikit-learn: names of outputs, trust, tables, several targets, no processes."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from strongroom.errors import FormatError, UnsupportedError
from strongroom.loaders import registry
from strongroom.loaders.interface import LoadedModel
from strongroom.loaders.skops import load_estimator, types_to_trust, untrusted_types
from strongroom.loaders.skops_trust import ALLOWED
from strongroom.package.contents import Field, Loader, Schema
from tests.unit.intake import models


def _load(
    model: Any, width: int, methods: list[str], *, trust: list[str] | None = None, **options: Any
) -> LoadedModel:
    data = skops.io.dumps(model)
    trust = skops.io.get_untrusted_types(data=data) if trust is None else trust
    fields = [Field(name="input", datatype="FP64", shape=[-1, width])]
    spec = Loader(name="skops", entry="m.skops", options={"trust": trust, **options})
    return registry.find("skops").load(
        {"m.skops": data}, spec, Schema(inputs=fields, outputs=[], methods=methods)
    )


def test_each_method_answers_under_its_own_name() -> None:
    model = _load(models.pipeline(), 30, ["predict", "predict_proba", "decision_function"])
    rows = {"input": models.matrix()[0][:3]}
    assert list(model.predict(rows)) == ["predict"]
    assert model.predict(rows, "predict_proba")["predict_proba"].shape == (3, 2)
    assert model.predict(rows, "decision_function")["decision_function"].shape == (3,)


def test_several_targets_are_numbered() -> None:
    targets = np.array([[0, 1], [1, 0], [0, 0], [1, 1]])
    model = MultiOutputClassifier(DecisionTreeClassifier()).fit(np.arange(8.0).reshape(4, 2), targets)
    answer = _load(model, 2, ["predict_proba"]).predict({"input": np.zeros((3, 2))}, "predict_proba")
    assert {name: array.shape for name, array in answer.items()} == {
        "predict_proba_0": (3, 2),
        "predict_proba_1": (3, 2),
    }


def test_a_sparse_answer_is_made_dense() -> None:
    encoder = OneHotEncoder().fit([[1.0], [2.0]])
    assert _load(encoder, 1, ["transform"]).predict({"input": np.array([[2.0]])}, "transform")[
        "transform"
    ].tolist() == [[0.0, 1.0]]


def test_a_type_that_the_contents_do_not_list_is_refused() -> None:
    neighbors = KNeighborsClassifier(1, algorithm="kd_tree").fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(UnsupportedError) as raised:
        _load(neighbors, 1, ["predict"], trust=[])
    assert raised.value.code == "untrusted-types"


def test_the_contents_cannot_list_what_is_not_harmless() -> None:
    with pytest.raises(UnsupportedError) as raised:
        _load(LinearRegression().fit([[0.0], [1.0]], [0, 1]), 1, ["predict"], trust=["posix.system"])
    assert raised.value.code == "untrusted-types"
    assert "posix.system" in str(raised.value)


@pytest.mark.parametrize(("made", "opens"), [("same.minor.0", True), ("0.24.2", False), ("pre-0.18", False)])
def test_a_model_of_another_release_is_refused_instead_of_answering_otherwise(made: str, opens: bool) -> None:
    import sklearn

    here = sklearn.__version__
    made = made.replace("same.minor", here.rpartition(".")[0])
    stored = json.dumps(here).encode()
    data = _rewritten(models.logistic(), stored, json.dumps(made).encode())
    if opens:
        load_estimator(data, [])
        return
    with pytest.raises(UnsupportedError) as raised:
        load_estimator(data, [])
    assert raised.value.code == "library-version"
    assert made in str(raised.value)
    assert "ONNX" in str(raised.value.hint)


def _rewritten(model: Any, before: bytes, after: bytes) -> bytes:
    """Store the model with other text in its schema."""
    stored, wanted = (json.dumps(text.decode())[1:-1].encode() for text in (before, after))
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(stored, wanted))
    return buffer.getvalue()


def test_a_matrix_for_a_model_of_a_table_gives_no_warning() -> None:
    frame = models.table()[["age"]]
    model = _load(LinearRegression().fit(frame, frame["age"]), 1, ["predict"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict({"input": np.zeros((1, 1))})


def test_the_order_of_a_matrix_is_an_option() -> None:
    seen: list[np.ndarray[Any, Any]] = []

    def predict(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.append(rows)
        return np.zeros(len(rows))

    model = _load(LinearRegression().fit(np.eye(3), [0, 1, 2]), 3, ["predict"], order="columns")
    model._model.predict = predict  # type: ignore[attr-defined]  # private
    model.predict({"input": np.zeros((2, 3))})
    assert seen[0].flags.f_contiguous
    assert not seen[0].flags.c_contiguous


def test_no_process_is_started_whatever_the_model_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [("a", StandardScaler(), [0]), ("b", StandardScaler(), [1])]
    model = _load(ColumnTransformer(steps, n_jobs=2).fit(np.eye(2)), 2, ["transform"])

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("joblib.externals.loky.process_executor.ProcessPoolExecutor.submit", fail)
    assert model.predict({"input": np.eye(2)}, "transform")["transform"].shape == (2, 2)


def test_an_archive_that_claims_to_be_huge_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * (8 << 20))
    for read in (untrusted_types, lambda data: load_estimator(data, [])):
        with pytest.raises(FormatError) as raised:
            read(buffer.getvalue())
        assert raised.value.code == "expansion"


@pytest.mark.parametrize(
    "schema", [b"", b"{}", b"[]", b'{"protocol": 2}', b'{"protocol": 99, "__loader__": "x"}', b"[" * 100_000]
)
def test_a_skops_file_with_another_schema_is_refused(schema: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", schema)
    with pytest.raises(FormatError) as raised:
        untrusted_types(buffer.getvalue())
    assert raised.value.code == "skops-malformed"
    with pytest.raises(FormatError):
        load_estimator(buffer.getvalue(), [])


def test_what_a_later_skops_may_distrust_is_listed_as_well() -> None:
    data = skops.io.dumps(HistGradientBoostingClassifier(max_iter=1).fit(np.eye(4), [0, 1, 0, 1]))
    listed, asked = set(types_to_trust(data)), set(untrusted_types(data))
    assert asked < listed
    assert "sklearn._loss.loss.HalfBinomialLoss" in listed - asked
    assert listed <= ALLOWED
    load_estimator(data, sorted(listed))


def test_what_is_no_estimator_has_no_method() -> None:
    with pytest.raises(FormatError) as raised:
        _load({"a": 1}, 1, ["predict"])
    assert raised.value.code == "schema-mismatch"


def test_a_table_schema_must_list_its_columns() -> None:
    with pytest.raises(FormatError) as raised:
        _load(DummyClassifier().fit([[0]], [0]), 1, ["predict"], frame="pandas")
    assert raised.value.code == "schema-mismatch"
