from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongroom._encoding import from_base64
from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    LicenseDenied,
    NoMatchingKey,
    StorageError,
    UnsupportedError,
    UsageError,
    VerificationError,
    WorkerLost,
)
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.text import KeyKind
from strongroom.loaders import registry
from strongroom.worker import frames, session
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import (
    Answer,
    Chunk,
    Explain,
    Export,
    Exported,
    Failure,
    File,
    Load,
    Pipes,
    Predict,
    Ready,
)
from strongroom.worker.session import Session
from strongroom.worker.tensor import from_array, to_array
from tests.unit.keys.parties import Hospital
from tests.unit.runtime.world import CANARY, PASSPHRASE, World, pipe_with, write_package


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("world"))


class Supervisor:
    """The other end of a session that runs in a thread of this process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.channel = Channel(ours, peer="worker")
        self._thread = threading.Thread(target=Session(Channel(theirs, peer="supervisor")).run)
        self._thread.start()

    def ask(self, message: Any, *tensors: Any) -> Frame:
        self.channel.send(Frame(message, tuple(tensors)))
        return self.answer()

    def answer(self) -> Frame:
        frame = self.channel.receive()
        if frame is None:
            raise WorkerLost("closed")
        if isinstance(frame.message, Failure):
            raise frame.message.to_error()
        return frame

    def end(self) -> None:
        self.channel.close()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    supervisor.end()


def refusal(supervisor: Supervisor, message: Any, *tensors: Any) -> Error:
    with pytest.raises(Error) as caught:
        supervisor.ask(message, *tensors)
    return caught.value


def test_a_model_is_loaded_and_answers(world: World, supervisor: Supervisor) -> None:
    ready = supervisor.ask(world.load())
    assert ready.message == Ready(schema=world.model.schema, explains=True)
    rows = from_array("input", world.model.data)
    for method, expected in (("predict", world.model.labels), ("predict_proba", world.model.probabilities)):
        answer = supervisor.ask(Predict(id=5, method=method), rows)
        assert answer.message == Answer(id=5)
        assert np.array_equal(to_array(answer.tensors[0]), expected)


def test_a_pass_phrase_opens_the_model_too(world: World, supervisor: Supervisor) -> None:
    assert isinstance(supervisor.ask(world.load_by_passphrase()).message, Ready)


def test_a_wrong_pass_phrase_opens_nothing(world: World, supervisor: Supervisor) -> None:
    error = refusal(supervisor, world.load_by_passphrase("four wards south of the river 1891"))
    assert isinstance(error, NoMatchingKey)
    assert error.code == "passphrase-wrong"
    assert "river" not in f"{error} {error.hint}"
    assert supervisor.channel.receive() is None


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe", b"x" * 5000])
def test_no_pass_phrase_or_a_strange_one_opens_nothing(
    world: World, supervisor: Supervisor, data: bytes | None
) -> None:
    pipes = Pipes(passphrase=None if data is None else pipe_with(data))
    load = world.load(release=world.passphrase_file, sealing_key_fd=None, pipes=pipes)
    assert isinstance(refusal(supervisor, load), NoMatchingKey)


def test_an_encrypted_sealing_key_takes_the_pass_phrase_of_the_home(
    world: World, supervisor: Supervisor
) -> None:
    load = world.load(
        sealing_key_fd=world.sealing_fd(passphrase=PASSPHRASE),
        pipes=Pipes(worker_key=pipe_with(PASSPHRASE.encode())),
    )
    assert isinstance(supervisor.ask(load).message, Ready)


def test_another_sealing_key_opens_nothing(world: World, supervisor: Supervisor) -> None:
    error = refusal(supervisor, world.load(sealing_key_fd=world.sealing_fd(SealingKey.generate())))
    assert isinstance(error, IntegrityError)


def test_a_key_of_another_kind_is_no_sealing_key(world: World, supervisor: Supervisor) -> None:
    device: Any = SigningKey.generate(KeyKind.DEVICE)
    error = refusal(supervisor, world.load(sealing_key_fd=world.sealing_fd(device)))
    assert (type(error), error.code) == (FormatError, "wrong-kind")


def test_no_sealing_key_is_a_mistake_of_the_supervisor(world: World, supervisor: Supervisor) -> None:
    assert refusal(supervisor, world.load(sealing_key_fd=None)).code == "unexpected-message"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"license": "lic-" + "a" * 24}, VerificationError),
        ({"runtime": "run-" + "a" * 24}, VerificationError),
        ({"package": "0" * 64}, VerificationError),
        ({"owner": []}, FormatError),
        ({"owner": ["e30="]}, FormatError),
        ({"release": "no token"}, FormatError),
    ],
)
def test_a_key_opens_only_what_it_was_released_for(
    world: World, supervisor: Supervisor, change: dict[str, Any], kind: type[Error]
) -> None:
    assert type(refusal(supervisor, world.load(**change))) is kind


def test_a_release_by_another_owner_is_refused(world: World, supervisor: Supervisor, tmp_path: Path) -> None:
    other = World.make(tmp_path)
    assert refusal(supervisor, world.load(release=other.offline)).code == "wrong-owner"


def test_a_package_by_another_owner_is_refused(world: World, supervisor: Supervisor, tmp_path: Path) -> None:
    stranger = Hospital()
    path = tmp_path / "risk-1.0.0.sealed"
    write_package(path, world.model, stranger, world.owner, world.content_key, world.statement.created_at)
    error = refusal(supervisor, world.load(package_fd=os.open(path, os.O_RDONLY)))
    assert isinstance(error, VerificationError)


def test_a_flipped_byte_of_the_package_is_refused(
    world: World, supervisor: Supervisor, tmp_path: Path
) -> None:
    data = bytearray(world.package_path.read_bytes())
    data[100] ^= 1
    (tmp_path / "flipped").write_bytes(data)
    error = refusal(supervisor, world.load(package_fd=os.open(tmp_path / "flipped", os.O_RDONLY)))
    assert isinstance(error, IntegrityError)


def test_something_that_is_no_file_is_refused(world: World, supervisor: Supervisor) -> None:
    assert isinstance(refusal(supervisor, world.load(package_fd=pipe_with(b""))), StorageError)


def test_a_plain_model_does_not_load_in_place_of_a_sealed_one(
    world: World, supervisor: Supervisor, tmp_path: Path
) -> None:
    (tmp_path / "model.skops").write_bytes(world.model.files["model.skops"])
    error = refusal(supervisor, world.load(package_fd=os.open(tmp_path / "model.skops", os.O_RDONLY)))
    assert error.code == "not-a-package"


@pytest.mark.parametrize("message", [Predict(id=1, method="predict"), Export(id=1), Answer(id=1)])
def test_a_session_begins_with_loading(supervisor: Supervisor, message: Any) -> None:
    assert refusal(supervisor, message).code == "unexpected-message"
    assert supervisor.channel.receive() is None


def test_a_supervisor_that_leaves_at_once_is_no_error(supervisor: Supervisor) -> None:
    supervisor.end()


def test_a_bad_request_does_not_end_the_session(world: World, supervisor: Supervisor) -> None:
    supervisor.ask(world.load())
    rows = from_array("input", world.model.data[:2])
    texts = from_array("input", np.array([["a", "b", "c", "d"]], dtype=object))
    flags = frames.Tensor("input", frames.Datatype.BOOL, (1, 4), b"\x02\0\0\0")
    for tensors, method, kind in (
        ([], "predict", UsageError),
        ([texts], "predict", UsageError),
        ([flags], "predict", FormatError),
        ([rows, from_array("more", world.model.data)], "predict", UsageError),
        ([from_array("input", world.model.data[:, :3])], "predict", UsageError),
        ([from_array("input", world.model.data[:0])], "predict", UsageError),
        ([from_array("input", np.full((1, 4), np.nan))], "predict", UsageError),
        ([rows], "transform", UnsupportedError),
        ([rows], "__class__", UnsupportedError),
    ):
        assert isinstance(refusal(supervisor, Predict(id=1, method=method), *tensors), kind)
    assert refusal(supervisor, world.load()).code == "unexpected-message"
    assert isinstance(supervisor.ask(Predict(id=2, method="predict"), rows).message, Answer)


def test_an_error_names_its_request_and_no_value(world: World, supervisor: Supervisor) -> None:
    supervisor.ask(world.load())
    texts = from_array("input", np.array([["born 1941"] * 4], dtype=object))
    supervisor.channel.send(Frame(Predict(id=77, method="predict"), (texts,)))
    frame = supervisor.channel.receive()
    assert frame is not None
    assert isinstance(frame.message, Failure)
    assert frame.message.id == 77
    assert "1941" not in f"{frame.message.message} {frame.message.hint}"


def test_bytes_that_are_no_frame_are_refused_and_the_session_goes_on(
    world: World, supervisor: Supervisor
) -> None:
    supervisor.ask(world.load())
    supervisor.socket.sendall(struct.pack("<IQ", 2, 0) + b"{}")
    with pytest.raises(FormatError):
        supervisor.answer()
    rows = from_array("input", world.model.data)
    assert supervisor.ask(Predict(id=2, method="predict"), rows).message == Answer(id=2)


def test_a_frame_beyond_the_limits_ends_the_session(world: World, supervisor: Supervisor) -> None:
    supervisor.ask(world.load())
    supervisor.socket.sendall(struct.pack("<IQ", 2, 1 << 40) + b"{}")
    with pytest.raises(FormatError) as caught:
        supervisor.answer()
    assert caught.value.code == "frame-too-large"
    # The kernel resets a connection whose bytes were left unread.
    with pytest.raises(WorkerLost):
        supervisor.answer()


def test_files_stream_out_with_the_right_to_export(world: World, supervisor: Supervisor) -> None:
    supervisor.ask(world.load(right="export"))
    files: dict[str, bytes] = {}
    name = ""
    frame = supervisor.ask(Export(id=3))
    while not isinstance(frame.message, Exported):
        if isinstance(frame.message, File):
            name = frame.message.file.name
            files[name] = b""
        else:
            assert frame.message == Chunk(id=3)
            files[name] += bytes(frame.tensors[0].data)
        frame = supervisor.answer()
    assert files == world.model.files


def test_large_files_stream_in_pieces(
    world: World, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_CHUNK_BYTES", 16)
    supervisor.ask(world.load(right="export"))
    supervisor.ask(Export(id=3))
    assert bytes(supervisor.answer().tensors[0].data) == CANARY[:16]


def test_a_session_to_predict_exports_nothing_and_the_other_way_round(world: World) -> None:
    for right, message in (
        ("predict", Export(id=1)),
        ("export", Predict(id=1, method="predict")),
        ("export", Explain(id=1)),
    ):
        supervisor = Supervisor()
        supervisor.ask(world.load(right=right))
        error = refusal(supervisor, message)
        assert (type(error), error.code) == (LicenseDenied, "right-not-granted")
        supervisor.end()


def test_the_buffers_of_the_files_are_wiped_after_loading(
    world: World, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, bytearray]] = []
    find = registry.find

    def spying(name: str) -> Any:
        loader = find(name)

        class Spy:
            def load(self, files: dict[str, bytearray], *arguments: Any, **options: Any) -> Any:
                assert bytes(files["canary.bin"]) == CANARY
                seen.append(files)
                return loader.load(files, *arguments, **options)

        return Spy()

    monkeypatch.setattr(registry, "find", spying)
    supervisor.ask(world.load())
    assert {len(buffer) for buffer in seen[0].values()} == {len(data) for data in world.model.files.values()}
    assert not any(any(buffer) for buffer in seen[0].values())


def test_the_content_key_of_the_world_is_the_wrapped_one(world: World) -> None:
    """The other tests would prove little if the fixture wrapped something else."""
    assert len(world.content_key) == 32
    assert len(from_base64(world.load_by_passphrase().owner[0])) > 100
    assert isinstance(world.load(), Load)
