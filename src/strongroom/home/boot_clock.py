"""Time that nobody sets: the clock that runs since this machine started, and a broker's time on it.

    clock = OnlineClock(wall=utc_now, boot=SystemBoot())
    anchor = anchored(lease.issued_at, sent)             # what the broker said, when it was asked
    clock.now(anchor, state.clock)                       # that, and what has passed since
    anchor = clock.hold(anchor, state.clock)             # one that holds since this start

The boot clock goes on while a machine sleeps and cannot be set. After a restart it begins anew. Until a
broker answers again time then goes on from the wall clock, or from the clock mark if that is later, and
from the first use on by the boot clock again: a wall clock that is held back gains what the machine
was off, once for each start, and one that is wrong locks nobody out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import msgspec

from strongroom._encoding import from_instant, to_instant
from strongroom._limits import LIMITS
from strongroom.errors import StorageUnavailable
from strongroom.home.leases import Anchor

_TOLERANCE: Final = timedelta(seconds=LIMITS.max_clock_skew_seconds)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Boot(Protocol):
    """A clock that begins when a machine starts."""

    def id(self) -> str:
        """Return what is different after each start."""
        ...

    def milliseconds(self) -> int:
        """Return the time since the start, sleep included."""
        ...


class SystemBoot:
    """The kernel's."""

    def id(self) -> str:
        """Return the kernel's boot id.

        Raises:
            StorageUnavailable: the kernel does not say.
        """
        return _read_id(_BOOT_ID)

    def milliseconds(self) -> int:
        """Return ``CLOCK_BOOTTIME``."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@cache
def _read_id(path: Path) -> str:
    # Asked for with every use; no process outlives a start of its machine.
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StorageUnavailable(f"cannot read {path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineClock:
    """The time toward one owner: the broker's as far as it is known, else this machine's."""

    wall: Callable[[], datetime]
    boot: Boot

    def now(self, anchor: Anchor | None, mark: datetime | None = None) -> datetime:
        """Return the time.

        Args:
            anchor: The newest moment that is known, if one is.
            mark: The clock mark: what was certainly seen.

        Raises:
            FormatError: the anchor is damaged.
            StorageUnavailable: the kernel does not say when it started.
        """
        said = None if anchor is None else self._since(anchor, mark)
        if said is not None:
            return said
        wall = self.wall()
        return wall if mark is None else max(wall, mark)

    def hold(self, anchor: Anchor | None, mark: datetime | None) -> Anchor:
        """Return an anchor that holds: this one, or if it is of another start one of this moment.

        Raises:
            FormatError: the anchor is damaged.
            StorageUnavailable: the kernel does not say when it started.
        """
        if anchor is not None and self._since(anchor, mark) is not None:
            return anchor
        return msgspec.structs.replace(self.mark(), time=to_instant(self.now(None, mark)))

    def _since(self, anchor: Anchor, mark: datetime | None) -> datetime | None:
        """Return the time by an anchor; None: it is of another start, or of a clock that went back."""
        passed = self.boot.milliseconds() - anchor.boot_milliseconds
        if anchor.boot_id != self.boot.id() or passed < 0:
            return None
        said = from_instant(anchor.time) + timedelta(milliseconds=passed)
        return said if mark is None or said >= mark - _TOLERANCE else None

    def mark(self) -> Anchor:
        """Return this moment, by the wall clock.

        Raises:
            StorageUnavailable: the kernel does not say when it started.
        """
        return Anchor(
            time=to_instant(self.wall()), boot_id=self.boot.id(), boot_milliseconds=self.boot.milliseconds()
        )


def anchored(said: datetime, asked: Anchor) -> Anchor:
    """Return the anchor for what a broker said in answer to a question of that moment.

    The time is laid on the moment of the question, not of the answer: an answer that was held
    back makes the time too late, never too early.
    """
    return Anchor(time=to_instant(said), boot_id=asked.boot_id, boot_milliseconds=asked.boot_milliseconds)
