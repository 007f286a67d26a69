"""A running model against its own user's programs, other users, and whoever speaks its protocol.

Run as root: root can look into every process, which shows where secrets are and are not,
and can become another user.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from strongroom._encoding import to_base64url
from strongroom.client import Model
from strongroom.errors import Error, LicenseDenied, WorkerLost
from strongroom.license.request import Right
from strongroom.license.terms import Rights
from strongroom.package.contents import FileEntry, Schema
from strongroom.worker import frames
from strongroom.worker.channel import Channel
from strongroom.worker.frames import Frame
from strongroom.worker.messages import (
    Answer,
    Chunk,
    Export,
    Exported,
    Failure,
    File,
    Load,
    Message,
    Open,
    Opened,
    Pipes,
    Predict,
    Ready,
)
from strongroom.worker.tensor import from_array
from tests.integration.parties import PASSPHRASE, Parties
from tests.integration.programs import ClientProgram, processes_of

OTHER_UID = "65534"
FEATURES = 32
ROWS = np.random.default_rng(7).normal(size=(40, FEATURES))
MARKER = "born-1941-03-17"


def canary_model() -> LogisticRegression:
    """Return a model whose weights are random numbers that stand nowhere else."""
    model = LogisticRegression().fit(ROWS, (ROWS[:, 0] > 0).astype(int))
    model.coef_ = np.random.default_rng().normal(size=(1, FEATURES))
    return model


MODEL = canary_model()
WEIGHTS = MODEL.coef_.tobytes()
FEW_WEIGHTS = WEIGHTS[: 4 * 8]
"""Enough of them to be no chance."""


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    # A missing tool would make a refusal of everything.
    assert all(shutil.which(tool) for tool in ("setpriv", "strace", "cat", "ls"))
    assert os.geteuid() == 0


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties.make(
        tmp_path_factory.mktemp("parties"),
        MODEL,
        sample=ROWS,
        terms=[Rights(rights=(Right.EXPORT, Right.PREDICT))],
    )


@pytest.fixture(scope="module")
def model(parties: Parties) -> Iterator[Model]:
    with parties.open() as model:
        model.predict(ROWS)
        yield model


def holds_weights(data: bytes) -> bool:
    """Tell whether a few of the weights stand in a row, in any form in which a model file has them."""
    single = [number.tobytes() for number in MODEL.coef_[0, :4].astype(np.float32)]
    # A list of floats in an ONNX graph has a tag before each.
    forms = (FEW_WEIGHTS, b"".join(single), b"\x3d".join(single))
    return any(form in data for form in forms)


def content_key(parties: Parties) -> bytes:
    seal = parties.hospital.vault.seals.find("risk")
    return parties.hospital.vault.content_keys.load(seal.package_id, parties.hospital.keys.key_provider())


def sealing_secrets(parties: Parties) -> list[bytes]:
    """Return the clinic's sealing key in every form in which a process could hold it."""
    key = parties.clinic.keys.sealing(parties.hospital.vault.verify_owner_id())
    raw = key.secret.to_bytes()
    return [raw, key.to_text().encode(), to_base64url(raw)[:40].encode()]


def memory_holds(process_id: int, *secrets: bytes) -> list[bytes]:
    """Return which of the secrets stand anywhere in the memory of a process."""
    found = set()
    maps = Path(f"/proc/{process_id}/maps").read_text(encoding="utf-8")
    with Path(f"/proc/{process_id}/mem").open("rb", buffering=0) as memory:
        for line in maps.splitlines():
            span, flags = line.split()[:2]
            # The kernel shows the last of these, memfd_secret, to nobody.
            hidden = ("[vvar]", "[vsyscall]", "[vvar_vclock]", "/secretmem (deleted)")
            if "r" not in flags or line.endswith(hidden):
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            memory.seek(start)
            data = memory.read(end - start)
            found |= {secret for secret in secrets if secret in data}
    return sorted(found)


def refused(*command: str) -> bool:
    """Run a command; tell whether it failed."""
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_supervisor_never_holds_weights_or_keys(parties: Parties, model: Model) -> None:
    supervisor, worker = processes_of(model)
    secrets = [FEW_WEIGHTS, content_key(parties), *sealing_secrets(parties)]
    assert memory_holds(supervisor, *secrets) == []
    # The search finds what is there: the weights in the worker, public names in both.
    assert memory_holds(worker, FEW_WEIGHTS) == [FEW_WEIGHTS]
    license_id = parties.granted.license_id.encode()
    assert memory_holds(supervisor, license_id) == [license_id]


def test_the_supervisor_never_holds_keys_while_it_exports(parties: Parties) -> None:
    with parties.open(right=Right.EXPORT) as model:
        supervisor, worker = processes_of(model)
        key = content_key(parties)
        assert memory_holds(worker, key) == [key]
        assert memory_holds(supervisor, key, *sealing_secrets(parties)) == []


def test_the_client_never_holds_weights_or_keys(parties: Parties) -> None:
    body = "print(len(model.predict(rows)), flush=True); time.sleep(600)"
    with ClientProgram(parties, body, rows=ROWS.tolist()) as client:
        assert int(client.line()) == len(ROWS)
        secrets = [FEW_WEIGHTS, content_key(parties), *sealing_secrets(parties)]
        assert memory_holds(client.process.pid, *secrets) == []


def test_no_key_stays_in_the_worker_when_the_model_is_loaded(parties: Parties, model: Model) -> None:
    _, worker = processes_of(model)
    assert memory_holds(worker, content_key(parties), *sealing_secrets(parties)) == []


def test_the_canary_is_in_no_channel_of_the_machine(parties: Parties, model: Model) -> None:
    secrets = [FEW_WEIGHTS, content_key(parties), *sealing_secrets(parties)]
    for process in (*processes_of(model), os.getpid()):
        for file in ("environ", "cmdline", "comm"):
            text = Path(f"/proc/{process}/{file}").read_bytes()
            assert not [secret for secret in secrets if secret in text]
    shared = [path for path in Path("/dev/shm").rglob("*") if path.is_file()]  # noqa: S108 - it is looked into
    for path in shared:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret in content], path


def test_a_pass_phrase_is_seen_by_the_worker_only(tmp_path: Path) -> None:
    parties = Parties.make(tmp_path, MODEL, sample=ROWS, passphrase=PASSPHRASE)
    with parties.open(passphrase=PASSPHRASE) as model:
        supervisor, worker = processes_of(model)
        assert memory_holds(supervisor, PASSPHRASE.encode()) == []
        for process in (supervisor, worker):
            for file in ("cmdline", "environ"):
                assert PASSPHRASE.encode() not in Path(f"/proc/{process}/{file}").read_bytes()


def test_no_message_of_the_protocol_returns_weights(parties: Parties, model: Model) -> None:
    channel: Channel = model._runtime._channel
    rows = from_array("input", ROWS[:2])
    schema = Schema(inputs=[], outputs=[])
    file = FileEntry(name="model.skops", size=1, sha256="0" * 64)
    attempts: list[Message] = [
        Export(id=1),
        Open(reference="risk", right="export", pipes=Pipes()),
        Load(
            right="export",
            owner=[],
            license=parties.granted.license_id,
            runtime="",
            package="",
            release="",
            package_fd=3,
            pipes=Pipes(),
        ),
        Opened(name="", version="", owner="", owner_name="", package="", license="", level="", schema=schema),
        Ready(schema=schema),
        Answer(id=1),
        File(id=1, file=file),
        Chunk(id=1),
        Exported(id=1),
        Failure(error="Error", code="", message=""),
        *(
            Predict(id=1, method=method)
            for method in ("coef_", "__dict__", "__getstate__", "__reduce__", "get_params", "_predict", "")
        ),
    ]
    for message in attempts:
        channel.send(Frame(message, (rows,)))
        answer = channel.receive()
        assert answer is not None
        assert isinstance(answer.message, Failure)
        assert FEW_WEIGHTS not in frames.to_bytes(answer)
    assert len(model.predict(ROWS)) == len(ROWS)


def test_nothing_is_exported_without_the_right(tmp_path: Path) -> None:
    parties = Parties.make(tmp_path, MODEL, sample=ROWS)
    with pytest.raises(LicenseDenied) as caught:
        parties.open(right=Right.EXPORT)
    assert caught.value.code == "right-not-granted"


def test_errors_hold_no_inputs(model: Model) -> None:
    channel: Channel = model._runtime._channel
    good = ROWS[:1].astype(object)
    inputs: list[Any] = [
        np.full((1, FEATURES), MARKER, dtype=object),
        np.where(np.arange(FEATURES) == 3, MARKER, good),
        [[MARKER] * FEATURES],
        [{MARKER: 1.0}],
        [MARKER],
        np.full((1, FEATURES), 19410317.0) * np.inf,
    ]
    said = []
    for data in inputs[:3] + inputs[4:]:
        with pytest.raises(Error) as caught:
            model.predict(data)
        said.append(f"{caught.value} {caught.value.hint} {caught.value.code}")
    for tensor in (
        from_array("input", np.full((1, FEATURES), MARKER, dtype=object)),
        from_array("input", np.full((1, FEATURES), 19410317, dtype=np.int64)),
        frames.Tensor("input", frames.Datatype.BYTES, (1, FEATURES), MARKER.encode() * 20),
        frames.Tensor("input", frames.Datatype.BOOL, (1, FEATURES), b"19410317" * 4),
    ):
        channel.send(Frame(Predict(id=1, method="predict"), (tensor,)))
        answer = channel.receive()
        assert answer is not None
        said.append(repr(answer.message))
    assert not [text for text in said if MARKER in text or "19410317" in text]


def test_another_user_reads_nothing_of_the_processes(model: Model) -> None:
    become = ["setpriv", "--reuid", OTHER_UID, "--regid", OTHER_UID, "--clear-groups"]
    assert not refused(*become, "cat", "/proc/self/environ")
    for process in processes_of(model):
        for file in ("environ", "maps", "mem", "auxv", "stack"):
            assert refused(*become, "cat", f"/proc/{process}/{file}"), file
        assert refused(*become, "ls", f"/proc/{process}/fd")
        assert refused(*become, "kill", "-0", str(process))


def test_another_program_of_the_same_account_reads_nothing_of_the_processes(parties: Parties) -> None:
    # The same user id, and no privilege that an ordinary account has not.
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    with ClientProgram(parties, "time.sleep(600)", rows=[], prefix=plain) as client:
        # An honest control: the client itself is an ordinary program, and can be read.
        for file in ("environ", "maps", "auxv"):
            assert not refused(*plain, "cat", f"/proc/{client.process.pid}/{file}"), file
        assert not refused(*plain, "readlink", f"/proc/{client.process.pid}/fd/0")
        for process in client.processes:
            for file in ("environ", "maps", "mem", "auxv", "stack"):
                assert refused(*plain, "cat", f"/proc/{process}/{file}"), file
            assert refused(*plain, "readlink", f"/proc/{process}/fd/0")
            assert refused(*plain, "strace", "-p", str(process), "-e", "trace=none")


def test_the_processes_leave_no_core_dump(parties: Parties) -> None:
    with parties.open() as model:
        supervisor, worker = processes_of(model)
        for process in (supervisor, worker):
            limits = Path(f"/proc/{process}/limits").read_text(encoding="ascii")
            assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        os.kill(worker, signal.SIGSEGV)
        with pytest.raises(WorkerLost):
            model.predict(ROWS)


def test_the_worker_inherits_nothing_of_its_user(
    parties: Parties, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    secret = tmp_path / "other-secret"
    secret.write_text("of another program", encoding="ascii")
    descriptor = os.open(secret, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    with parties.open() as model:
        _, worker = processes_of(model)
        environment = Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
        names = {entry.partition("=")[0] for entry in environment if entry}
        assert names == {"HOME", "LANG", "OMP_NUM_THREADS", "ORT_DISABLE_TELEMETRY", "PATH", "TMPDIR"}
        targets = {str(path.readlink()) for path in Path(f"/proc/{worker}/fd").iterdir()}
        assert {re.sub(r"\d+", "N", target) for target in targets} <= {"/dev/null", "socket:[N]", "pipe:[N]"}
        assert sum(target.startswith("socket:") for target in targets) == 1
        assert Path(f"/proc/{worker}/cwd").readlink() == Path("/")
    os.close(descriptor)


WRITES = re.compile(r'^\d+ +(?:open|openat|creat)\((?:AT_FDCWD, )?"(?P<path>[^"]*)", (?P<flags>[A-Z_|]+)')
NO_DISK = re.compile(r"/dev/|/proc/|.*/\.coverage")
"""Devices, and what a measured run writes: which lines of the source ran."""
WRITING_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"}


@pytest.mark.parametrize("convert", [None, "onnx"])
def test_plaintext_never_touches_a_disk(tmp_path: Path, convert: str | None) -> None:
    parties = Parties.make(tmp_path, MODEL, sample=ROWS, convert=convert)
    log, user = tmp_path / "strace.log", tmp_path / "user"
    user.mkdir()
    watch = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=open,openat,openat2,creat"]
    body = "print(len(model.predict_proba(rows)), flush=True); model.close()"
    environment = {**os.environ, "HOME": str(user), "TMPDIR": str(user)}
    del environment["ORT_DISABLE_TELEMETRY"]
    with ClientProgram(parties, body, rows=ROWS.tolist(), prefix=watch, env=environment) as client:
        assert client.output() == [str(len(ROWS))]
    lines = log.read_text(encoding="utf-8").splitlines()
    calls = [found for line in lines if (found := WRITES.match(line))]
    assert len(calls) > 1000, "the processes were watched"
    written = {
        Path(call["path"])
        for call in calls
        if WRITING_FLAGS & set(call["flags"].split("|")) and not NO_DISK.match(call["path"])
    }
    state = parties.clinic.path / "state"
    assert written
    assert all(path.is_relative_to(state) for path in written), written
    assert not any("openat2" in line or "O_TMPFILE" in line for line in lines)
    for folder in (parties.clinic.path, user):
        for path in folder.rglob("*"):
            assert not path.is_file() or not holds_weights(path.read_bytes())


def test_the_canary_is_in_the_plain_model(tmp_path: Path) -> None:
    """The search above would find nothing if the weights were written in another form."""
    parties = Parties.make(
        tmp_path,
        MODEL,
        sample=ROWS,
        convert="onnx",
        terms=[Rights(rights=(Right.EXPORT, Right.PREDICT))],
    )
    exported = parties.export(tmp_path / "plain")
    assert any(holds_weights((exported.folder / name).read_bytes()) for name in exported.files)
