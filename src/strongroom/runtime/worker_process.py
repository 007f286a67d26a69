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
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Final

from strongroom.errors import Error, FormatError, WorkerLost
from strongroom.hardening.limits import WorkerLimits
from strongroom.hardening.report import Report
from strongroom.package.contents import Schema, verify_schema
from strongroom.runtime.deadline import Deadline, answer_seconds
from strongroom.runtime.watch import ClientLost
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Answer, Failure, Load, Message, Prepare, Prepared, Ready

_THREADS_VARIABLE: Final = "OMP_NUM_THREADS"


class WorkerProcess:
    """One running worker and the socket to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: Channel, deadline: Deadline | None = None
    ) -> None:
        """Use ``start``."""
        self._process = process
        self._channel = channel
        self._deadline = deadline or Deadline(None)
        self.explains = False
        """Whether the loaded model can say what each column contributed."""
        self.report = Report(())
        """What confines it, once it has said so."""

    @classmethod
    def start(
        cls,
        *,
        pass_fds: Iterable[int],
        waiter: Callable[[int, Callable[[], float | None]], Callable[[], None]],
        runs_code: bool = False,
    ) -> WorkerProcess:
        """Start a worker, which waits for its first message.

        Call it from the main thread: the kernel ends the worker with the thread that
        started it.

        Args:
            pass_fds: descriptors that the worker inherits, under the same numbers.
            waiter: given the worker's socket and what tells how many seconds remain, returns what
                waits until there is something to read there, or raises to give up.
            runs_code: whether code of the owner will run there, which gets less.

        Raises:
            WorkerLost: no process can be started (code ``start-failed``).
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                limits = WorkerLimits.from_environment(os.environ, runs_code=runs_code)
                deadline = Deadline(answer_seconds(os.environ))
                process = _spawn(theirs.fileno(), list(pass_fds), limits)
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
        channel = Channel(
            ours,
            peer="sealed worker",
            before_read=waiter(ours.fileno(), deadline.remaining),
            before_write=deadline.verify,
        )
        # Otherwise one that does not read could hold up whoever sends to it for ever.
        channel.set_timeout(deadline.seconds)
        return cls(process, channel, deadline)

    def load(self, load: Load, *, limited: bool = False) -> Schema:
        """Have the worker open and load a package; returns what the model takes and gives.

        Args:
            load: what to open.
            limited: whether it may take no longer than an answer. Otherwise who waits gives up.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it ended before it was ready (code ``start-failed``).
        """
        if limited:
            self._deadline.begin()
        try:
            message = self._begin(load)
        finally:
            self._deadline.clear()
        if not isinstance(message, Ready):
            raise FormatError("the sealed worker answers something else", code="unexpected-message")
        # It is shown to people, and code of the owner may have written it.
        verify_schema(message.schema)
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
        """Send one request, without a limit of time, and return the first frame of the answer.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it has ended.
        """
        self._channel.send(frame)
        return self.next()

    def compute(self, frame: Frame, number: int, *, most_body_bytes: int | None = None) -> Frame:
        """Send one request and return its only answer. A worker that does anything else is ended.

        Args:
            frame: the request.
            number: its number, which the answer has to bear.
            most_body_bytes: how large the tensors of an answer can be.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it has ended, is silent for too long (``worker-silent``), or does not keep to
                the protocol (``worker-protocol``).
        """
        self._deadline.begin()
        try:
            self._verify_quiet()
            self._channel.send(frame)
            answer = self._channel.receive(most_body_bytes=most_body_bytes)
            if answer is None:
                raise _ended()
            refusal = _refusal(answer, number)
        except FormatError as error:
            # The next answer could be taken for that of another request.
            self.end()
            raise _out_of_step() from error
        except WorkerLost:
            self.end()
            raise
        finally:
            self._deadline.clear()
        if refusal is not None:
            raise refusal
        return answer

    def _verify_quiet(self) -> None:
        """Refuse what was said before anything was asked: it would pass for the answer."""
        if self._channel.fileno() < 0:
            raise _ended()
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        if not poll.poll(0):
            return
        if self._channel.receive() is None:
            raise _ended()
        raise _out_of_step()

    def next(self) -> Frame:
        """Return the next frame of an answer that has several.

        Raises:
            Error: whatever the worker refuses with.
            WorkerLost: it has ended.
        """
        frame = self._channel.receive()
        if frame is None:
            raise _ended()
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


def _refusal(answer: Frame, number: int) -> Error | None:
    """Return what the worker refuses with; None if this is the answer."""
    message = answer.message
    if message == Answer(id=number):
        return None
    if not isinstance(message, Failure) or message.id not in (None, number):
        raise FormatError("the sealed worker answers something else", code="unexpected-message")
    refusal = message.to_error()
    if isinstance(refusal, WorkerLost):
        raise FormatError("a worker that speaks is not lost", code="unexpected-message")
    return refusal


def _ended() -> WorkerLost:
    return WorkerLost("the sealed worker has ended", hint="open the model again")


def _out_of_step() -> WorkerLost:
    return WorkerLost(
        "the sealed worker does not keep to the protocol and was ended",
        code="worker-protocol",
        hint="open the model again; if that helps for a moment only, ask the owner of the model",
    )


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
