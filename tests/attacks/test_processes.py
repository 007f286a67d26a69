"""Attacks on a running model: on disks, in the memory of its processes, as another user, by core dumps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

from strongroom.client import export
from strongroom.errors import LicenseDenied, UsageError
from strongroom.home.home import Home
from strongroom.license.request import Right
from tests.attacks.test_home import as_another_user
from tests.integration.parties import Parties
from tests.integration.serving import served

DATA = load_wine()
MODEL = RandomForestClassifier(n_estimators=4, random_state=0).fit(DATA.data, DATA.target)
ROWS = DATA.data[:3].tolist()
WEIGHTS = [tree.tree_.value.tobytes()[-240:] for tree in MODEL.estimators_]
"""As they lie in the memory of whoever has loaded the model."""

PROGRAM = """
    import sys
    import strongroom

    with strongroom.open("risk", home=sys.argv[1]) as model:
        print(model.predict({rows})[0], flush=True)
        sys.stdin.readline()
"""

NOT_A_DISK = re.compile(r"/dev/(null|tty|pts/\d+|shm/.*)|/proc/.*|/memfd:.*|(socket|pipe|anon_inode):.*")
"""What may be opened for writing and stores nothing; files in /dev/shm are memory, and are looked into."""
OF_THE_INTERPRETER = re.compile(r".*/__pycache__/.*|.*/\.coverage.*")

OPENED = re.compile(r"^\S*\s*(?:open|openat|creat)\(.*(?:O_WRONLY|O_RDWR|O_CREAT).*\)\s+= \d+<([^>]*)>")
LOOK = """
for path in "$@"; do
    if head -c 1 "$path" >/dev/null 2>&1; then echo "read $path"; else echo "refused $path"; fi
done
"""


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties.make(tmp_path_factory.mktemp("processes"), MODEL, sample=DATA.data[:20])


@dataclass(frozen=True, slots=True)
class Running:
    """A program of the partner with a model open, and the two processes behind it."""

    client: int
    supervisor: int
    worker: int


@pytest.fixture(scope="module")
def running(parties: Parties) -> Iterator[Running]:
    program = subprocess.Popen(_command(parties.clinic), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert _pipe(program.stdout).readline().strip() == b"0"
        (supervisor,) = _children(program.pid)
        (worker,) = _children(supervisor)
        yield Running(program.pid, supervisor, worker)
    finally:
        program.communicate(b"\n", timeout=60)


def _command(home: Home) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(PROGRAM).format(rows=ROWS), str(home.path)]


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _children(process_id: int) -> list[int]:
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii")
    return [int(number) for number in listed.split()]


def _keys(parties: Parties) -> list[bytes]:
    """Return the content key and the secret half of the sealing key, raw."""
    (seal,) = parties.hospital.vault.seals.all("risk")
    content_key = parties.hospital.vault.content_keys.load(
        seal.package_id, parties.hospital.keys.key_provider()
    )
    (owner,) = parties.clinic.trust.all()
    return [content_key, parties.clinic.keys.sealing(owner.id).secret.to_bytes()]


def _holds(process_id: int, needles: list[bytes]) -> bool:
    """Look through the writable memory of a process."""
    maps = Path(f"/proc/{process_id}/maps").read_text(encoding="utf-8").splitlines()
    with Path(f"/proc/{process_id}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            extent, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            start, end = (int(bound, 16) for bound in extent.split("-"))
            memory.seek(start)
            try:
                region = memory.read(end - start)
            except OSError:  # a region that the kernel shows to nobody
                continue
            if any(needle in region for needle in needles):
                return True
    return False


@pytest.mark.slow
def test_no_plaintext_of_a_model_touches_a_disk(parties: Parties, tmp_path: Path) -> None:
    """Every file that any of the three processes opens for writing is seen by strace."""
    log = tmp_path / "trace"
    trace = [
        "strace",
        "-ff",
        "-qq",
        "-y",
        "-e",
        "trace=open,openat,creat,execve,memfd_create",
        "-o",
        str(log),
    ]
    done = subprocess.run(
        [*trace, *_command(parties.clinic)], input=b"\n", capture_output=True, check=True, timeout=300
    )
    assert done.stdout.strip() == b"0"
    lines = [
        line
        for path in tmp_path.glob("trace.*")
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    started = "\n".join(line for line in lines if line.startswith("execve("))
    assert "strongroom.runtime" in started
    assert "strongroom.worker" in started
    written = {Path(match[1]) for line in lines if (match := OPENED.match(line))}
    on_disk = {path for path in written if not NOT_A_DISK.fullmatch(str(path))}
    on_disk = {path for path in on_disk if not OF_THE_INTERPRETER.fullmatch(str(path))}
    state = parties.clinic.path / "state"
    assert on_disk, "the marks of the runtime are written, so the trace does see writes"
    assert not [path for path in on_disk if state not in path.parents], on_disk
    for path in (path for path in written if path.is_file()):
        assert not any(weights in path.read_bytes() for weights in WEIGHTS)


def test_nothing_in_the_home_or_the_package_shows_the_model(parties: Parties) -> None:
    files = [path for path in parties.clinic.path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sealed" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(weights in content for weights in WEIGHTS), path
        assert b"RandomForest" not in content, path


def test_only_the_worker_holds_the_weights(running: Running) -> None:
    assert _holds(running.worker, WEIGHTS), "the search finds what is there"
    assert not _holds(running.supervisor, WEIGHTS)
    assert not _holds(running.client, WEIGHTS)


def test_neither_client_nor_supervisor_holds_a_content_or_sealing_key(
    parties: Parties, running: Running
) -> None:
    keys = _keys(parties)
    assert not _holds(running.supervisor, keys)
    assert not _holds(running.client, keys)


def test_what_serves_over_http_holds_neither_weights_nor_keys(parties: Parties) -> None:
    # A short path: the name of a socket has room for 107 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="strongroom") as folder,
        served(parties, "--socket", f"{folder}/risk.sock") as server,
    ):
        assert _holds(server.worker, WEIGHTS), "the search finds what is there"
        assert not _holds(server.process.pid, WEIGHTS + _keys(parties))


def test_another_user_reads_nothing_of_the_processes(running: Running) -> None:
    paths = [
        f"/proc/{process}/{name}"
        for process in (running.supervisor, running.worker)
        for name in ("mem", "maps", "environ", "auxv", "stack")
    ]
    descriptors = [f"/proc/{process}/fd/0" for process in (running.supervisor, running.worker)]
    seen = as_another_user("sh", "-c", LOOK, "look", *paths, *descriptors, f"/proc/{running.worker}/status")
    assert seen.splitlines()[-1].startswith("read"), "the other user can look at all"
    assert [line for line in seen.splitlines()[:-1] if line.startswith("read")] == []


def test_the_worker_leaves_no_core_dump(running: Running) -> None:
    limits = Path(f"/proc/{running.worker}/limits").read_text(encoding="ascii")
    (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[-3:-1] == ["0", "0"]


def test_the_worker_starts_with_an_environment_of_its_own(running: Running) -> None:
    entries = Path(f"/proc/{running.worker}/environ").read_text(encoding="utf-8").split("\0")
    environment = dict(entry.split("=", 1) for entry in entries if entry)
    assert not [name for name in environment if name.startswith(("PYTHON", "STRONGROOM_", "LD_"))]
    assert environment["HOME"] == "/nonexistent"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"


def test_no_file_of_the_model_comes_out_without_the_right_to_export(parties: Parties, tmp_path: Path) -> None:
    with pytest.raises(LicenseDenied) as denied:
        export("risk", tmp_path / "out", home=parties.clinic.path)
    assert denied.value.code == "right-not-granted"
    assert not (tmp_path / "out").exists()
    with pytest.raises((LicenseDenied, UsageError)):
        parties.open(right=Right.EXPORT)


def test_what_the_client_can_ask_for_tells_nothing_of_the_inside(parties: Parties) -> None:
    """The description that everybody gets names inputs and outputs, and no layer, file or number of it."""
    with parties.open() as model:
        shown = json.dumps([str(model.info), repr(model), model._repr_html_()])
    assert "RandomForest" not in shown
    assert "estimators" not in shown
    assert ".skops" not in shown
