"""Let coverage reach processes that start with an empty environment.

    .venv/bin/python tools/coverage_everywhere.py --on

``patch = subprocess`` of coverage tells child processes through an environment
variable. The supervisor rightly starts its worker with an environment of its own, so
the variable does not arrive. This writes a ``.pth`` file into the virtual environment
that sets it again at start-up, wherever a coverage run is under way (``make test``
leaves a file named ``.coverage-under-way`` for that time). The product
knows nothing about it.

Two kinds of processes are left out. A worker confines itself, so that coverage could write nothing at its
end but an error; what it runs is measured where tests call it in their own process. And what an attack or
an integration test starts is told so by a variable; see ``tests/measuring.py``.
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFINED = "strongroom.worker"
STARTS = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
UNMEASURED = "COVERAGE_UNMEASURED"
# Sorted before a1_coverage.pth, which reads the variables.
_PTH = Path(sysconfig.get_path("purelib")) / "a0_strongroom_coverage.pth"


def main() -> None:
    """Write or remove the file."""
    parser = argparse.ArgumentParser(description="Let coverage reach processes with an empty environment.")
    switch = parser.add_mutually_exclusive_group(required=True)
    switch.add_argument("--on", action="store_true")
    switch.add_argument("--off", action="store_true")
    if not parser.parse_args().on:
        _PTH.unlink(missing_ok=True)
        return
    _PTH.write_text(line(ROOT), encoding="utf-8")


def line(root: Path) -> str:
    """Return what every interpreter of the environment executes at its start, for a checkout."""
    return (
        "import os, sys; "
        f"({UNMEASURED!r} in os.environ or any(each.startswith({CONFINED!r}) for each in sys.orig_argv)) and "
        f"[os.environ.pop(name, None) for name in {STARTS!r}] or "
        f"os.path.exists({str(root / '.coverage-under-way')!r}) and ("
        f"os.environ.setdefault('COVERAGE_PROCESS_START', {str(root / 'pyproject.toml')!r}), "
        f"os.environ.setdefault('STRONGROOM_COVERAGE_FILE', {str(root / '.coverage')!r}))\n"
    )


if __name__ == "__main__":
    main()
