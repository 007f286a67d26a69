"""``derive`` at the partner and ``countersign`` at the owner."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import Scene


@pytest.fixture
def ready(scene: Scene) -> Scene:
    scene.accept(scene.grant("--right", "predict", "--right", "modify"))
    return scene


def test_a_model_goes_to_the_owner_and_comes_back_as_a_package(ready: Scene) -> None:
    file = ready.clinic.path("tuned.derived")
    sample = ready.clinic.path("sample.csv")
    sample.write_text("age,bmi,smoker\n61,24.5,0\n44,31.25,1\n", encoding="utf-8")
    made = ready.clinic.run("derive", ready.model, "--from", "risk", "--sample", sample, "-o", file)
    assert "Send the file to hospital" in made.stderr
    assert made.text.strip() == str(file)

    shown = ready.hospital.run("inspect", file, "--json").json
    assert (shown["kind"], shown["name"], shown["version"]) == ("derivation", "risk", "1.1.0")
    assert "UNVERIFIED" in ready.hospital.run("inspect", file).text

    done = ready.hospital.run("countersign", file, "--yes")
    assert "clinic made risk 1.1.0 of risk 1.0.0." in done.stderr
    assert "strongroom grant PARTNER risk@1.1.0" in done.stderr
    package = ready.hospital.run("countersign", file, "--yes", "--json").json
    assert (package["parent"], package["holder"]) == ("risk 1.0.0", "clinic")
    seen = ready.hospital.run("inspect", package["path"], "--json").json
    assert seen["parent"] == shown["parent"]
    assert seen["package_digest"] == shown["package_digest"]
    assert f"derives from {seen['parent']}" in " ".join(
        ready.hospital.run("inspect", package["path"]).text.split()
    )


def test_derive_answers_in_json(ready: Scene) -> None:
    document = ready.clinic.run(
        "derive", ready.model, "--from", "risk", "--name", "risk-north", "-o", ready.clinic.path("a.derived"),
        "--json",
    ).json  # fmt: skip
    assert (document["name"], document["version"], document["owner"]) == ("risk-north", "1.0.0", "hospital")


def test_a_no_signs_nothing(ready: Scene) -> None:
    file = ready.clinic.path("a.derived")
    ready.clinic.run("derive", ready.model, "--from", "risk", "-o", file)
    outcome = ready.hospital.run("countersign", file, stdin=b"n\n", terminal=True, code=2)
    assert "[not-signed]" in outcome.stderr
    assert "[no-terminal]" in ready.hospital.run("countersign", file, code=2).stderr
    ready.hospital.run("countersign", file, stdin=b"y\n", terminal=True)


def test_derive_needs_its_right(scene: Scene) -> None:
    scene.accept(scene.grant())
    outcome = scene.clinic.run(
        "derive", scene.model, "--from", "risk", "-o", scene.clinic.path("a.derived"), code=5
    )
    assert "[right-not-granted]" in outcome.stderr


def test_what_is_not_countersigned_is_no_package(ready: Scene) -> None:
    file = ready.clinic.path("a.derived")
    ready.clinic.run("derive", ready.model, "--from", "risk", "-o", file)
    for words in (["verify", file], ["seal", file, "--name", "other"]):
        outcome = ready.hospital.run(*words, code=None)
        assert outcome.code != 0, words
    assert "[not-countersigned]" in ready.hospital.run("verify", file, code=None).stderr
