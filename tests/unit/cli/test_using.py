"""What a partner does with a model: accept, models, open, predict, export, license narrow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from strongroom.cli.predict import to_columns
from strongroom.client import TopK
from strongroom.errors import UsageError
from tests.unit.cli.conftest import Party, Scene, license_in, meet

SCORES = {"007": 24.375, "008": 16.1875, "009": 31.5}


@pytest.fixture
def ready(scene: Scene) -> Scene:
    scene.accept(scene.grant("--predictions", "1000/month"))
    return scene


def test_accept_shows_license_and_agreement_before_it_asks(scene: Scene, tmp_path: Path) -> None:
    agreement = tmp_path / "agreement.txt"
    agreement.write_text("Be kind.\n", encoding="utf-8")
    folder = scene.grant("--agreement", agreement)
    words = ("accept", folder, "--fingerprint", scene.fingerprint)
    refused = scene.clinic.run(*words, stdin=b"n\n", terminal=True, code=2)
    assert refused.stderr.index("Be kind.") < refused.stderr.index("Accept this license?")
    assert "The holder may predict" in refused.stderr
    assert scene.clinic.run("models", "--json").json["models"] == []
    accepted = scene.clinic.run(*words, stdin=b"y\n", terminal=True)
    assert "is accepted, with risk 1.0.0" in accepted.text


def test_accept_without_a_terminal_needs_yes(scene: Scene) -> None:
    folder = scene.grant()
    outcome = scene.clinic.run("accept", folder, "--fingerprint", scene.fingerprint, code=2)
    assert "[no-terminal]" in outcome.stderr
    assert "--yes" in outcome.stderr


def test_yes_does_not_confirm_the_owner(scene: Scene) -> None:
    folder = scene.grant()
    assert "[fingerprint-needed]" in scene.clinic.run("accept", folder, "--yes", code=2).stderr
    wrong = ("--fingerprint", "0000-0000-0000-0000-0000")
    assert "[fingerprint-mismatch]" in scene.clinic.run("accept", folder, "--yes", *wrong, code=6).stderr
    assert scene.clinic.run("models", "--json").json["models"] == []


def test_the_owner_is_compared_once(scene: Scene) -> None:
    scene.accept(scene.grant())
    scene.clinic.run("accept", scene.grant(), "--yes")


def test_an_acceptance_can_be_sent_back(scene: Scene, tmp_path: Path) -> None:
    target = tmp_path / "clinic.acceptance"
    folder = scene.grant()
    words = ("accept", folder, "--fingerprint", scene.fingerprint, "--yes", "-o", target, "--json")
    document = scene.clinic.run(*words).json
    assert document["packages"] == [{"name": "risk", "version": "1.0.0"}]
    assert scene.hospital.run("inspect", target, "--json").json["license"] == document["license"]


def test_a_license_without_its_package_says_so(scene: Scene, tmp_path: Path) -> None:
    folder = scene.grant()
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "clinic.license", alone)
    (alone / "junk.sealed").write_bytes(b"junk")
    assert "No package lies beside it" in scene.accept(alone).stderr
    (model,) = scene.clinic.run("models", "--json").json["models"]
    assert model["status"] == "the package is missing"
    assert "[unknown-package]" in scene.clinic.run("open", "risk", code=3).stderr
    package = folder / "risk-1.0.0.sealed"
    scene.clinic.run("accept", alone / "clinic.license", "--package", package, "--yes")
    scene.clinic.run("open", "risk")


def test_a_folder_must_hold_one_license(scene: Scene, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    scene.clinic.run("accept", empty, code=3)
    folder = scene.grant()
    shutil.copy(folder / "clinic.license", folder / "copy.license")
    assert "[several-licenses]" in scene.clinic.run("accept", folder, code=2).stderr


def test_models_says_what_opens(ready: Scene) -> None:
    (model,) = ready.clinic.run("models", "--json").json["models"]
    assert (model["model"], model["status"], model["remaining"]) == ("hospital/risk@1.0.0", "ready", 1000)
    assert "ready" in ready.clinic.run("models").text


def test_models_says_why_one_does_not_open(ready: Scene) -> None:
    (package,) = (ready.clinic.home / "packages").glob("*/risk-1.0.0.sealed")
    data = bytearray(package.read_bytes())
    data[-100] ^= 1
    package.write_bytes(data)
    outcome = ready.clinic.run("models", "--json", code=None)
    assert outcome.code in {0, 6}


def test_open_checks_everything_and_counts_nothing(ready: Scene) -> None:
    document = ready.clinic.run("open", "risk", "--json").json
    assert (document["name"], document["owner_name"]) == ("risk", "hospital")
    text = ready.clinic.run("open", "hospital/risk@1.0.0").text
    assert "1,000 left" in text
    assert "[unknown-model]" in ready.clinic.run("open", "other", code=3).stderr
    assert "[bad-reference]" in ready.clinic.run("open", "A B", code=2).stderr
    assert ready.clinic.run("models", "--json").json["models"][0]["remaining"] == 1000


def test_predict_keeps_the_id_column(ready: Scene) -> None:
    outcome = ready.clinic.run("predict", "risk", ready.table, "--id-column", "patient")
    assert outcome.text == "patient,prediction\n007,24.375\n008,16.1875\n009,31.5\n"
    assert outcome.stderr == ""


def test_predict_reads_stdin_and_writes_json(ready: Scene) -> None:
    rows = b'[{"patient": "007", "age": 61, "bmi": 24.5, "smoker": 0}]'
    words = ("predict", "risk", "-", "--format", "json", "--id-column", "patient")
    assert json.loads(ready.clinic.run(*words, stdin=rows).stdout) == [
        {"patient": "007", "prediction": 24.375}
    ]
    document = ready.clinic.run(*words, "--json", stdin=rows).json
    assert document["predictions"] == [{"patient": "007", "prediction": 24.375}]
    assert document["remaining"] == 998


def test_predict_writes_every_kind_of_file(ready: Scene, tmp_path: Path) -> None:
    for name in ("answers.csv", "answers.json", "answers.parquet"):
        target = tmp_path / name
        outcome = ready.clinic.run("predict", "risk", ready.table, "--id-column", "patient", "-o", target)
        assert outcome.stdout == b""
        assert f"3 rows to {target}." in outcome.stderr
    table = pyarrow.parquet.read_table(tmp_path / "answers.parquet")
    assert dict(zip(table["patient"].to_pylist(), table["prediction"].to_pylist(), strict=True)) == SCORES
    target = tmp_path / "again.csv"
    words = ("predict", "risk", tmp_path / "inputs.parquet", "-o", target, "--json")
    inputs = pyarrow.table({"age": [61.0], "bmi": [24.5], "smoker": [0.0]})
    pyarrow.parquet.write_table(inputs, tmp_path / "inputs.parquet")
    assert ready.clinic.run(*words).json["path"] == str(target)
    assert target.read_text(encoding="utf-8") == "prediction\n24.375\n"


def test_an_output_that_exists_is_refused_before_anything_is_counted(ready: Scene, tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    target.write_text("mine", encoding="utf-8")
    words = ("predict", "risk", ready.table, "--id-column", "patient", "-o", target)
    assert "[already-exists]" in ready.clinic.run(*words, code=2).stderr
    assert ready.clinic.run("models", "--json").json["models"][0]["remaining"] == 1000
    ready.clinic.run(*words, "--yes")


def test_a_table_that_does_not_fit_is_refused_and_no_value_is_shown(ready: Scene, tmp_path: Path) -> None:
    outcome = ready.clinic.run("predict", "risk", ready.table, code=2)
    assert "--id-column" in outcome.stderr
    assert "24.5" not in outcome.stderr
    missing = ready.clinic.run("predict", "risk", ready.table, "--id-column", "name", code=2)
    assert "[id-column]" in missing.stderr
    other = tmp_path / "patients.xlsx"
    other.write_bytes(b"PK")
    assert "[table-kind]" in ready.clinic.run("predict", "risk", other, code=2).stderr


def test_parquet_is_not_written_to_a_terminal(ready: Scene) -> None:
    words = ("predict", "risk", ready.table, "--format", "parquet")
    assert "[binary-terminal]" in ready.clinic.run(*words, terminal=True, code=2).stderr


def test_a_model_without_probabilities_says_so(ready: Scene) -> None:
    words = ("predict", "risk", ready.table, "--id-column", "patient", "--proba")
    assert "[method-missing]" in ready.clinic.run(*words, code=2).stderr


def test_a_budget_that_is_used_up_is_refused(scene: Scene) -> None:
    scene.accept(scene.grant("--predictions", "4/total"))
    words = ("predict", "risk", scene.table, "--id-column", "patient")
    scene.clinic.run(*words)
    outcome = scene.clinic.run(*words, code=5)
    assert "[predictions-used-up]" in outcome.stderr
    assert outcome.stdout == b""


def test_export_needs_its_right(ready: Scene, tmp_path: Path) -> None:
    outcome = ready.clinic.run("export", "risk", tmp_path / "plain", code=5)
    assert "[right-not-granted]" in outcome.stderr
    assert not (tmp_path / "plain").exists()


def test_export_writes_the_model_and_its_manifest(scene: Scene, tmp_path: Path) -> None:
    scene.accept(scene.grant("--right", "export", "--right", "predict"))
    outcome = scene.clinic.run("export", "risk", tmp_path / "plain")
    assert (tmp_path / "plain" / "risk.onnx").read_bytes() == scene.model.read_bytes()
    assert "in the clear" in outcome.stderr
    manifest = tmp_path / "plain" / "strongroom-manifest.json"
    document = scene.clinic.run("inspect", manifest, "--json").json
    assert (document["kind"], document["name"]) == ("export", "risk")
    assert "[folder-not-empty]" in scene.clinic.run("export", "risk", tmp_path / "plain", code=2).stderr


def test_a_license_can_open_with_a_passphrase(scene: Scene, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("seven maple trams orbit quietly\n", encoding="utf-8")
    folder = scene.grant("--license-passphrase-file", secret)
    assert "pass-phrase" in (folder / "READ-ME-FIRST.txt").read_text(encoding="utf-8")
    scene.accept(folder)
    words = ("predict", "risk", scene.table, "--id-column", "patient")
    assert "[no-terminal]" in scene.clinic.run(*words, code=2).stderr
    scene.clinic.run(*words, "--license-passphrase-file", secret)
    wrong = scene.clinic.run(*words, "--license-passphrase-file", "-", stdin=b"wrong\n", code=4)
    assert "[passphrase-wrong]" in wrong.stderr


def test_a_home_under_a_passphrase_predicts(
    hospital: Party, party: Callable[[str], Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.scenarios.model import write_model

    model, table = write_model(tmp_path)
    hospital.run("seal", model, "--name", "risk")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "seven maple trams orbit quietly")
    clinic = party("clinic")
    clinic.run("init", "clinic", "--partner-only", "--encrypt")
    scene = Scene(hospital, clinic, *meet(hospital, clinic), model, table)
    scene.accept(scene.grant())
    clinic.run("predict", "risk", table, "--id-column", "patient")


def test_a_license_is_narrowed_for_a_site(
    scene: Scene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    rights = ("--right", "predict", "--right", "sublicense")
    scene.accept(scene.grant(*rights, "--offline-files", 2))
    site = party("site")
    site.run("init", "site", "--partner-only")
    enrollment, fingerprint = meet(scene.hospital, site)
    identity = license_in(scene.clinic.run("license", "list"))
    narrowed, complete = tmp_path / "site.license", tmp_path / "complete.license"
    words = ("license", "narrow", identity, enrollment, "--predictions", "2/total", "-o", narrowed)
    assert "[fingerprint-needed]" in scene.clinic.run(*words, code=2).stderr
    said = scene.clinic.run(*words, "--until", "2099-01-01", "--fingerprint", fingerprint).stderr
    assert "Predictions: At most 2" in said
    assert "your own license ends sooner" in said
    assert "[already-exists]" in scene.clinic.run(*words, "--fingerprint", fingerprint, code=2).stderr
    scene.hospital.run(
        "grant", enrollment, "risk", "--under", narrowed, "--fingerprint", fingerprint, "-o", complete
    )
    package = scene.hospital.path("outbox/clinic/risk-1.0.0.sealed")
    site.run("accept", complete, "--package", package, "--fingerprint", fingerprint, "--yes")
    predict = ("predict", "risk", scene.table, "--id-column", "patient")
    assert "[predictions-used-up]" in site.run(*predict, code=5).stderr


def test_a_license_without_the_right_cannot_be_narrowed(ready: Scene) -> None:
    identity = license_in(ready.clinic.run("license", "list"))
    words = ("license", "narrow", identity, ready.enrollment, "--fingerprint", ready.fingerprint)
    assert "[sublicense-not-permitted]" in ready.clinic.run(*words, code=6).stderr


def test_answers_become_columns() -> None:
    assert to_columns([1, 0], (), prefix="prediction") == {"prediction": [1, 0]}
    assert to_columns({0: [0.1], 1: [0.9]}, (0, 1), prefix="probability") == {
        "probability_0": [0.1],
        "probability_1": [0.9],
    }
    assert to_columns({"yes": [0.1]}, ("yes",), prefix="probability") == {"probability_yes": [0.1]}
    assert to_columns({"label": [1], "scores": {0: [0.1]}}, (), prefix="prediction") == {
        "label": [1],
        "scores_0": [0.1],
    }
    ranked = TopK(labels={"rank_1": ["a"]}, scores={"rank_1": [0.9]})
    assert to_columns(ranked, (), prefix="probability") == {"rank_1_label": ["a"], "rank_1_score": [0.9]}


def test_answers_of_three_dimensions_are_no_table() -> None:
    import numpy as np

    with pytest.raises(UsageError, match="no table"):
        to_columns(np.zeros((1, 2, 3)), (), prefix="prediction")


def test_an_id_column_with_the_name_of_an_answer_stays(ready: Scene) -> None:
    table = b"prediction,age,bmi,smoker\nP7,61,24.5,0\n"
    outcome = ready.clinic.run("predict", "risk", "-", "--id-column", "prediction", stdin=table)
    assert outcome.text == "prediction,prediction_\nP7,24.375\n"


def test_a_purpose_is_stated_where_the_license_asks(scene: Scene) -> None:
    scene.accept(scene.grant("--purpose", "triage", "--right", "predict", "--right", "export"))
    words = ("predict", "risk", scene.table, "--id-column", "patient")
    assert "[purpose-missing]" in scene.clinic.run(*words, code=5).stderr
    assert "[purpose-not-allowed]" in scene.clinic.run(*words, "--purpose", "research", code=5).stderr
    scene.clinic.run(*words, "--purpose", "triage")
    scene.clinic.run("open", "risk", "--purpose", "triage")
    # That a purpose has to be stated is no fault of the license.
    (listed,) = scene.clinic.run("models", "--json").json["models"]
    assert (listed["status"], listed["purposes"]) == ("ready", ["triage"])
    assert "ready: --purpose triage" in scene.clinic.run("models").text
    scene.clinic.run("export", "risk", scene.clinic.path("plain"), "--purpose", "triage")


def test_one_of_several_licenses_is_chosen(ready: Scene) -> None:
    ready.accept(ready.grant("--predictions", "5/total"))
    words = ("predict", "risk", ready.table, "--id-column", "patient")
    assert "[ambiguous-model]" in ready.clinic.run(*words, code=3).stderr
    licenses = ready.clinic.run("license", "list", "--json").json["licenses"]
    assert len(licenses) == 2
    outcome = ready.clinic.run(*words, "--license", licenses[0]["license"], "--json")
    assert outcome.json["license"] == licenses[0]["license"]


def test_a_license_without_a_key_for_this_installation_says_so(scene: Scene) -> None:
    """The clinic lost its device key and joined again: the old license is the clinic's, its key is not."""
    scene.accept(scene.grant())
    folder = scene.hospital.path("outbox/clinic")
    for key in (scene.clinic.home / "keys").glob("own-*/*.key"):
        key.unlink()
    for state in (scene.clinic.home / "state").iterdir():
        shutil.rmtree(state) if state.is_dir() else state.unlink()
    scene.clinic.run(
        "join", scene.hospital.path("clinic.invite"), "-o", scene.clinic.path("again.enrollment")
    )
    outcome = scene.clinic.run("accept", folder, "--yes")
    assert "no key for this installation" in outcome.stderr
    assert "[no-authority]" in scene.clinic.run("open", "risk", code=5).stderr


def test_a_folder_that_does_not_exist_is_noticed_before_anything_is_counted(
    ready: Scene, tmp_path: Path
) -> None:
    words = ("predict", "risk", ready.table, "--id-column", "patient", "-o", tmp_path / "no" / "a.csv")
    assert "[no-folder]" in ready.clinic.run(*words, code=3).stderr
    assert ready.clinic.run("models", "--json").json["models"][0]["remaining"] == 1000


def test_predict_explains_where_model_and_license_allow_it(scene: Scene, tmp_path: Path) -> None:
    rows = np.random.default_rng(3).normal(size=(60, 3))
    frame = pd.DataFrame(rows, columns=["age", "bmi", "smoker"])
    model, table = tmp_path / "linear.skops", tmp_path / "rows.csv"
    skops.io.dump(LinearRegression().fit(frame, 2 * frame["age"] - 5 * frame["bmi"]), model)
    frame.iloc[:2].assign(patient=["007", "008"]).to_csv(table, index=False)
    frame.to_csv(tmp_path / "sample.csv", index=False)
    seal = ("seal", model, "--name", "risk", "--version", "2.0.0", "--sample", tmp_path / "sample.csv")
    scene.hospital.run(*seal)
    words = ("--right", "predict", "--right", "explain")
    scene.accept(scene.grant(*words, "--explanations", "3/month"))
    target = tmp_path / "reasons.csv"
    predict = ("predict", "risk", table, "--id-column", "patient")
    outcome = scene.clinic.run(*predict, "--explain", "-o", target)
    assert "1 explanation left" in outcome.stderr
    lines = target.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("patient,prediction,reason_1,contribution_1,reason_2")
    assert {line.split(",")[2] for line in lines[1:]} <= {"age", "bmi"}
    assert "[explanations-used-up]" in scene.clinic.run(*predict, "--explain", code=5).stderr
    scene.clinic.run(*predict)
    assert "[explain-proba]" in scene.clinic.run(*predict, "--explain", "--proba", code=2).stderr


def test_predict_explains_nothing_without_the_right_or_a_model_that_can(ready: Scene) -> None:
    refused = ready.clinic.run(
        "predict", "risk", ready.table, "--id-column", "patient", "--explain", code=None
    )
    assert refused.code != 0
    assert "[explain-missing]" in refused.stderr
    assert ready.clinic.run("models", "--json").json["models"][0]["remaining"] == 1000
