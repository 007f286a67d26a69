"""A broker that came back from a backup, and what its owner and its partners had signed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.home.home import Home
from tests.scenarios.command_line import Outcome
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import license_in

__all__ = ["scene"]


@pytest.fixture
def backup(scene: BrokerScene, tmp_path: Path) -> Path:
    """A backup in which the clinic holds one license."""
    scene.grant()
    scene.accept()
    file = tmp_path / "day.backup"
    scene.hospital.run("broker", "backup", file)
    return file


def restored(scene: BrokerScene, backup: Path, *options: str) -> Outcome:
    """Lose the database, and bring the backup back; the broker runs again."""
    scene.broker.stop()
    for path in (scene.hospital.home / "broker").glob("broker.sqlite*"):
        path.unlink()
    outcome = scene.hospital.run("broker", "restore", backup, *options)
    scene.broker.start()
    return outcome


def test_what_was_signed_since_the_backup_waits_and_is_handed_in_again(
    scene: BrokerScene, backup: Path
) -> None:
    ((first, _),) = scene.given
    scene.hospital.run("license", "revoke", first, "--reason", "the contract ended", "--yes")
    second = license_in(scene.hospital.run("grant", "clinic", "risk"))
    third = license_in(scene.hospital.run("grant", "clinic", "risk"))
    scene.hospital.run("license", "revoke", third, "--reason", "a mistake", "--yes")
    scene.hospital.run("license", "withdraw-version", "risk@1.0.0", "--reason", "wrong unit")
    scene.hospital.run("partner", "suspend", "clinic", "--reason", "a laptop was stolen")
    outcome = restored(scene, backup)
    assert f"It does not know the end of {first} any more" in outcome.stderr
    assert "strongroom license upload" in outcome.stderr
    assert (first, "accepted") in scene.given
    sent = scene.hospital.run("license", "upload", "--json").json["parcels"]
    assert [each["outcome"] for each in sent] == ["sent"] * 6
    assert sorted(scene.given) == sorted([(first, "revoked"), (second, "not accepted"), (third, "revoked")])
    (clinic,) = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert clinic["status"] == "suspended"
    scene.hospital.run("partner", "resume", "clinic")
    assert "[version-withdrawn]" in scene.hospital.run("grant", "clinic", "risk", code=None).stderr
    assert "Nothing waits" in scene.hospital.run("license", "upload").stderr


def test_where_nothing_was_lost_nothing_waits(scene: BrokerScene, tmp_path: Path) -> None:
    file = tmp_path / "evening.backup"
    gone = scene.grant()
    scene.hospital.run("license", "revoke", gone, "--reason", "over", "--yes")
    scene.hospital.run("license", "withdraw-version", "other@1.0.0", "--reason", "wrong unit")
    scene.hospital.run("broker", "backup", file)
    # It works without a broker, so it was not meant for one.
    scene.hospital.run("grant", "clinic", "risk", "--by-file", "--into", tmp_path / "by-hand", "--yes")
    document = restored(scene, file, "--json").json
    assert document["waiting"] == []
    assert Home.open(scene.hospital.home).outbox.waiting() == []


def test_what_was_signed_long_ago_is_sent_again_by_its_id(scene: BrokerScene, backup: Path) -> None:
    ((first, _),) = scene.given
    revoked = scene.hospital.run("license", "revoke", first, "--reason", "over", "--yes", "--json")
    revocation = revoked.json["revocation"]
    words = ("license", "withdraw-version", "risk@1.0.0", "--reason", "wrong unit", "--json")
    withdrawal = scene.hospital.run(*words).json["withdrawal"]
    restored(scene, backup)
    home = Home.open(scene.hospital.home)
    for parcel in home.outbox.waiting():
        home.outbox.remove(parcel.id)
    sent = scene.hospital.run("license", "upload", withdrawal, "--json").json["parcels"]
    assert [(each["id"], each["outcome"]) for each in sent] == [(withdrawal, "sent")]
    # A license never without its end.
    sent = scene.hospital.run("license", "upload", first, "--json").json["parcels"]
    assert [(each["id"], each["outcome"]) for each in sent] == [(first, "sent"), (revocation, "sent")]
    assert scene.given == [(first, "revoked")]
    scene.hospital.run("license", "upload", revocation)
