"""One client served from its first message to its last: open, load, answer, put the counts in order.

    serve(connection, client_process_id)

Where the license came with a key file, that is handed to the worker. Where it did not and the
owner has a broker, a lease is taken for the one-time key of the worker, and renewed for as
long as the client is there. Nothing is loaded before ``opening.open_model`` has verified
everything that can be verified without a key. The sealing key's file and the pass-phrases of
the worker pass through here as open descriptors and are never read.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.errors import (
    Error,
    FormatError,
    NoMatchingKey,
    StorageUnavailable,
    UnsupportedError,
    WorkerLost,
)
from strongroom.hardening.account import look
from strongroom.home.home import Home
from strongroom.keys.owner import Owner
from strongroom.leasing.hearing import asker
from strongroom.leasing.leaseholder import Leaseholder
from strongroom.leasing.session import LeaseSession
from strongroom.license.documents import PassphraseFile
from strongroom.license.request import Right
from strongroom.license.terms import Expires
from strongroom.license.verdict import Allowed, Standing
from strongroom.metering.meter import Meter
from strongroom.opening import Opening, Release, open_model
from strongroom.package.contents import Schema
from strongroom.runtime.authorization import KeyFile
from strongroom.runtime.level import explaining, foresee, reached
from strongroom.runtime.receipting import ReceiptSigner
from strongroom.runtime.supervisor import Supervisor
from strongroom.runtime.surroundings import Surroundings
from strongroom.runtime.watch import ClientLost, Watch
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.foreign_code import printable_failure, verify_code_allowed
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Failure, Load, Open, Opened, Pipes

_RIGHTS: Final = (Right.PREDICT, Right.EVALUATE, Right.EXPLAIN, Right.EXPORT)


def serve(
    connection: socket.socket, client_process_id: int, *, surroundings: Surroundings | None = None
) -> None:
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
            _Service(client, watch, surroundings or Surroundings(), stack).run()
        except ClientLost:
            # Nobody is left to be told; the counts are put in order on the way out.
            return


class _Service:
    """The way from the first message to an open model."""

    def __init__(self, client: Channel, watch: Watch, surroundings: Surroundings, stack: ExitStack) -> None:
        self._client = client
        self._watch = watch
        self._around = surroundings
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
        traits = look(home.path)
        at_best = foresee(traits)
        with explaining(at_best):
            opening = open_model(
                home,
                wish.reference,
                now=self._around.clock(),
                right=right,
                level=at_best.level,
                purpose=wish.purpose,
                license_id=wish.license,
                boot=self._around.boot,
                ask_withdrawals=asker(
                    lambda home, owner: self._around.connect(home, owner, self._around.clock)
                ),
            )
        worker = self._start_worker(home, opening, wish)
        # Nothing is loaded, and no lease is asked for, before the worker has said what confines it.
        worker_key = worker.process.prepare()
        found = reached(worker.process.report, traits)
        opening = opening.at(found.level, found.facts)
        verify_code_allowed(opening.statement, worker.process.report, trusted=wish.trusts_code)
        with explaining(found):
            if opening.release is None:
                return self._open_by_lease(home, opening, worker, worker_key)
            return self._open_by_file(home, opening, worker, opening.release)

    def _again(
        self, home: Home, opening: Opening, worker: _Worker, schema: Schema, release: Callable[[], str]
    ) -> Callable[[], WorkerProcess] | None:
        """Return what starts a worker in place of a lost one; None where nothing can."""
        pipes = worker.wish.pipes
        if (
            opening.request.right is Right.EXPORT
            or pipes.passphrase is not None
            or pipes.worker_key is not None
        ):
            # A pass-phrase goes to one worker and is read once.
            return None

        def start() -> WorkerProcess:
            fresh = self._start_worker(home, opening, worker.wish)
            fresh.process.prepare()
            if fresh.process.report.lacking != worker.process.report.lacking:
                raise WorkerLost("the new worker is not confined as the first was")
            # Of a lease the restart envelope is opened, as after a reboot.
            if fresh.load(opening, release=release(), limited=True) != schema:
                raise FormatError("the model has become another one", code="model-changed")
            return fresh.process

        return start

    def _open_by_file(
        self, home: Home, opening: Opening, worker: _Worker, release: Release
    ) -> tuple[Opened, Supervisor]:
        meter = Meter(home.marks, opening.chain, opening.request, opening.facts)
        authorization = KeyFile(self._around.clock)
        # Decided before anything is decrypted, and again when it has taken its time.
        meter.check(authorization.now())
        schema = worker.load(opening, release=release.token)
        allowed = meter.check(authorization.now())
        self._stack.callback(meter.close)
        receipts = ReceiptSigner.of(home, opening)
        supervisor = Supervisor(
            self._client,
            worker.process,
            meter,
            schema,
            right=opening.request.right,
            authorization=authorization,
            receipts=receipts,
            carries_code=opening.statement.carries_code,
            start_again=self._again(home, opening, worker, schema, lambda: release.token),
        )
        explains = worker.process.explains
        return _opened(opening, schema, allowed, meter, explains=explains, receipts=receipts), supervisor

    def _open_by_lease(
        self, home: Home, opening: Opening, worker: _Worker, worker_key: str
    ) -> tuple[Opened, Supervisor]:
        clock = self._around.online_clock
        client = self._around.connect(home, opening.owner.id, self._around.clock)
        self._stack.callback(client.close)
        holder = Leaseholder(home, opening, client, clock)
        session = LeaseSession.begin(holder, worker_key, clock, self._around.pace)
        meter = Meter(home.marks, opening.chain, opening.request, session.facts)
        # Decided before anything is decrypted, and again when it has taken its time.
        meter.check(session.now())
        held = session.held
        schema = worker.load(opening, release=held.lease.token, nonce=held.nonce, owner=held.owner)
        allowed = meter.check(session.now())
        # The other way round on the way out: first the counts are put in order, then they are reported.
        self._stack.callback(session.stop)
        self._stack.callback(meter.close)
        session.start(meter)
        receipts = ReceiptSigner.of(home, opening)
        supervisor = Supervisor(
            self._client,
            worker.process,
            meter,
            schema,
            right=opening.request.right,
            authorization=session,
            receipts=receipts,
            carries_code=opening.statement.carries_code,
            start_again=self._again(home, opening, worker, schema, lambda: session.held.lease.token),
        )
        explains, ends_at = worker.process.explains, session.ends_at
        opened = _opened(
            opening, schema, allowed, meter, explains=explains, receipts=receipts, lease_ends=ends_at
        )
        return opened, supervisor

    def _start_worker(self, home: Home, opening: Opening, wish: Open) -> _Worker:
        pipes = wish.pipes
        with _worker_files(home, opening) as (package, sealing_key):
            passed = (package, sealing_key, pipes.passphrase, pipes.worker_key)
            process = WorkerProcess.start(
                pass_fds=[number for number in passed if number is not None],
                waiter=self._watch.waiter,
                runs_code=opening.statement.carries_code,
            )
        for pipe in (pipes.passphrase, pipes.worker_key):
            if pipe is not None:
                # Passed on unread; from here on this process could not read it if it would.
                os.close(pipe)
        self._stack.callback(process.end)
        return _Worker(process, package, sealing_key, wish)


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker that waits, and the descriptors that it has."""

    process: WorkerProcess
    package: int
    sealing_key: int | None
    wish: Open

    def load(
        self,
        opening: Opening,
        *,
        release: str,
        nonce: str | None = None,
        owner: Owner | None = None,
        limited: bool = False,
    ) -> Schema:
        pipes = self.wish.pipes
        try:
            schema = self.process.load(
                Load(
                    right=opening.request.right,
                    owner=(owner or opening.owner).chain.to_json(),
                    license=opening.chain.id,
                    runtime=opening.request.runtime,
                    package=opening.statement.package_digest,
                    release=release,
                    nonce=nonce,
                    package_fd=self.package,
                    sealing_key_fd=self.sealing_key,
                    pipes=Pipes(passphrase=pipes.passphrase, worker_key=pipes.worker_key),
                    trusts_code=self.wish.trusts_code,
                ),
                limited=limited,
            )
        except Error as error:
            if not opening.statement.carries_code:
                raise
            raise printable_failure(error) from None
        if opening.statement.carries_code:
            # Code has no contributions that anybody could check, whatever it says of itself.
            self.process.explains = False
        return schema


def _opened(
    opening: Opening,
    schema: Schema,
    allowed: Allowed,
    meter: Meter,
    *,
    explains: bool,
    receipts: ReceiptSigner | None,
    lease_ends: datetime | None = None,
) -> Opened:
    # A lease ends soon and is renewed by itself: what ends for good is the license.
    ends = [term.at for _, term in opening.chain.terms_of(Expires)]
    until = allowed.until if lease_ends is None else min(ends, default=None)
    return Opened(
        name=opening.statement.name,
        version=str(opening.statement.version),
        owner=opening.owner.id,
        owner_name=opening.pinned.label,
        package=opening.statement.package_digest,
        license=opening.chain.id,
        level=opening.request.level,
        schema=schema,
        expires=None if until is None else to_instant(until),
        remaining=meter.remaining,
        lease_ends=None if lease_ends is None else to_instant(lease_ends),
        standing=None if allowed.standing is Standing.NORMAL else allowed.standing.value,
        explains=explains,
        warrant=None if receipts is None else receipts.warrant,
    )


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
        # With a lease it is needed for a restart in an outage, and lies unread otherwise.
        if opening.release is None or not isinstance(opening.release.document, PassphraseFile):
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
