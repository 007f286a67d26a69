"""Supervisor and worker of one model as threads of the test: everything but the processes is real."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from strongroom.errors import WorkerLost
from strongroom.license.request import Right
from strongroom.license.term import Term
from strongroom.runtime.authorization import KeyFile
from strongroom.runtime.receipting import ReceiptSigner
from strongroom.runtime.supervisor import Supervisor
from strongroom.runtime.watch import ClientLost
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import Failure, Message
from strongroom.worker.session import Session
from tests.unit.metering.counting import Counting, counting_in
from tests.unit.runtime.world import NOW


class ThreadProcess:
    """Looks like a process to ``WorkerProcess``; killing it is closing its socket."""

    pid = 0

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def kill(self) -> None:
        """End the session at once."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def wait(self) -> None:
        """Nothing is left to wait for."""


class Runtime:
    """One open model, seen from its client."""

    def __init__(
        self,
        folder: Path,
        *terms: Term,
        rights: Sequence[Right] = (Right.PREDICT,),
        right: Right = Right.PREDICT,
        certified: bool = True,
    ) -> None:
        """Grant a license with these terms, load the model, begin to serve."""
        self.now = NOW
        self.counting: Counting = counting_in(folder, *terms, rights=rights)
        self.model = self.counting.world.model
        ours, theirs = socket.socketpair()
        self.worker_end = theirs
        self.worker_channel = Channel(ours, peer="sealed worker")
        worker = WorkerProcess(_process(theirs), self.worker_channel)
        session = Session(Channel(theirs, peer="supervisor"))
        self._threads = [threading.Thread(target=session.run)]
        self._threads[0].start()
        schema = worker.load(self.counting.world.load(right=right))
        self.meter = self.counting.meter(right)
        self.meter.check(self.now)
        near, far = socket.socketpair()
        self.socket = near
        self.channel = Channel(near, peer="model's runtime")
        supervisor = Supervisor(
            Channel(far, peer="client", lost_error=ClientLost),
            worker,
            self.meter,
            schema,
            right=right,
            authorization=KeyFile(self._clock),
            receipts=self.signer(right) if certified else None,
        )
        self._worker = worker
        self._far = far
        self._threads.append(threading.Thread(target=self._serve, args=(supervisor,)))
        self._threads[1].start()

    def signer(self, right: Right = Right.PREDICT) -> ReceiptSigner:
        """Return what signs receipts with the clinic's device key."""
        return signer_of(self.counting, right)

    def ask(self, message: Message, *tensors: Tensor) -> Frame:
        """Send a request and return the answer, or raise its refusal."""
        self.channel.send(Frame(message, tensors))
        return self.answer()

    def answer(self) -> Frame:
        """Return the next answer, or raise its refusal."""
        frame = self.channel.receive()
        if frame is None:
            raise WorkerLost("the supervisor has ended")
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame

    def end(self) -> None:
        """Close the client's end; everything else follows."""
        self.channel.close()
        self._threads[1].join(timeout=60)
        self._worker.end()
        self._threads[0].join(timeout=60)
        self.meter.close()
        assert not any(thread.is_alive() for thread in self._threads)

    def _serve(self, supervisor: Supervisor) -> None:
        try:
            supervisor.serve()
        except ClientLost:
            return
        finally:
            self._far.close()

    def _clock(self) -> datetime:
        return self.now


def signer_of(counting: Counting, right: Right = Right.PREDICT) -> ReceiptSigner:
    """Return what signs receipts with the clinic's device key."""
    world = counting.world
    return ReceiptSigner(
        world.clinic.device, world.warrant, license=world.chain.id, request=counting.request(right)
    )


def _process(end: socket.socket) -> Any:
    return ThreadProcess(end)
