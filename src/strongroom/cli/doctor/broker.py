"""The brokers that this home knows: do they answer, how do the leases stand, what waits to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from strongroom.cli.doctor.finding import Finding, failed, passed, warned
from strongroom.errors import BrokerUnavailable, Error

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home

_SKEW: Final = timedelta(seconds=120)
"""Above this, what is signed here may be refused there as dated in the future."""


def findings(home: Home, now: datetime) -> Iterator[Finding]:
    """Check every broker."""
    from strongroom.cli._broker import lines

    for line in lines(home):
        yield from _reach(line, now)
        if not line.is_own:
            yield from _leases(home, line, now)
    waiting = home.outbox.waiting()
    if waiting:
        listed = ", ".join(each.about for each in waiting[:3])
        yield warned(
            "outbox",
            f"{len(waiting)} document(s) wait to be sent: {listed}",
            "strongroom license upload",
        )


def _reach(line: Line, now: datetime) -> Iterator[Finding]:
    from strongroom._encoding import from_instant

    check = f"broker of {line.owner.label}"
    try:
        answer = line.client.owner()
    except BrokerUnavailable as error:
        yield warned(check, f"it does not answer: {error}", line.goes_on)
        return
    except Error as error:
        yield failed(check, str(error), error.hint or f"ask {line.owner.label} whether its address changed")
        return
    yield passed(check, "it answers")
    difference = abs(from_instant(answer.time) - now)
    if difference > _SKEW:
        seconds = int(difference.total_seconds())
        yield warned(
            f"clock of {line.owner.label}",
            f"this machine and the broker differ by {seconds:,} seconds",
            "set the clock right, as with `timedatectl set-ntp true`",
        )


def _leases(home: Home, line: Line, now: datetime) -> Iterator[Finding]:
    from strongroom.cli._moment import shown
    from strongroom.license.documents import Lease
    from strongroom.license.signing import read_unverified

    for place in home.leases.places(line.owner.id):
        record = home.leases.read(place)
        check = f"lease of {place.license}"
        if record.refusal is not None:
            yield failed(check, record.refusal.message, record.refusal.hint or f"ask {line.owner.label}")
        elif record.lease is not None:
            ends = read_unverified(record.lease, Lease).not_after
            if ends > now:
                yield passed(check, f"in force until {shown(ends)}")
            else:
                yield passed(check, f"ended {shown(ends)}; the next use takes another, or goes on in grace")
