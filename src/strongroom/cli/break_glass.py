"""``strongroom break-glass``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._page import page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from strongroom.opening import Opening


def break_glass(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION] of an accepted license.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; the owner reads it.")],
    license: Annotated[str | None, Parameter(help="The id of the license, where several fit.")] = None,
    purpose: Annotated[str | None, Parameter(help="What for, where the license asks.")] = None,
    shared: Shared = SHARED,
) -> None:
    """Use a model in an emergency, when the broker is down and the grace time is over.

    Bounded in hours and in times, as the license says. It is written down here at once, and the owner reads
    it, with your reason, as soon as the broker answers again.

    Examples:
        $ strongroom break-glass risk --reason "broker down since Monday, patient on the table"

    Raises:
        LicenseDenied: the license has no break-glass, or it is used up.
        ObjectNotFound: no license covers the model, or this home knows no broker.
        UsageError: the broker answers, it is not needed, nobody can be asked, or the answer is no.
        FormatError: the reason is no line of text.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom import leasing
    from strongroom._encoding import to_instant
    from strongroom.cli._broker import demand_line
    from strongroom.cli._level import open_here
    from strongroom.cli._moment import shown
    from strongroom.home.boot_clock import OnlineClock, SystemBoot

    home = shared.open_home()
    opened = open_here(shared, home, model, license_id=license, purpose=purpose)
    line = demand_line(home, opened.owner.id, as_runtime=True)
    if not shared.terminal.confirm(f"Break the glass for {opened.statement.name}?", yes=shared.yes):
        raise UsageError("the glass is not broken", code="not-broken")
    clock = OnlineClock(wall=lambda: datetime.now(UTC), boot=SystemBoot())
    use = leasing.break_glass(home, opened, line.client, reason=reason, clock=clock)
    hours, uses = _bounds(opened)
    until = use.started_at + timedelta(hours=hours)
    document = {
        "license": opened.chain.id,
        "reason": reason,
        "number": use.number,
        "of": uses,
        "started_at": to_instant(use.started_at),
        "until": to_instant(until),
    }
    shared.terminal.result(
        document, f"{opened.statement.name} may be used until {shown(until)}: time {use.number} of {uses}"
    )
    if not shared.json:
        shared.terminal.note(f"{opened.pinned.label} will read the reason as soon as its broker answers.")


def _bounds(opened: Opening) -> tuple[int, int]:
    """Return the hours of one use and how many there are, the narrowest of the chain."""
    from strongroom.license.terms import BreakGlass

    terms = [term for _, term in opened.chain.terms_of(BreakGlass)]
    return min(term.hours for term in terms), min(term.uses for term in terms)


app = page(break_glass, "break-glass")
