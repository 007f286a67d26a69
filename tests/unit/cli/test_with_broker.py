"""Meeting, granting and accepting over a broker, and what each says when it is down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from strongroom.home.home import Home
from strongroom.keys.fingerprint import fingerprint
from tests.simulators.app_transport import URL
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import FINGERPRINT, Party, license_in

__all__ = ["scene"]


def test_an_invite_names_the_broker(scene: BrokerScene) -> None:
    assert scene.hospital.run("invite", "north", "--json").json["broker"] == URL
    assert URL in scene.hospital.run("invite", "north").stderr


def test_an_enrollment_arrives_at_the_broker_and_is_approved_by_name(scene: BrokerScene) -> None:
    (pending,) = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert (pending["name"], pending["status"]) == ("clinic", "pending")
    assert pending["fingerprints"] == [scene.fingerprint]
    wrong = "0000-0000-0000-0000-0000"
    refused = scene.hospital.run("partner", "approve", "clinic", "--fingerprint", wrong, code=6)
    assert "[fingerprint-mismatch]" in refused.stderr
    scene.approve()
    (approved,) = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert approved["status"] == "approved"
    # The home has it too, and can grant by file.
    assert Home.open(scene.hospital.home).vault.partners.get("clinic").runtimes


def test_an_enrollment_that_comes_as_a_file_is_handed_in_on_approval(
    scene: BrokerScene, party: Callable[[str], Party]
) -> None:
    north = party("north")
    north.run("init", "north", "--partner-only")
    invite, enrollment = scene.hospital.path("n.invite"), scene.hospital.path("n.enrollment")
    scene.hospital.run("invite", "north", "-o", invite)
    scene.broker.stop()
    joined = north.run("join", invite, "-o", enrollment, code=7)
    assert "kept here" in joined.stderr
    assert "license upload" in joined.stderr
    match = FINGERPRINT.search(joined.stderr)
    assert match
    scene.broker.start()
    scene.hospital.run("partner", "approve", enrollment, "--fingerprint", match[0])
    found = scene.hospital.run("partner", "list", "--json").json["partners"]
    states = [(each["name"], each["status"]) for each in found]
    assert states == [("clinic", "pending"), ("north", "approved")]
    assert north.run("license", "upload", "--json").json["parcels"][0]["outcome"] == "sent"


def test_a_partner_is_suspended_at_the_broker_and_here(scene: BrokerScene) -> None:
    def status() -> str:
        found: str = scene.hospital.run("partner", "list", "--json").json["partners"][0]["status"]
        return found

    scene.approve()
    scene.hospital.run("partner", "suspend", "clinic", "--reason", "a laptop was stolen")
    assert status() == "suspended"
    assert "[partner-suspended]" in scene.hospital.run("grant", "clinic", "risk", code=6).stderr
    scene.hospital.run("partner", "resume", "clinic")
    assert status() == "approved"
    # As before there were brokers: approving somebody who is suspended takes it back.
    scene.hospital.run("partner", "suspend", "clinic")
    scene.hospital.run("partner", "approve", "clinic")
    assert status() == "approved"


def test_answers_of_strangers_are_refused_at_the_broker_and_here(
    scene: BrokerScene, party: Callable[[str], Party]
) -> None:
    prints = {}
    invite = scene.hospital.path("north.invite")
    scene.hospital.run("invite", "north", "-o", invite)
    for name in ("north", "thief"):
        there = party(name)
        there.run("init", name, "--partner-only")
        match = FINGERPRINT.search(there.run("join", invite).stderr)
        assert match
        prints[name] = match[0]
    several = scene.hospital.run("partner", "approve", "north", code=2)
    assert "[several-answers]" in several.stderr
    words = ("partner", "refuse", "north", "--fingerprint", prints["thief"], "--reason", "not theirs")
    assert "1 answer(s) refused" in scene.hospital.run(*words).text
    assert "[unknown-partner]" in scene.hospital.run(*words, code=3).stderr
    arrived = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert [each["fingerprints"] for each in arrived if each["name"] == "north"] == [[prints["north"]]]
    (refused,) = scene.hospital.run("partner", "refuse", "north", "--json").json["refused"]
    assert refused.startswith("org-")
    listed = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert [each["name"] for each in listed] == ["clinic"]
    # Somebody who was approved is suspended instead.
    scene.approve()
    assert "[partner-approved]" in scene.hospital.run("partner", "refuse", "clinic", code=2).stderr


def test_only_the_answer_that_is_meant_is_taken_in(scene: BrokerScene, party: Callable[[str], Party]) -> None:
    invite = scene.hospital.path("north.invite")
    scene.hospital.run("invite", "north", "-o", invite)
    prints = {}
    for name in ("north", "thief"):
        there = party(name)
        there.run("init", name, "--partner-only")
        match = FINGERPRINT.search(there.run("join", invite).stderr)
        assert match
        prints[name] = match[0]
    scene.hospital.run("partner", "approve", "north", "--fingerprint", prints["north"].lower())
    (kept,) = Home.open(scene.hospital.home).vault.partners.get("north").runtimes
    assert fingerprint(kept.token) == prints["north"]


def test_somebody_elses_invite_spoils_no_later_join(
    scene: BrokerScene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    ward = party("ward")
    ward.run("init", "ward", "--partner-only")
    scene.approve()
    # The clinic's name is taken by the clinic's key: this answer is refused for good.
    foreign, right = tmp_path / "foreign.invite", tmp_path / "ward.invite"
    scene.hospital.run("invite", "clinic", "-o", foreign)
    ward.run("join", foreign, code=4)
    scene.hospital.run("invite", "ward", "-o", right)
    ward.run("join", right)
    ward.run("join", right)
    assert Home.open(ward.home).outbox.waiting() == []
    found = scene.hospital.run("partner", "list", "--json").json["partners"]
    assert [each["name"] for each in found] == ["clinic", "ward"]


def test_a_join_that_cannot_be_written_signs_nothing(
    scene: BrokerScene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    ward = party("ward")
    ward.run("init", "ward", "--partner-only")
    invite, taken = tmp_path / "ward.invite", tmp_path / "taken"
    scene.hospital.run("invite", "ward", "-o", invite)
    taken.write_bytes(b"precious")
    assert "[already-exists]" in ward.run("join", invite, "-o", taken, code=2).stderr
    assert Home.open(ward.home).outbox.waiting() == []
    assert taken.read_bytes() == b"precious"


def test_a_suspension_reaches_a_broker_that_was_down(scene: BrokerScene) -> None:
    def status() -> str:
        found: str = scene.hospital.run("partner", "list", "--json").json["partners"][0]["status"]
        return found

    scene.approve()
    scene.broker.stop()
    failed = scene.hospital.run("partner", "suspend", "clinic", "--reason", "a laptop was stolen", code=7)
    assert "clinic is suspended in this home" in failed.stderr
    assert "strongroom license upload" in failed.stderr
    scene.broker.start()
    scene.hospital.run("license", "upload")
    assert status() == "suspended"
    # What is said last holds, and nothing of before.
    scene.broker.stop()
    scene.hospital.run("partner", "resume", "clinic", code=7)
    scene.hospital.run("partner", "suspend", "clinic", code=7)
    scene.hospital.run("partner", "resume", "clinic", code=7)
    assert len(Home.open(scene.hospital.home).outbox.waiting()) == 1
    scene.broker.start()
    scene.hospital.run("license", "upload")
    assert status() == "approved"


def test_what_is_not_kept_says_so_while_the_broker_is_down(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.broker.stop()
    failed = scene.hospital.run("license", "suspend", identity, "--reason", "the invoice is open", code=7)
    assert "give it again" in failed.stderr
    assert "upload" not in failed.stderr
    failed = scene.hospital.run("partner", "approve", "clinic", code=7)
    assert "upload" not in failed.stderr
    assert Home.open(scene.hospital.home).outbox.waiting() == []


def test_a_license_is_handed_to_the_broker_and_says_whom_it_concerns(scene: BrokerScene) -> None:
    scene.approve()
    granted = scene.hospital.run(
        "grant", "clinic", "risk", "--until", "2036-06-30", "--predictions", "1M/month", "--runtimes", "3",
        "--grace", "72h", "--level", "local",
    )  # fmt: skip
    assert "It concerns clinic, with 1 installation(s)" in granted.stderr
    assert "Worst case: after a revocation it can be used for 3 d 15 min more" in granted.stderr
    assert "strongroom accept risk" in granted.stderr
    assert scene.given == [(license_in(granted), "not accepted")]
    assert not (scene.hospital.folder / "clinic").exists()


def test_the_worst_case_names_files_and_is_rounded_up(scene: BrokerScene) -> None:
    scene.approve()
    granted = scene.hospital.run("grant", "clinic", "risk", "--grace", "49h", "--offline", "30d").stderr
    assert "it can be used for 2 d 2 h more" in granted
    assert "a file that was checked out before works until it ends, up to 30 d" in granted
    assert "checked out" not in scene.hospital.run("grant", "clinic", "risk", "--grace", "49h").stderr


def test_what_is_not_published_cannot_be_granted(scene: BrokerScene) -> None:
    scene.approve()
    refused = scene.hospital.run("grant", "clinic", "other", code=2)
    assert "[not-published]" in refused.stderr
    assert "strongroom publish other@1.0.0" in refused.stderr
    assert scene.given == []


def test_a_license_past_the_broker_brings_its_key(scene: BrokerScene) -> None:
    scene.approve()
    folder = scene.hospital.path("outbox")
    granted = scene.hospital.run("grant", "clinic", "risk", "--by-file", "--into", folder, "--json").json
    assert granted["granted"][0]["runtimes"]
    words = ("accept", folder / "clinic", "--fingerprint", scene.fingerprint, "--yes", "--json")
    accepted = scene.clinic.run(*words).json
    assert accepted["has_key_for_this_runtime"]
    assert not accepted["has_broker"]


def test_license_and_folder_can_be_written_beside_the_broker(scene: BrokerScene, tmp_path: Path) -> None:
    target, folder = tmp_path / "clinic.license", tmp_path / "out"
    scene.grant("-o", target)
    scene.hospital.run("grant", "clinic", "risk", "--into", folder)
    assert json.loads(target.read_bytes())["offline"] == []
    assert (folder / "clinic" / "risk-1.0.0.sealed").is_file()
    assert scene.hospital.run("grant", "clinic", "risk", "-o", "-").stdout.startswith(b"{")


def test_a_broker_that_is_down_loses_no_license(scene: BrokerScene) -> None:
    scene.approve()
    scene.broker.stop()
    failed = scene.hospital.run("grant", "clinic", "risk", code=7)
    assert "kept here" in failed.stderr
    assert "strongroom license upload" in failed.stderr
    scene.hospital.run("license", "upload", code=7)
    listed = scene.hospital.run("license", "list", code=7)
    identity = license_in(listed)
    assert "this is what the home knows" in listed.stderr
    scene.broker.start()
    sent = scene.hospital.run("license", "upload", "--json").json["parcels"]
    assert [(each["id"], each["outcome"]) for each in sent] == [(identity, "sent")]
    assert "Nothing waits" in scene.hospital.run("license", "upload").stderr
    # Once more from the ledger: it is the same license.
    scene.hospital.run("license", "upload", identity)
    assert scene.given == [(identity, "not accepted")]


def test_what_the_broker_refuses_waits_until_it_is_sent_or_forgotten(scene: BrokerScene) -> None:
    scene.approve()
    scene.broker.stop()
    scene.hospital.run("grant", "clinic", "risk", code=7)
    scene.broker.start()
    home = Home.open(scene.hospital.home)
    scene.hospital.run("partner", "suspend", "clinic")
    refused = scene.hospital.run("license", "upload", "--json", code=4)
    assert [each["outcome"] for each in refused.json["parcels"]] == ["refused"]
    (waiting,) = home.outbox.waiting()
    assert "is not sent" in scene.hospital.run("license", "upload", waiting.id, "--forget").text
    assert home.outbox.waiting() == []
    missing = scene.hospital.run("license", "upload", "wdr-" + "a" * 24, code=3)
    assert "[nothing-waits]" in missing.stderr


def test_a_license_is_found_by_the_name_of_its_model(scene: BrokerScene) -> None:
    identity = scene.grant()
    assert scene.models == [(identity, "offered: strongroom accept risk")]
    assert scene.accept() == identity
    assert scene.given == [(identity, "accepted")]
    assert scene.models == [(identity, "ready")]
    assert "a lease of the broker, taken when it runs" in scene.clinic.run("open", "risk").text


def test_a_license_is_found_by_its_id_and_by_its_owner(scene: BrokerScene) -> None:
    identity = scene.grant()
    assert scene.accept("hospital/risk") == identity
    assert scene.accept(identity) == identity
    missing = scene.clinic.run("accept", "fraud", "--yes", code=3)
    assert "[unknown-license]" in missing.stderr
    assert "strongroom models" in missing.stderr


def test_several_licenses_for_one_model_are_listed(scene: BrokerScene) -> None:
    first, second = scene.grant(), license_in(scene.hospital.run("grant", "clinic", "risk"))
    refused = scene.clinic.run("accept", "risk", "--yes", code=3)
    assert "[ambiguous-license]" in refused.stderr
    assert first in refused.stderr
    assert second in refused.stderr


def test_an_acceptance_waits_while_the_broker_is_down(scene: BrokerScene) -> None:
    target = scene.hospital.path("clinic.license")
    identity = scene.grant("--json")
    scene.hospital.run("license", "show", identity, "-o", target)
    scene.broker.stop()
    package = next((scene.hospital.home / "packages").glob("*/risk-1.0.0.sealed"))
    words = ("accept", target, "--fingerprint", scene.fingerprint, "--package", package, "--yes")
    failed = scene.clinic.run(*words, code=7)
    assert "the acceptance of lic-" in failed.stderr
    assert "open and predict go on" in failed.stderr
    scene.broker.start()
    (sent,) = scene.clinic.run("license", "upload", "--json").json["parcels"]
    assert sent["outcome"] == "sent"
    assert scene.given == [(identity, "accepted")]


def test_a_partner_that_is_not_approved_yet_is_told_so(scene: BrokerScene) -> None:
    listed = scene.clinic.run("models")
    assert listed.text == ""
    assert "strongroom: warning:" in listed.stderr
