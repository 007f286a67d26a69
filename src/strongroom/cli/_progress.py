"""How far a piece of work has come: what use cases are told to call, whether anybody looks or not."""

from __future__ import annotations

from typing import Any


class Progress:
    """Takes note of how far a piece of work has come; does nothing when nobody looks."""

    def __init__(self, bars: Any = None, task: Any = None) -> None:
        self._bars = bars
        self._task = task

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        """Show that so many bytes of the total are done."""
        if self._bars is not None:
            self._bars.update(self._task, completed=done_bytes, total=total_bytes)

    def advance(self, more_bytes: int) -> None:
        """Show that so many bytes more are done."""
        if self._bars is not None:
            self._bars.advance(self._task, more_bytes)
