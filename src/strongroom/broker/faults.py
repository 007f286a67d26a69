"""Fault points: the named places at which a test may stop the broker, as a power cut would.

    faults.reach(FaultPoint.LEDGER_BEFORE_COMMIT)         # nothing happens, but in a test

Whoever writes to more than one place reaches a point before and after each. Tests go through all
of ``FaultPoint``, and pass in a class that kills the process or raises; nothing outside the
program (no variable, no file) can do so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol


class FaultPoint(StrEnum):
    """Every fault point there is."""

    LEDGER_BEFORE_ACT = "ledger.before-act"
    """An act was asked for; the transaction is open."""
    LEDGER_AFTER_ACT = "ledger.after-act"
    """It has written its rows; its entry is not in the log yet."""
    LEDGER_BEFORE_SIGN = "ledger.before-sign"
    """Entries and tiles are written; the checkpoint is not signed."""
    LEDGER_BEFORE_COMMIT = "ledger.before-commit"
    """Everything is written and nothing is durable."""
    LEDGER_AFTER_COMMIT = "ledger.after-commit"
    """Everything is durable and nobody knows."""
    LEDGER_BEFORE_ANSWER = "ledger.before-answer"
    """Whoever waits is about to be told."""


class Faults(Protocol):
    """What happens at a fault point."""

    def reach(self, point: str, /) -> None:
        """Pass a fault point."""
        ...


class NoFaults:
    """Nothing happens: what every broker that serves somebody has."""

    __slots__ = ()

    def reach(self, point: str, /) -> None:
        """Pass a fault point."""


NO_FAULTS: Final = NoFaults()
