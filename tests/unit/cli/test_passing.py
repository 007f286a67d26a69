"""A partner lists what it passed on, and ends it, over the broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom.connection import BrokerClient
from strongroom.protocol.broker import SublicensePage
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import FINGERPRINT, Party, license_in

__all__ = ["scene"]

WHY = ("--reason", "the ward has closed")


@pytest.fixture
def ward(party: Callable[[str], Party]) -> Party:
    made = party("ward")
    made.run("init", "ward", "--partner-only")
    return made


@pytest.fixture
def given(scene: BrokerScene, ward: Party, tmp_path: Path) -> str:
    """Return a sub-license that the ward accepted."""
    identity = scene.grant(
        "--right", "predict", "--right", "sublicense", "--predictions", "100/day", "--offline", "30d"
    )
    scene.accept()
    invite, enrollment = tmp_path / "ward.invite", tmp_path / "ward.enrollment"
    scene.hospital.run("invite", "ward", "-o", invite)
    match = FINGERPRINT.search(ward.run("join", invite, "-o", enrollment).stderr)
    assert match
    scene.approve(ward, match[0])
    words = ("license", "narrow", identity, enrollment, "--fingerprint", match[0], "--expires", "30d")
    child = license_in(scene.clinic.run(*words))
    package = next((scene.hospital.home / "packages").glob("*/risk-1.0.0.sealed"))
    ward.run("accept", child, "--fingerprint", match[0], "--package", package, "--yes")
    return child


def listed(party: Party) -> list[dict[str, Any]]:
    found = party.run("license", "sublicenses", "--json").json["sublicenses"]
    assert isinstance(found, list)
    return found


def test_a_partner_sees_what_it_passed_on(scene: BrokerScene, ward: Party, given: str) -> None:
    (first,) = listed(scene.clinic)
    assert (first["sublicense"], first["holder"], first["models"]) == (given, "ward", "risk@1.0.0")
    assert (first["status"], first["runtimes"], first["held"]) == ("accepted", [], {})
    ward.run("license", "checkout", "risk")
    (now,) = listed(scene.clinic)
    assert len(now["runtimes"]) == 1
    assert now["held"]["predictions/day"] > 0
    table = scene.clinic.run("license", "sublicenses").text
    assert given in table
    assert "predictions/day" in table
    # The owner sees it too, and the ward has given none.
    assert [each["sublicense"] for each in listed(scene.hospital)] == [given]
    assert listed(ward) == []
    assert "no sub-licenses" in ward.run("license", "sublicenses").stderr


def test_a_partner_ends_what_it_passed_on(scene: BrokerScene, ward: Party, given: str) -> None:
    ward.run("license", "checkout", "risk")
    words = ("license", "end", given, *WHY)
    asked = scene.clinic.run(*words, code=2).stderr
    assert "[no-terminal]" in asked
    assert "It concerns ward: 1 installation(s) can use it." in asked
    assert "Held of your license" in asked
    assert "[not-ended]" in scene.clinic.run(*words, stdin=b"n\n", terminal=True, code=2).stderr
    assert listed(scene.clinic)[0]["status"] == "accepted"
    ended = scene.clinic.run(*words, "--yes", "--json").json
    assert (ended["sublicense"], ended["holder"], ended["status"]) == (given, "ward", "revoked")
    (now,) = listed(scene.clinic)
    # What is out stays counted.
    assert (now["status"], now["held"]) == ("revoked", ended["held"])
    assert f"{given} of ward is revoked" in scene.clinic.run(*words, "--yes").text
    refused = ward.run("license", "checkout", "risk", code=5).stderr
    assert f"{given} is revoked: clinic ended it" in refused
    assert "ask clinic for another sub-license" in refused
    tail = ward.run("log", "tail").text
    assert "the ward has closed" in tail


def test_nobody_else_ends_it(scene: BrokerScene, ward: Party, given: str) -> None:
    (license,) = [license for license, _ in scene.models]
    for party, target in ((ward, given), (scene.clinic, license), (scene.clinic, "sub-" + "a" * 24)):
        refused = party.run("license", "end", target, *WHY, "--yes", code=3).stderr
        assert "[not-found]" in refused
        assert "license sublicenses lists them" in refused
    refused = scene.hospital.run("license", "end", given, *WHY, "--yes", code=2).stderr
    assert "[not-the-giver]" in refused
    assert f"license revoke {given}" in refused
    assert listed(scene.clinic)[0]["status"] == "accepted"


def test_a_broker_that_is_down_ends_nothing_and_says_so(scene: BrokerScene, given: str) -> None:
    scene.broker.stop()
    down = scene.clinic.run("license", "end", given, *WHY, "--yes", code=7).stderr
    assert "give it again" in down
    scene.broker.start()
    assert listed(scene.clinic)[0]["status"] == "accepted"


def test_what_a_broker_says_of_another_document_is_not_shown(
    scene: BrokerScene, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BrokerClient.sublicenses

    def swapped(client: BrokerClient, **options: Any) -> SublicensePage:
        page = real(client, **options)
        license = client.license(next(license for license, _ in scene.models)).file
        for each in page.sublicenses:
            object.__setattr__(each.license, "file", license)
        return page

    monkeypatch.setattr(BrokerClient, "sublicenses", swapped)
    assert "[broker-answer]" in scene.clinic.run("license", "sublicenses", code=None).stderr
