"""Start a supervisor: ``python -I -m strongroom.runtime SOCKET CLIENT``.

Only the SDK does, with the number of an inherited socket and its own process id.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from strongroom.worker.launch import harden


def main(arguments: list[str]) -> int:
    """Harden this process, then serve one client; returns the exit status."""
    descriptor, client = map(int, arguments)
    # Not tied to its parent by the kernel: that would follow the thread which called
    # ``open``, and that thread may end long before the program does.
    harden(parent=None)
    signal.signal(signal.SIGTERM, _leave)
    # Imported late, so that nothing of ours runs before the process is hardened.
    import socket

    from strongroom.runtime.service import serve

    serve(socket.socket(fileno=descriptor), client)
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    # Through the ordinary way out, which gives back what is reserved.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
