"""A stream socket that carries frames, for all three processes.

    channel.send(Frame(Predict(id=1, method="predict"), tensors))
    frame = channel.receive()        # None: the other side has closed

A peer that dies in the middle of anything gives ``WorkerLost``; bytes that are no
frame give ``FormatError``. After the latter the stream is still in step, except for
the code ``frame-too-large``: those bytes were not read.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from strongroom.errors import FormatError, WorkerLost
from strongroom.worker import frames
from strongroom.worker.frames import PREFIX_BYTES, Buffer, Frame

# A claimed length is not memory yet: room doubles as bytes really arrive.
_FIRST_BYTES: Final = 1 << 20
# The kernel takes at most 1024 pieces in one call.
_PIECES: Final = 512
_ALIGNMENT: Final = 8


class Channel:
    """Send and receive frames on a connected stream socket. One thread at a time."""

    __slots__ = ("_before_read", "_before_write", "_lost_error", "_peer", "_socket")

    def __init__(
        self,
        connection: socket.socket,
        *,
        peer: str,
        before_read: Callable[[], None] | None = None,
        before_write: Callable[[], None] | None = None,
        lost_error: type[WorkerLost] = WorkerLost,
    ) -> None:
        """Take over a socket.

        Args:
            connection: a connected stream socket.
            peer: what error messages call the other side.
            before_read: runs before each wait for bytes and may raise to give up waiting; a
                ``TimeoutError`` of it is told as the silence of the other side.
            before_write: the same, before each piece that is sent.
            lost_error: what is raised when the other side is gone.
        """
        self._socket = connection
        self._peer = peer
        self._before_read = before_read
        self._before_write = before_write
        self._lost_error = lost_error

    def fileno(self) -> int:
        """Return the socket's descriptor, for polling; -1 once closed."""
        return self._socket.fileno()

    def set_timeout(self, seconds: float | None) -> None:
        """Limit how long one wait for the other side may take; None waits for ever."""
        self._socket.settimeout(seconds)

    def send(self, frame: Frame) -> None:
        """Send one frame.

        Raises:
            FormatError: the frame is beyond a limit; nothing was sent.
            WorkerLost: the other side is gone.
        """
        pieces = iter(frames.to_parts(frame))
        while batch := list(itertools.islice(pieces, _PIECES)):
            self._send_all(batch)

    def receive(self, *, most_body_bytes: int | None = None) -> Frame | None:
        """Receive one frame; None if the other side closed between two frames.

        Args:
            most_body_bytes: a smaller limit for the tensors than that of the protocol.

        Raises:
            FormatError: not a frame; code ``frame-too-large`` if its bytes were left unread.
            WorkerLost: the other side is gone in the middle of a frame, or takes too long.
        """
        prefix = self._read(PREFIX_BYTES)
        if not prefix:
            return None
        self._verify_whole(prefix, PREFIX_BYTES)
        head_bytes, body_bytes = frames.read_prefix(prefix)
        if most_body_bytes is not None and body_bytes > most_body_bytes:
            raise FormatError("a message is larger than its answer can be", code="frame-too-large")
        # One read for both. The body begins at a multiple of eight, so that arrays can
        # be used where they lie.
        gap = -head_bytes % _ALIGNMENT
        size = gap + head_bytes + body_bytes
        data = memoryview(self._verify_whole(self._read(size, skip=gap), size))
        return frames.from_parts(bytes(data[gap : gap + head_bytes]), data[gap + head_bytes :])

    def shut(self) -> None:
        """End the connection at once, also for a thread that waits in ``receive``."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give up this process's hold of the socket. Closing twice is harmless."""
        self._socket.close()

    def _read(self, size: int, *, skip: int = 0) -> bytearray:
        """Return ``size`` bytes, the first ``skip`` of them not read; fewer if the other side ends."""
        buffer = bytearray(min(size, _FIRST_BYTES))
        filled = skip
        while filled < size:
            if filled == len(buffer):
                buffer.extend(bytes(min(len(buffer), size - filled)))
            with memoryview(buffer) as view:
                count = self._receive_into(view[filled:])
            if not count:
                break
            filled += count
        del buffer[filled:]
        return buffer

    def _receive_into(self, view: memoryview) -> int:
        try:
            if self._before_read is not None:
                self._before_read()
            return self._socket.recv_into(view)
        except TimeoutError as error:
            raise self._silent() from error
        except OSError as error:
            raise self._lost() from error

    def _verify_whole(self, data: bytearray, size: int) -> bytearray:
        if len(data) < size:
            raise self._lost()
        return data

    def _send_all(self, pieces: list[Buffer]) -> None:
        views = [memoryview(piece).cast("B") for piece in pieces]
        while views:
            try:
                if self._before_write is not None:
                    self._before_write()
                sent = self._socket.sendmsg(views)
            except TimeoutError as error:
                raise self._silent() from error
            except OSError as error:
                raise self._lost() from error
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]

    def _lost(self) -> WorkerLost:
        return self._lost_error(f"the {self._peer} has ended", hint="open the model again")

    def _silent(self) -> WorkerLost:
        return self._lost_error(
            f"the {self._peer} does not answer", code="worker-silent", hint="open the model again"
        )
