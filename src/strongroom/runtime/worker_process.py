"""The sealed worker as the supervisor sees it: start it, ask it, and be sure that it ends.

    worker = WorkerProcess.start(pass_fds=[package_fd, sealing_key_fd], waiter=watch.waiter)
    worker_key = worker.prepare()                 # and worker.report: what confines it
    schema = worker.load(load)
    answer = worker.ask(frame)
    worker.end()

The worker gets an empty environment, its own end of a socket pair, and the descriptors
that it needs; everything else is closed. It dies with its supervisor, by the kernel's
hand. Errors that it reports are raised here; its death is ``WorkerLost``, never a hang.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Final

from strongroom.errors import FormatError, WorkerLost
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.report import Report
from strongroom.package.contents import Schema
from strongroom.runtime.watch import ClientLost
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Failure, Load, Message, Prepare, Prepared, Ready

_THREADS_VARIABLE: Final = "OMP_NUM_THREADS"


class WorkerProcess:
    """One running worker and the socket to it."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        """Use ``start``."""
        self._process = process
        self._channel = channel
        self.explains = False
        """Whether the loaded model can say what each column contributed."""
        self.report = Report(())
        """What confines it, once it has said so."""

    @classmethod
    def start(cls, *, pass_fds: Iterable[int], waiter: Callable[[int], Callable[[], None]]) -> WorkerProcess:
        """Start a worker, which waits for its first message.

        Call it from the main thread: the kernel ends the worker with the thread that
        started it.

        Args:
            pass_fds: descriptors that the worker inherits, under the same numbers.
            waiter: given the worker's socket, returns what waits until there is something to
                read there, or raises to give up.

        Raises:
            WorkerLost: no process can be started (code ``start-failed``).
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = _spawn(theirs.fileno(), list(pass_fds), WorkerLimits.from_environment(os.environ))
            except ValueError as error:
                ours.close()
                raise WorkerLost(
                    f"the sealed worker cannot be started: {error}",
                    code="start-failed",
                    hint="correct the setting",
                ) from error
            except OSError as error:
                ours.close()
                raise WorkerLost(
                    f"the sealed worker cannot be started: {error.strerror}", code="start-failed"
                ) from error
        channel = Channel(ours, peer="sealed worker", before_read=waiter(ours.fileno()))
        return cls(process, channel)

    def load(self, load: Load) -> Schema:
        """Have the worker open and load a package; returns what the model takes and gives.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it ended before it was ready (code ``start-failed``).
        """
        message = self._begin(load)
        if not isinstance(message, Ready):
            raise FormatError("the sealed worker answers something else", code="unexpected-message")
        self.explains = message.explains
        return message.schema

    def prepare(self) -> str:
        """Have the worker make its one-time key and say what confines it; returns the key's public text.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it ended before it was ready (code ``start-failed``).
        """
        message = self._begin(Prepare())
        if not isinstance(message, Prepared):
            raise FormatError("the sealed worker answers something else", code="unexpected-message")
        try:
            self.report = Report.from_json(message.report)
        except (KeyError, ValueError) as error:
            raise FormatError(
                "the sealed worker reports what nobody knows", code="unexpected-message"
            ) from error
        return message.worker_key

    def _begin(self, message: Message) -> Message:
        try:
            return self.ask(Frame(message)).message
        except ClientLost:
            raise
        except WorkerLost as error:
            raise WorkerLost(
                "the sealed worker ended before it was ready", code="start-failed", hint="strongroom doctor"
            ) from error

    def ask(self, frame: Frame) -> Frame:
        """Send one request and return the first frame of the answer.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it has ended.
        """
        self._channel.send(frame)
        return self.next()

    def next(self) -> Frame:
        """Return the next frame of an answer that has several.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it has ended.
        """
        frame = self._channel.receive()
        if frame is None:
            raise WorkerLost("the sealed worker has ended", hint="open the model again")
        return self._checked(frame)

    def end(self) -> None:
        """End the worker at once: it has nothing to put in order. Ending twice is harmless."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    @property
    def process_id(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    @staticmethod
    def _checked(frame: Frame) -> Frame:
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame


def _spawn(connection: int, inherited: list[int], limits: WorkerLimits) -> subprocess.Popen[bytes]:
    arguments = [str(connection), str(os.getpid()), limits.to_text(), *map(str, inherited)]
    return subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
        # -I: no user site, no PYTHON* variables, no current directory; -B: no bytecode is written.
        [sys.executable, "-I", "-B", "-m", "strongroom.worker", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # What a library prints may quote weights or inputs.
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
        pass_fds=[connection, *inherited],
    )


def _environment() -> dict[str, str]:
    """Return all that the worker sees of the environment."""
    threads = os.environ.get(_THREADS_VARIABLE, "")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "TMPDIR": "/nonexistent",
        # Before any import: onnxruntime otherwise writes a database and a device id.
        "ORT_DISABLE_TELEMETRY": "1",
        _THREADS_VARIABLE: threads if threads.isdecimal() else str(len(os.sched_getaffinity(0))),
    }
