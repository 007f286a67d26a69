"""``strongroom usage``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def usage(
    license: Annotated[
        str | None, Parameter(help="Only of this license, and what hangs from it (else of all).")
    ] = None,
    /,
    *,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Show what was used of each license, and what is handed out.

    What is handed out is in leases and key files that have not reported yet. The owner sees all, a partner
    its own. The numbers are those that installations report, signed.

    Examples:
        $ strongroom usage
        $ strongroom usage lic-uvaxoz2qpfs5 --json

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the usage.
    """
    from strongroom.cli._broker import answering, demand_line, pages

    line = demand_line(shared.open_home(), owner)
    client = line.client
    with answering(line):
        found = list(pages(lambda after: client.usage(after=after, license=license), "usage"))
    documents = [
        {
            "license": each.document,
            "counter": each.counter,
            "period": each.period,
            "used": each.used,
            "reserved": each.reserved,
            "limit": each.limit,
        }
        for each in found
    ]
    rows = [
        (
            each.document,
            each.counter,
            each.period,
            f"{each.used:,}",
            f"{each.reserved:,}",
            "-" if each.limit is None else f"{each.limit:,}",
        )
        for each in found
    ]
    columns = ("license", "counted", "period", "used", "handed out", "limit")
    shared.terminal.table({"usage": documents}, columns, rows, empty="Nothing was used yet.")


app = page(usage, "usage")
