from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from strongroom.client.process import RuntimeProcess, Wish
from strongroom.client.secret import Secrets
from strongroom.errors import FormatError, LicenseDenied, UsageError, WorkerLost
from strongroom.license.request import Right
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Answer, Chunk, Export, Exported, Failure, Pipes, Predict

WISH = Wish(reference="risk", right=Right.PREDICT, home=None)


class Served:
    """A runtime process that only sleeps, and the other end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.other = Channel(theirs, peer="client")
        self.runtime = RuntimeProcess(
            self.process,
            Channel(ours, peer="model's runtime"),
            os.memfd_create("notes"),
            Pipes(),
        )

    def answers(self, *messages: Any) -> None:
        """Have these answers lie ready."""
        for message in messages:
            self.other.send(Frame(message))


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.runtime.end(wait_seconds=0)
    served.other.close()


def predict(number: int) -> Predict:
    return Predict(id=number, method="predict")


def test_requests_are_numbered(served: Served) -> None:
    served.answers(Answer(id=1), Answer(id=2))
    assert served.runtime.ask(predict).message == Answer(id=1)
    served.runtime.ask(predict)
    received = [served.other.receive(), served.other.receive()]
    assert [frame.message for frame in received if frame] == [predict(1), predict(2)]


def test_a_refusal_is_raised(served: Served) -> None:
    served.answers(Failure.of(LicenseDenied("no", code="expired", hint="ask")), Answer(id=2))
    with pytest.raises(LicenseDenied) as caught:
        served.runtime.ask(predict)
    assert (caught.value.code, caught.value.hint) == ("expired", "ask")
    assert served.runtime.ask(predict).message == Answer(id=2)


def test_a_stream_ends_with_its_last_message(served: Served) -> None:
    served.answers(Chunk(id=1), Chunk(id=1), Exported(id=1))
    assert len(list(served.runtime.stream(lambda number: Export(id=number), Exported))) == 2


def test_a_stream_that_is_left_in_the_middle_ends_the_runtime(served: Served) -> None:
    served.answers(Chunk(id=1), Chunk(id=1), Exported(id=1))
    frames = served.runtime.stream(lambda number: Export(id=number), Exported)
    next(frames)
    frames.close()  # type: ignore[attr-defined] # it is a generator
    with pytest.raises(WorkerLost) as caught:
        served.runtime.ask(predict)
    assert caught.value.code == "model-closed"
    assert served.process.poll() is not None


def test_a_runtime_that_closes_is_lost(served: Served) -> None:
    served.other.shut()
    with pytest.raises(WorkerLost):
        served.runtime.ask(predict)


def test_a_runtime_that_opens_something_else_is_ended(served: Served) -> None:
    served.answers(Answer(id=1))
    served.process.kill()
    with pytest.raises(FormatError):
        served.runtime.open(WISH, timeout_seconds=10)
    assert served.process.returncode is not None


def test_a_runtime_that_refuses_is_ended(served: Served) -> None:
    served.answers(Failure.of(LicenseDenied("no")))
    served.process.kill()
    with pytest.raises(LicenseDenied):
        served.runtime.open(WISH, timeout_seconds=10)
    assert served.process.returncode is not None


def test_a_runtime_that_does_not_answer_is_ended(served: Served) -> None:
    with pytest.raises(WorkerLost, match=r"within 0\.01 seconds") as caught:
        served.runtime.open(WISH, timeout_seconds=0.01)
    assert caught.value.code == "start-timeout"
    assert served.process.poll() is not None


@pytest.mark.parametrize(
    ("notes", "shown"), [(b"Traceback\nImportError: x\n", "(ImportError: x)"), (b"", "ready")]
)
def test_a_runtime_that_ends_says_its_last_words(served: Served, notes: bytes, shown: str) -> None:
    os.write(served.runtime._notes, notes)
    served.other.shut()
    with pytest.raises(WorkerLost) as caught:
        served.runtime.open(WISH, timeout_seconds=10)
    assert str(caught.value).endswith(shown)
    assert caught.value.code == "start-failed"


def test_a_runtime_that_does_not_end_is_killed(served: Served) -> None:
    served.runtime.end(wait_seconds=0.01)
    assert served.process.returncode == -9
    served.runtime.end()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_request_ends_the_runtime(
    served: Served, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def interrupted(self: Channel) -> None:
        raise kind

    monkeypatch.setattr(Channel, "receive", interrupted)
    with pytest.raises(kind):
        served.runtime.ask(predict)
    with pytest.raises(WorkerLost):
        served.runtime.ask(predict)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_after_a_fork_the_child_lets_go_and_the_parent_goes_on(served: Served) -> None:
    child = os.fork()
    if child == 0:
        code = _in_the_child(served.runtime)
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    served.answers(Answer(id=1))
    assert served.runtime.ask(predict).message == Answer(id=1)
    assert served.process.poll() is None


def _in_the_child(runtime: RuntimeProcess) -> int:
    try:
        runtime.ask(predict)
    except UsageError as error:
        return 0 if error.code == "model-after-fork" and runtime._channel.fileno() == -1 else 1
    return 2


@pytest.mark.parametrize("passphrase", ["", "ä" * 513])
def test_impossible_pass_phrases_start_nothing(passphrase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **_: started.append(arguments))
    with pytest.raises(UsageError) as caught:
        RuntimeProcess.start(Secrets(key_passphrase=passphrase))
    assert caught.value.code == "passphrase-size"
    assert started == []


def test_a_failed_start_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the path is no directory of files
    with pytest.raises(WorkerLost, match="Resource temporarily unavailable"):
        RuntimeProcess.start(Secrets(passphrase="a", key_passphrase="b"))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
