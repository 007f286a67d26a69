"""Which measures hold for a worker, which do not and why, and how each is had.

    report = Report((Outcome(Measure.LANDLOCK, holds=False, detail="not in this kernel"),))
    report.lacking                      # (Measure.LANDLOCK,)
    report.isolates                     # no network, no files, no other program

A worker without a measure still works, at a weaker level, and says so: the level follows from
these facts and from nothing that somebody configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Measure(StrEnum):
    """One thing that is taken away from a worker, or from those around it."""

    NO_DUMP = "no dump"
    """Neither core dumps nor another process's view of the memory."""
    PRIVILEGES = "no privileges"
    """No capabilities, and no way to new ones."""
    DESCRIPTORS = "descriptors"
    """Nothing is inherited but what is meant."""
    LIMITS = "limits"
    """Memory, threads, processor time; no file grows."""
    NAMESPACES = "namespaces"
    """A user and network namespace of its own."""
    FILES = "files"
    """Landlock: the interpreter and its libraries can be read, and nothing else."""
    NETWORK = "network"
    """No socket can be made."""
    PROGRAMS = "programs"
    """No other program or process can be started, looked into, or signalled."""
    SECRET_MEMORY = "secret memory"  # noqa: S105 - a measure, not a secret
    """Keys that wait lie where not even the kernel's own copies reach."""
    NO_SWAP = "no swap"
    """No page of the worker can be written to a disk."""


_FILTERS: Final = "run a 64-bit x86 or ARM kernel with seccomp filters, outside containers that forbid them"

REMEDIES: Final = {
    Measure.NO_DUMP: "run a Linux kernel with prctl",
    Measure.PRIVILEGES: "run the program as an ordinary user, on Linux 3.5 or later",
    Measure.DESCRIPTORS: "run Linux 5.9 or later",
    Measure.LIMITS: "raise the hard limits of this account, or lower those of the worker",
    Measure.NAMESPACES: (
        "sysctl user.max_user_namespaces=10000; where they exist also kernel.unprivileged_userns_clone=1 and "
        "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04 and later), or an AppArmor profile "
        "with 'userns,' for the interpreter"
    ),
    Measure.FILES: "boot a kernel of 5.13 or later with landlock in its lsm= list",
    Measure.NETWORK: _FILTERS,
    Measure.PROGRAMS: _FILTERS,
    Measure.SECRET_MEMORY: "boot a kernel of 5.14 or later, before 6.5 with secretmem.enable=1",
    Measure.NO_SWAP: "swapoff -a, or LimitMEMLOCK=infinity in the unit of the service",
}
"""How to get a measure that does not hold."""

_ISOLATION: Final = frozenset({Measure.FILES, Measure.NETWORK, Measure.PROGRAMS, Measure.PRIVILEGES})
_FOR_CODE: Final = _ISOLATION | {Measure.DESCRIPTORS, Measure.LIMITS}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one measure holds, and in which form or why not."""

    measure: Measure
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of all measures, in the order in which they were taken."""

    outcomes: tuple[Outcome, ...]

    @property
    def lacking(self) -> tuple[Measure, ...]:
        """The measures that do not hold, or were never taken."""
        held = {outcome.measure for outcome in self.outcomes if outcome.holds}
        return tuple(measure for measure in Measure if measure not in held)

    @property
    def isolates(self) -> bool:
        """Whether files, network and other programs are all out of reach: what foreign code needs."""
        return not _ISOLATION & set(self.lacking)

    @property
    def lacking_for_code(self) -> tuple[Measure, ...]:
        """The measures that must hold before code of an owner runs, and do not."""
        return tuple(measure for measure in self.lacking if measure in _FOR_CODE)

    @property
    def confines_code(self) -> bool:
        """Whether code of an owner may run: isolated, with limits, and nothing inherited."""
        return not self.lacking_for_code

    def to_json(self) -> list[dict[str, str | bool]]:
        """Return the outcomes as JSON values."""
        return [
            {"measure": each.measure.value, "holds": each.holds, "detail": each.detail}
            for each in self.outcomes
        ]

    @classmethod
    def from_json(cls, document: list[dict[str, str | bool]]) -> Report:
        """Read what ``to_json`` gave.

        Raises:
            ValueError: it names no such measure.
            KeyError: an outcome lacks a member.
        """
        return cls(
            tuple(
                Outcome(Measure(str(each["measure"])), each["holds"] is True, str(each["detail"]))
                for each in document
            )
        )
