"""What ``doctor`` says of brokers, leases and the outbox, and what it tells to do next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from strongroom.cli._broker import demand_line
from strongroom.cli._moment import shown
from strongroom.cli.doctor import broker
from strongroom.cli.doctor.finding import Finding, Level
from strongroom.connection.interface import Collect, Request, Response
from strongroom.errors import Error, VerificationError
from strongroom.home.boot_clock import OnlineClock, SystemBoot
from strongroom.home.home import Home
from strongroom.home.leases import LeasePlace, LeaseRecord, Refusal
from strongroom.keys.key_pair import SealingKey
from strongroom.leasing import Leaseholder
from strongroom.license.documents import Lease
from strongroom.license.signing import read_unverified
from strongroom.opening import open_model
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import Party

__all__ = ["scene"]

REACH = "broker of hospital"
CLOCK = "clock of hospital"


def findings(party: Party, later: timedelta = timedelta()) -> dict[str, Finding]:
    home = Home.open(party.home)
    return {each.check: each for each in broker.findings(home, datetime.now(UTC) + later)}


def take_lease(scene: BrokerScene) -> tuple[Home, LeasePlace, Lease]:
    """Take a lease as the clinic; returns where it lies."""
    scene.grant()
    scene.accept()
    home = Home.open(scene.clinic.home)
    opened = open_model(home, "risk", now=datetime.now(UTC))
    line = demand_line(home, opened.owner.id, as_runtime=True)
    clock = OnlineClock(wall=lambda: datetime.now(UTC), boot=SystemBoot())
    Leaseholder(home, opened, line.client, clock).take(SealingKey.generate().public_text)
    (place,) = home.leases.places(opened.owner.id)
    token = home.leases.read(place).lease
    assert token is not None
    return home, place, read_unverified(token, Lease)


def test_a_home_without_a_broker_is_told_nothing(hospital: Party, clinic: Party) -> None:
    assert findings(hospital) == findings(clinic) == {}


def test_a_broker_that_answers_passes_on_both_sides(scene: BrokerScene) -> None:
    for party in (scene.hospital, scene.clinic):
        assert list(findings(party).values()) == [Finding(REACH, Level.PASS, "it answers")]


def test_a_silent_broker_is_a_warning_and_each_side_hears_what_it_can_do(scene: BrokerScene) -> None:
    scene.broker.stop()
    own, partners = findings(scene.hospital)[REACH], findings(scene.clinic)[REACH]
    for finding in (own, partners):
        assert finding.level is Level.WARN
        assert finding.message.startswith("it does not answer: ")
        assert "https://broker.hospital.example" in str(finding.fix)
    assert "strongroom broker run" in str(own.fix)
    assert "grace" in str(partners.fix)
    assert "broker run" not in str(partners.fix)
    assert CLOCK not in findings(scene.clinic)


@pytest.mark.parametrize(
    ("hint", "fix"),
    [
        ("look at the certificate", "look at the certificate"),
        (None, "ask hospital whether its address changed"),
    ],
)
def test_whoever_else_answers_is_a_failure(
    scene: BrokerScene, monkeypatch: pytest.MonkeyPatch, hint: str | None, fix: str
) -> None:
    error: Error = VerificationError("another certificate", code="tls-certificate", hint=hint)

    def send(request: Request, collect: Collect) -> Response:
        raise error

    monkeypatch.setattr(scene.broker, "send", send)
    assert findings(scene.clinic)[REACH] == Finding(REACH, Level.FAIL, str(error), fix)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_clocks_that_differ_are_named_with_the_seconds(scene: BrokerScene, seconds: int) -> None:
    assert CLOCK not in findings(scene.clinic, timedelta(seconds=seconds / 5))
    finding = findings(scene.clinic, timedelta(seconds=seconds))[CLOCK]
    assert finding.level is Level.WARN
    differ = int("".join(letter for letter in finding.message if letter.isdigit()))
    assert abs(differ - 300) <= 30
    assert "timedatectl" in str(finding.fix)


def test_a_lease_is_told_with_its_end_before_and_after_it(scene: BrokerScene) -> None:
    _, place, lease = take_lease(scene)
    check, end = f"lease of {place.license}", shown(lease.not_after)
    assert findings(scene.clinic)[check] == Finding(check, Level.PASS, f"in force until {end}")
    ended = findings(scene.clinic, timedelta(days=1))[check]
    assert ended.level is Level.PASS
    assert ended.message == f"ended {end}; the next use takes another, or goes on in grace"
    # Leases are the business of those who hold them.
    assert check not in findings(scene.hospital)


@pytest.mark.parametrize(("hint", "fix"), [("pay the invoice", "pay the invoice"), (None, "ask hospital")])
def test_a_lease_that_was_refused_is_a_failure_with_the_reason(
    scene: BrokerScene, hint: str | None, fix: str
) -> None:
    home, place, _ = take_lease(scene)
    refusal = Refusal(code="suspended", message="the invoice is open", hint=hint, is_final=True)
    with home.leases.locked(place):
        home.leases.write(place, LeaseRecord(refusal=refusal))
    check = f"lease of {place.license}"
    assert findings(scene.clinic)[check] == Finding(check, Level.FAIL, "the invoice is open", fix)


def test_a_lease_that_was_given_back_is_not_told(scene: BrokerScene) -> None:
    home, place, lease = take_lease(scene)
    with home.leases.locked(place):
        home.leases.write(place, LeaseRecord(returned=lease.id))
    assert f"lease of {place.license}" not in findings(scene.clinic)


def test_what_waits_to_be_sent_is_counted_and_named_with_the_command_that_sends_it(
    scene: BrokerScene,
) -> None:
    scene.approve()
    assert "outbox" not in findings(scene.hospital)
    scene.broker.stop()
    for _ in range(4):
        scene.hospital.run("grant", "clinic", "risk", code=7)
    finding = findings(scene.hospital)["outbox"]
    assert finding.level is Level.WARN
    assert finding.message.startswith("4 document(s) wait to be sent: ")
    assert len(finding.message.split(", ")) == 3
    assert finding.fix == "strongroom license upload"
