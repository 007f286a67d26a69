"""The end: the hospital revokes the license, and both sides prove what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.cli.demo.material import ID_COLUMN, PATIENTS_FILE

if TYPE_CHECKING:
    from strongroom.cli.demo.stage import Stage
    from strongroom.cli.demo.story import Cast


def revoke(stage: Stage, cast: Cast) -> None:
    """End the license of the clinic, and with it that of its ward.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stage.act("The hospital revokes the license")
    stage.run("lease list --home hospital")
    stage.run(
        f'license revoke {cast.license} --reason "the contract ended" --yes --home hospital',
        tried="revoke: whom it concerns, and until when use can go on",
    )
    stage.refused(
        "a revoked license",
        f"predict risk {PATIENTS_FILE} --id-column {ID_COLUMN} --home clinic",
        exit_code=5,
        codes=("revoked", "license-revoked"),
    )


def prove(stage: Stage, cast: Cast) -> None:
    """Check the log on both sides, and prove an entry of it.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    stage.act("Both sides check the log")
    stage.run("log verify --home clinic", tried="the clinic: the log only grew, and has its records")
    stage.run("log verify --home hospital", tried="the hospital: the same")
    stage.run(
        f"log prove {cast.license} --kind revocation -o revoked.tlog-proof --home clinic",
        tried="a proof of the revocation, for whoever asks later",
    )
