"""How long a worker may take for one answer.

    deadline = Deadline(answer_seconds(os.environ))
    deadline.begin()
    deadline.remaining()        # 599.9; None where there is no limit or nothing has begun

``STRONGROOM_WORKER_ANSWER_SECONDS`` says it; ten minutes if it does not. It is for the whole answer,
so that a worker which sends a byte now and then gains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

_ANSWER: Final = "STRONGROOM_WORKER_ANSWER_SECONDS"
_ANSWER_SECONDS: Final = 600.0


class Deadline:
    """Runs from ``begin`` until ``clear``."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._ends: float | None = None

    def begin(self) -> None:
        """Start anew."""
        self._ends = None if self.seconds is None else time.monotonic() + self.seconds

    def clear(self) -> None:
        """Stop: what waits from now on waits without a limit."""
        self._ends = None

    def remaining(self) -> float | None:
        """Return how many seconds are left; None without a limit."""
        return None if self._ends is None else self._ends - time.monotonic()

    def verify(self) -> None:
        """Check that time is left.

        Raises:
            TimeoutError: none is.
        """
        remaining = self.remaining()
        if remaining is not None and remaining <= 0:
            raise TimeoutError


def answer_seconds(environment: Mapping[str, str]) -> float:
    """Read the setting.

    Raises:
        ValueError: it is no positive number.
    """
    text = environment.get(_ANSWER)
    if not text:
        return _ANSWER_SECONDS
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{_ANSWER} must be a positive number")
    return float(text)
