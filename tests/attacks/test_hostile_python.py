"""A hostile owner: what its code tries at the partner, and what the partner can learn of it.

The code runs where real packages do: sealed, granted, accepted and opened by the SDK, in three
processes. It says what it got as the output of the model.
"""

from __future__ import annotations

import ast
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from strongroom.client import Model
from strongroom.errors import Error, LicenseDenied, UsageError, WorkerLost
from strongroom.license.period import Period
from strongroom.license.terms import Predictions
from strongroom.package.contents import Field, Loader, Schema
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import Failure, Ready
from strongroom.worker.session import Session
from tests.integration.parties import Parties
from tests.unit.runtime.world import SmallModel, World

CANARY = "canary-of-the-source-4711"
RECORD = "Ann Example, born 1941"

DESCRIPTION = """
entry = "hostile.py:Hostile"
imports = ["numpy", "strongroom"]
inputs = [{ name = "what", datatype = "BYTES", shape = [-1] }]
outputs = [{ name = "said", datatype = "BYTES", shape = [-1] }]
"""

CODE = """
import ctypes, mmap, os, socket, subprocess, sys, threading, time
import numpy as np
from strongroom.worker import frames
from strongroom.worker.messages import Answer, Failure
from strongroom.worker.tensor import from_array

NAME = "canary-of-the-source-4711"
LIBC = ctypes.CDLL(None, use_errno=True)
WORDS = np.array(["forged"], dtype=object)

def call(number, *arguments):
    result = LIBC.syscall(number, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return "done" if result >= 0 else os.strerror(ctypes.get_errno())

def descriptors():
    found = []
    for number in range(256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return found

def channel():
    return next(each for each in descriptors() if each > 2)

def send(message, *tensors):
    os.write(channel(), frames.to_bytes(frames.Frame(message, tensors)))

def allocate():
    return len(bytearray(3 << 30))

def share():
    shared = mmap.mmap(-1, 96 << 30)
    return len(shared)

def threads():
    for count in range(100_000):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()

def forge(number):
    send(Answer(id=number), from_array("said", WORDS))

class Hostile:
    def load(self, files):
        self.files = files

    def predict(self, inputs):
        what = inputs["what"][0]
        try:
            said = eval(what)
        except Exception as error:
            said = type(error).__name__
        return {"said": np.array([str(said)] * len(inputs["what"]), dtype=object)}
"""


def _scorer(folder: Path, code: str = CODE, description: str = DESCRIPTION) -> Path:
    folder.mkdir()
    (folder / "hostile.py").write_text(code, encoding="utf-8")
    (folder / "strongroom.toml").write_text(description, encoding="utf-8")
    (folder / "notes.txt").write_text("data", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    folder = tmp_path_factory.mktemp("hostile")
    return Parties.make(
        folder,
        _scorer(folder / "scorer"),
        loader="python",
        terms=[Predictions(limit=10_000, per=Period.TOTAL)],
    )


@pytest.fixture(scope="module")
def shared(parties: Parties) -> Iterator[Model]:
    with parties.open() as model:
        yield model


def ask(model: Model, what: str) -> str:
    """Have the code evaluate this and return what it says."""
    return str(model.predict({"what": np.array([what], dtype=object)})[0])


class TestPartner:
    """What is the partner's stays out of reach."""

    @pytest.mark.parametrize(
        "what",
        [
            "open('/etc/passwd').read()",
            "os.listdir('/root')",
            "os.listdir('/tmp')",
            "os.listdir(f'/proc/{os.getppid()}')",
            "open(f'/proc/{os.getppid()}/environ').read()",
            "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
            "open('/proc/self/environ').read()",
            "open('/tmp/left', 'w')",
            "open('/dev/shm/left', 'w')",
            "os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR)",
            "os.memfd_create('left')",
            "socket.socket()",
            "socket.create_connection(('127.0.0.1', 22), timeout=3)",
            "os.fork()",
            "os.execv('/bin/true', ['true'])",
            "subprocess.run(['/bin/true'])",
            "os.kill(os.getppid(), 9)",
            "os.kill(-1, 9)",
            "__import__('multiprocessing').Process(target=print).start()",
        ],
    )
    def test_is_refused(self, shared: Model, what: str) -> None:
        assert ask(shared, what) in {"PermissionError", "OSError", "ConnectionRefusedError"}

    def test_a_planted_record_cannot_be_read(self, shared: Model, parties: Parties) -> None:
        record = parties.clinic.path / "patients.csv"
        record.write_text(RECORD, encoding="utf-8")
        try:
            assert ask(shared, f"open({str(record)!r}).read()") == "PermissionError"
        finally:
            record.unlink()

    def test_the_environment_tells_nothing(self, parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLINIC_TOKEN", RECORD)
        with parties.open() as model:
            said = ask(model, "sorted(os.environ)")
        assert "CLINIC_TOKEN" not in said
        assert set(ast.literal_eval(said)) <= {
            "PATH",
            "HOME",
            "LANG",
            "LC_CTYPE",
            "TMPDIR",
            "ORT_DISABLE_TELEMETRY",
            "OMP_NUM_THREADS",
        }

    def test_nothing_is_open_but_the_channel(self, parties: Parties) -> None:
        # A key file, a pass-phrase and the package were, until everything was decrypted. Not in the
        # worker that all share: what others try in it opens some of its own.
        with parties.open() as model:
            assert ask(model, "len(descriptors())") == "4"

    @pytest.mark.parametrize(
        "what",
        [
            "call(101, 16, os.getppid(), 0, 0)",  # ptrace
            "call(310, os.getppid(), 0, 0, 0, 0, 0)",  # process_vm_readv
            "call(425, 8, b'\\0' * 120)",  # io_uring_setup
        ],
    )
    def test_a_look_into_the_supervisor_ends_the_worker(self, parties: Parties, what: str) -> None:
        with parties.open() as model:
            with pytest.raises(WorkerLost) as caught:
                ask(model, what)
            assert caught.value.code == "worker-restarted"
            assert ask(model, "1 + 1") == "2"


class TestResources:
    """A bomb goes off inside the worker."""

    def test_memory(self, parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRONGROOM_WORKER_MEMORY_MIB", "1024")
        with parties.open() as model:
            assert ask(model, "allocate()") == "MemoryError"
            assert ask(model, "share()") == "OSError"
            assert ask(model, "1 + 1") == "2"

    def test_threads(self, parties: Parties) -> None:
        with parties.open() as model:
            assert ask(model, "threads()") == "RuntimeError"
            assert ask(model, "1 + 1") == "2"

    def test_a_loop_without_end(self, parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRONGROOM_WORKER_ANSWER_SECONDS", "2")
        with parties.open() as model:
            left = model.info.remaining
            with pytest.raises(WorkerLost, match="does not answer") as caught:
                ask(model, "[each for each in iter(int, 1)] and 0")
            assert caught.value.code == "worker-restarted"
            assert ask(model, "1 + 1") == "2"
            assert model.info.remaining == left - 1  # type: ignore[operator]  # it is counted
            with pytest.raises(WorkerLost) as caught:
                ask(model, "os._exit(0)")
            # Once in a session.
            assert caught.value.code == "worker-lost"

    def test_bytes_that_trickle_gain_no_time(self, parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRONGROOM_WORKER_ANSWER_SECONDS", "2")
        what = "[(os.write(channel(), b'\\x10'), time.sleep(0.2)) for _ in range(1000)]"
        with parties.open() as model, pytest.raises(WorkerLost):
            ask(model, what)


class TestSupervisor:
    """What the code writes to the channel by itself is not believed."""

    @pytest.mark.parametrize(
        "what",
        [
            "[os.write(each, b'garbage' * 99) for each in descriptors() if each > 2]",
            "os.write(channel(), (122).to_bytes(4, 'little') + (1 << 31).to_bytes(8, 'little'))",
            "os.write(channel(), (1 << 31).to_bytes(4, 'little') + bytes(8))",
            "forge(2)",
            "send(Failure(id=99, error='UsageError', code='x', message='x'))",
            "send(Failure(id=1, error='WorkerLost', code='worker-restarted', message='x'))",
            "send(Failure(id=1, error='NoSuchError', code='x', message='x'))",
            "os.close(channel())",
        ],
    )
    def test_what_is_no_answer_ends_the_worker(self, parties: Parties, what: str) -> None:
        with parties.open() as model:
            left = model.info.remaining
            with pytest.raises(WorkerLost) as caught:
                ask(model, what)
            assert caught.value.code == "worker-restarted"
            assert ask(model, "1 + 1") == "2"
            assert model.info.remaining == left - 1  # type: ignore[operator]  # it is counted

    def test_an_answer_before_the_question_is_not_taken(self, parties: Parties) -> None:
        with parties.open() as model:
            # An answer to this request, and the one to the next, which comes in the same write.
            twice = (
                "os.write(channel(), b''.join(frames.to_bytes(frames.Frame(Answer(id=n), "
                "(from_array('said', WORDS),))) for n in (1, 2)))"
            )
            assert ask(model, twice) == "forged"
            with pytest.raises(WorkerLost) as caught:
                ask(model, "1 + 1")
            assert caught.value.code == "worker-restarted"

    @pytest.mark.parametrize(
        "tensor",
        [
            "from_array('other', WORDS)",
            "from_array('said', np.zeros(1))",
            "from_array('said', np.array(['a', 'b'], dtype=object))",
            "from_array('said', np.array([['a']], dtype=object))",
        ],
    )
    def test_an_answer_beside_the_schema_does_not_leave(self, parties: Parties, tensor: str) -> None:
        with parties.open() as model, pytest.raises(Error) as caught:
            ask(model, f"(send(Answer(id=1), {tensor}), os._exit(0))")
        assert caught.value.code == "answer-schema"

    def test_its_words_do_not_reach_a_log(self, parties: Parties) -> None:
        said = (
            f"send(Failure(id=1, error='LicenseDenied', code='expired', message={RECORD!r}, hint={RECORD!r}))"
        )
        with parties.open() as model, pytest.raises(UsageError) as caught:
            ask(model, said)
        assert caught.value.code == "code-failed"
        _verify_says_nothing(caught.value, RECORD)


class TestOwner:
    """The partner learns nothing of the code."""

    def test_what_the_code_raises_stays_inside(self, tmp_path: Path) -> None:
        code = CODE.replace(
            "class Hostile:", f"class Quoting_{CANARY.replace('-', '_')}(Exception): pass\n\nclass Hostile:"
        )
        code = code.replace("except Exception as error:", "except ZeroDivisionError as error:")
        parties = Parties.make(tmp_path, _scorer(tmp_path / "scorer", code), loader="python")
        raised = [
            f"Quoting_{CANARY.replace('-', '_')}(NAME)",
            "SystemExit(NAME)",
            "KeyboardInterrupt(NAME)",
            "__import__('strongroom.errors').errors.LicenseDenied(NAME, code=NAME, hint=NAME)",
        ]
        with parties.open() as model:
            for each in raised:
                with pytest.raises(UsageError) as caught:
                    ask(model, f"(_ for _ in ()).throw({each})")
                assert caught.value.code == "code-failed"
                _verify_says_nothing(caught.value, CANARY)
                _verify_says_nothing(caught.value, CANARY.replace("-", "_"))
            assert ask(model, "(print(NAME), sys.stderr.write(NAME), 1)[2]") == "1"
        with pytest.raises(LicenseDenied):
            parties.export(tmp_path / "plain")
        found = [
            path
            for path in (tmp_path / "clinic").rglob("*")
            if path.is_file()
            and (CANARY.encode() in path.read_bytes() or b"class Hostile" in path.read_bytes())
        ]
        assert found == []

    def test_code_that_fails_to_load_tells_nothing(self, tmp_path: Path) -> None:
        code = CODE.replace("        self.files = files", "        raise ValueError(NAME)")
        parties = Parties.make(tmp_path, _scorer(tmp_path / "scorer", code), loader="python")
        with pytest.raises(Error) as caught:
            parties.open()
        assert caught.value.code == "code-failed"
        _verify_says_nothing(caught.value, CANARY)


class TestUnconfined:
    """Where nothing confines it, the code does not run."""

    def test_the_worker_refuses_it(self, tmp_path: Path) -> None:
        answer = _load(tmp_path, trusts_code=False)
        assert isinstance(answer.message, Failure)
        assert answer.message.code == "code-not-confined"
        assert "--trust-code" in str(answer.message.hint)
        assert "planted_module" not in sys.modules

    def test_unless_the_partner_says_that_it_trusts_it(self, tmp_path: Path) -> None:
        assert isinstance(_load(tmp_path, trusts_code=True).message, Ready)
        assert "planted_module" in sys.modules

    def test_a_package_that_hides_its_code_does_not_open(self, tmp_path: Path) -> None:
        answer = _load(tmp_path, trusts_code=True, hidden=True)
        assert isinstance(answer.message, Failure)
        assert answer.message.code == "code-undeclared"
        assert "planted_module" not in sys.modules


def _load(folder: Path, *, trusts_code: bool, hidden: bool = False) -> Frame:
    """Load a package with code in a session that nothing confines; returns what the worker answers."""
    import msgspec

    sys.modules.pop("planted_module", None)
    source = b"class Planted:\n    def load(self, files): pass\n    def predict(self, inputs): return 0\n"
    field = Field(name="x", datatype="FP64", shape=[-1])
    model = SmallModel(
        data=np.zeros(1),
        labels=np.zeros(1),
        probabilities=np.zeros(1),
        files={"planted_module.py": source},
        loader=Loader(
            name="python",
            entry="planted_module.py",
            options={"class": "Planted", "imports": [], "python": "3.11"},
        ),
        schema=Schema(inputs=[field], outputs=[field], methods=["predict"]),
    )
    with pytest.MonkeyPatch.context() as patch:
        if hidden:
            from strongroom.package import contents

            patch.setattr(contents.Contents, "carries_code", property(lambda self: False))
            world = World.make(folder, model=model)
        else:
            world = World.make(folder, model=model)
    load = msgspec.structs.replace(world.load(), trusts_code=trusts_code)
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=Session(Channel(theirs, peer="supervisor")).run)
    thread.start()
    channel = Channel(ours, peer="worker")
    channel.send(Frame(load))
    answer = channel.receive()
    channel.shut()
    thread.join(60)
    channel.close()
    assert answer is not None
    return answer


def _verify_says_nothing(error: BaseException | None, secret: str) -> None:
    while error is not None:
        assert secret not in repr(error)
        assert secret not in "".join(getattr(error, "__notes__", []))
        error = error.__cause__ or error.__context__


def test_the_attacks_would_succeed_elsewhere() -> None:
    # What refuses is the confinement: this account may do all of it.
    assert os.geteuid() == 0
    assert Path("/etc/passwd").read_text(encoding="utf-8")
