"""Clock and version marks: what a runtime has seen, it does not unsee.

    denied = check_clock(now, mark, chain_issued_at)
    mark = raise_clock(mark, now)                       # after a use that was allowed
    mark = clock_from_broker(answer.issued_at)          # online only: may also lower it

    denied = check_version(request, mark, withdrawals)
    mark = raise_version(mark, request.version)

Marks are kept in the partner's own signed state. A backup restores an older state: a
barrier at ``sealed``, a record at ``local`` (spec/license.md, "Marks").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from strongroom._encoding import to_instant
from strongroom.license.codes import Code
from strongroom.license.notice_documents import Withdrawal
from strongroom.license.request import Request, Withdrawn
from strongroom.license.verdict import Denied
from strongroom.license.version import VersionNumber, version_number

CLOCK_TOLERANCE: Final = timedelta(seconds=120)
"""How far a clock may go back: time servers correct by seconds, people by hours."""


def check_clock(now: datetime, *passed: datetime | None) -> Denied | None:
    """Refuse a clock that is behind an instant which has certainly passed.

    Args:
        now: What the clock says.
        passed: The clock mark, and when each document at hand was signed; None is skipped.
    """
    latest = latest_of(now, *passed)
    if latest - now <= CLOCK_TOLERANCE:
        return None
    return Denied(
        code=Code.CLOCK_SET_BACK,
        reason=f"the clock says {to_instant(now)}, but {to_instant(latest)} has already passed here",
        hint="Set the clock of this machine right.",
    )


def latest_of(now: datetime, *passed: datetime | None) -> datetime:
    """Return the latest of several instants.

    Decisions use it in place of the clock: within the tolerance, a clock that steps
    back over midnight does not open the day before again.
    """
    return max(now, *(moment for moment in passed if moment is not None), now)


def raise_clock(mark: datetime | None, now: datetime) -> datetime:
    """Return the mark after a use that was allowed.

    After allowed uses only: a clock that jumps beyond the end of a license is refused
    there and leaves no mark, so setting it right again is enough.
    """
    return now if mark is None else max(mark, now)


def clock_from_broker(broker_time: datetime) -> datetime:
    """Return the mark after a fresh answer of the broker, whatever it was before.

    The answer must carry the nonce of this runtime's own request: an old answer must
    not turn the mark back.
    """
    return broker_time


def withdrawn(document: Withdrawal) -> Withdrawn:
    """Return a verified withdrawal as decisions take it."""
    return Withdrawn(
        owner=document.owner, name=document.name, version=document.version, permits=document.permits
    )


def check_version(request: Request, mark: str | None, withdrawals: Iterable[Withdrawn]) -> Denied | None:
    """Refuse a withdrawn version, and one below the mark that no withdrawal permits."""
    of_model = [each for each in withdrawals if (each.owner, each.name) == (request.owner, request.name)]
    permits = {version_number(each.version): each.permits for each in of_model}
    wanted = version_number(request.version)
    if wanted in permits:
        return Denied(
            code=Code.VERSION_WITHDRAWN,
            reason=f"{request.name} {request.version} was withdrawn by its owner",
            hint=_instead(permits[wanted]),
        )
    if mark is None or wanted >= _lowest_permitted(version_number(mark), permits):
        return None
    return Denied(
        code=Code.VERSION_ROLLBACK,
        reason=f"this runtime has opened {request.name} {mark} and does not go back to {request.version}",
        hint=f"Open {request.name} {mark}, or ask the owner to withdraw it.",
    )


def _lowest_permitted(mark: VersionNumber, permits: dict[VersionNumber, str | None]) -> VersionNumber:
    # Each step goes to a lower version (a withdrawal permits nothing else), so it ends.
    lowest = mark
    while (older := permits.get(lowest)) is not None:
        lowest = version_number(older)
    return lowest


def _instead(permits: str | None) -> str:
    return "Ask the owner for a newer version." if permits is None else f"Open version {permits} instead."


def raise_version(mark: str | None, version: str) -> str:
    """Return the mark after a version was opened; a permitted older one leaves it as it is."""
    return version if mark is None else max(mark, version, key=version_number)
