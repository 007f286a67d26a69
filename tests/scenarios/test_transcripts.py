"""Plays every transcript in this folder, and checks the player itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.model import write_model
from tests.scenarios.transcript import matches, parse, play

TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_session_goes_as_written(path: Path, tmp_path: Path) -> None:
    steps = parse(path.read_text(encoding="utf-8"))
    assert steps
    # Every session begins in a folder with a model and a table for it.
    write_model(tmp_path)
    play(steps, tmp_path)


@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ([], [], True),
        ([], ["x"], False),
        (["x"], [], False),
        (["a [..] c"], ["a b c"], True),
        (["a [..] c"], ["a b d"], False),
        (["...", "c"], ["a", "b", "c"], True),
        (["..."], [], True),
        (["a", "...", "c"], ["a", "b", "d"], False),
        (["a+b"], ["aab"], False),
    ],
)
def test_patterns_match_only_what_they_say(expected: list[str], actual: list[str], fits: bool) -> None:
    assert matches(expected, actual) is fits


def test_a_session_that_goes_another_way_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="line 2: \\$ strongroom version"):
        play(parse("# a comment\n$ strongroom version\nstrongroom 0.0.0\n"), tmp_path)


def test_an_exit_code_must_be_expected(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"\[exit 3\]"):
        play(parse("$ exit 3\n"), tmp_path)


def test_what_is_kept_can_be_used_later(tmp_path: Path) -> None:
    play(parse("$ echo lic-42\nlic-42\n$ keep ID (lic-[0-9]+)\n$ echo {ID}\nlic-42\n"), tmp_path)


def test_variables_and_redirections_work(tmp_path: Path) -> None:
    text = "$ export A=1\n$ strongroom version > v\n$ cat v; echo $A\nstrongroom [..]\n1\n"
    play(parse(text), tmp_path)
