"""A machine whose clocks are moved by a test: wall clock, boot clock and boot id.

machine = HeldMachine(now)
machine.pass_time(timedelta(minutes=5))              # real time goes on: all clocks do
machine.set_wall(datetime(2040, 1, 1, tzinfo=UTC))   # somebody sets the clock
machine.reboot()
"""

from __future__ import annotations

from datetime import datetime, timedelta


class HeldMachine:
    """A ``home.boot_clock.Boot`` with a wall clock beside it."""

    def __init__(self, now: datetime) -> None:
        self._wall = now
        self._boots = 1
        self._up = timedelta(hours=3)

    def wall(self) -> datetime:
        return self._wall

    def id(self) -> str:
        return f"boot-{self._boots}"

    def milliseconds(self) -> int:
        return self._up // timedelta(milliseconds=1)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass."""
        self._wall += by
        self._up += by

    def set_wall(self, moment: datetime) -> None:
        """Set the wall clock."""
        self._wall = moment

    def reboot(self) -> None:
        """Start anew: another boot id, and the boot clock begins at zero."""
        self._boots += 1
        self._up = timedelta(seconds=20)
