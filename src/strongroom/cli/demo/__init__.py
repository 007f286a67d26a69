"""``strongroom demo``: hospital, clinic and competitor, from end to end.

``material`` trains a real model, ``stage`` runs command lines and shows them, ``story`` is the way that
should work, ``refusals`` what must not, ``outage`` what goes on without the broker, ``ending`` the end of a
license and the proof of it all, and ``report`` the table at the end. Every line that begins with ``$`` is
really run, as a process of its own, and can be typed again in the folder that --keep leaves; the hospital's
broker is one of them, on this machine only.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import Error, UnsupportedError, UsageError


def demo(
    *,
    keep: Annotated[
        Path | None, Parameter(help="A new folder to play in, which stays (else a temporary one).")
    ] = None,
    database: Annotated[
        str | None,
        Parameter(help="A PostgreSQL address of an empty database for the broker (else a file in its home)."),
    ] = None,
    shared: Shared = SHARED,
) -> int:
    """Play hospital, clinic and competitor from end to end, in one to two minutes.

    Trains a model on the breast-cancer data of scikit-learn, seals it, grants it to a clinic through the
    hospital's broker, and predicts there, bit for bit as plain onnxruntime does. The broker goes down and
    comes back. Then it tries what must not work, and shows how each try is refused, revokes the license and
    proves it. The exit code is 1 if anything went otherwise.

    Examples:
        $ strongroom demo
        $ strongroom demo --keep playground
        $ strongroom demo --database postgresql://broker@db.internal/demo

    Raises:
        UnsupportedError: the libraries of the extra `demo` are missing.
        UsageError: the folder exists and is not empty, or the address holds a password.
    """
    _verify_libraries()
    from strongroom.broker.running import verify_no_password
    from strongroom.cli.demo import ending, outage, refusals, report, story
    from strongroom.cli.demo.stage import STOPPED, Stage

    verify_no_password(database)
    with ExitStack() as stack:
        folder = _folder(keep, stack)
        stage = stack.enter_context(Stage(shared.terminal, folder, database))
        try:
            cast = story.play(stage)
            outage.begin(stage, cast)
            # What is refused here needs no broker: meanwhile the lease of the clinic ends.
            refusals.play_in_outage(stage, cast)
            outage.end(stage, cast)
            refusals.play(stage, cast)
            ending.revoke(stage, cast)
            refusals.play_older_version(stage, cast)
            ending.prove(stage, cast)
        except Error as error:
            if error.code != STOPPED:
                raise
            # The line that stopped it is in the table.
        held = report.show(shared.terminal, stage)
        if keep is not None and not shared.json:
            shared.terminal.note(
                f"Everything is in {folder}. To repeat it by hand, take the files of the first step "
                "(risk.onnx, sample.csv, patients.csv, agreement.txt) into an empty folder; ids and "
                "fingerprints will be your own."
            )
    return 0 if held else 1


NEEDED = ("convert", "frames", "onnx", "sklearn")
"""The extras whose models and tables it plays with; those of other kinds of model are not asked for."""


def _verify_libraries() -> None:
    from strongroom.cli.doctor.library import EXTRAS, version_of

    needed = {name for extra in NEEDED for name in EXTRAS[extra]}
    missing = sorted(name for name in needed if version_of(name) is None)
    if missing:
        raise UnsupportedError(
            f"the demo needs {', '.join(missing)}",
            code="extra-missing",
            hint="pip install 'strongroom[demo]'",
        )


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-demo-")))
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(
            f"{keep} exists and is not an empty folder", code="folder-not-empty", hint="name a new one"
        )
    keep.mkdir(parents=True, exist_ok=True)
    return keep.absolute()


app = page(demo, "demo")
