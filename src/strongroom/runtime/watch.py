"""Is the client still there? Asked while the supervisor waits for anything.

    watch = Watch(client_socket, client_process_id)
    wait = watch.waiter(worker_socket)
    wait()                                    # returns, or raises ClientLost

The client is gone when its socket closes or its process ends. Both are watched: a
program that the client forked may keep the socket open for longer than the client lives.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from strongroom.errors import WorkerLost


class ClientLost(WorkerLost):
    """The client has gone: nobody waits for an answer any more."""


class Watch:
    """Watches the client's end and its process."""

    def __init__(self, client: int, process_id: int) -> None:
        """Watch the socket with this descriptor, and this process.

        Raises:
            ClientLost: the process is not this one's parent any more.
        """
        self._client = client
        try:
            self._process = os.pidfd_open(process_id)
        except ProcessLookupError as error:
            raise _lost() from error
        if os.getppid() != process_id:
            # The id may by now be somebody else's.
            self.close()
            raise _lost()

    def waiter(
        self, descriptor: int, remaining: Callable[[], float | None] = lambda: None
    ) -> Callable[[], None]:
        """Return what waits until there is something to read there, or the end of a stream.

        It raises ``ClientLost`` if the client goes first, and ``TimeoutError`` when ``remaining()``
        seconds are over.
        """
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        poll.register(self._client, select.POLLRDHUP)
        # Registered last: if it is the client's own socket, what it still holds is read.
        poll.register(descriptor, select.POLLIN)

        def wait() -> None:
            seconds = remaining()
            ready = dict(poll.poll(None if seconds is None else max(0.0, seconds) * 1000))
            if not ready:
                raise TimeoutError
            if descriptor not in ready:
                raise _lost()

        return wait

    def close(self) -> None:
        """Stop watching."""
        os.close(self._process)


def _lost() -> ClientLost:
    return ClientLost("the client has gone")
