from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Party, Scene


@pytest.fixture
def package(scene: Scene) -> Path:
    return scene.grant() / "risk-1.0.0.sealed"


def test_an_owner_verifies_its_own_package(scene: Scene, package: Path) -> None:
    document = scene.hospital.run("verify", package, "--json").json
    assert document["verified"] is True
    assert (document["name"], document["version"], document["owner_name"]) == ("risk", "1.0.0", "hospital")
    assert document["signature"] == f"{package}.sig"


def test_a_partner_needs_to_have_confirmed_the_owner(scene: Scene, package: Path) -> None:
    assert "[owner-pending]" in scene.clinic.run("verify", package, code=6).stderr
    scene.accept(package.parent)
    assert "whole and unchanged" in scene.clinic.run("verify", package).text
    scene.clinic.run("verify", package, "--owner", "hospital")


def test_a_stranger_verifies_with_the_owner_document(
    party_without_home: Party, scene: Scene, package: Path
) -> None:
    owner = scene.hospital.path("hospital.owner")
    scene.hospital.run("owner", "show", "-o", owner)
    for file in (owner, scene.hospital.path("clinic.invite"), package.with_name("clinic.license")):
        party_without_home.run("verify", package, "--owner", file)
    party_without_home.run("verify", package, code=3)


def test_a_file_that_holds_no_owner_is_refused(scene: Scene, package: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content in (b"hello", b"{}", b"[1]", b'{"owner": 7}'):
        other.write_bytes(content)
        scene.hospital.run("verify", package, "--owner", other, code=6)


def test_every_byte_counts(scene: Scene, package: Path, tmp_path: Path) -> None:
    data = package.read_bytes()
    changed = tmp_path / "changed.sealed"
    for place in (0, 40, len(data) // 2, len(data) - 50, len(data) - 1):
        changed.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        scene.hospital.run("verify", changed, code=6)


def test_without_a_signature_beside_it_the_inner_one_counts(
    scene: Scene, package: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.sealed"
    shutil.copy(package, alone)
    assert "no OpenSSF signature" in scene.hospital.run("verify", alone).stderr
    assert scene.hospital.run("verify", alone, "--json").json["signature"] is None
    scene.hospital.run("verify", alone, "--signature", f"{package}.sig")
    assert "[same-file]" in scene.hospital.run("verify", alone, "--signature", alone, code=2).stderr


def test_a_signature_of_another_file_is_refused(scene: Scene, package: Path, tmp_path: Path) -> None:
    signature = Path(f"{package}.sig")
    text = signature.read_bytes()
    other = tmp_path / "other.sig"
    other.write_bytes(text.replace(b'"payload":"', b'"payload":"A', 1))
    scene.hospital.run("verify", package, "--signature", other, code=6)


def test_another_owner_is_refused(scene: Scene, package: Path, party_without_home: Party) -> None:
    competitor = party_without_home
    competitor.run("init", "hospital")
    owner = competitor.path("competitor.owner")
    competitor.run("owner", "show", "-o", owner)
    assert competitor.run("verify", package, "--owner", owner, code=6).stdout == b""


@pytest.fixture
def party_without_home(tmp_path: Path) -> Party:
    return Party("stranger", tmp_path)
