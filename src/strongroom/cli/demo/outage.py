"""The broker is down: leases go on, then the grace time, then break-glass; and then it is back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from strongroom.cli.demo.material import ID_COLUMN, PATIENTS_FILE
from strongroom.cli.demo.story import license_in

if TYPE_CHECKING:
    from strongroom.cli.demo.stage import Stage
    from strongroom.cli.demo.story import Cast

_PREDICT: Final = f"predict risk {PATIENTS_FILE} --id-column {ID_COLUMN} -o outage.csv --yes"
_LONGEST_LEASE_SECONDS: Final = 22.0


def begin(stage: Stage, cast: Cast) -> None:
    """Stop the broker, and go on.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stage.act("The broker goes down")
    # Anew, so that the lease of the clinic begins now.
    stage.run(f"{_PREDICT} --home clinic")
    cast.lease_ends = time.monotonic() + _LONGEST_LEASE_SECONDS
    cast.broker.stop()
    stage.remark("Ctrl-C in its window.")
    stage.run(
        f"{_PREDICT} --home clinic",
        tried="predict while the broker is down; it is a restart as well: each line is a process of its own",
    )
    stage.run(f"{_PREDICT} --home ward", tried="the ward predicts with the key file that it checked out")
    stage.refused(
        "granting while the broker is down: signed, kept, and sent later",
        "grant clinic risk --until 30d --home hospital",
        exit_code=7,
        codes=("broker-unavailable", "broker-busy"),
    )


def end(stage: Stage, cast: Cast) -> None:
    """Use the grace up, break the glass, and bring the broker back.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stage.act("The lease ends, and the broker is still down")
    time.sleep(max(0.0, cast.lease_ends - time.monotonic()))
    stage.run(f"{_PREDICT} --home clinic", tried="predict in the grace time")
    stage.refused(
        "predict when the predictions of the grace time are used up",
        f"{_PREDICT} --home clinic",
        exit_code=5,
        codes=("grace-used-up",),
    )
    stage.run(
        'break-glass risk --reason "the broker is down, and the ward is full" --yes --home clinic',
        tried="break the glass, for a reason",
    )
    stage.run(f"{_PREDICT} --home clinic", tried="predict after that")
    stage.act("The broker is back")
    cast.broker = stage.start(cast.broker_line, until="It answers")
    sent = stage.run("license upload --home hospital", tried="what was signed in the outage is sent")
    cast.second_license = license_in(sent)
    stage.run(f"{_PREDICT} --home clinic", tried="predict again; what was used in the outage is reported")
    stage.run("usage --home hospital")
    stage.run("log tail -n 5 --home hospital", tried="the hospital reads why the glass was broken")
