"""Start a worker: ``python -I -m strongroom.worker SOCKET PARENT LIMITS DESCRIPTOR...``.

Only a supervisor does, with the number of an inherited socket, its own process id, the limits,
and which other descriptors the worker inherits. The process is hardened and confined before
anything else is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from strongroom.hardening.confining import confine
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.report import Report
from strongroom.hardening.secret_memory import SecretMemory
from strongroom.worker.launch import harden


def _serve(descriptor: int, memory: SecretMemory, report: Report) -> None:
    # Imported late: what these modules import may start threads, and no library
    # should see the process before it is confined.
    import socket

    from strongroom.worker.channel import Channel
    from strongroom.worker.session import Session

    Session(Channel(socket.socket(fileno=descriptor), peer="supervisor"), memory, report).run()


def main(arguments: list[str], serve: Callable[[int, SecretMemory, Report], None] = _serve) -> int:
    """Harden and confine this process, then serve; returns the exit status.

    Args:
        arguments: socket, parent, limits, inherited descriptors.
        serve: what runs in the confined process. Attacks bring their own.
    """
    descriptor, parent = map(int, arguments[:2])
    limits = WorkerLimits.from_text(arguments[2])
    inherited = [int(each) for each in arguments[3:]]
    harden(parent=parent)
    memory = SecretMemory.reserve()
    report = confine(
        keep=[descriptor, *inherited], limits=limits, memory=memory, harden=lambda: harden(parent=parent)
    )
    serve(descriptor, memory, report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
