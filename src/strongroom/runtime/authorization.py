"""What lets one open model be used: a key file, which stays as it is, or a lease, which is renewed.

    authorization = KeyFile(opening, clock)
    authorization = LeaseSession.begin(...)              # the other kind

The supervisor asks both in the same way before each use.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from strongroom.errors import LicenseDenied


class Authorization(Protocol):
    """What allows the uses of one session."""

    def now(self) -> datetime:
        """Return the time by which uses are decided."""
        ...

    def refresh(self) -> None:
        """Go on under what is newest.

        Raises:
            LicenseDenied: the use has been ended.
        """
        ...

    def note(self, remaining: int | None) -> None:
        """Take in what is left after a use."""
        ...

    def rescue(self, denied: LicenseDenied, predictions: int) -> bool:
        """So many predictions were refused: say whether to try once more, because more was got."""
        ...


class KeyFile:
    """An offline or pass-phrase file: nobody is asked, nothing changes."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return what the clock of this machine says."""
        return self._clock()

    def refresh(self) -> None:
        """Nothing is newer."""

    def note(self, remaining: int | None) -> None:
        """Nothing follows from it."""

    def rescue(self, denied: LicenseDenied, predictions: int) -> bool:
        """Nothing more can be got."""
        return False
