"""What an owner does with a model: seal, grant, license list, show, withdraw-version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.model import write_model
from tests.unit.cli.conftest import Party, Scene, license_in, meet


def test_seal_prints_where_the_package_is(hospital: Party, tmp_path: Path) -> None:
    model, _ = write_model(tmp_path)
    before = model.read_bytes()
    outcome = hospital.run("seal", model, "--name", "risk")
    assert Path(outcome.text.strip()).name == "risk-1.0.0.sealed"
    assert Path(outcome.text.strip()).is_file()
    assert "Not compared" in outcome.stderr
    assert model.read_bytes() == before


def test_seal_proves_the_round_trip_on_a_sample(hospital: Party, tmp_path: Path) -> None:
    model, _ = write_model(tmp_path)
    sample = tmp_path / "sample.csv"
    sample.write_text("age,bmi,smoker\n61,24.5,0\n44,31.25,1\n", encoding="utf-8")
    assert "2 rows exactly" in hospital.run("seal", model, "--name", "risk", "--sample", sample).stderr
    document = hospital.run("seal", model, "--name", "risk", "--sample", sample, "--json").json
    assert document["version"] == "1.1.0"
    assert document["sample"] == {"rows": 2, "equal": True, "differing_labels": 0, "largest_difference": 0.0}


def test_seal_refuses_what_runs_code_when_it_loads(hospital: Party, tmp_path: Path) -> None:
    pickled = tmp_path / "model.pkl"
    pickled.write_bytes(b"\x80\x04K\x01.")
    outcome = hospital.run("seal", pickled, "--name", "risk", code=2)
    assert "strongroom: hint:" in outcome.stderr
    assert hospital.run("seal", tmp_path / "none.onnx", "--name", "risk", code=3).stdout == b""


def test_a_sample_needs_pandas(hospital: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    model, table = write_model(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    outcome = hospital.run("seal", model, "--name", "risk", "--sample", table, code=2)
    assert "strongroom[frames]" in outcome.stderr


def test_grant_makes_one_folder_for_each_partner(
    hospital: Party, party: Callable[[str], Party], tmp_path: Path
) -> None:
    model, _ = write_model(tmp_path)
    hospital.run("seal", model, "--name", "risk")
    for name in ("north", "south", "west"):
        partner = party(name)
        partner.run("init", name, "--partner-only")
        enrollment, fingerprint = meet(hospital, partner)
        hospital.run("partner", "approve", enrollment, "--fingerprint", fingerprint)
    out = hospital.path("out")
    granted = hospital.run("grant", "north", "south", "west", "risk", "--into", out, "--json").json["granted"]
    assert [each["partner"] for each in granted] == ["north", "south", "west"]
    for name in ("north", "south", "west"):
        assert {path.name for path in (out / name).iterdir()} == {
            "READ-ME-FIRST.txt",
            f"{name}.license",
            "risk-1.0.0.sealed",
            "risk-1.0.0.sealed.sig",
        }


def test_the_letter_says_what_to_do_and_gives_no_fingerprint_away(scene: Scene, tmp_path: Path) -> None:
    agreement = tmp_path / "agreement.txt"
    agreement.write_text("Be kind.\n", encoding="utf-8")
    letter = (scene.grant("--agreement", agreement) / "READ-ME-FIRST.txt").read_text(encoding="utf-8")
    for command in (
        "strongroom inspect clinic.license",
        "strongroom accept clinic.license",
        "strongroom open risk",
        "strongroom predict risk",
    ):
        assert command in letter
    assert "From hospital to clinic" in letter
    assert "agreement" in letter
    assert scene.fingerprint not in letter
    assert all(len(line) <= 100 for line in letter.splitlines())


def test_a_full_folder_is_refused_before_anything_is_signed(scene: Scene) -> None:
    scene.grant()
    hospital = scene.hospital
    before = len(hospital.run("license", "list", "--json").json["licenses"])
    outcome = hospital.run("grant", "clinic", "risk", "--into", hospital.path("outbox"), code=2)
    assert "[folder-not-empty]" in outcome.stderr
    target = hospital.path("clinic.license")
    target.write_text("mine", encoding="utf-8")
    hospital.run("grant", "clinic", "risk", "-o", target, code=2)
    assert len(hospital.run("license", "list", "--json").json["licenses"]) == before


def test_the_single_form_writes_only_the_license(scene: Scene) -> None:
    target = scene.hospital.path("clinic.license")
    words = ("grant", scene.enrollment, "risk", "--fingerprint", scene.fingerprint)
    document = scene.hospital.run(*words, "-o", target, "--json").json
    assert document["path"] == str(target)
    assert document["license"] == scene.hospital.run("inspect", target, "--json").json["license"]
    assert scene.hospital.run(*words, "-o", "-").stdout.startswith(b"{")


@pytest.mark.parametrize(
    "words",
    [("clinic",), (), ("a", "b", "risk", "-o", "x.license"), ("a", "b", "risk", "--fingerprint", "X")],
)
def test_a_grant_that_cannot_be_meant_is_refused(hospital: Party, words: tuple[str, ...]) -> None:
    hospital.run("grant", *words, code=2)


def test_what_a_level_asks_for_is_said(scene: Scene) -> None:
    words = ("grant", scene.enrollment, "risk", "--fingerprint", scene.fingerprint, "-o", "-", "--level")
    assert "no installation reaches" not in scene.hospital.run(*words, "local").stderr
    warned = scene.hospital.run(*words, "attested").stderr
    assert "no installation reaches the level attested yet, only local and sealed" in warned
    noted = scene.hospital.run(*words, "sealed").stderr
    assert "opens only where a service account runs the model" in noted
    scene.accept(scene.grant("--level", "sealed"))
    refused = scene.clinic.run("open", "risk", code=5).stderr
    assert "[level-too-low]" in refused
    assert "Missing here: own-account: it runs as root" in refused
    assert "hint: run it under a service account of its own" in refused
    assert "level reached: local" in scene.clinic.run("doctor", code=None).text


def test_granting_to_an_unknown_fingerprint_is_refused(scene: Scene) -> None:
    words = ("grant", scene.enrollment, "risk", "-o", "-")
    assert "[fingerprint-needed]" in scene.hospital.run(*words, "--yes", code=2).stderr
    wrong = ("--fingerprint", "0000-0000-0000-0000-0000")
    assert "[fingerprint-mismatch]" in scene.hospital.run(*words, *wrong, code=6).stderr
    scene.hospital.run(*words, "--fingerprint", scene.fingerprint)
    # Approved by now, but a wrong fingerprint is still a contradiction.
    assert "[fingerprint-mismatch]" in scene.hospital.run(*words, *wrong, code=6).stderr
    scene.hospital.run(*words)
    scene.hospital.run("grant", "clinic", "risk", "-o", "-")


def test_a_pending_partner_can_be_granted_by_name(scene: Scene) -> None:
    scene.hospital.run("partner", "approve", scene.enrollment, code=2)
    words = ("grant", "clinic", "risk", "-o", "-", "--fingerprint", scene.fingerprint)
    assert scene.hospital.run(*words).stdout


def test_licenses_are_listed_and_shown(scene: Scene) -> None:
    assert "no licenses" in scene.hospital.run("license", "list").stderr
    scene.accept(scene.grant("--predictions", "1000/month"))
    (given,) = scene.hospital.run("license", "list", "--json").json["licenses"]
    (got,) = scene.clinic.run("license", "list", "--json").json["licenses"]
    assert given["license"] == got["license"]
    assert (given["direction"], given["party"], given["status"]) == ("to", "clinic", "granted")
    assert (got["direction"], got["party"], got["status"]) == ("from", "hospital", "accepted")
    for party in (scene.hospital, scene.clinic):
        identity = license_in(party.run("license", "list"))
        assert "At most 1,000 in each month" in party.run("license", "show", identity).text
        document = party.run("license", "show", identity, "--json").json
        assert {"limit": 1000, "per": "month", "term": "predictions"} in document["terms"]


def test_a_license_can_be_written_again(scene: Scene, tmp_path: Path) -> None:
    agreement = tmp_path / "agreement.txt"
    agreement.write_text("Be kind.\n", encoding="utf-8")
    folder = scene.grant("--agreement", agreement)
    identity = license_in(scene.hospital.run("license", "list"))
    again = tmp_path / "again.license"
    text = scene.hospital.run("license", "show", identity, "--agreement", "-o", again).text
    assert "Be kind." in text
    assert again.read_bytes() == (folder / "clinic.license").read_bytes()
    assert "[unknown-license]" in scene.hospital.run("license", "show", "lic-" + "a" * 24, code=3).stderr


def test_a_withdrawal_reaches_every_license_of_the_model(scene: Scene, tmp_path: Path) -> None:
    scene.accept(scene.grant())
    hospital, clinic = scene.hospital, scene.clinic
    newer, _ = write_model(tmp_path, "newer.onnx", scale=2.0)
    hospital.run("seal", newer, "--name", "risk", "--version", "2.0.0")
    hospital.run("grant", "clinic", "risk@2.0.0", "--into", hospital.path("newer"))
    clinic.run("accept", hospital.path("newer/clinic"), "--yes")
    words = ("predict", scene.table, "--id-column", "patient")
    clinic.run(words[0], "risk@2.0.0", *words[1:])
    assert "[version-rollback]" in clinic.run(words[0], "risk@1.0.0", *words[1:], code=5).stderr
    withdrawn = hospital.run(
        "license", "withdraw-version", "risk@2.0.0", "--permits", "1.0.0", "--reason", "wrong unit",
        "--into", hospital.path("withdrawal"), "--json",
    ).json  # fmt: skip
    assert len(withdrawn["licenses"]) == 2
    for each in withdrawn["licenses"]:
        clinic.run("accept", each["path"], "--yes")
    clinic.run(words[0], "risk@1.0.0", *words[1:])
    assert "withdrawn" in clinic.run(words[0], "risk@2.0.0", *words[1:], code=5).stderr


def test_a_withdrawal_leaves_licenses_of_other_models_alone(scene: Scene) -> None:
    hospital = scene.hospital
    scene.grant()
    hospital.run("seal", scene.model, "--name", "other")
    words = ("license", "withdraw-version", "other@1.0.0", "--reason", "x", "--into", hospital.path("w"))
    assert hospital.run(*words, "--json").json["licenses"] == []
    assert "No license names this model" in hospital.run(*words).stderr


def test_a_withdrawal_of_what_was_never_sealed_is_not_found(hospital: Party) -> None:
    hospital.run("license", "withdraw-version", "risk@1.0.0", "--reason", "x", code=3)
