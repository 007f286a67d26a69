"""Code of an attacker inside a worker: the launcher of the real one, with something else to serve.

    confined("say(open('/etc/passwd').read())")      # ["PermissionError"]

The process is started with the environment and the arguments that a supervisor gives it. What it
says comes over the worker's own socket; what it is refused comes as the name of the error.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from strongroom.hardening.limits import WorkerLimits
from strongroom.runtime import worker_process

_PROGRAM = """
import ctypes, json, os, socket, sys, threading
from strongroom.worker.__main__ import main

def serve(descriptor, memory, report):
    connection = socket.socket(fileno=descriptor)
    libc = ctypes.CDLL(None, use_errno=True)
    def say(*words):
        connection.sendall(" ".join(map(str, words)).encode() + b"\\n")
    def attempt(act):
        try:
            say("done", act())
        except BaseException as error:
            say(type(error).__name__, getattr(error, "errno", ""))
    def call(number, *arguments):
        result = libc.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
        say("done" if result >= 0 else os.strerror(ctypes.get_errno()))
{body}

sys.exit(main(sys.argv[1:], serve))
"""


class Confined:
    """A running worker with foreign code inside."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process = process
        self.connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")

    def line(self) -> str:
        """Return the next thing it says; empty if it has ended."""
        return self._lines.readline().rstrip("\n")

    def lines(self) -> list[str]:
        """Return all that it says until it ends."""
        return self._lines.read().splitlines()


@contextmanager
def running(
    body: str,
    *,
    settings: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    inherited: Sequence[int] = (),
    unmeant: Sequence[int] = (),
) -> Iterator[Confined]:
    """Start it; it ends with this context.

    Args:
        body: statements; ``say``, ``attempt`` and ``call`` (a raw system call) are at hand.
        settings: of the environment of the supervisor.
        prefix: a program that runs it.
        inherited: descriptors that the worker is meant to have.
        unmeant: descriptors that it gets nevertheless.
    """
    ours, theirs = socket.socketpair()
    limits = WorkerLimits.from_environment(settings or {})
    program = _PROGRAM.replace("{body}", textwrap.indent(textwrap.dedent(body), "    "))
    arguments = [str(theirs.fileno()), str(os.getpid()), limits.to_text(), *map(str, inherited)]
    with ours, theirs:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-I", "-B", "-c", program, *arguments],
            env=worker_process._environment(),
            pass_fds=[theirs.fileno(), *inherited, *unmeant],
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        confined = Confined(process, ours)
        try:
            yield confined
        finally:
            process.kill()
            process.wait()
            confined._lines.close()


def confined(body: str, **options: Any) -> list[str]:
    """Run the body in a confined worker and return what it said."""
    with running(body, **options) as worker:
        return worker.lines()
