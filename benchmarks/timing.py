"""Measure a call: best and median wall time, and what the rest of the machine did meanwhile."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Sample:
    """Wall times of several rounds, in seconds, and the CPU of other processes, in cores."""

    walls: tuple[float, ...]
    other: float

    @property
    def median(self) -> float:
        """Return the median wall time in seconds."""
        return statistics.median(self.walls)

    @property
    def best(self) -> float:
        """Return the shortest wall time in seconds."""
        return min(self.walls)


def measure(call: Callable[[], object], rounds: int = ROUNDS) -> Sample:
    """Run ``call`` once to warm up, then ``rounds`` times."""
    call()
    walls = []
    with busy_elsewhere() as other:
        for _ in range(rounds):
            began = time.perf_counter()
            call()
            walls.append(time.perf_counter() - began)
    return Sample(tuple(walls), other())


@contextmanager
def busy_elsewhere() -> Iterator[Callable[[], float]]:
    """Tell, after the block, what CPU other processes used in it, in cores."""
    busy, own, start = _busy_seconds(), _own_seconds(), time.perf_counter()
    found = 0.0
    yield lambda: found
    elapsed = time.perf_counter() - start
    others = (_busy_seconds() - busy) - (_own_seconds() - own)
    found = max(0.0, others / elapsed)


def _busy_seconds() -> float:
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def row(*cells: object) -> None:
    """Print one line of a Markdown table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(*cells: str) -> None:
    """Print the head of a Markdown table."""
    row(*cells)
    row(*("---" for _ in cells))
