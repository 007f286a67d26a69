"""Homes, models and people for the tests of commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.command_line import Outcome, run_in_process
from tests.scenarios.model import write_model

FINGERPRINT = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}")


@dataclass(frozen=True, slots=True)
class Party:
    """One home, and the command line in it."""

    name: str
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / f"{self.name}-home"

    def run(
        self, *words: object, stdin: bytes = b"", terminal: bool = False, code: int | None = 0
    ) -> Outcome:
        """Run a command line; it must end with this exit code, unless that is None."""
        arguments = [*map(str, words), "--home", str(self.home)]
        outcome = run_in_process(arguments, stdin=stdin, terminal=terminal)
        assert code is None or outcome.code == code, f"{words}: {outcome}"
        return outcome

    def path(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Scene:
    """A hospital that has sealed a model, and a clinic that has joined."""

    hospital: Party
    clinic: Party
    enrollment: Path
    fingerprint: str
    model: Path
    table: Path

    def grant(self, *options: object) -> Path:
        """Grant the model and return the folder for the clinic."""
        self.hospital.run(
            "grant", self.enrollment, "risk", "--fingerprint", self.fingerprint,
            "--into", self.hospital.path("outbox"), "--yes", *options,
        )  # fmt: skip
        return self.hospital.path("outbox/clinic")

    def accept(self, folder: Path) -> Outcome:
        return self.clinic.run("accept", folder, "--fingerprint", self.fingerprint, "--yes")


@pytest.fixture
def party(tmp_path: Path) -> Callable[[str], Party]:
    return lambda name: Party(name, tmp_path)


@pytest.fixture
def hospital(party: Callable[[str], Party]) -> Party:
    made = party("hospital")
    made.run("init", "hospital")
    return made


@pytest.fixture
def clinic(party: Callable[[str], Party]) -> Party:
    made = party("clinic")
    made.run("init", "clinic", "--partner-only")
    return made


@pytest.fixture
def scene(hospital: Party, clinic: Party, tmp_path: Path) -> Scene:
    model, table = write_model(tmp_path)
    hospital.run("seal", model, "--name", "risk")
    return Scene(hospital, clinic, *meet(hospital, clinic), model, table)


def meet(owner: Party, partner: Party) -> tuple[Path, str]:
    """Invite and join; returns the enrollment and the fingerprint that both see."""
    invite, enrollment = owner.path(f"{partner.name}.invite"), owner.path(f"{partner.name}.enrollment")
    owner.run("invite", partner.name, "-o", invite)
    joined = partner.run("join", invite, "-o", enrollment)
    match = FINGERPRINT.search(joined.stderr)
    assert match
    return enrollment, match[0]


def license_in(outcome: Outcome) -> str:
    """Return the license id in what a command printed."""
    match = re.search(r"(?:lic|sub)-[a-z2-7]{24}", outcome.text)
    assert match, outcome
    return match[0]
