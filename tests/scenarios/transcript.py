r"""Transcripts: text files that show a session at a terminal, and the check that it still goes so.

    # One file, one story. This line is a comment.

    $ strongroom init hospital
    Home of hospital made in [..]
    $ strongroom models
    ! there are no models here
    $ strongroom predict risk missing.csv
    ! strongroom: error: there is no model risk [..] [not-found]
    ...
    [exit 3]

* A line that begins with ``$ `` is typed. ``strongroom`` runs in this process; all else goes to the shell.
  ``> FILE`` and ``< FILE`` at its end redirect as usual. A ``\`` at its end continues it on the next line.
* ``NAME=VALUE`` before ``strongroom`` sets a variable for that line; ``$ export NAME=VALUE`` for the rest.
* What follows is the expected output: lines of stdout, then lines of stderr with ``! `` before each.
* ``[..]`` stands for anything within a line; a line ``...`` for any number of lines.
* ``[exit N]`` is the exit code, left out for 0.
* ``$ keep NAME PATTERN`` takes the first group of a regular expression from the output before it; later lines
  use it as ``{NAME}``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenarios.command_line import run_in_process


@dataclass(frozen=True, slots=True)
class Step:
    """One typed line and what must follow it."""

    line_number: int
    typed: str
    expected: tuple[str, ...]


@dataclass(slots=True)
class Session:
    """What lasts from one line to the next."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    output: str = ""


def parse(text: str) -> list[Step]:
    """Split a transcript into its steps."""
    steps: list[Step] = []
    expected: list[str] = []
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if line.startswith("$ "):
            while line.endswith("\\"):
                line = line[:-1].rstrip() + " " + next(lines)[1].strip()
            expected = []
            steps.append(Step(number, line[2:], ()))
        elif steps and not line.startswith("#"):
            expected.append(line)
            steps[-1] = Step(steps[-1].line_number, steps[-1].typed, tuple(expected))
    return steps


def play(steps: list[Step], folder: Path, kept: dict[str, str] | None = None) -> None:
    """Type every line of a transcript; raises AssertionError where the session goes another way.

    ``kept`` is what ``{NAME}`` stands for from the beginning.
    """
    session = Session(folder, kept=dict(kept or {}))
    for step in steps:
        typed = _fill_in(step.typed, session)
        actual = _type(typed, session)
        expected = [_fill_in(line, session) for line in _without_blank_ends(step.expected)]
        if not matches(expected, actual):
            shown = "\n".join(("expected:", *expected, "", "actual:", *actual))
            raise AssertionError(f"line {step.line_number}: $ {typed}\n{shown}")


def _type(typed: str, session: Session) -> list[str]:
    if typed.startswith("keep "):
        _, name, pattern = shlex.split(typed)
        match = re.search(pattern, session.output)
        assert match, f"nothing matches {pattern} in:\n{session.output}"
        session.kept[name] = match[1]
        return []
    if typed.startswith("export "):
        name, _, value = shlex.split(typed)[1].partition("=")
        session.variables[name] = value
        return []
    words = shlex.split(typed, comments=True)
    own = {}
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, own[name] = words.pop(0).partition("=")
    if words[0] == "strongroom":
        return _run(words[1:], session, {**session.variables, **own})
    return _shell(typed, session)


def _run(words: list[str], session: Session, variables: dict[str, str]) -> list[str]:
    words, source = _redirect(words, "<")
    words, target = _redirect(words, ">")
    stdin = (session.folder / source).read_bytes() if source else b""
    before, directory = dict(os.environ), Path.cwd()
    os.environ.update(variables)
    os.chdir(session.folder)
    try:
        outcome = run_in_process(words, stdin=stdin)
    finally:
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(before)
    if target:
        (session.folder / target).write_bytes(outcome.stdout)
    output = "" if target else outcome.text
    session.output = output + outcome.stderr
    return _lines(output, outcome.stderr, outcome.code)


def _redirect(words: list[str], sign: str) -> tuple[list[str], str | None]:
    if sign not in words:
        return words, None
    place = words.index(sign)
    return words[:place] + words[place + 2 :], words[place + 1]


def _shell(typed: str, session: Session) -> list[str]:
    done = subprocess.run(
        ["/bin/sh", "-c", typed],
        cwd=session.folder,
        env={**os.environ, **session.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    session.output = done.stdout + done.stderr
    return _lines(done.stdout, done.stderr, done.returncode)


def _lines(stdout: str, stderr: str, code: int) -> list[str]:
    lines = [line.rstrip() for line in stdout.splitlines()]
    lines += [f"! {line}".rstrip() for line in stderr.splitlines()]
    return lines + ([f"[exit {code}]"] if code else [])


def _fill_in(line: str, session: Session) -> str:
    for name, value in session.kept.items():
        line = line.replace("{" + name + "}", value)
    return line


def _without_blank_ends(lines: tuple[str, ...]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def matches(expected: list[str], actual: list[str]) -> bool:
    """Say whether the lines fit the pattern lines."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return matches(expected[1:], actual) or (bool(actual) and matches(expected, actual[1:]))
    return bool(actual) and _fits(expected[0], actual[0]) and matches(expected[1:], actual[1:])


def _fits(pattern: str, line: str) -> bool:
    parts = (re.escape(part) for part in pattern.rstrip().split("[..]"))
    return re.fullmatch(".*".join(parts), line) is not None
