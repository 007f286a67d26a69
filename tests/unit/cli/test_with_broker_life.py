"""The life of a license at a broker, who has access, and the log: as both sides see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.cli._broker import demand_line
from strongroom.home.boot_clock import OnlineClock, SystemBoot
from strongroom.home.home import Home
from strongroom.home.leases import LeasePlace, LeaseRecord, Refusal
from strongroom.keys.key_pair import SealingKey
from strongroom.leasing import Leaseholder
from strongroom.opening import open_model
from strongroom.package.inspect import inspect
from strongroom.storage.local import LocalSource
from tests.simulators.app_transport import InProcessBroker
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import FINGERPRINT, Party, license_in

__all__ = ["scene"]


def test_a_suspension_is_shown_on_both_sides_and_taken_back(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.accept()
    suspended = scene.hospital.run("license", "suspend", identity, "--reason", "the invoice is open")
    assert f"{identity} is suspended" in suspended.text
    assert f"license resume {identity}" in suspended.stderr
    assert scene.models == [(identity, "suspended")]
    (got,) = scene.clinic.run("license", "list", "--json").json["licenses"]
    assert got["status"] == "suspended"
    scene.hospital.run("license", "resume", identity)
    assert scene.models == [(identity, "ready")]


def test_a_revocation_says_whom_it_concerns_and_until_when(scene: BrokerScene) -> None:
    identity = scene.grant("--grace", "72h")
    scene.accept()
    words = ("license", "revoke", identity, "--reason", "over")
    asked = scene.hospital.run(*words, code=2)
    assert "[no-terminal]" in asked.stderr
    assert f"It concerns clinic: the license {identity}" in asked.stderr
    assert "no use is possible after" in asked.stderr
    assert "[not-revoked]" in scene.hospital.run(*words, stdin=b"n\n", terminal=True, code=2).stderr
    revoked = scene.hospital.run(*words, "--yes", "--json").json
    assert revoked["affected"] == [{"license": identity, "holder": "clinic"}]
    assert revoked["no_use_after"] > "2026"
    assert scene.given == [(identity, "revoked")]
    missing = scene.hospital.run("license", "revoke", "lic-" + "a" * 24, "--reason", "x", "--yes", code=3)
    assert "[not-found]" in missing.stderr


def test_offline_files_that_are_out_are_listed_and_named_at_a_revocation(scene: BrokerScene) -> None:
    identity = scene.grant("--offline", "30d")
    scene.accept()
    until = scene.clinic.run("license", "checkout", "risk", "--until", "10d", "--json").json["until"]
    (file,) = scene.hospital.run("lease", "list", "--json").json["leases"]
    assert (file["kind"], file["license"], file["last_use_at"]) == ("offline-file", identity, until)
    assert file["lease"].startswith("off-")
    assert file["lease"] in scene.clinic.run("lease", "list").text
    words = ("license", "revoke", identity, "--reason", "over")
    asked = scene.hospital.run(*words, code=2).stderr
    assert "0 lease(s) and 1 offline file(s) out" in asked
    assert f"{file['lease']} of {file['runtime']} works until" in asked
    revoked = scene.hospital.run(*words, "--yes", "--json").json
    assert revoked["offline_files"] == [{"file": file["lease"], "ends_at": until}]
    assert (revoked["leases"], revoked["last_lease_ends_at"]) == ([], None)
    assert revoked["no_use_after"] >= until


def test_a_revocation_is_signed_while_the_broker_is_down(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.broker.stop()
    failed = scene.hospital.run("license", "revoke", identity, "--reason", "over", "--yes", code=7)
    assert f"the revocation of {identity} is signed and kept here" in failed.stderr
    scene.broker.start()
    scene.hospital.run("license", "upload")
    assert scene.given == [(identity, "revoked")]


def test_a_narrowed_license_is_fetched_by_its_site_and_falls_with_the_license(
    scene: BrokerScene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    identity = scene.grant("--right", "predict", "--right", "sublicense")
    scene.accept()
    site = party("ward")
    site.run("init", "ward", "--partner-only")
    invite, enrollment = tmp_path / "ward.invite", tmp_path / "ward.enrollment"
    scene.hospital.run("invite", "ward", "-o", invite)
    match = FINGERPRINT.search(site.run("join", invite, "-o", enrollment).stderr)
    assert match
    scene.approve(site, match[0])
    words = ("license", "narrow", identity, enrollment, "--fingerprint", match[0], "--expires", "30d")
    taken = tmp_path / "taken"
    taken.write_bytes(b"precious")
    # What could not be written was not signed: nothing waits to be handed in later.
    assert "[already-exists]" in scene.clinic.run(*words, "-o", taken, code=2).stderr
    assert Home.open(scene.clinic.home).outbox.waiting() == []
    child = license_in(scene.clinic.run(*words))
    assert child.startswith("sub-")
    accepted = site.run("accept", child, "--fingerprint", match[0], "--yes", "--json").json
    assert accepted["license"] == child
    revoked = scene.hospital.run("license", "revoke", identity, "--reason", "over", "--yes", "--json").json
    assert [each["license"] for each in revoked["affected"]] == [identity, child]


def test_licenses_that_end_soon_are_listed(scene: BrokerScene) -> None:
    soon = scene.grant("--expires", "10d")
    scene.hospital.run("grant", "clinic", "risk", "--expires", "2y")
    found = scene.hospital.run("license", "list", "--expiring", "30d", "--json").json["licenses"]
    assert [each["license"] for each in found] == [soon]
    assert "No license ends" in scene.hospital.run("license", "list", "--expiring", "24h").stderr
    assert "[bad-duration]" in scene.hospital.run("license", "list", "--expiring", "soon", code=2).stderr


def test_a_version_is_withdrawn_at_the_broker(scene: BrokerScene) -> None:
    scene.grant()
    for unclear in ("risk", "risk@"):
        refused = scene.hospital.run("license", "withdraw-version", unclear, "--reason", "old", code=2)
        assert "[version-needed]" in refused.stderr
    words = ("license", "withdraw-version", "risk@1.0.0", "--reason", "wrong unit of age")
    assert "with their next lease" in scene.hospital.run(*words).stderr
    assert not list(scene.hospital.folder.glob("*.license"))


def test_a_version_that_is_withdrawn_is_shown_as_such(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.accept()
    assert scene.models == [(identity, "ready")]
    scene.hospital.run("license", "withdraw-version", "risk@1.0.0", "--reason", "wrong unit of age")
    assert scene.models == [(identity, "refused: version-withdrawn")]
    # And it stays so: the withdrawal is in the home.
    scene.broker.stop()
    assert "[version-withdrawn]" in scene.clinic.run("open", "risk", code=5).stderr
    assert scene.models == [(identity, "refused: version-withdrawn")]


def test_a_file_that_is_out_is_shown_by_open(scene: BrokerScene) -> None:
    scene.grant("--offline", "30d")
    scene.accept()
    scene.clinic.run("license", "checkout", "risk", "--until", "10d")
    opened = scene.clinic.run("open", "risk")
    assert "a lease of the broker; while it is silent off-" in opened.text
    assert scene.clinic.run("open", "risk", "--json").json["key_file"].startswith("off-")


def test_a_license_can_need_a_second_person(
    hospital: Party, clinic: Party, party: Callable[[str], Party], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with InProcessBroker(Home.open(hospital.home), two_people=True) as broker:
        monkeypatch.setattr("strongroom.connection.https.HttpsTransport", broker.transport)
        BrokerScene(hospital, clinic, broker, tmp_path).approve()
        granted = hospital.run("grant", "clinic", "risk")
        identity = license_in(granted)
        assert f"strongroom license approve {identity}" in granted.stderr
        assert "[same-person]" in hospital.run("license", "approve", identity, code=4).stderr
        jane = party("jane")
        jane.run("init", "jane", "--partner-only")
        text, invite = tmp_path / "jane.txt", tmp_path / "any.invite"
        text.write_bytes(jane.run("member", "show").stdout)
        hospital.run("member", "add", "jane", text, "--role", "publisher")
        hospital.run("invite", "anybody", "-o", invite)
        jane.run("member", "connect", invite)
        assert "is granted" in jane.run("license", "approve", identity, "--owner", "hospital").text


def test_leases_and_usage_are_empty_at_first(scene: BrokerScene) -> None:
    scene.grant()
    assert "No lease is out" in scene.hospital.run("lease", "list").stderr
    assert scene.hospital.run("usage", "--json").json == {"usage": []}
    assert scene.clinic.run("lease", "list", "--json").json == {"leases": []}
    released = scene.hospital.run("lease", "release", "lea-" + "a" * 24, "--reason", "x", code=3)
    assert "[not-found]" in released.stderr


def test_members_are_added_and_removed_on_both_sides(
    scene: BrokerScene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    def names(side: Party) -> set[str]:
        return {each["name"] for each in side.run("member", "list", "--json").json["members"]}

    scene.approve()
    joe, text = party("joe"), tmp_path / "joe.txt"
    joe.run("init", "joe", "--partner-only")
    text.write_bytes(joe.run("member", "show").stdout)
    added = scene.clinic.run("member", "add", "joe", text, "--role", "operator", "--json").json
    assert added["role"] == "operator"
    assert names(scene.clinic) == {"clinic", "joe"}
    scene.clinic.run("member", "remove", added["member"])
    for side, role in ((scene.clinic, "admin"), (scene.hospital, "manager")):
        refused = side.run("member", "add", "x", text, "--role", role, code=2)
        assert "[wrong-role]" in refused.stderr
    scene.hospital.run("member", "add", "joe", text, "--role", "auditor", "--expires", "90d")
    assert names(scene.hospital) == {"hospital", "joe"}


def test_the_doctor_looks_at_the_broker(scene: BrokerScene) -> None:
    def of(party: Party, check: str) -> object:
        found = party.run("doctor", "--json", code=None).json["checks"]
        return next(each["level"] for each in found if each["check"] == check)

    assert of(scene.hospital, "broker of hospital") == "pass"
    assert of(scene.clinic, "broker of hospital") == "pass"
    scene.approve()
    scene.broker.stop()
    scene.hospital.run("grant", "clinic", "risk", code=7)
    assert of(scene.clinic, "broker of hospital") == "warn"
    assert of(scene.hospital, "outbox") == "warn"


def test_without_a_broker_commands_say_how_to_get_one(hospital: Party, clinic: Party) -> None:
    for words in (
        ("publish", "risk"),
        ("lease", "list"),
        ("usage",),
        ("member", "list"),
        ("log", "tail"),
        ("license", "revoke", "lic-" + "a" * 24, "--reason", "x"),
        ("license", "suspend", "lic-" + "a" * 24, "--reason", "x"),
    ):
        refused = hospital.run(*words, code=2)
        assert "[no-broker]" in refused.stderr
        assert "broker run" in refused.stderr
    assert "[no-broker]" in clinic.run("log", "verify", code=2).stderr
    assert "Nothing waits" in clinic.run("license", "upload").stderr


def test_the_log_shows_each_side_what_concerns_it(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.accept()
    owners = scene.hospital.run("log", "tail", "--json").json["records"]
    assert [each["kind"] for each in owners[-2:]] == ["grant", "acceptance"]
    assert [each["index"] for each in owners] == list(range(len(owners)))
    own = scene.clinic.run("log", "tail", "--json").json["records"]
    assert {each["kind"] for each in own} == {"enrollment", "approval", "grant", "acceptance"}
    about = scene.clinic.run("log", "tail", "--about", identity, "-n", "1", "--json").json["records"]
    assert [each["kind"] for each in about] == ["acceptance"]
    assert "acceptance" in scene.hospital.run("log", "tail", "-n", "1").text


def test_an_entry_is_proved_to_whoever_asks_later(scene: BrokerScene, tmp_path: Path) -> None:
    identity = scene.grant()
    target = tmp_path / "grant.tlog-proof"
    proved = scene.clinic.run("log", "prove", identity, "--kind", "grant", "-o", target, "--json").json
    assert proved["kind"] == "grant"
    explained = scene.clinic.run("inspect", target, "--json").json
    assert (explained["kind"], explained["record"]["subjects"]) == ("log-proof", proved["subjects"])
    assert "a proof of the log: grant" in scene.hospital.run("inspect", target).text
    target.write_bytes(target.read_bytes().replace(b"index ", b"index 0"))
    assert "[log-proof]" in scene.clinic.run("inspect", target, code=6).stderr
    target.unlink()
    scene.clinic.run("log", "prove", identity, "--kind", "grant", "-o", target)
    assert target.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    by_number = scene.hospital.run("log", "prove", proved["index"])
    assert by_number.stdout == target.read_bytes()
    assert proved["keys"][0] in by_number.stderr
    assert "[unknown-entry]" in scene.clinic.run("log", "prove", "0", code=3).stderr
    missing = scene.clinic.run("log", "prove", identity, "--kind", "revocation", code=3)
    assert "of the kind revocation" in missing.stderr


def test_a_log_that_only_grew_verifies_and_is_cosigned(scene: BrokerScene) -> None:
    scene.approve()
    first = scene.clinic.run("log", "verify", "--json").json
    assert first["size_before"] == 0
    scene.grant()
    second = scene.clinic.run("log", "verify", "--cosign", "--json").json
    assert second["size_before"] == first["size"] < second["size"]
    assert second["records"] > first["records"]
    assert "/witness+" in second["witness"]
    assert "nothing was changed" in scene.hospital.run("log", "verify").text
    assert len(Home.open(scene.clinic.home).logbook.proofs(second["origin"].partition("/")[0])) == 3


def test_a_log_that_was_cut_off_is_noticed(scene: BrokerScene) -> None:
    scene.approve()
    database = scene.hospital.home / "broker" / "broker.sqlite"
    scene.broker.stop()
    before = database.read_bytes()
    scene.broker.start()
    scene.grant()
    scene.clinic.run("log", "verify")
    scene.broker.stop()
    for path in database.parent.glob("broker.sqlite*"):
        path.unlink()
    database.write_bytes(before)
    scene.broker.start()
    refused = scene.clinic.run("log", "verify", code=6)
    assert "[log-rollback]" in refused.stderr
    assert "strongroom: hint:" in refused.stderr


@pytest.mark.parametrize("words", [("verify",), ("tail",), ("verify", "--cosign")])
def test_a_rotation_of_the_log_key_is_no_forgery(scene: BrokerScene, words: tuple[str, ...]) -> None:
    # Nobody here takes a lease, with whose answer a newer owner document would come.
    scene.approve()
    scene.clinic.run("log", "verify")
    scene.hospital.run("owner", "rotate", "--renew", "log", "--yes")
    scene.grant()
    scene.clinic.run("log", *words)
    scene.hospital.run("log", *words)


def test_an_entry_is_proved_after_a_rotation_of_the_log_key(scene: BrokerScene) -> None:
    scene.approve()
    scene.clinic.run("log", "verify")
    scene.hospital.run("owner", "rotate", "--renew", "log", "--yes")
    identity = scene.grant()
    target = scene.clinic.path("grant.tlog-proof")
    scene.clinic.run("log", "prove", identity, "--kind", "grant", "-o", target)
    assert target.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")


def test_break_glass_takes_the_purpose_that_a_license_asks_for(scene: BrokerScene) -> None:
    scene.grant("--purpose", "triage", "--purpose", "audit", "--break-glass", "2h:3")
    scene.accept()
    words = ("break-glass", "risk", "--reason", "ward 3", "--yes")
    assert "[purpose-missing]" in scene.clinic.run(*words, code=5).stderr
    assert "[broker-answers]" in scene.clinic.run(*words, "--purpose", "triage", code=2).stderr


def test_what_a_broker_has_refused_is_not_shown_as_ready_while_it_is_silent(scene: BrokerScene) -> None:
    identity = scene.grant()
    scene.accept()
    clinic = Home.open(scene.clinic.home)
    (candidate,) = clinic.catalog.candidates()
    with LocalSource(candidate.package.path) as source:
        package = inspect(source).unverified.package_digest
    said = Refusal(code="partner-suspended", message="clinic is suspended", hint=None, is_final=True)
    place = LeasePlace(owner=candidate.owner.id, license=identity, package=package)
    with clinic.leases.locked(place):
        clinic.leases.write(place, LeaseRecord(refusal=said))
    # It answers, and has nothing against it: who asks again gets a lease.
    assert scene.models == [(identity, "ready")]
    scene.broker.stop()
    assert scene.models == [(identity, "refused: partner-suspended")]
    opened = scene.clinic.run("open", "risk").stderr
    assert "clinic is suspended [partner-suspended]" in opened
    assert "in order" not in opened


def test_an_ended_license_is_not_shown_as_ready(scene: BrokerScene, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = scene.grant("--expires", "10d")
    scene.accept()
    later = datetime.now(UTC) + timedelta(days=11)
    monkeypatch.setattr("strongroom.cli._shared.Shared.now", property(lambda _: later))
    scene.broker.stop()
    assert scene.models == [(identity, "refused: expired")]


def test_what_a_restored_log_does_not_have_is_proved_by_what_the_partner_kept(scene: BrokerScene) -> None:
    scene.approve()
    backup = scene.hospital.path("early.backup")
    scene.hospital.run("broker", "backup", backup)
    identity = scene.grant()
    scene.clinic.run("log", "verify")
    scene.broker.stop()
    for path in (scene.hospital.home / "broker").glob("broker.sqlite*"):
        path.unlink()
    scene.hospital.run("broker", "restore", backup)
    scene.broker.start()
    words = ("log", "prove", identity, "--kind", "grant")
    assert "[unknown-entry]" in scene.hospital.run(*words, code=3).stderr
    proved = scene.clinic.run(*words, "-o", scene.clinic.path("kept.tlog-proof"))
    assert "/log/1: grant" in proved.stderr


def test_a_partner_gives_its_lease_back(scene: BrokerScene) -> None:
    scene.grant("--predictions", "1000/day", "--runtimes", "1", "--offline", "30d")
    scene.accept()
    assert "holds no lease" in scene.clinic.run("lease", "return", "risk").text
    take_lease(scene)
    (held,) = scene.hospital.run("lease", "list", "--json").json["leases"]
    assert scene.clinic.run("lease", "return", "risk", "--json").json == {"lease": held["lease"]}
    assert scene.hospital.run("lease", "list", "--json").json["leases"] == []
    # The whole of the quota is free again, and the only place.
    take_lease(scene)


def test_a_file_takes_the_place_of_the_installations_own_lease(scene: BrokerScene) -> None:
    scene.grant("--predictions", "1000/day", "--runtimes", "1", "--offline", "30d")
    scene.accept()
    take_lease(scene)
    got = scene.clinic.run("license", "checkout", "risk", "--until", "2d", "--json").json
    assert got["budget"][0]["limit"] > 0
    (held,) = scene.hospital.run("lease", "list", "--json").json["leases"]
    assert held["kind"] == "offline-file"


def take_lease(scene: BrokerScene) -> None:
    home = Home.open(scene.clinic.home)
    opened = open_model(home, "risk", now=datetime.now(UTC))
    line = demand_line(home, opened.owner.id, as_runtime=True)
    clock = OnlineClock(wall=lambda: datetime.now(UTC), boot=SystemBoot())
    Leaseholder(home, opened, line.client, clock).take(SealingKey.generate().public_text)


def test_a_second_person_sees_the_partners_and_hears_what_needs_the_key(
    scene: BrokerScene, party: Callable[[str], Party], tmp_path: Path
) -> None:
    identity = scene.grant()
    jane = party("jane")
    jane.run("init", "jane")
    text, invite = tmp_path / "jane.txt", tmp_path / "any.invite"
    text.write_bytes(jane.run("member", "show").stdout)
    scene.hospital.run("member", "add", "jane", text, "--role", "admin")
    scene.hospital.run("invite", "anybody", "-o", invite)
    jane.run("member", "connect", invite)
    for words in ((), ("--owner", "hospital")):
        (seen,) = jane.run("partner", "list", *words, "--json").json["partners"]
        assert (seen["name"], seen["status"]) == ("clinic", "approved")
    refused = jane.run("license", "revoke", identity, "--reason", "over", "--yes", code=2)
    assert f"strongroom license suspend {identity}" in refused.stderr
    jane.run("license", "suspend", identity, "--reason", "over", "--owner", "hospital")
    assert scene.given == [(identity, "suspended")]
