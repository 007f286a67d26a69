"""``strongroom lease``: list, return, release."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.opening import Opening
    from strongroom.protocol.broker import LeaseSummary


def list_(
    *,
    license: Annotated[str | None, Parameter(help="Only under this license, and what hangs from it.")] = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """List the leases and checked-out files that may be in use: who runs what, until when, with how much.

    The owner sees all, a partner its own. "Last use" is the end with grace and break-glass. An offline file,
    off-..., ends by itself and cannot be called back before.

    Examples:
        $ strongroom lease list
        $ strongroom lease list --license lic-uvaxoz2qpfs5

    Raises:
        ObjectNotFound: the broker knows no such license.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the leases.
    """
    from strongroom.cli._broker import answering, demand_line, pages

    line = demand_line(shared.open_home(), owner)
    client = line.client
    with answering(line):
        found = list(pages(lambda after: client.leases(after=after, license=license), "leases"))
    rows = [_row(each) for each in found]
    columns = ("lease", "license", "runtime", "ends", "last use", "holds")
    shared.terminal.table(
        {"leases": [_document(each) for each in found]},
        columns,
        rows,
        empty="No lease is out, and no offline file.",
    )


def _row(lease: LeaseSummary) -> tuple[str, ...]:
    ends = (_shown(lease.ends_at), _shown(lease.last_use_at))
    return (lease.lease, lease.license, lease.runtime, *ends, _budget(lease))


def _shown(instant: str) -> str:
    from strongroom._encoding import from_instant
    from strongroom.cli._moment import shown

    return shown(from_instant(instant))


def _budget(lease: LeaseSummary) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(lease.budget.items())) or "-"


def _document(lease: LeaseSummary) -> dict[str, Any]:
    from strongroom.revoking import is_file

    return {
        "lease": lease.lease,
        "kind": "offline-file" if is_file(lease) else "lease",
        "license": lease.license,
        "runtime": lease.runtime,
        "organization": lease.organization,
        "package": lease.package,
        "issued_at": lease.issued_at,
        "ends_at": lease.ends_at,
        "last_use_at": lease.last_use_at,
        "budget": dict(lease.budget),
    }


def release(
    lease: Annotated[str, Parameter(help="The id of a lease, lea-...")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, in one line; it stands in the log.")],
    shared: Shared = SHARED,
) -> None:
    """End a lease at the broker, so that its installation can start anew.

    For after a clone alarm, when you know which of the two is the right one, and for an installation whose
    home was restored from a backup. What the lease held of the quota stays used, for nobody knows.

    Examples:
        $ strongroom lease release lea-uvaxoz2qpfs5 --reason "restored from a backup"

    Raises:
        ObjectNotFound: the broker knows no such lease.
        UsageError: this home owns no models, or has no broker.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not release leases, or it has ended.
    """
    from strongroom.cli._broker import answering, demand_own_line
    from strongroom.protocol.broker import ReasonAsk

    line = demand_own_line(shared.open_home())
    with answering(line):
        done = line.client.release_lease(lease, ReasonAsk(reason=reason))
    shared.terminal.result({"lease": lease, "entry": done.entry}, f"{lease} is released")


def return_(
    model: Annotated[str, Parameter(help="[OWNER/]NAME[@VERSION] of an accepted license.")],
    /,
    *,
    license: Annotated[str | None, Parameter(help="The id of the license, where several fit.")] = None,
    purpose: Annotated[str | None, Parameter(help="What for, where the license asks.")] = None,
    shared: Shared = SHARED,
) -> None:
    """Give back the lease of this installation: others find its place and its rest of the quota free.

    What was used is reported with it. Programs that have the model open take a new lease with their next use.
    Without a lease the model does not open while the broker is down.

    Examples:
        $ strongroom lease return risk

    Raises:
        ObjectNotFound: no license covers the model, or this home knows no broker.
        LicenseDenied: the license has ended.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: the broker refuses.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._level import open_here

    home = shared.open_home()
    opened = open_here(shared, home, model, license_id=license, purpose=purpose)
    line = demand_line(home, opened.owner.id, as_runtime=True)
    with answering(line):
        returned = give_back(home, opened, line)
    said = "This installation holds no lease." if returned is None else f"{returned} is given back"
    shared.terminal.result({"lease": returned}, said)


def give_back(home: Home, opened: Opening, line: Line) -> str | None:
    """Give back the lease under which this home opens a model; returns its id, None: there is none.

    Raises:
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: it refuses.
        ObjectNotFound: it does not know the lease.
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.home.boot_clock import OnlineClock, SystemBoot
    from strongroom.leasing import Leaseholder

    clock = OnlineClock(wall=lambda: datetime.now(UTC), boot=SystemBoot())
    holder = Leaseholder(home, opened, line.client, clock)
    if holder.kept() is None:
        return None
    holder.give_back()
    return holder.record().returned


app = noun(
    "lease",
    "List, return and release leases.",
    page(list_, "list"),
    page(return_, "return"),
    page(release, "release"),
)
