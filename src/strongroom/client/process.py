"""The runtime as a process of its own: start it, talk to it, and be sure that it ends.

    runtime = RuntimeProcess.start(Secrets(passphrase=text))
    opened = runtime.open(Wish(reference="risk", right=Right.PREDICT, home=None), timeout_seconds=120)
    frame = runtime.ask(lambda number: Predict(id=number, method="predict"), tensors)
    runtime.end()

The runtime lives as long as its end of a socket pair: it ends when this object is
closed or collected, and when this process dies of anything. Pass-phrases go through
pipes, never through arguments or the environment, where other processes can see them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from strongroom._limits import LIMITS
from strongroom.client.secret import Secrets, environment_without_secrets
from strongroom.errors import Error, FormatError, UsageError, WorkerLost
from strongroom.license.request import Right
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import WORKER_RESTARTED, Failure, Message, Open, Opened, Pipes

_END_SECONDS: Final = 10.0
"""How long a runtime may take to put its counts in order before it is killed."""
_NOTE_BYTES: Final = 4096
_OPEN_AGAIN: Final = "open the model again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be opened, and what for."""

    reference: str
    right: Right
    home: str | None
    """Directory of the home, absolute; None for the default one."""
    license: str | None = None
    """Id of the license to use, where several fit."""
    purpose: str | None = None
    trusts_code: bool = False
    """Let code of the owner run although nothing confines it."""


class RuntimeProcess:
    """One running supervisor and the socket to it. Safe to use from several threads."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel, notes: int, pipes: Pipes) -> None:
        """Use ``start``."""
        self._process = process
        self._channel = channel
        self._notes = notes
        self._pipes = pipes
        self._creator = os.getpid()
        self._lock = threading.Lock()
        self._last_number = 0
        self._ended = False
        _running.add(self)

    @classmethod
    def start(cls, secrets: Secrets) -> RuntimeProcess:
        """Start a supervisor, which waits for its first message.

        Raises:
            UsageError: a pass-phrase is empty or too long (code ``passphrase``).
            WorkerLost: no process can be started (code ``start-failed``).
        """
        with ExitStack() as ours, ExitStack() as theirs:
            pipes = Pipes(
                passphrase=_pipe_with(secrets.passphrase, theirs),
                supervisor_key=_pipe_with(secrets.key_passphrase, theirs),
                worker_key=_pipe_with(secrets.key_passphrase, theirs),
            )
            near, far = socket.socketpair()
            ours.callback(near.close)
            theirs.callback(far.close)
            # Standard error goes to memory: the reason of a failed start, and nothing on a disk.
            notes = os.memfd_create("strongroom-runtime")
            ours.callback(os.close, notes)
            process = _spawn(far.fileno(), notes, pipes)
            ours.pop_all()
        return cls(process, Channel(near, peer="model's runtime"), notes, pipes)

    def open(self, wish: Wish, *, timeout_seconds: float) -> Opened:
        """Have the runtime open a model. If it does not, it ends.

        Raises:
            Error: whatever the runtime refuses with.
            WorkerLost: it ended (code ``start-failed``) or took too long (code ``start-timeout``).
        """
        message = Open(
            home=wish.home,
            reference=wish.reference,
            right=wish.right,
            license=wish.license,
            purpose=wish.purpose,
            trusts_code=wish.trusts_code,
            pipes=self._pipes,
        )
        with ExitStack() as failing:
            failing.callback(self.end)
            try:
                self._channel.set_timeout(timeout_seconds)
                answer = self._exchange(Frame(message)).message
                self._channel.set_timeout(None)
            except WorkerLost as error:
                explained = self._explain(error, timeout_seconds)
                self.end(wait_seconds=0)
                raise explained from error
            if not isinstance(answer, Opened):
                raise FormatError("the model's runtime answers something else", code="unexpected-message")
            failing.pop_all()
        return answer

    def ask(self, message: Callable[[int], Message], tensors: tuple[Tensor, ...] = ()) -> Frame:
        """Send one request, made of its number, and return the answer.

        Raises:
            Error: whatever the runtime refuses with.
            UsageError: called in another process than the one that opened the model.
            WorkerLost: the runtime or its worker has ended.
        """
        with self._turn() as number:
            return self._exchange(Frame(message(number), tensors))

    def stream(self, message: Callable[[int], Message], last: type[Message]) -> Iterator[Frame]:
        """Send one request and yield the frames of its answer; ends after one of the last kind.

        Raises:
            Error: as ``ask``.
        """
        with self._turn() as number:
            frame = self._exchange(Frame(message(number)))
            while not isinstance(frame.message, last):
                yield frame
                frame = self._receive()

    def end(self, *, wait_seconds: float = _END_SECONDS) -> None:
        """End the runtime and, with it, the worker. Ending twice is harmless.

        A request that another thread has under way fails with ``WorkerLost``.
        """
        _running.discard(self)
        if self._ended:
            return
        self._ended = True
        if os.getpid() != self._creator:
            # After a fork: socket and process are the parent's, only the copies go.
            self._channel.close()
            os.close(self._notes)
            self._process.returncode = 0
            return
        self._channel.shut()
        self._channel.close()
        os.close(self._notes)
        try:
            self._process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def process_id(self) -> int:
        """The process id of the supervisor."""
        return self._process.pid

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Give one thread the socket, and end the runtime if it leaves in the middle."""
        if os.getpid() != self._creator:
            # Two processes on one socket would read each other's answers. Checked
            # before the lock: a thread that is gone since the fork may hold it.
            raise UsageError(
                "this model was opened by another process",
                code="model-after-fork",
                hint="open the model in the process that uses it",
            )
        with self._lock:
            if self._ended:
                raise WorkerLost("this model is closed", code="model-closed", hint=_OPEN_AGAIN)
            self._last_number += 1
            in_step = False
            try:
                yield self._last_number
                in_step = True
            except WorkerLost as error:
                if error.code == WORKER_RESTARTED:
                    in_step = True
                    raise
                # It will never answer again; what is reserved goes back on its way out.
                self.end()
                raise
            except Error:
                in_step = True
                raise
            finally:
                if not in_step:
                    # Interrupted: half an answer may be in the socket, the next would be misread.
                    self.end(wait_seconds=0)

    def _exchange(self, frame: Frame) -> Frame:
        self._channel.send(frame)
        return self._receive()

    def _receive(self) -> Frame:
        try:
            frame = self._channel.receive()
        except FormatError as error:
            raise WorkerLost(
                f"the model's runtime does not keep to the protocol: {error}", hint=_OPEN_AGAIN
            ) from error
        if frame is None:
            raise WorkerLost("the model's runtime has ended", hint=_OPEN_AGAIN)
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame

    def _explain(self, error: WorkerLost, timeout_seconds: float) -> WorkerLost:
        """Return the error that says why a start failed."""
        if error.code == "worker-silent":
            return WorkerLost(
                f"the model was not loaded within {timeout_seconds:g} seconds",
                code="start-timeout",
                hint="allow more with timeout_seconds=",
            )
        lines = os.pread(self._notes, _NOTE_BYTES, max(0, os.fstat(self._notes).st_size - _NOTE_BYTES))
        last = lines.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return WorkerLost(
            f"the model's runtime ended before it was ready{f' ({last})' if last else ''}",
            code="start-failed",
            hint="strongroom doctor",
        )


_running: weakref.WeakSet[RuntimeProcess] = weakref.WeakSet()


def _let_go_after_fork() -> None:
    # A child that keeps the socket open would keep the runtime alive after its parent.
    for runtime in list(_running):
        runtime.end()


os.register_at_fork(after_in_child=_let_go_after_fork)


def _spawn(descriptor: int, notes: int, pipes: Pipes) -> subprocess.Popen[bytes]:
    passed = [
        number for number in (pipes.passphrase, pipes.supervisor_key, pipes.worker_key) if number is not None
    ]
    try:
        return subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
            [sys.executable, "-I", "-B", "-m", "strongroom.runtime", str(descriptor), str(os.getpid())],
            env=environment_without_secrets(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=notes,
            pass_fds=[descriptor, *passed],
            # Ctrl-C in a notebook or a terminal is for the program that asks, which
            # decides; the runtime ends with the socket.
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerLost(
            f"the model's runtime cannot be started: {error.strerror}", code="start-failed"
        ) from error


def _pipe_with(text: str | None, closing: ExitStack) -> int | None:
    """Return the reading end of a pipe that holds the text and ends after it."""
    if text is None:
        return None
    data = text.encode("utf-8")
    if not 1 <= len(data) <= LIMITS.max_passphrase_bytes:
        raise UsageError(
            f"a pass-phrase has 1 to {LIMITS.max_passphrase_bytes} bytes", code="passphrase-size"
        )
    reading, writing = os.pipe()
    closing.callback(os.close, reading)
    try:
        # Fits into the buffer of any pipe, so this does not wait for a reader.
        os.write(writing, data)
    finally:
        os.close(writing)
    return reading
