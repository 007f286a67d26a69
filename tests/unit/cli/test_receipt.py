"""Receipts on the command line: made by a partner, verified by a stranger, denied to whoever has no salt."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from tests.unit.cli.conftest import Party, Scene


@pytest.fixture
def made(scene: Scene, tmp_path: Path) -> tuple[Scene, Path]:
    scene.accept(scene.grant("--predictions", "1000/month"))
    target = tmp_path / "all.receipt"
    words = ("predict", "risk", scene.table, "--id-column", "patient", "--receipts", target, "--json")
    outcome = scene.clinic.run(*words)
    assert (outcome.json["rows"], outcome.json["remaining"]) == (3, 997)
    return scene, target


def values(path: Path, made: tuple[Scene, Path]) -> tuple[Path, Path]:
    """Write what went in and came out, as somebody would who kept it."""
    scene, _ = made
    answers = scene.clinic.run("predict", "risk", scene.table, "--id-column", "patient", "--json").json
    rows = [line.split(",")[1:] for line in scene.table.read_text(encoding="utf-8").splitlines()[1:]]
    names = scene.table.read_text(encoding="utf-8").splitlines()[0].split(",")[1:]
    from strongroom.client import open as open_model
    from strongroom.home.home import Home  # the names of the tensors are the model's

    with open_model("risk", home=Home.open(scene.clinic.home).path) as model:
        schema: Any = model._schema
    inputs = []
    if len(schema.inputs) == 1:
        flat = [float(row[names.index(name)]) for row in rows for name in schema.columns or names]
        inputs.append(tensor(schema.inputs[0].name, schema.inputs[0].datatype, [3, len(flat) // 3], flat))
    else:
        for field in schema.inputs:
            column = [row[names.index(field.name)] for row in rows]
            data = column if field.datatype == "BYTES" else [float(each) for each in column]
            inputs.append(tensor(field.name, field.datatype, [3, *field.shape[1:]], data))
    (out,) = schema.outputs
    flat = [each["prediction"] for each in answers["predictions"]]
    outputs = [tensor(out.name, out.datatype, [3, *out.shape[1:]], flat)]
    given, left = path / "in.json", path / "out.json"
    given.write_text(json.dumps({"inputs": inputs}), encoding="utf-8")
    left.write_text(json.dumps({"outputs": outputs}), encoding="utf-8")
    return given, left


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_a_stranger_needs_only_the_owners_id(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, target = made
    stranger = Party("stranger", tmp_path)
    owner = scene.hospital.run("owner", "show", "--json").json["owner"]
    said = stranger.run("receipt", "verify", target, "--owner", owner, "--json").json
    assert (said["verified"], said["receipts"], said["partner"], said["model"]) == (True, 3, "clinic", "risk")
    text = stranger.run("receipt", "verify", target, "--owner", owner)
    assert "3 receipts of risk 1.0.0 by hospital" in text.text
    assert "no proof that it told the truth" in text.stderr
    wrong = stranger.run("receipt", "verify", target, "--owner", "own-" + "a" * 24, code=6)
    assert "[receipt-owner]" in wrong.stderr
    stranger.run("receipt", "verify", target, code=3)
    assert "[receipt-owner]" not in scene.clinic.run("receipt", "verify", target).stderr


def test_it_can_come_by_stdin(made: tuple[Scene, Path]) -> None:
    scene, target = made
    said = scene.clinic.run("receipt", "verify", "-", "--json", stdin=target.read_bytes())
    assert said.json["verified"]


def test_a_stranger_who_names_no_owner_is_told_to(made: tuple[Scene, Path], tmp_path: Path) -> None:
    for more in ([], ["--owner", "hospital"]):
        said = Party("stranger", tmp_path).run("receipt", "verify", made[1], *more, code=3)
        assert "--owner own-" in said.stderr


@pytest.mark.parametrize("more", [["--salts", "some.salts"], ["--row", "1"]])
def test_salts_without_values_are_not_taken_for_a_check(made: tuple[Scene, Path], more: list[str]) -> None:
    scene, target = made
    assert "[receipt-salts]" in scene.clinic.run("receipt", "verify", target, *more, code=2).stderr


def test_show_says_what_is_claimed(made: tuple[Scene, Path]) -> None:
    scene, target = made
    text = scene.clinic.run("receipt", "show", target)
    assert "predictions" in text.text
    assert "None" not in text.text
    assert "not checked here" in text.stderr
    said = scene.clinic.run("receipt", "show", target, "--json").json
    assert (said["first"], said["predictions"], said["index"], said["level"]) == (0, 3, None, "local")


def test_salts_are_private_and_show_values(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, target = made
    salts = tmp_path / "all.receipt.salts"
    assert stat.S_IMODE(salts.stat().st_mode) == 0o600
    given, left = values(tmp_path, made)
    words = ("receipt", "verify", target, "--salts", salts, "--input", given, "--output", left, "--json")
    for row in range(3):
        assert scene.clinic.run(*words, "--row", row).json["checked"] == ["input", "output"]
    assert "[receipt-index]" in scene.clinic.run(*words[:-1], code=2).stderr
    assert "[receipt-index]" in scene.clinic.run(*words[:-1], "--row", 3, code=2).stderr
    text = scene.clinic.run(*words[:-1], "--row", 1)
    assert "input and output as given" in text.text
    other = tmp_path / "other.json"
    wrong = ("receipt", "verify", target, "--salts", salts, "--input", left, "--row", 0)
    assert "[inference-request]" in scene.clinic.run(*wrong, code=None).stderr
    changed = json.loads(left.read_text(encoding="utf-8"))
    changed["outputs"][0]["data"][0] += 1
    other.write_text(json.dumps(changed), encoding="utf-8")
    wrong = ("receipt", "verify", target, "--salts", salts, "--output", other, "--row", 0)
    assert "[receipt-output]" in scene.clinic.run(*wrong, code=6).stderr


def test_one_receipt_with_the_salt_of_its_input(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, target = made
    file = ReceiptFile.from_bytes(target.read_bytes()).one(1)
    salts = SaltFile.from_bytes((tmp_path / "all.receipt.salts").read_bytes()).one(1, output=False)
    one, secret = tmp_path / "one.receipt", tmp_path / "one.salts"
    one.write_bytes(file.to_bytes())
    secret.write_bytes(salts.to_bytes())
    given, left = values(tmp_path, made)
    words = ("receipt", "verify", one, "--salts", secret)
    assert scene.clinic.run(*words, "--input", given, "--json").json["checked"] == ["input"]
    assert "[receipt-salts]" in scene.clinic.run(*words, "--output", left, code=2).stderr


def test_values_need_the_right_salts(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, target = made
    given, _ = values(tmp_path, made)
    missing = scene.clinic.run("receipt", "verify", target, "--input", given, code=2)
    assert "[receipt-salts]" in missing.stderr
    second = tmp_path / "second.receipt"
    scene.clinic.run("predict", "risk", scene.table, "--id-column", "patient", "--receipts", second)
    words = ("receipt", "verify", target, "--salts", f"{second}.salts", "--input", given, "--row", 0)
    assert "[receipt-salts]" in scene.clinic.run(*words, code=2).stderr


def test_the_owner_by_a_file(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, target = made
    invite = scene.hospital.path("clinic.invite")
    said = Party("stranger", tmp_path).run("receipt", "verify", target, "--owner", invite, "--json").json
    assert said["owner_name"] == "hospital"
    # Whoever sends a folder chooses what its files are called: an id that was typed is no file.
    other = "own-" + "a" * 24
    (tmp_path / other).write_bytes(invite.read_bytes())
    wrong = Party("stranger", tmp_path).run("receipt", "verify", target, "--owner", other, code=6)
    assert "[receipt-owner]" in wrong.stderr


def test_what_is_there_is_kept_and_explanations_have_no_receipts(made: tuple[Scene, Path]) -> None:
    scene, target = made
    before = target.read_bytes()
    words = ("predict", "risk", scene.table, "--id-column", "patient", "--receipts", target)
    assert "[already-exists]" in scene.clinic.run(*words, code=2).stderr
    assert "[explain-receipts]" in scene.clinic.run(*words, "--explain", code=2).stderr
    assert target.read_bytes() == before


def test_a_runtime_that_was_never_certified_says_what_to_do(made: tuple[Scene, Path], tmp_path: Path) -> None:
    scene, _ = made
    (certificate,) = (scene.clinic.home / "trust").glob("*.runtime")
    certificate.unlink()
    words = ("predict", "risk", scene.table, "--id-column", "patient", "--receipts", tmp_path / "x")
    refused = scene.clinic.run(*words, code=None)
    assert "[receipt-missing]" in refused.stderr
    assert "strongroom accept" in refused.stderr
    assert not (tmp_path / "x").exists()
