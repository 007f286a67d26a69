"""The way that works: the hospital seals, publishes and grants, the clinic accepts, predicts and narrows.

Homes: ``hospital``, ``clinic``, ``ward`` (a site of the clinic) and, later, ``competitor``.
"""

from __future__ import annotations

import csv
import re
import socket
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
    from strongroom.cli.demo.stage import Outcome, Server, Stage

_LICENSE: Final = re.compile(r"\b(?:lic|sub)-[a-z2-7]{24}\b")
_FINGERPRINT: Final = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}")
_ANSWERS: Final = "answers.csv"
_PROBABILITIES: Final = "probabilities.csv"


_LEASE: Final = "20s"
"""Short, so that its end can be waited for."""


@dataclass(slots=True)
class Cast:
    """What the second half builds on."""

    package: Path
    """The sealed model in the clinic's home."""
    outbox: str
    """The sealed model in the hospital's home, relative: what is sent to partners."""
    license: str
    """Of the clinic."""
    broker_line: str
    """What starts the broker again."""
    broker: Server
    lease_ends: float = 0.0
    """On the monotonic clock: when the lease of the clinic has ended for certain."""
    second_license: str = ""
    """Of the clinic too: signed while the broker was down."""


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
    sent = _seal(stage)
    line = f"broker run --listen 127.0.0.1:{_free_port()} --lease {_LEASE} --home hospital"
    broker = _publish(stage, line)
    fingerprint = _meet(stage)
    license = _grant(stage, known)
    _accept(stage, fingerprint, sent)
    _predict(stage, known)
    _narrow(stage, license, sent)
    return Cast(find_package(stage, "clinic"), sent, license, line, broker)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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


def license_in(outcome: Outcome) -> str:
    """Return the license id that a command printed; empty if it printed none."""
    match = _LICENSE.search(outcome.text)
    return match[0] if match else ""


def _seal(stage: Stage) -> str:
    stage.act("The hospital seals it")
    stage.run("init hospital --home hospital")
    sealed = stage.run(
        f"seal {MODEL_FILE} --name risk --sample {SAMPLE_FILE} --home hospital",
        tried="seal a model, and compare the sealed copy with it",
    )
    package = Path(sealed.text).relative_to(stage.folder)
    stage.run(f"verify {package} --home hospital", tried="verify the package, byte by byte")
    return str(package)


def _publish(stage: Stage, line: str) -> Server:
    stage.act("The hospital starts its broker")
    stage.remark("In a window of its own: it goes on.")
    broker = stage.start(line, until="It answers")
    stage.run(
        "publish risk --home hospital", tried="publish: the broker gets the key, wrapped, and not the model"
    )
    return broker


def _meet(stage: Stage) -> str:
    stage.act("The clinic joins")
    stage.run("init clinic --partner-only --home clinic")
    return meet(stage, "clinic", tried="invite, join and approve, through the broker")


def meet(stage: Stage, partner: str, *, tried: str | None = None, file: str = "") -> str:
    """Have a partner join the hospital through the broker; returns the fingerprint."""
    stage.run(f"invite {partner} --home hospital", into=f"{partner}.invite")
    joined = stage.run(f"join {partner}.invite --home {partner}{file}")
    fingerprint = fingerprint_in(joined)
    stage.remark(f"The two call each other and read out the fingerprint: {fingerprint}\n")
    stage.run(f"partner approve {partner} --fingerprint {fingerprint} --home hospital", tried=tried)
    return fingerprint


def _grant(stage: Stage, known: Material) -> str:
    stage.act("The hospital grants the model to the clinic")
    stage.remark("The grace time is enough for all patients once: it is for when the broker is down.")
    granted = stage.run(
        f"grant clinic risk --agreement {AGREEMENT_FILE} --until 1y --predictions 5000/month "
        f"--right predict --right sublicense --grace 1h:{known.patients} --break-glass 1h "
        "--offline 30d --home hospital",
        tried="grant, under an agreement, with a budget and a grace time",
    )
    return license_in(granted)


def _accept(stage: Stage, fingerprint: str, sent: str) -> None:
    stage.act("The clinic accepts")
    stage.run("models --home clinic")
    stage.run(
        f"accept risk --fingerprint {fingerprint} --package {sent} --yes --home clinic",
        tried="accept license and agreement",
    )
    stage.run("open risk --home clinic", tried="open: check everything, run nothing")


def _narrow(stage: Stage, license: str, sent: str) -> None:
    stage.act("The clinic passes it on to a ward, which goes where there is no network")
    stage.run("init ward --partner-only --home ward")
    fingerprint = meet(stage, "ward", file=" -o ward.enrollment")
    narrowed = stage.run(
        f"license narrow {license} ward.enrollment --predictions 500/month --expires 90d "
        f"--fingerprint {fingerprint} --home clinic",
        tried="narrow: pass the license on to a site, with less",
    )
    stage.run(f"accept {license_in(narrowed)} --fingerprint {fingerprint} --package {sent} --yes --home ward")
    stage.run(
        "license checkout risk --until 7d --home ward",
        tried="check out a key file, for a machine without network",
    )


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
