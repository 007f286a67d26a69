"""``strongroom invite``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def invite(
    partner: Annotated[str, Parameter(help="What you will call the partner.")],
    /,
    *,
    expires: Annotated[
        str, Parameter(help="Until when it can be answered: a date, an instant or 14d.")
    ] = "14d",
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Where to write it (else stdout, on a terminal PARTNER.invite)."),
    ] = None,
    shared: Shared = SHARED,
) -> None:
    """Make the invitation with which a partner joins.

    Send it any way you like: it holds no secret. It names your broker, if you have one, and the partner's
    answer arrives there; else it answers with an .enrollment file. Before you grant anything you compare
    a fingerprint with it on the telephone.

    Examples:
        $ strongroom invite clinic > clinic.invite
        $ strongroom invite north --expires 30d -o north.invite

    Raises:
        UsageError: a bad name or date, the file exists, or this home owns no models.
        NoMatchingKey: the license key is not here, or the pass-phrase is wrong.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import enrolling
    from strongroom._encoding import to_instant
    from strongroom.cli._file import deliver
    from strongroom.cli._moment import end_of, shown

    home = shared.open_home()
    expires_at = end_of(expires, shared.now)
    broker = home.brokers.address(home.vault.verify_owner_id())
    data = enrolling.invite(home, partner, expires_at=expires_at, now=shared.now, broker=broker)
    document = {
        "partner": partner,
        "expires_at": to_instant(expires_at),
        "broker": None if broker is None else broker.url,
    }
    deliver(shared, data, output=output, suggested=f"{partner}.invite", document=document)
    if not shared.json:
        where = "" if broker is None else f", at the broker {broker.url}"
        shared.terminal.note(f"Invited {partner}, until {shown(expires_at)}{where}.")


app = page(invite, "invite")
