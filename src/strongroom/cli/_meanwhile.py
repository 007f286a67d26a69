"""What works while a broker is silent, and until when, for the error of a command that did not reach it.

    said_of(home, owner)       # "hospital/risk@1.0.0 works without it until 2027-01-02 03:00 UTC"

Nothing is asked and nothing counted. What cannot be found out is left out: the error that is being told
is another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from strongroom.errors import Error

if TYPE_CHECKING:
    from strongroom.home.catalog import Candidate
    from strongroom.home.home import Home
    from strongroom.home.trust import PinnedOwner
    from strongroom.opening import Opening

_MOST: Final = 3
"""Models that a hint names; `strongroom models` says it of all."""


def said_of(home: Home, owner: PinnedOwner) -> str:
    """Return until when each model of an owner works without its broker, or why not; empty: unknown."""
    told = list(_told(home, owner))
    more = [f"{len(told) - _MOST} more: strongroom models"] if len(told) > _MOST else []
    return "; ".join([*told[:_MOST], *more])


def _told(home: Home, owner: PinnedOwner) -> Iterator[str]:
    try:
        candidates = [each for each in home.catalog.candidates() if each.owner.id == owner.id]
    except Error:
        return
    for candidate in candidates:
        opened = _opened(home, candidate)
        said = None if opened is None else without_broker(home, opened, datetime.now(UTC))
        if said is not None:
            yield f"{owner.label}/{candidate.package.name}@{candidate.package.version} {said}"


def without_broker(home: Home, opened: Opening, now: datetime) -> str | None:
    """Say until when a model works without its broker, or why it does not; None: it has no lease."""
    from strongroom.cli._moment import shown
    from strongroom.leasing.outage import outlook

    if opened.release is not None:
        return None
    try:
        found, refusal = outlook(home, opened, now), home.leases.read(opened.place).refusal
    except Error:
        return None
    if found is None:
        return None
    if refusal is not None and refusal.is_final:
        # It said no before it fell silent.
        return f"does not work without it: {refusal.message}"
    if found.denied is not None:
        return f"does not work without it: {found.denied.reason}"
    return f"works without it until {shown(found.until)}"


def _opened(home: Home, candidate: Candidate) -> Opening | None:
    from strongroom.opening import open_model
    from strongroom.runtime.level import foresee_here

    package = candidate.package
    try:
        return open_model(
            home,
            f"{candidate.owner.id}/{package.name}@{package.version}",
            now=datetime.now(UTC),
            level=foresee_here(home.path).level,
            license_id=candidate.license.license_id,
        )
    except Error:
        return None
