"""A derived model goes to its owner over the broker, and the countersignature comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.connection import BrokerClient
from strongroom.errors import ObjectNotFound
from strongroom.home.home import Home
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import Party

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


def countersigned_by_a_new_key(ready: BrokerScene) -> Path:
    """Return a derivation file whose owner has rotated its package key, and signed with the new one."""
    file = derived(ready)
    ready.clinic.run("derivation", "send", file)
    # No document of before may be of the second of the rotation.
    time.sleep(1.1)
    ready.hospital.run("owner", "rotate", "--renew", "package", "--yes")
    time.sleep(1.1)
    ready.hospital.run("countersign", file, "--yes")
    return file


def test_a_countersignature_by_a_newer_key_brings_the_newer_owner_document(ready: BrokerScene) -> None:
    file = countersigned_by_a_new_key(ready)
    home = Home.open(ready.clinic.home)
    (before,) = home.trust.all()
    assert before.owner.version == 1
    path = Path(ready.clinic.run("derivation", "fetch", file).text.strip())
    assert path.exists()
    (after,) = home.trust.all()
    assert (after.owner.version, after.status) == (2, before.status)
    assert after.owner.chain.to_json()[:1] == before.owner.chain.to_json()


def test_no_owner_document_that_the_roots_did_not_sign_makes_a_package(
    ready: BrokerScene, party: Callable[[str], Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker, or a thief of it, that offers a chain of its own for keys of its own."""
    file = countersigned_by_a_new_key(ready)
    thief = party("thief")
    thief.run("init", "hospital")
    home = Home.open(ready.clinic.home)
    (pinned,) = home.trust.all()
    (stolen,) = Home.open(thief.home).trust.all()
    real = BrokerClient.owner
    old, own = pinned.owner.chain.to_json(), stolen.owner.chain.to_json()
    for chain in (own, [*old, *own], old):
        monkeypatch.setattr(
            BrokerClient, "owner", lambda client, chain=chain: replace(real(client), owner=tuple(chain))
        )
        assert ready.clinic.run("derivation", "fetch", file, code=None).code in (3, 6)
        assert [each.owner for each in home.trust.all()] == [pinned.owner]
        with pytest.raises(ObjectNotFound):
            home.catalog.packages.find(pinned.id, "risk", "1.1.0")


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
