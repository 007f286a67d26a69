"""``strongroom request``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared


def request(
    model: Annotated[str, Parameter(help="The model, as the owner calls it or in your own words.")],
    /,
    *,
    purpose: Annotated[str, Parameter(help="What for, in one line, for the people who decide.")],
    predictions: Annotated[
        str | None, Parameter(help="How many you need, as 1000/month or 1M/total.")
    ] = None,
    until: Annotated[
        str | None, Parameter(help="Until when you need it: the last day, an instant, or a time from now.")
    ] = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Ask an owner for a license.

    The owner's people see it and grant a license or refuse, with a reason. What came of it is shown by
    `strongroom models` and `strongroom license requests`. The same request again is the same one.

    Examples:
        $ strongroom request fraud --predictions 1M/month --purpose "card payments at night"
        $ strongroom request risk --purpose "triage" --until 2027-06-30 --owner hospital

    Raises:
        UsageError: no broker is known here, or several are, or an option cannot be read.
        FormatError: model or purpose is no line of text.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not ask for licenses, or too many requests are open.
    """
    from strongroom._encoding import to_instant
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._moment import end_of
    from strongroom.cli._terms import budget_of
    from strongroom.protocol.broker import LicenseRequestAsk

    ask = LicenseRequestAsk(
        model=model,
        purpose=purpose,
        predictions=None if predictions is None else "{}/{}".format(*budget_of(predictions)),
        until=None if until is None else to_instant(end_of(until, shared.now)),
    )
    line = demand_line(shared.open_home(), owner)
    with answering(line):
        answer = line.client.request_license(ask)
    shared.terminal.result(
        {"request": answer.request, "status": answer.status},
        f"{answer.request} is {answer.status}: {line.owner.label} is asked for {answer.model}",
    )


app = page(request, "request")
