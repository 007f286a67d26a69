"""The broker's clock, passed in wherever time is asked for.

    clock = SystemClock()
    clock.now()                          # aware, UTC, whole seconds

What an act takes as its time is not the clock's but the ledger's: never earlier than that of
the act before, whatever a wall clock does (``ledger``). So one jump into the year 2040 would end
every license for ever. A jump is therefore not believed while the broker runs: a wall clock that
leaves the boot clock, which nobody sets, by more than an hour is left aside until it comes back or the
broker is started anew. And a broker does not start more than a year after its last act, unless
somebody says that the clock is right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from strongroom._encoding import to_instant
from strongroom.errors import StorageUnavailable

LARGEST_STEP: Final = timedelta(hours=1)
"""A correction of the wall clock that is believed at once."""
LONGEST_REST: Final = timedelta(days=366)
"""A broker whose last act seems longer ago does not start: the clock is more likely wrong."""


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the time: aware, in UTC, in whole seconds."""
        ...


def _wall() -> datetime:
    return datetime.now(UTC)


def _boot() -> float:
    # Goes on while the machine sleeps, unlike the monotonic clock.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def verify_rest(last: datetime, now: datetime) -> None:
    """Check that a broker has not rested for so long that its clock must be wrong.

    Raises:
        StorageUnavailable: it has (code ``broker-clock``); nothing was written under that time.
    """
    if now - last > LONGEST_REST:
        raise StorageUnavailable(
            f"it is {to_instant(now)} by this machine's clock; the broker's last act was {to_instant(last)}",
            code="broker-clock",
            hint="set the clock; if it is right, start once with --clock-is-right",
        )


class SystemClock:
    """The wall clock of this machine, as far as it goes with the boot clock. Good for many threads."""

    __slots__ = ("_at", "_boot", "_lock", "_since", "_wall")

    def __init__(self, wall: Callable[[], datetime] = _wall, boot: Callable[[], float] = _boot) -> None:
        self._wall = wall
        self._boot = boot
        self._lock = threading.Lock()
        self._at = wall()
        self._since = boot()

    def now(self) -> datetime:
        """Return the time: aware, in UTC, in whole seconds."""
        with self._lock:
            wall, boot = self._wall(), self._boot()
            expected = self._at + timedelta(seconds=boot - self._since)
            if abs(wall - expected) > LARGEST_STEP:
                return expected.replace(microsecond=0)
            # Small steps and drift are followed, so that they do not add up to a jump.
            self._at, self._since = wall, boot
            return wall.replace(microsecond=0)
