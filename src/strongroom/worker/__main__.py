"""Start a worker: ``python -I -m strongroom.worker SOCKET PARENT``.

Only a supervisor does, with the number of an inherited socket and its own process id.
The process is hardened before anything of ours is imported.
"""

from __future__ import annotations

import sys

from strongroom.worker.launch import harden


def main(arguments: list[str]) -> int:
    """Harden this process, then serve; returns the exit status."""
    descriptor, parent = map(int, arguments)
    harden(parent=parent)
    # Imported late: what these modules import may start threads, and no library
    # should see the process before it is hardened.
    import socket

    from strongroom.worker.channel import Channel
    from strongroom.worker.session import Session

    Session(Channel(socket.socket(fileno=descriptor), peer="supervisor")).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
