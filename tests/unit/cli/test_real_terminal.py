"""A real pseudo-terminal: prompts that do not echo, bars on stderr only, widths, no color in pipes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.unit.cli.conftest import Party, Scene, meet

PASSPHRASE = "seven maple trams orbit quietly"
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def spawn(party: Party, *words: object, columns: int = 80) -> pexpect.spawn:
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    return pexpect.spawn(
        sys.executable,
        ["-m", "strongroom", *map(str, words), "--home", str(party.home)],
        env={**environment, "TERM": "xterm-256color"},
        encoding="utf-8",
        dimensions=(40, columns),
        timeout=60,
        cwd=str(party.folder),
    )


def finish(child: pexpect.spawn) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, ANSI.sub("", child.before)


def test_a_new_passphrase_is_typed_twice_and_not_shown(tmp_path: Path) -> None:
    party = Party("safe", tmp_path)
    child = spawn(party, "init", "safe", "--encrypt")
    child.expect("New pass-phrase of this home: ")
    child.sendline(PASSPHRASE)
    child.expect("The same again: ")
    child.sendline(PASSPHRASE)
    code, shown = finish(child)
    assert code == 0
    assert PASSPHRASE not in shown
    child = spawn(party, "invite", "clinic")
    child.expect("Pass-phrase of this home: ")
    child.sendline("wrong")
    code, shown = finish(child)
    assert (code, "[passphrase-wrong]" in shown) == (4, True)


def test_a_fingerprint_is_compared_by_people(hospital: Party, clinic: Party) -> None:
    enrollment, fingerprint = meet(hospital, clinic)
    child = spawn(hospital, "partner", "approve", enrollment)
    child.expect(fingerprint)
    child.expect("Type yes: ")
    child.sendline("yes")
    code, shown = finish(child)
    assert code == 0
    assert "clinic is approved" in shown


def test_control_c_at_a_question_is_an_interruption(hospital: Party, clinic: Party) -> None:
    enrollment, _ = meet(hospital, clinic)
    child = spawn(hospital, "partner", "approve", enrollment)
    child.expect("Type yes: ")
    child.sendintr()
    code, shown = finish(child)
    assert code == 130
    assert "Traceback" not in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_window(scene: Scene, columns: int) -> None:
    folder = scene.grant("--predictions", "1000/month")
    scene.accept(folder)
    for words in (
        ("open", "risk"),
        ("models",),
        ("license", "list"),
        ("inspect", folder / "clinic.license"),
        ("inspect", folder / "risk-1.0.0.sealed"),
        ("env",),
        ("doctor",),
        ("grant", "--help"),
    ):
        _, shown = finish(spawn(scene.clinic, *words, columns=columns))
        # A path that is longer than its column stays whole, to be copied.
        wide = [line for line in shown.splitlines() if len(line) > columns and "/" not in line]
        assert wide == [], words


def test_titles_are_bold_on_a_terminal(hospital: Party) -> None:
    child = spawn(hospital, "--help")
    child.expect(pexpect.EOF)
    child.close()
    assert "\x1b[1m" in child.before


def test_sealing_shows_a_bar_on_a_terminal(hospital: Party, scene: Scene) -> None:
    child = spawn(hospital, "seal", scene.model, "--name", "other")
    child.expect("Sealing other")
    code, shown = finish(child)
    assert code == 0
    assert "other-1.0.0.sealed" in shown
