"""Time that nobody sets: the clock that runs since this machine started, and a broker's time on it.

    clock = OnlineClock(wall=utc_now, boot=SystemBoot())
    anchor = anchored(lease.issued_at, sent)             # what the broker said, when it was asked
    clock.now(anchor)                                    # that, and what has passed since

The boot clock goes on while a machine sleeps and cannot be set. After a restart it begins anew,
and until a broker answers again there is the wall clock only, with the clock mark behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from strongroom._encoding import from_instant, to_instant
from strongroom.errors import StorageUnavailable
from strongroom.home.leases import Anchor

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

    def now(self, anchor: Anchor | None) -> datetime:
        """Return the time.

        Raises:
            FormatError: the anchor is damaged.
            StorageUnavailable: the kernel does not say when it started.
        """
        if anchor is None or anchor.boot_id != self.boot.id():
            return self.wall()
        passed = timedelta(milliseconds=max(self.boot.milliseconds() - anchor.boot_milliseconds, 0))
        return from_instant(anchor.time) + passed

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
