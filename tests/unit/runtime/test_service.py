from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom import opening
from strongroom.errors import (
    Error,
    LicenseDenied,
    NoMatchingKey,
    StorageUnavailable,
    UnsupportedError,
    WorkerLost,
)
from strongroom.home.home import Home
from strongroom.receipts.verifying import verify_receipts
from strongroom.runtime import service
from strongroom.runtime.receipting import ReceiptSigner
from strongroom.runtime.surroundings import Surroundings
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Answer, Export, Failure, Open, Opened, Pipes, Predict
from strongroom.worker.receipts import receipts_of
from strongroom.worker.tensor import from_array
from tests.parties import accept_at, enroll, found_owner, found_partner, grant_to, sample, seal_model
from tests.unit.runtime.world import pipe_with


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("parties")
    hospital, clinic = found_owner(folder, "hospital"), found_partner(folder, "clinic")
    enroll(hospital, clinic)
    seal_model(hospital)
    accept_at(clinic, grant_to(hospital, "clinic"))
    return clinic


class Client:
    """The client's end of a service that runs in a thread of this process."""

    def __init__(self, process_id: int | None = None) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours, peer="model's runtime")
        self.now = datetime.now(UTC)
        process = os.getppid() if process_id is None else process_id
        surroundings = Surroundings(clock=lambda: self.now)
        self.thread = threading.Thread(
            target=service.serve, args=(theirs, process), kwargs={"surroundings": surroundings}
        )
        self.thread.start()

    def ask(self, message: Any, *tensors: Any) -> Frame:
        """Send a message and return the answer, or raise its refusal."""
        self.channel.send(Frame(message, tensors))
        frame = self.channel.receive()
        if frame is None:
            raise WorkerLost("closed")
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame

    def end(self) -> None:
        """Close and wait for everything to end."""
        self.channel.close()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.end()


def wish(clinic: Home, **changes: Any) -> Open:
    members = {"home": str(clinic.path), "reference": "risk", "right": "predict", "pipes": Pipes()}
    return Open(**{**members, **changes})


def refusal(client: Client, message: Any) -> Error:
    with pytest.raises(Error) as caught:
        client.ask(message)
    assert client.channel.receive() is None
    return caught.value


def test_a_model_is_opened_and_answers(client: Client, clinic: Home) -> None:
    opened = client.ask(wish(clinic)).message
    assert isinstance(opened, Opened)
    assert (opened.name, opened.version, opened.owner_name) == ("risk", "1.0.0", "hospital")
    rows = from_array(opened.schema.inputs[0].name, sample())
    assert client.ask(Predict(id=1, method="predict"), rows).message == Answer(id=1)


def test_receipts_of_a_real_session_verify(client: Client, clinic: Home) -> None:
    opened = client.ask(wish(clinic)).message
    assert isinstance(opened, Opened)
    rows = from_array(opened.schema.inputs[0].name, sample())
    frame = client.ask(Predict(id=1, method="predict", receipt=True), rows)
    assert isinstance(frame.message, Answer)
    file, _ = receipts_of(opened.warrant, frame.message, [rows], frame.tensors)
    batch = verify_receipts(file, opened.owner).batch
    assert (batch.package, batch.license, batch.level) == (opened.package, opened.license, opened.level)


def certificate_of(clinic: Home) -> Path:
    return clinic.path / "trust" / f"{clinic.trust.find('hospital').id}.runtime"


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe", b"a.b.c", bytes(1 << 23)])
def test_a_certificate_that_does_not_hold_stops_no_prediction(
    client: Client, clinic: Home, data: bytes | None
) -> None:
    kept = certificate_of(clinic).read_bytes()
    certificate_of(clinic).unlink()
    if data is not None:
        certificate_of(clinic).write_bytes(data)
    try:
        opened = client.ask(wish(clinic)).message
    finally:
        certificate_of(clinic).write_bytes(kept)
    assert isinstance(opened, Opened)
    assert opened.warrant is None
    rows = from_array(opened.schema.inputs[0].name, sample())
    with pytest.raises(UnsupportedError) as caught:
        client.ask(Predict(id=1, method="predict", receipt=True), rows)
    assert caught.value.code == "receipt-missing"
    assert client.ask(Predict(id=2, method="predict"), rows).message == Answer(id=2)


def test_a_warrant_is_of_this_owner_device_and_package(clinic: Home) -> None:
    opened = opening.open_model(clinic, "risk", now=datetime.now(UTC))
    assert ReceiptSigner.of(clinic, opened) is not None
    other = replace(opened, statement=replace(opened.statement, package_id="00" * 16))
    assert ReceiptSigner.of(clinic, other) is None
    assert ReceiptSigner.of(clinic, replace(opened, package_path=clinic.path / "nothing")) is None


def test_the_owner_is_called_what_the_partner_calls_it(client: Client, clinic: Home) -> None:
    owner = clinic.trust.find("hospital").id
    clinic.trust.set_alias(owner, "st-georg")
    try:
        opened = client.ask(wish(clinic)).message
    finally:
        clinic.trust.set_alias(owner, None)
    assert isinstance(opened, Opened)
    assert opened.owner_name == "st-georg"


def test_a_license_that_ends_while_the_model_loads_is_refused(
    client: Client, clinic: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = WorkerProcess.load

    def slowly(self: Any, message: Any, **options: Any) -> Any:
        client.now += timedelta(days=400)
        return load(self, message, **options)

    monkeypatch.setattr(WorkerProcess, "load", slowly)
    assert isinstance(refusal(client, wish(clinic)), LicenseDenied)


def test_a_client_that_leaves_at_once_is_no_error(client: Client) -> None:
    client.end()


def test_a_client_that_is_not_the_parent_is_not_served() -> None:
    client = Client(process_id=os.getpid())
    assert client.channel.receive() is None
    client.end()


def test_a_client_that_leaves_while_the_model_loads_ends_everything(
    client: Client, clinic: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    end = WorkerProcess.end

    def noted(self: Any) -> None:
        ended.append(1)
        end(self)

    monkeypatch.setattr(WorkerProcess, "end", noted)
    client.channel.send(Frame(wish(clinic)))
    client.end()
    assert ended == [1]


def test_a_session_begins_with_opening(client: Client) -> None:
    assert refusal(client, Export(id=1)).code == "unexpected-message"


def test_a_package_that_vanishes_after_it_was_verified(
    client: Client, clinic: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verify = opening.open_model

    def vanishing(*arguments: Any, **options: Any) -> Any:
        return replace(verify(*arguments, **options), package_path=tmp_path / "nothing")

    monkeypatch.setattr(service, "open_model", vanishing)
    assert isinstance(refusal(client, wish(clinic)), StorageUnavailable)


def test_a_pass_phrase_that_is_no_text(client: Client, tmp_path: Path) -> None:
    home = found_partner(tmp_path, "clinic")
    encrypted = Home.create("ward", tmp_path / "ward", passphrase=lambda: "five wards north 1891")
    encrypted.keys.create_organization(client.now)
    owner = "own-" + "a" * 24
    encrypted.keys.ensure_runtime_keys(owner, client.now)
    read = service._reader_of(pipe_with(b"\xff\xfe"))
    assert read is not None
    with pytest.raises(NoMatchingKey) as caught:
        Home.open(encrypted.path, passphrase=read).keys.device(owner)
    assert caught.value.code == "passphrase-wrong"
    assert home.path != encrypted.path


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 1\n"])
def test_a_worker_that_does_not_start(
    client: Client, clinic: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None
) -> None:
    fake = tmp_path / "python"
    if script is not None:
        fake.write_text(script, encoding="ascii")
        fake.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(fake))
    error = refusal(client, wish(clinic))
    assert (type(error), error.code) == (WorkerLost, "start-failed")


def test_a_worker_that_is_not_ready_but_something_else(
    client: Client, clinic: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Channel, "receive", _answering(Channel.receive, "sealed worker", Frame(Answer(id=1))))
    assert refusal(client, wish(clinic)).code == "unexpected-message"


def _answering(receive: Any, peer: str, frame: Frame) -> Any:
    return lambda self: frame if self._peer == peer else receive(self)
