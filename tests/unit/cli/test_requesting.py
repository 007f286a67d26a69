"""A partner asks for a license, and the owner answers, on the command line."""

from __future__ import annotations

import re

import pytest

from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import license_in

__all__ = ["scene"]


def ask(scene: BrokerScene, model: str = "risk", *options: object) -> str:
    """Approve, and ask; returns the id of the request."""
    scene.approve()
    asked = scene.clinic.run("request", model, "--purpose", "triage at night", *options)
    match = re.search(r"ask-[a-z2-7]{24}", asked.stdout.decode())
    assert match
    return match[0]


def states(scene: BrokerScene) -> list[tuple[str, str, str | None]]:
    found = scene.clinic.run("license", "requests", "--json").json["requests"]
    return [(each["request"], each["status"], each["license"]) for each in found]


def test_what_is_asked_for_is_granted_as_asked(scene: BrokerScene) -> None:
    request = ask(scene, "risk", "--predictions", "2k/month", "--until", "2030-06-30")
    assert scene.models == [(request, "requested")]
    table = scene.hospital.run("license", "requests").stdout.decode()
    assert all(word in table for word in (request, "clinic", "risk", "2000/month", "triage at night"))
    granted = scene.hospital.run("grant", "--request", request)
    assert "clinic asks for risk (2000/month, until 2030-0" in granted.stderr
    assert "At most 2,000 in each month" in granted.stderr
    license = license_in(granted)
    assert states(scene) == [(request, "granted", license)]
    (offered,) = scene.models
    assert offered[0] == license
    scene.accept()
    again = scene.hospital.run("grant", "--request", request, code=2)
    assert "[request-answered]" in again.stderr


def test_what_is_typed_goes_before_what_was_asked(scene: BrokerScene) -> None:
    request = ask(scene, "the best that you have", "--predictions", "1M/month")
    granted = scene.hospital.run("grant", "--request", request, "risk", "--predictions", "100/day")
    assert "the best that you have (1000000/month)" in granted.stderr
    assert "At most 100 on each day" in granted.stderr
    assert "1,000,000" not in granted.stderr


def test_a_request_is_refused_and_the_partner_sees_why(scene: BrokerScene) -> None:
    request = ask(scene)
    refused = scene.hospital.run("license", "refuse", request, "--reason", "not before the audit")
    assert "refused: not before the audit" in refused.stdout.decode()
    assert scene.models == [(request, "request refused")]
    assert "not before the audit" in scene.clinic.run("license", "requests").stdout.decode()
    late = scene.hospital.run("license", "answer", request, scene.grant(), code=4)
    assert "[request-answered]" in late.stderr


def test_a_license_that_was_granted_without_the_request_can_be_named(scene: BrokerScene) -> None:
    request = ask(scene)
    license = scene.grant()
    scene.hospital.run("license", "answer", request, license)
    assert states(scene) == [(request, "granted", license)]


def test_a_request_that_nobody_made(scene: BrokerScene) -> None:
    missing = scene.hospital.run("grant", "--request", "ask-nothing", code=3)
    assert "[unknown-request]" in missing.stderr


@pytest.mark.parametrize("words", [("clinic", "risk"), ("--by-file",), ("-o", "x.license")])
def test_a_request_is_answered_at_the_broker(scene: BrokerScene, words: tuple[str, ...]) -> None:
    refused = scene.hospital.run("grant", "--request", "ask-x", *words, code=2)
    assert "with --request, name nothing but the model" in refused.stderr


def test_bad_requests(scene: BrokerScene) -> None:
    scene.approve()
    assert (
        "1000/month"
        in scene.clinic.run("request", "risk", "--purpose", "x", "--predictions", "9", code=2).stderr
    )
    assert scene.clinic.run("request", "risk", "--purpose", " ", code=4).stderr
    scene.broker.stop()
    assert "Nothing waits" in scene.clinic.run("request", "risk", "--purpose", "x", code=7).stderr
