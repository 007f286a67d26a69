"""``strongroom license requests``, ``refuse`` and ``answer``: what partners ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.connection import BrokerClient
    from strongroom.protocol.broker import LicenseRequestAnswer


def requests(*, owner: OwnerOption = None, shared: Shared = SHARED) -> None:
    """List requests for licenses: at an owner those of all partners, at a partner its own.

    Examples:
        $ strongroom license requests
        $ strongroom license requests --json

    Raises:
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the requests.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._requests import requests_at

    line = demand_line(shared.open_home(), owner)
    with answering(line):
        found = requests_at(line.client)
    rows = [
        (each.request, each.partner, each.model, each.predictions or "-", each.purpose, standing_of(each))
        for each in found
    ]
    columns = ("request", "partner", "model", "predictions", "purpose", "status")
    shared.terminal.table(
        {"requests": [asdict(each) for each in found]}, columns, rows, empty="There are no requests."
    )


def refuse(
    request: Annotated[str, Parameter(help="The id of a request, ask-...")],
    /,
    *,
    reason: Annotated[
        str, Parameter(help="Why, in one line; the partner is told, and it stands in the log.")
    ],
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Refuse a partner's request for a license. To grant it: strongroom grant --request.

    Examples:
        $ strongroom license refuse ask-uvaxoz2qpfs5 --reason "not before the audit"

    Raises:
        ObjectNotFound: the broker knows no such request.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not do this, or it was granted.
    """
    from strongroom.protocol.broker import ReasonAsk

    ask = ReasonAsk(reason=reason)
    _tell(shared, owner, lambda client: client.refuse_license_request(request, ask))


def answer(
    request: Annotated[str, Parameter(help="The id of a request, ask-...")],
    license: Annotated[str, Parameter(help="The id of the license that answers it.")],
    /,
    *,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Say which license answers a request, where `strongroom grant --request` could not.

    Examples:
        $ strongroom license answer ask-uvaxoz2qpfs5 lic-hvo3kuwepscn

    Raises:
        ObjectNotFound: the broker knows no such request, or no such license of that partner.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not do this, or it was answered otherwise.
    """
    from strongroom.protocol.broker import RequestGrantAsk

    ask = RequestGrantAsk(license=license)
    _tell(shared, owner, lambda client: client.grant_license_request(request, ask))


def standing_of(request: LicenseRequestAnswer) -> str:
    """Say in a few words what came of a request."""
    said = request.reason or request.license
    return request.status if said is None else f"{request.status}: {said}"


def _tell(shared: Shared, owner: str | None, tell: Callable[[BrokerClient], LicenseRequestAnswer]) -> None:
    from strongroom.cli._broker import answering, demand_line

    line = demand_line(shared.open_home(), owner)
    with answering(line):
        told = tell(line.client)
    document = {
        "request": told.request,
        "partner": told.partner,
        "status": told.status,
        "license": told.license,
    }
    shared.terminal.result(document, f"{told.request} of {told.partner} is {standing_of(told)}")
