"""``strongroom join``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.enrolling import Joined
    from strongroom.home import Home


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

    If the invite names the owner's broker, the answer goes there; else, and with -o, it is an .enrollment
    file to be sent back to the owner, which holds no secret. Both of you then see one fingerprint; read it
    to each other on the telephone. Nothing is accepted from the owner before that.

    Examples:
        $ strongroom join clinic.invite                       # to the broker that it names
        $ strongroom join clinic.invite > clinic.enrollment   # without a broker
        $ strongroom join clinic.invite --alias st-georg -o clinic.enrollment

    Raises:
        FormatError: not an invite.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: another owner has the alias, or the file exists.
        BrokerUnavailable: the broker does not answer; the enrollment waits here.
        BrokerRefused: the broker does not take it in.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import enrolling
    from strongroom.cli._file import STANDARD, agree_to_replace, deliver, read_input

    home = shared.open_home()
    if output is not None and output != STANDARD:
        # Before anything is signed: what is signed waits to be handed in.
        agree_to_replace(shared.terminal, output, replace=shared.yes)
    joined = enrolling.join(home, read_input(shared.terminal, invite), now=shared.now, alias=alias)
    owner = joined.owner
    document = {
        "owner": owner.id,
        "owner_name": owner.label,
        "partner": joined.partner,
        "fingerprint": joined.fingerprint,
        "status": owner.status.value,
        "broker": None if joined.broker is None else joined.broker.url,
    }
    if output is not None or joined.broker is None:
        deliver(
            shared,
            joined.file,
            output=output,
            suggested=f"{joined.partner}.enrollment",
            document=document,
            replace=output is not None,
        )
    _tell(shared, joined, to_file=output is not None or joined.broker is None)
    if joined.broker is not None:
        _hand_in(shared, home, joined)
        if output is None and shared.json:
            shared.terminal.result(document, "")


def _tell(shared: Shared, joined: Joined, *, to_file: bool) -> None:
    if shared.json:
        return
    label = joined.owner.label
    todo = f" Send the .enrollment file to {label}." if to_file else ""
    shared.terminal.note(f"Joined {label} as {joined.partner}.{todo}")
    shared.terminal.note(f"Fingerprint, to be read to each other on the telephone: {joined.fingerprint}")


def _hand_in(shared: Shared, home: Home, joined: Joined) -> None:
    from strongroom.cli._broker import hand_in, line_to

    line = line_to(home, joined.owner)
    if line is None:
        raise AssertionError("a broker that was joined just now is not known")
    hand_in(home, line, [joined.waits_as], what="the enrollment")
    if not shared.json:
        shared.terminal.note(
            f"The broker of {joined.owner.label} has it. When {joined.owner.label} has approved you: "
            "strongroom models"
        )


app = page(join, "join")
