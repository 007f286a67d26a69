"""Run all benchmarks and say on what machine.

.venv/bin/python benchmarks/run.py
"""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    broker,
    confinement,
    digests,
    growth,
    https,
    log,
    packages,
    predictions,
    receipts,
    segments,
    startup,
)

_LIBRARIES = ("cryptography", "blake3", "msgspec", "cyclopts")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine()
    )


def main() -> None:
    """Print the machine, then every table."""
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores")
    print(f"Linux {platform.release()}, Python {platform.python_version()}")
    print(", ".join(f"{name} {version(name)}" for name in _LIBRARIES), "\n")
    for module in (
        segments,
        digests,
        packages,
        predictions,
        receipts,
        confinement,
        startup,
        log,
        broker,
        growth,
        https,
    ):
        print(f"## {module.__name__.removeprefix('benchmarks.')}\n")
        module.main()
        print()


if __name__ == "__main__":
    main()
