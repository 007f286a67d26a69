"""CPU time of the command line before it does anything.

    .venv/bin/python -m benchmarks.startup

Median of fifteen starts, user and system time of the child. Budgets: ``version``
100 ms, ``--help`` 200 ms, on a machine with two cores.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from benchmarks.timing import header, row

STARTS = 15
BUDGETS = {"version": 0.100, "--help": 0.200}


def _cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    """Print one table."""
    bare = statistics.median(_cpu_seconds([sys.executable, "-c", "pass"]) for _ in range(STARTS))
    print(f"a bare interpreter takes {bare * 1000:.0f} ms of CPU\n")
    header("command", "median, ms", "least, ms", "budget, ms", "kept")
    for command, budget in BUDGETS.items():
        times = [_cpu_seconds([sys.executable, "-m", "strongroom", command]) for _ in range(STARTS)]
        median = statistics.median(times)
        row(
            f"strongroom {command}",
            f"{median * 1000:.0f}",
            f"{min(times) * 1000:.0f}",
            f"{budget * 1000:.0f}",
            "yes" if median <= budget else "no",
        )


if __name__ == "__main__":
    main()
