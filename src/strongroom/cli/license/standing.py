"""``strongroom license suspend``, ``resume`` and ``approve``: how a license stands at a broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.connection import BrokerClient
    from strongroom.protocol.broker import LicenseAnswer


def suspend(
    license: Annotated[str, Parameter(help="The id of a license or sub-license.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; it stands in the log.")],
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Let no lease under a license be taken or renewed, until it is resumed.

    Unlike a revocation it can be taken back. Use ends with the leases that are out, and their grace.

    Examples:
        $ strongroom license suspend lic-uvaxoz2qpfs5 --reason "the invoice is open"

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not suspend licenses, or it has ended.
    """
    from strongroom.cli._moment import span_at_most
    from strongroom.protocol.broker import ReasonAsk

    answer = _tell(shared, owner, lambda client: client.suspend_license(license, ReasonAsk(reason=reason)))
    if not shared.json:
        shared.terminal.note(
            f"It concerns {answer.holder}. Use ends within {span_at_most(answer.worst_case_seconds)} at the "
            f"latest; take it back with: strongroom license resume {license}"
        )


def resume(
    license: Annotated[str, Parameter(help="The id of a suspended license or sub-license.")],
    /,
    *,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Take the suspension of a license back.

    Examples:
        $ strongroom license resume lic-uvaxoz2qpfs5

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not do this, or it is not suspended.
    """
    _tell(shared, owner, lambda client: client.resume_license(license))


def approve(
    license: Annotated[str, Parameter(help="The id of a license that waits for a second person.")],
    /,
    *,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Approve a license as the second person, where the broker asks for one.

    Whoever signed it cannot approve it.

    Examples:
        $ strongroom license approve lic-uvaxoz2qpfs5

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not approve it.
    """
    _tell(shared, owner, lambda client: client.approve_license(license))


def _tell(shared: Shared, owner: str | None, tell: Callable[[BrokerClient], LicenseAnswer]) -> LicenseAnswer:
    from strongroom.cli._broker import answering, demand_line

    # Also for a person of the owner with a home of their own, which is no owner's home.
    line = demand_line(shared.open_home(), owner)
    with answering(line):
        answer = tell(line.client)
    document = {"license": answer.license, "holder": answer.holder, "status": answer.status}
    shared.terminal.result(document, f"{answer.license} is {answer.status}")
    return answer
