"""A clock that stands until it is moved."""

from __future__ import annotations

from datetime import datetime, timedelta


class HeldClock:
    """A ``broker.clock.Clock``."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by
