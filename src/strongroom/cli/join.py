"""``strongroom join``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def join(
    invite: Annotated[Path, Parameter(help="The .invite file, or - for stdin.")],
    /,
    *,
    alias: Annotated[
        str | None, Parameter(help="What you will call the owner, if its own name does not suit.")
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Where to write it (else stdout, on a terminal NAME.enrollment)."),
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Answer an owner's invitation with your keys.

    Send the .enrollment file that this makes back to the owner: it holds no secret. Both of you then see one
    fingerprint; read it to each other on the telephone. Nothing is accepted from the owner before that.

    Examples:
        $ strongroom join clinic.invite > clinic.enrollment
        $ strongroom join clinic.invite --alias st-georg -o clinic.enrollment

    Raises:
        FormatError: not an invite.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: another owner has the alias, or the file exists.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import enrolling
    from strongroom.cli._file import deliver, read_input

    home = shared.open_home()
    joined = enrolling.join(home, read_input(shared.terminal, invite), now=shared.now, alias=alias)
    owner = joined.owner
    document = {
        "owner": owner.id,
        "owner_name": owner.label,
        "partner": joined.partner,
        "fingerprint": joined.fingerprint,
        "status": owner.status.value,
    }
    deliver(shared, joined.file, output=output, suggested=f"{joined.partner}.enrollment", document=document)
    if not shared.json:
        shared.terminal.note(
            f"Joined {owner.label} as {joined.partner}. Send the .enrollment file to {owner.label}."
        )
        shared.terminal.note(f"Fingerprint, to be read to each other on the telephone: {joined.fingerprint}")


app = page(join, "join")
