"""How parties come to be and meet: init, invite, join, partner, owner."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import FINGERPRINT, Party, Scene, meet

WRONG = "0000-0000-0000-0000-0000"


def test_init_makes_a_home_that_only_its_user_can_enter(party: Callable[[str], Party]) -> None:
    made = party("hospital")
    outcome = made.run("init", "hospital")
    assert outcome.text == f"{made.home}\n"
    assert stat.S_IMODE(made.home.stat().st_mode) == 0o700


def test_init_says_the_owner_id(party: Callable[[str], Party]) -> None:
    document = party("hospital").run("init", "hospital", "--json").json
    assert document["owner"].startswith("own-")
    assert party("clinic").run("init", "clinic", "--partner-only", "--json").json["owner"] is None


def test_init_twice_is_refused(hospital: Party) -> None:
    assert "[home-exists]" in hospital.run("init", "hospital", code=2).stderr


def test_init_refuses_a_name_that_could_hurt(party: Callable[[str], Party]) -> None:
    for name in ("../x", "A b", ""):
        party("x").run("init", name, code=2)


def test_a_home_can_be_under_a_passphrase(party: Callable[[str], Party], tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("seven maple trams orbit quietly\n", encoding="utf-8")
    made = party("hospital")
    made.run("init", "hospital", "--encrypt", "--passphrase-file", secret)
    assert "[no-terminal]" in made.run("invite", "clinic", code=2).stderr
    assert made.run("invite", "clinic", "--passphrase-file", secret).stdout.startswith(b"{")
    outcome = made.run("invite", "clinic", "--passphrase-file", "-", stdin=b"wrong\n", code=4)
    assert "[passphrase-wrong]" in outcome.stderr


def test_a_weak_passphrase_is_refused_and_nothing_is_made(party: Callable[[str], Party]) -> None:
    made = party("hospital")
    outcome = made.run(
        "init", "hospital", "--encrypt", "--passphrase-file", "-", stdin=b"hospital1\n", code=2
    )
    assert "[passphrase-weak]" in outcome.stderr
    assert not made.home.exists()


def test_an_invite_goes_to_stdout_or_to_a_file(hospital: Party) -> None:
    to_stdout = hospital.run("invite", "clinic")
    assert json.loads(to_stdout.stdout)["format"] == "invite-file/v1"
    target = hospital.path("clinic.invite")
    assert hospital.run("invite", "clinic", "-o", target).stdout == b""
    assert json.loads(target.read_bytes())["format"] == "invite-file/v1"


def test_an_invite_on_a_terminal_goes_to_a_file(hospital: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hospital.folder)
    outcome = hospital.run("invite", "clinic", terminal=True)
    assert outcome.stdout == b""
    assert hospital.path("clinic.invite").exists()


def test_under_json_an_invite_is_in_the_document(hospital: Party) -> None:
    document = hospital.run("invite", "clinic", "--json").json
    assert json.loads(document["content"])["format"] == "invite-file/v1"
    target = hospital.path("x.invite")
    assert hospital.run("invite", "clinic", "--json", "-o", target).json["path"] == str(target)


def test_a_file_is_not_overwritten_without_yes(hospital: Party) -> None:
    target = hospital.path("clinic.invite")
    target.write_text("mine", encoding="utf-8")
    hospital.run("invite", "clinic", "-o", target, code=2)
    assert target.read_text(encoding="utf-8") == "mine"
    hospital.run("invite", "clinic", "-o", target, "--yes")


def test_only_an_owner_invites(clinic: Party) -> None:
    assert "[not-an-owner]" in clinic.run("invite", "x", code=2).stderr


def test_join_shows_the_fingerprint(hospital: Party, clinic: Party) -> None:
    invite = hospital.run("invite", "clinic").stdout
    document = clinic.run("join", "-", "--json", stdin=invite).json
    assert FINGERPRINT.fullmatch(document["fingerprint"])
    assert document["status"] == "pending"
    assert document["owner_name"] == "hospital"


def test_both_sides_see_the_same_fingerprint(hospital: Party, clinic: Party) -> None:
    enrollment, fingerprint = meet(hospital, clinic)
    assert hospital.run("inspect", enrollment, "--json").json["fingerprint"] == fingerprint


def test_something_else_is_no_invite(clinic: Party, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"hello")
    clinic.run("join", other, code=6)
    assert "[not-found]" in clinic.run("join", tmp_path / "none", code=3).stderr


def test_a_partner_is_approved_by_what_it_read_out(hospital: Party, clinic: Party) -> None:
    enrollment, fingerprint = meet(hospital, clinic)
    hospital.run("partner", "approve", enrollment, "--fingerprint", WRONG, code=6)
    mistyped = hospital.run("partner", "approve", enrollment, "--fingerprint", "123", code=2)
    assert "[fingerprint-form]" in mistyped.stderr
    typed = fingerprint.lower().replace("-", " ")
    document = hospital.run("partner", "approve", enrollment, "--fingerprint", typed, "--json").json
    assert document == {"partner": "clinic", "status": "approved"}


def test_yes_never_stands_in_for_a_comparison(hospital: Party, clinic: Party) -> None:
    enrollment, _ = meet(hospital, clinic)
    outcome = hospital.run("partner", "approve", enrollment, "--yes", code=2)
    assert "[fingerprint-needed]" in outcome.stderr


@pytest.mark.parametrize(("typed", "code"), [(b"yes\n", 0), (b"y\n", 6), (b"no\n", 6), (b"", 130)])
def test_a_fingerprint_is_compared_at_the_terminal(
    hospital: Party, clinic: Party, typed: bytes, code: int
) -> None:
    enrollment, fingerprint = meet(hospital, clinic)
    outcome = hospital.run("partner", "approve", enrollment, "--yes", stdin=typed, terminal=True, code=code)
    assert fingerprint in outcome.stderr


def test_partners_are_listed(hospital: Party, clinic: Party) -> None:
    assert hospital.run("partner", "list", "--json").json["partners"] == []
    assert "no partners" in hospital.run("partner", "list").stderr
    enrollment, fingerprint = meet(hospital, clinic)
    hospital.run("partner", "approve", enrollment, code=2)
    (partner,) = hospital.run("partner", "list", "--json").json["partners"]
    assert (partner["name"], partner["status"]) == ("clinic", "pending")
    assert partner["fingerprints"] == [fingerprint]
    assert fingerprint in hospital.run("partner", "list").text
    # What came in a file before can be approved by name.
    hospital.run("partner", "approve", "clinic", "--fingerprint", fingerprint)


def test_several_answers_to_one_invite_are_told_apart_by_their_fingerprints(
    hospital: Party, clinic: Party, party: Callable[[str], Party]
) -> None:
    enrollment, fingerprint = meet(hospital, clinic)
    thief = party("thief")
    thief.run("init", "thief", "--partner-only")
    answer = thief.path("thief.enrollment")
    thief.run("join", hospital.path("clinic.invite"), "-o", answer)
    for each in (enrollment, answer):
        hospital.run("partner", "approve", each, code=2)
    assert "[several-answers]" in hospital.run("partner", "approve", "clinic", code=2).stderr
    assert (
        "[several-answers]"
        in hospital.run("partner", "approve", "clinic", "--fingerprint", WRONG, code=2).stderr
    )
    other = FINGERPRINT.search(hospital.run("partner", "list").text.replace(fingerprint, ""))
    assert other
    hospital.run("partner", "refuse", "clinic", "--fingerprint", other[0])
    hospital.run("partner", "approve", "clinic", "--fingerprint", fingerprint)
    assert len(hospital.run("partner", "list", "--json").json["partners"][0]["fingerprints"]) == 1
    hospital.run("partner", "refuse", "clinic", code=2)


def test_a_suspended_partner_gets_nothing_until_it_is_approved_again(scene: Scene) -> None:
    scene.grant()
    hospital = scene.hospital
    assert hospital.run("partner", "suspend", "clinic").text == "clinic is suspended\n"
    assert "[partner-suspended]" in hospital.run("grant", "clinic", "risk", code=6).stderr
    hospital.run("partner", "approve", "clinic")
    hospital.run("grant", "clinic", "risk", "--into", hospital.path("again"))


def test_unknown_partners_are_not_found(hospital: Party) -> None:
    for words in (
        ("partner", "approve", "nobody"),
        ("partner", "suspend", "nobody"),
        ("partner", "refuse", "nobody"),
        ("grant", "nobody", "x"),
    ):
        hospital.run(*words, code=3)


def test_the_owner_document_is_shown_and_written(scene: Scene) -> None:
    target = scene.hospital.path("hospital.owner")
    text = scene.hospital.run("owner", "show", "-o", target).text
    assert "hospital" in text
    document = scene.clinic.run("owner", "show", "hospital", "--json").json
    assert document["owner"] in text
    assert document["status"] == "pending"
    assert len(document["roles"]["package"]) == 1
    assert scene.hospital.run("inspect", target, "--json").json["owner"] == document["owner"]
    assert "[unknown-owner]" in scene.clinic.run("owner", "show", "nobody", code=3).stderr
    assert "[not-an-owner]" in scene.clinic.run("owner", "show", code=2).stderr


def test_a_rotation_retires_the_old_key_and_partners_follow(scene: Scene) -> None:
    scene.hospital.run("partner", "approve", scene.enrollment, "--fingerprint", scene.fingerprint)
    before = scene.hospital.run("owner", "show", "--json").json
    after = scene.hospital.run("owner", "rotate", "--renew", "license", "--new-root", "--json").json
    assert after["version"] == 2
    assert after["roots"] != before["roots"]
    retired = [key["id"] for key in after["roles"]["license"] if key["retired_at"]]
    assert retired == [before["roles"]["license"][0]["id"]]
    scene.hospital.run("grant", "clinic", "risk", "--into", scene.hospital.path("outbox"))
    scene.accept(scene.hospital.path("outbox/clinic"))
    assert scene.clinic.run("owner", "show", "hospital", "--json").json["version"] == 2
    assert "retired" in scene.hospital.run("owner", "show").text
    assert "[nothing-to-rotate]" in scene.hospital.run("owner", "rotate", code=2).stderr
