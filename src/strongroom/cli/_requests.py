"""Partners' requests for licenses, as ``grant`` and the lists take them from a broker.

asked = find_request(home, "ask-...")
terms = filled_in(terms, asked)                  # what was typed goes before what was asked
settle(home, asked, license_id)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from strongroom.errors import ObjectNotFound, UsageError

if TYPE_CHECKING:
    from strongroom.cli._terms import TermOptions
    from strongroom.connection import BrokerClient
    from strongroom.home import Home
    from strongroom.protocol.broker import LicenseRequestAnswer


def requests_at(client: BrokerClient) -> list[LicenseRequestAnswer]:
    """Return every request that a broker shows, oldest first.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it refuses.
    """
    from strongroom.cli._broker import pages

    found = pages(lambda after: client.license_requests(after=after), "requests")
    return sorted(found, key=lambda each: (each.asked_at, each.request))


def find_request(home: Home, request: str) -> LicenseRequestAnswer:
    """Return an open request at this owner's broker.

    Raises:
        UsageError: this home has no broker, or the request was answered (code ``request-answered``).
        ObjectNotFound: there is none of this id (code ``unknown-request``).
        BrokerUnavailable: the broker does not answer.
    """
    from strongroom.cli._broker import answering, demand_own_line

    line = demand_own_line(home)
    try:
        with answering(line):
            found = line.client.license_request(request)
    except ObjectNotFound as error:
        raise ObjectNotFound(
            f"the broker has no request {request}",
            code="unknown-request",
            hint="strongroom license requests lists them",
        ) from error
    if found.status != "open" or found.license is not None:
        # One whose license waits for a second person is open, but nobody shall sign another by mistake.
        raise UsageError(
            f"{request} was answered before",
            code="request-answered",
            hint="strongroom license requests shows how; grant without --request gives a further license",
        )
    return found


def filled_in(terms: TermOptions, asked: LicenseRequestAnswer) -> TermOptions:
    """Return the terms that were typed, and what was asked for where nothing was typed."""
    return replace(
        terms,
        predictions=terms.predictions or asked.predictions,
        expires=terms.expires or asked.until,
    )


def settle(home: Home, asked: LicenseRequestAnswer, license: str) -> LicenseRequestAnswer:
    """Tell the broker which license answers a request.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it was answered otherwise in between.
    """
    from strongroom.cli._broker import answering, demand_own_line
    from strongroom.protocol.broker import RequestGrantAsk

    line = demand_own_line(home)
    again = f"license answer {asked.request} {license}"
    with answering(line, kept=f"{license} is granted", again=again):
        return line.client.grant_license_request(asked.request, RequestGrantAsk(license=license))
