"""One client served from its first message to its last: open, load, answer, put the counts in order.

    serve(connection, client_process_id)

Nothing is loaded before ``opening.open_model`` has verified everything that can be
verified without a key. The sealing key's file and the pass-phrases of the worker pass
through here as open descriptors and are never read.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.errors import Error, FormatError, NoMatchingKey, StorageUnavailable, UnsupportedError
from strongroom.home.home import Home
from strongroom.license.documents import OfflineFile
from strongroom.license.request import Right
from strongroom.metering.meter import Meter
from strongroom.opening import Opening, open_model
from strongroom.package.contents import Schema
from strongroom.runtime.supervisor import Supervisor
from strongroom.runtime.watch import ClientLost, Watch
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Failure, Load, Open, Opened, Pipes

_RIGHTS: Final = (Right.PREDICT, Right.EVALUATE, Right.EXPORT)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return what the clock of this machine says."""
    return datetime.now(UTC)


def serve(connection: socket.socket, client_process_id: int, *, clock: Clock = utc_now) -> None:
    """Serve the client at the other end until it closes or is gone."""
    try:
        watch = Watch(connection.fileno(), client_process_id)
    except ClientLost:
        connection.close()
        return
    client = Channel(
        connection,
        peer="client",
        before_read=watch.waiter(connection.fileno()),
        lost_error=ClientLost,
    )
    with ExitStack() as stack:
        stack.callback(watch.close)
        stack.callback(client.close)
        try:
            _Service(client, watch, clock, stack).run()
        except ClientLost:
            # Nobody is left to be told; the counts are put in order on the way out.
            return


class _Service:
    """The way from the first message to an open model."""

    def __init__(self, client: Channel, watch: Watch, clock: Clock, stack: ExitStack) -> None:
        self._client = client
        self._watch = watch
        self._clock = clock
        self._stack = stack

    def run(self) -> None:
        try:
            frame = self._client.receive()
            if frame is None:
                return
            if not isinstance(frame.message, Open):
                raise FormatError("a session begins with 'open'", code="unexpected-message")
            opened, supervisor = self._open(frame.message)
        except ClientLost:
            raise
        except Error as error:
            self._client.send(Frame(Failure.of(error)))
            return
        self._client.send(Frame(opened))
        supervisor.serve()

    def _open(self, wish: Open) -> tuple[Opened, Supervisor]:
        right = _right(wish.right)
        home = Home.open(
            None if wish.home is None else Path(wish.home),
            passphrase=_reader_of(wish.pipes.supervisor_key),
        )
        opening = open_model(
            home,
            wish.reference,
            now=self._clock(),
            right=right,
            purpose=wish.purpose,
            license_id=wish.license,
        )
        worker, schema = self._start_worker(home, opening, wish.pipes)
        meter = Meter(home.marks, opening.chain, opening.request, opening.facts)
        allowed = meter.check(self._clock())
        self._stack.callback(meter.close)
        opened = Opened(
            name=opening.statement.name,
            version=str(opening.statement.version),
            owner=opening.owner.id,
            owner_name=opening.pinned.label,
            package=opening.statement.package_digest,
            license=opening.chain.id,
            level=opening.request.level,
            schema=schema,
            expires=None if allowed.until is None else to_instant(allowed.until),
            remaining=meter.remaining,
        )
        return opened, Supervisor(self._client, worker, meter, schema, right=right, clock=self._clock)

    def _start_worker(self, home: Home, opening: Opening, pipes: Pipes) -> tuple[WorkerProcess, Schema]:
        with _worker_files(home, opening) as (package, sealing_key):
            load = Load(
                right=opening.request.right,
                owner=opening.owner.chain.to_json(),
                license=opening.chain.id,
                runtime=opening.request.runtime,
                package=opening.statement.package_digest,
                release=opening.release.token,
                package_fd=package,
                sealing_key_fd=sealing_key,
                pipes=Pipes(passphrase=pipes.passphrase, worker_key=pipes.worker_key),
            )
            passed = (package, sealing_key, pipes.passphrase, pipes.worker_key)
            worker = WorkerProcess.start(
                pass_fds=[number for number in passed if number is not None],
                waiter=self._watch.waiter,
            )
        for pipe in (pipes.passphrase, pipes.worker_key):
            if pipe is not None:
                # Passed on unread; from here on this process could not read it if it would.
                os.close(pipe)
        self._stack.callback(worker.end)
        return worker, worker.load(load)


@contextmanager
def _worker_files(home: Home, opening: Opening) -> Iterator[tuple[int, int | None]]:
    """Open what the worker reads, unread, for as long as it takes to start it."""
    with ExitStack() as stack:
        try:
            package = os.open(opening.package_path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageUnavailable(f"cannot open {opening.package_path}: {error.strerror}") from error
        stack.callback(os.close, package)
        sealing_key = None
        if isinstance(opening.release.document, OfflineFile):
            sealing_key = home.keys.open_sealing_file(opening.owner.id)
            stack.callback(os.close, sealing_key)
        yield package, sealing_key


def _right(text: str) -> Right:
    if text not in _RIGHTS:
        raise UnsupportedError(
            "a model cannot be opened for this right",
            code="right-not-supported",
            hint=f"use one of: {', '.join(_RIGHTS)}",
        )
    return Right(text)


def _reader_of(descriptor: int | None) -> Callable[[], str] | None:
    """Return what reads the pass-phrase of this home's keys when it is needed."""
    if descriptor is None:
        return None

    def read() -> str:
        with os.fdopen(descriptor, "rb") as pipe:
            data = pipe.read(LIMITS.max_passphrase_bytes + 1)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NoMatchingKey("the pass-phrase is no text", code="passphrase-wrong") from error

    return read
