"""A worker that opens a lease: by its one-time key, or by the restart envelope with the sealing key."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from strongroom.errors import Error, FormatError, IntegrityError, VerificationError, WorkerLost
from strongroom.keys.key_pair import SealingKey, SigningKey, sealing_public_from_text
from strongroom.license.documents import Lease
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_lease, wrap_for_restart
from strongroom.license.signing import sign_document
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Failure, Load, Prepare, Prepared, Ready
from strongroom.worker.session import Session
from tests.unit.runtime.world import NOW, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("world"))


@dataclass
class Ends:
    """The supervisor's end of a session that runs in a thread."""

    channel: Channel
    thread: threading.Thread

    def ask(self, message: Any) -> Any:
        self.channel.send(Frame(message))
        frame = self.channel.receive()
        if frame is None:
            raise WorkerLost("closed")
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame.message

    def prepare(self) -> str:
        answer = self.ask(Prepare())
        assert isinstance(answer, Prepared)
        assert answer.report == []
        return answer.worker_key


@pytest.fixture
def worker() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=Session(Channel(theirs, peer="supervisor")).run)
    thread.start()
    ends = Ends(Channel(ours, peer="worker"), thread)
    yield ends
    ends.channel.close()
    thread.join(60)
    assert not thread.is_alive()


def lease_for(world: World, worker_key: str, **changes: Any) -> Lease:
    statement = world.statement
    binding = KeyBinding(
        license=world.chain.id,
        runtime=world.runtime,
        package=statement.package_digest,
        package_id=statement.package_id,
    )
    serial, nonce = new_serial(), new_serial()
    one_time, sealing = sealing_public_from_text(worker_key), world.clinic.sealing.public
    lease = Lease(
        owner=world.owner.id,
        owner_version=world.owner.version,
        issued_at=NOW,
        license=world.chain.id,
        package=statement.package_digest,
        package_id=statement.package_id,
        serial=serial,
        wrapped_key=wrap_for_lease(world.content_key, one_time, binding, serial=serial, nonce=nonce),
        not_after=NOW + timedelta(minutes=15),
        runtime=world.runtime,
        budget=(),
        nonce=nonce,
        previous=None,
        restart_key=wrap_for_restart(world.content_key, sealing, binding, serial=serial, nonce=nonce),
    )
    return msgspec.structs.replace(lease, **changes)


def load(world: World, lease: Lease, key: SigningKey | None = None, **changes: Any) -> Load:
    token = sign_document(lease, key or world.hospital.broker).token
    return world.load(**{"release": token, "nonce": lease.nonce, **changes})


def refusal(worker: Ends, message: Any) -> Error:
    with pytest.raises(Error) as caught:
        worker.ask(message)
    return caught.value


def test_a_lease_opens_with_the_key_of_the_worker_that_asked(world: World, worker: Ends) -> None:
    assert isinstance(worker.ask(load(world, lease_for(world, worker.prepare()))), Ready)


def test_the_restart_envelope_opens_with_the_sealing_key(world: World, worker: Ends) -> None:
    lease = lease_for(world, SealingKey.generate().public_text)
    worker.prepare()
    assert isinstance(worker.ask(load(world, lease, nonce=None)), Ready)


def test_each_worker_makes_another_key(worker: Ends) -> None:
    first = worker.prepare()
    assert first != SealingKey.generate().public_text
    assert refusal(worker, Prepare()).code == "unexpected-message"


def test_a_lease_for_another_worker_opens_nothing(world: World, worker: Ends) -> None:
    worker.prepare()
    lease = lease_for(world, SealingKey.generate().public_text)
    assert isinstance(refusal(worker, load(world, lease)), IntegrityError)


def test_a_lease_that_answers_another_request_opens_nothing(world: World, worker: Ends) -> None:
    lease = lease_for(world, worker.prepare())
    error = refusal(worker, load(world, lease, nonce="0" * 32))
    assert (type(error), error.code) == (VerificationError, "wrong-nonce")


def test_a_lease_without_a_key_that_asked_opens_nothing(world: World, worker: Ends) -> None:
    lease = lease_for(world, SealingKey.generate().public_text)
    error = refusal(worker, load(world, lease))
    assert (type(error), error.code) == (FormatError, "unexpected-message")


def test_a_lease_without_a_restart_envelope_does_not_restart(world: World, worker: Ends) -> None:
    lease = lease_for(world, worker.prepare(), restart_key=None)
    assert refusal(worker, load(world, lease, nonce=None)).code == "no-restart-key"


def test_a_lease_by_somebody_else_opens_nothing(world: World, worker: Ends) -> None:
    lease = lease_for(world, worker.prepare())
    stranger = type(world.hospital)().broker
    assert isinstance(refusal(worker, load(world, lease, stranger)), VerificationError)


def test_a_lease_for_another_license_opens_nothing(world: World, worker: Ends) -> None:
    lease = lease_for(world, worker.prepare())
    error = refusal(worker, load(world, lease, license="lic-" + "a" * 24))
    assert error.code == "wrong-license"
