"""What confining a worker costs: when it starts, and at each system call afterwards.

    .venv/bin/python -m benchmarks.confinement

Two processes in turn, which import the same modules: one only forbids dumps, as a supervisor
does, the other is confined as a worker is. Each tells how long it took from its start and what
one exchange of a byte over its socket takes, the least that an answer costs (two calls).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.timing import header, row

ROUNDS, EXCHANGES = 15, 20_000

_PROGRAM = """
import os, socket, sys, time
from strongroom.hardening.confining import confine
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.secret_memory import SecretMemory
from strongroom.worker.launch import harden

def forbid():
    harden(parent=None)

one, other = socket.socketpair()
begin = time.perf_counter()
forbid()
if sys.argv[1] == "confined":
    limits = WorkerLimits.from_environment({})
    confine(keep=(one.fileno(), other.fileno()), limits=limits, memory=SecretMemory.reserve(), harden=forbid)
took = time.perf_counter() - begin
exchanges = int(sys.argv[2])
begin = time.perf_counter()
for _ in range(exchanges):
    one.send(b"x")
    other.recv(1)
print(took, (time.perf_counter() - begin) / exchanges)
"""


def _once(kind: str) -> tuple[float, float, float]:
    """Return seconds of the whole process, of hardening, and of one exchange."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", _PROGRAM, kind, str(EXCHANGES)],
        capture_output=True,
        text=True,
        check=True,
    )
    hardening, exchange = map(float, done.stdout.split())
    return time.perf_counter() - begin, hardening, exchange


def main() -> None:
    """Print the tables."""
    header(f"median of {ROUNDS} rounds in turn", "hardening", "a byte sent and received")
    found: dict[str, list[tuple[float, float, float]]] = {"plain": [], "confined": []}
    for _ in range(ROUNDS):
        for kind, each in found.items():
            each.append(_once(kind))
    for kind, each in found.items():
        hardening = statistics.median(one[1] for one in each)
        exchange = statistics.median(one[2] for one in each)
        row(kind, f"{hardening * 1e3:.1f} ms", f"{exchange * 1e6:.2f} us")


if __name__ == "__main__":
    main()
