"""Confine a process as a worker is, and print the report: ``python -I -B -m strongroom.worker.trial``.

    try_confinement().lacking            # in a process of its own

What holds on this machine is found by doing it, not by looking at settings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from strongroom.hardening.confining import confine
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.report import Report
from strongroom.hardening.secret_memory import SecretMemory
from strongroom.worker.launch import harden

_SECONDS: Final = 60


def try_confinement() -> Report:
    """Return which measures hold for a worker of this account; an empty report if none could be started."""
    command = [sys.executable, "-I", "-B", "-m", "strongroom.worker.trial"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module under our own interpreter
            command, env={}, cwd="/", capture_output=True, check=True, timeout=_SECONDS
        )
        return Report.from_json(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return Report(())


def main() -> int:
    """Confine this process and print the report as JSON; returns the exit status."""
    harden(parent=None)
    memory = SecretMemory.reserve()
    limits = WorkerLimits.from_environment({})
    report = confine(keep=(), limits=limits, memory=memory, harden=lambda: harden(parent=None))
    sys.stdout.write(json.dumps(report.to_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
