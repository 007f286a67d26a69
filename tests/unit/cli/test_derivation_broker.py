"""A derived model goes to its owner over the broker, and the countersignature comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene

__all__ = ["scene"]


@pytest.fixture
def ready(scene: BrokerScene) -> BrokerScene:
    scene.grant("--right", "modify", "--right", "predict")
    scene.accept()
    return scene


def derived(scene: BrokerScene, name: str = "a.derived") -> Path:
    file = scene.clinic.path(name)
    scene.clinic.run("derive", scene.model, "--from", "risk", "-o", file)
    return file


def test_a_countersignature_is_asked_for_and_fetched_and_the_model_runs(ready: BrokerScene) -> None:
    file = derived(ready)
    ready.clinic.run("derivation", "send", derived(ready, "b.derived"))
    assert "[unknown-derivation]" in ready.clinic.run("derivation", "fetch", file, code=3).stderr
    sent = ready.clinic.run("derivation", "send", file, "--json").json
    assert (sent["status"], sent["holder"], sent["parent_name"]) == ("open", "clinic", "risk 1.0.0")
    assert "derivation fetch" in ready.clinic.run("derivation", "send", file).stderr
    assert "[derivation-open]" in ready.clinic.run("derivation", "fetch", file, code=2).stderr
    table = ready.hospital.run("derivation", "list").text
    assert all(word in table for word in (sent["derivation"], "clinic", "risk 1.1.0", "risk 1.0.0", "open"))
    package = ready.hospital.run("countersign", file, "--yes", "--json").json
    assert package["derivation"] == sent["derivation"]
    path = Path(ready.clinic.run("derivation", "fetch", file).text.strip())
    assert path.read_bytes() == Path(package["path"]).read_bytes()
    again = ready.clinic.run("derivation", "fetch", file, "--json").json
    assert (again["path"], again["status"]) == (str(path), "countersigned")
    assert "is countersigned" in ready.clinic.run("derivation", "send", file).text
    ready.hospital.run("publish", "risk@1.1.0")
    ready.hospital.run("grant", "clinic", "risk@1.1.0")
    ready.clinic.run("accept", "risk", "--yes")


def test_a_refusal_comes_with_its_reason(ready: BrokerScene) -> None:
    file = derived(ready)
    derivation = ready.clinic.run("derivation", "send", file, "--json").json["derivation"]
    refused = ready.hospital.run("derivation", "refuse", derivation, "--reason", "too few patients")
    assert "refused: too few patients" in refused.text
    assert "too few patients" in ready.clinic.run("derivation", "list").text
    assert "[derivation-refused]" in ready.clinic.run("derivation", "fetch", file, code=4).stderr
    assert "[derivation-answered]" in ready.hospital.run("countersign", file, "--yes", code=4).stderr


def test_a_partner_that_sent_the_file_alone(ready: BrokerScene) -> None:
    file = derived(ready)
    assert "has not asked the broker" in ready.hospital.run("countersign", file, "--yes").stderr
    ready.clinic.run("derivation", "send", file)
    assert "has not asked" not in ready.hospital.run("countersign", file, "--yes").stderr
    ready.clinic.run("derivation", "fetch", file)


def test_a_signature_waits_for_a_broker_that_is_down(ready: BrokerScene) -> None:
    file = derived(ready)
    ready.clinic.run("derivation", "send", file)
    ready.broker.stop()
    assert "waits here" in ready.hospital.run("countersign", file, "--yes", code=7).stderr
    assert "Nothing waits" in ready.clinic.run("derivation", "send", file, code=7).stderr
    assert "risk 1.1.0" in ready.hospital.run("license", "upload", code=7).text


def test_the_right_is_asked_for_again_at_the_broker(ready: BrokerScene) -> None:
    file = derived(ready)
    (license, _), *_ = ready.given
    ready.hospital.run("license", "revoke", license, "--reason", "the contract ended", "--yes")
    assert "[revoked]" in ready.clinic.run("derivation", "send", file, code=5).stderr
