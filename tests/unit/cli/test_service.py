"""``strongroom service`` on the command line; what it makes is tested with a real account elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from strongroom.service import steps, unit
from tests.scenarios.command_line import run_in_process

NAME = "strongroom-of-a-test"
HIDDEN = unit._HIDDEN


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.cli.service._UNITS", tmp_path)
    # What tests are run from lies where a service would not see it.
    monkeypatch.setattr("strongroom.service.unit._HIDDEN", ())


def options(tmp_path: Path) -> list[str]:
    return ["--account", NAME, "--group", f"{NAME}-c", "--service-home", str(tmp_path / "home")]


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    outcome = run_in_process(["service", "install", "risk", "--dry-run", "--json", *options(tmp_path)])
    assert outcome.code == 0
    assert [each["is_there"] for each in outcome.json["service"]] == [False] * 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/home/a/home", "/root/home", "/tmp/x/home", "/var/tmp/home"])  # noqa: S108 - as users type
def test_a_home_that_the_service_would_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("strongroom.service.unit._HIDDEN", HIDDEN)
    monkeypatch.setattr(sys, "executable", "/opt/strongroom/bin/python")
    words = ["service", "install", "risk", "--dry-run", *options(tmp_path)[:-1], place]
    outcome = run_in_process(words)
    assert (outcome.code, "[service-hidden]" in outcome.stderr) == (2, True)
    # Nor a program of which it could start nothing.
    monkeypatch.setattr(sys, "executable", place)
    outcome = run_in_process([*words[:-1], "/var/lib/somewhere"])
    assert "[service-hidden]" in outcome.stderr


def test_status_of_nothing(tmp_path: Path) -> None:
    outcome = run_in_process(["service", "status", *options(tmp_path)])
    assert outcome.code == 0
    assert outcome.stdout.count(b"missing") == 4


@pytest.mark.parametrize("words", [["install", "risk"], ["remove"]])
def test_only_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    outcome = run_in_process(["service", *words, *options(tmp_path)])
    assert outcome.code == 4
    assert "[service-root]" in outcome.stderr


@pytest.mark.parametrize("listen", [[], ["--listen", "0.0.0.0:8443"]])
def test_what_to_do_next_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listen: list[str]) -> None:
    made: list[Any] = []

    def install(plan: Any, **_: Any) -> tuple[str, ...]:
        made.append(plan)
        return ("a unit",)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(steps, "install", install)
    words = ["service", "install", "risk", "--account", "games", *listen]
    monkeypatch.setattr(steps, "steps_of", lambda *_, **__: ())
    outcome = run_in_process(words)
    assert (outcome.code, outcome.stdout) == (0, b"made: a unit\n")
    assert made[0].models == ("risk",)
    assert "level sealed is not reached: " in outcome.stderr
    assert "systemctl enable --now games" in outcome.stderr
    assert ("client add" if listen else "usermod --append") in outcome.stderr
    monkeypatch.setattr(steps, "install", lambda *_, **__: ())
    assert b"everything was there already" in run_in_process(words).stdout
    assert run_in_process([*words, "--json"]).json == {"made": []}


def test_a_purge_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def remove(_: Any, *, purge: bool) -> tuple[str, ...]:
        asked.append(purge)
        return ("a unit",) if purge else ()

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(steps, "remove", remove)
    words = ["service", "remove", *options(tmp_path)]
    assert run_in_process([*words, "--purge"]).code == 2
    assert asked == []
    assert run_in_process([*words, "--purge", "--yes"]).stdout == b"removed: a unit\n"
    assert run_in_process(words).stdout == b"nothing was there\n"
    assert asked == [True, False]
    monkeypatch.setattr("strongroom.cli._terminal.Terminal.confirm", lambda *_, **__: False)
    assert "Nothing was removed" in run_in_process([*words, "--purge"]).stderr
    assert asked == [True, False]


def test_status_of_all_of_it_warns_of_the_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = steps.Step("a step", lambda: True, lambda: None, "")
    monkeypatch.setattr(steps, "steps_of", lambda *_, **__: (step, step))
    monkeypatch.setattr(steps, "has_unit", lambda _: True)
    outcome = run_in_process(["service", "status", "--account", "games"])
    assert outcome.stdout.count(b"is there") == 2
    assert "level sealed is not reached" in outcome.stderr
