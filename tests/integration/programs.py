"""Client programs in processes of their own, and a look at the processes behind a model."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from strongroom.client import Model
from tests.integration.parties import Parties


class ClientProgram:
    """A program of its own that has opened the model."""

    def __init__(
        self,
        parties: Parties,
        body: str,
        *,
        rows: Any,
        options: str = "",
        prefix: Sequence[str] = (),
        **popen: Any,
    ) -> None:
        """Start it; ``options`` are further arguments of ``open``, ``prefix`` goes before the command."""
        program = textwrap.dedent(
            f"""
            import json, os, signal, sys, threading, time
            import strongroom
            model = strongroom.open("risk", home={str(parties.clinic.path)!r}, {options})
            supervisor = model._runtime.process_id
            worker = open(f"/proc/{{supervisor}}/task/{{supervisor}}/children").read().split()[0]
            rows = json.loads(sys.argv[1])
            print(json.dumps([supervisor, int(worker)]), flush=True)
            """
        ) + textwrap.dedent(body)
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*prefix, sys.executable, "-B", "-c", program, json.dumps(rows)],
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            **popen,
        )
        self.processes: list[int] = json.loads(self.line())
        """Supervisor and worker."""

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def output(self) -> list[str]:
        """Return the words that it prints until it ends."""
        # Not ``communicate``: it does not see what ``line`` has read ahead.
        assert self.process.stdout is not None
        words = self.process.stdout.read().split()
        self.process.wait(timeout=60)
        return words

    def __enter__(self) -> ClientProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def is_running(process_id: int) -> bool:
    """Tell whether a process runs: neither gone nor waiting to be buried."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children_of(process_id: int) -> list[int]:
    """Return the ids of the processes that a process started."""
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(number) for number in listed.split()]


def processes_of(model: Model) -> tuple[int, int]:
    """Return the process ids of supervisor and worker."""
    supervisor = model._runtime.process_id
    (worker,) = children_of(supervisor)
    return supervisor, worker


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
