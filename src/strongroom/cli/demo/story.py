"""The way that works: the hospital seals and grants, the clinic accepts and predicts.

Homes: ``hospital``, ``clinic`` and, later, ``competitor``.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom.cli.demo import material
from strongroom.cli.demo.material import (
    AGREEMENT_FILE,
    ID_COLUMN,
    MODEL_FILE,
    PATIENTS_FILE,
    SAMPLE_FILE,
    Material,
)

if TYPE_CHECKING:
    from strongroom.cli.demo.stage import Outcome, Stage

_FINGERPRINT: Final = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}")
_ANSWERS: Final = "answers.csv"
_PROBABILITIES: Final = "probabilities.csv"


@dataclass(frozen=True, slots=True)
class Cast:
    """What the second half builds on."""

    package: Path
    """The sealed model in the clinic's home."""
    fingerprint: str
    """Of the clinic's enrollment."""


def play(stage: Stage) -> Cast:
    """Play it.

    Raises:
        BrokenPipeError: nobody reads any more.
        OSError: the folder cannot be written.
    """
    stage.act("A model is trained")
    known = material.prepare(stage.folder)
    stage.remark(f"Gradient boosting, exported to {MODEL_FILE}; right for {known.accuracy:.1%} of")
    stage.remark(f"the {known.patients} held-out patients, who are the clinic's: {PATIENTS_FILE}")
    _seal(stage)
    fingerprint = _meet(stage)
    _grant(stage, fingerprint)
    _accept(stage, fingerprint)
    _predict(stage, known)
    return Cast(package=find_package(stage, "clinic"), fingerprint=fingerprint)


def find_package(stage: Stage, home: str, name: str = "risk-1.0.0.sealed") -> Path:
    """Return where a home keeps a package.

    Raises:
        FileNotFoundError: it is not there.
    """
    for path in (stage.folder / home / "packages").glob(f"*/{name}"):
        return path
    raise FileNotFoundError(2, "no package", name)


def fingerprint_in(outcome: Outcome) -> str:
    """Return the fingerprint that `join` showed; empty if it showed none."""
    match = _FINGERPRINT.search(outcome.stderr)
    return match[0] if match else ""


def _seal(stage: Stage) -> None:
    stage.act("The hospital seals it")
    stage.run("init hospital --home hospital")
    sealed = stage.run(
        f"seal {MODEL_FILE} --name risk --sample {SAMPLE_FILE} --home hospital",
        tried="seal a model, and compare the sealed copy with it",
    )
    package = Path(sealed.text).relative_to(stage.folder)
    stage.run(f"verify {package} --home hospital", tried="verify the package, byte by byte")
    stage.run(f"inspect {package}")


def _meet(stage: Stage) -> str:
    stage.act("The clinic joins")
    stage.run("init clinic --partner-only --home clinic")
    stage.run("invite clinic --home hospital", into="clinic.invite")
    joined = stage.run(
        "join clinic.invite --home clinic", into="clinic.enrollment", tried="invite and join, with files only"
    )
    fingerprint = fingerprint_in(joined)
    stage.remark(f"The two call each other and read out the fingerprint: {fingerprint}\n")
    return fingerprint


def _grant(stage: Stage, fingerprint: str) -> None:
    stage.act("The hospital grants the model to the clinic")
    stage.run(
        f"grant clinic.enrollment risk --agreement {AGREEMENT_FILE} --predictions 5000/month "
        f"--fingerprint {fingerprint} --into outbox --home hospital",
        tried="grant, under an agreement and with a budget",
    )


def _accept(stage: Stage, fingerprint: str) -> None:
    stage.act("The clinic accepts")
    stage.run(
        f"accept outbox/clinic --fingerprint {fingerprint} --yes --home clinic",
        tried="accept license and agreement",
    )
    stage.run("models --home clinic")
    stage.run("open risk --home clinic", tried="open: check everything, run nothing")


def _predict(stage: Stage, known: Material) -> None:
    stage.act("The clinic predicts; its patients stay at home")
    words = f"predict risk {PATIENTS_FILE} --id-column {ID_COLUMN}"
    stage.run(f"{words} -o {_ANSWERS} --home clinic", tried=f"predict for {known.patients} patients")
    stage.run(f"{words} --proba -o {_PROBABILITIES} --home clinic")
    stage.compare(
        "the answers equal plain onnxruntime's, bit for bit", lambda: _difference(stage.folder, known)
    )


def _difference(folder: Path, known: Material) -> str | None:
    import numpy as np

    answers, probabilities = _read(folder / _ANSWERS), _read(folder / _PROBABILITIES)
    labels = np.array([int(row["prediction"]) for row in answers], dtype=known.labels.dtype)
    floats = np.array(
        [[row["probability_0"], row["probability_1"]] for row in probabilities],
        dtype=known.probabilities.dtype,
    )
    if [row[ID_COLUMN] for row in answers] != [f"P{number:04}" for number in range(known.patients)]:
        return "the patients are not those of the table"
    if labels.tobytes() != known.labels.tobytes():
        return "a label differs"
    return None if floats.tobytes() == known.probabilities.tobytes() else "a probability differs"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
