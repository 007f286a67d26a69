"""How fast whole packages are sealed and opened, against plain files in the same run, and in how much memory.

    .venv/bin/python -m benchmarks.packages

One file of random bytes on the file system of the temporary directory, in the page cache.
The limits: copying the file with a SHA-256 on the way, and reading it into fresh memory.
Each line runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.timing import header, row
from strongroom.crypto.signature import SigningSecret
from strongroom.package.contents import Field, Loader, Schema
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import signer
from strongroom.package.writer import PackageWriter
from strongroom.storage.local import LocalSource

SIZE = 512 << 20
ROUNDS = 5
CHUNK = 1 << 20
KEY = bytes(range(32))
SECRET = SigningSecret.from_bytes(bytes(31) + b"\x07")
OWNER = "own-aaaaaaaaaaaaaaaaaaaaaaaa"
FIELD = Field(name="input", datatype="FP32", shape=[-1, 1])


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def seal(plain: Path, sealed: Path) -> None:
    """Seal the file into a package."""
    with (
        sealed.open("wb", buffering=0) as sink,
        PackageWriter(
            sink,
            name="big",
            version=Version(1, 0, 0),
            owner=OWNER,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            content_key=KEY,
        ) as writer,
    ):
        with writer.file("model.onnx", plain.stat().st_size) as target:
            for chunk in _chunks(plain):
                target.write(chunk)
        writer.finish(
            loader=Loader(name="onnx", entry="model.onnx", options={}),
            schema=Schema(inputs=[FIELD], outputs=[FIELD], columns=[], classes=[], methods=["predict"]),
            bom={},
            sign=signer(SECRET),
        )


def copy_and_hash(plain: Path, sealed: Path) -> None:
    """Copy the file, with the SHA-256 that any signed copy needs."""
    digest = hashlib.sha256()
    with sealed.with_suffix(".copy").open("wb", buffering=0) as sink:
        for chunk in _chunks(plain):
            digest.update(chunk)
            sink.write(chunk)


def read_plain(plain: Path, sealed: Path) -> None:
    """Read the plain file into fresh memory."""
    buffer = bytearray(plain.stat().st_size)
    with plain.open("rb", buffering=0) as file:
        file.readinto(buffer)


def open_sealed(plain: Path, sealed: Path) -> None:
    """Open the package and read its file into fresh memory, everything verified."""
    with LocalSource(sealed) as source:
        PackageReader.open(source, [SECRET.public], owner=OWNER).unlock(KEY).read("model.onnx")


def verify(plain: Path, sealed: Path) -> None:
    """Check every byte of the package without its key."""
    with LocalSource(sealed) as source:
        PackageReader.open(source, [SECRET.public], owner=OWNER).verify_segments()


CALLS: dict[str, Callable[[Path, Path], None]] = {
    "copy with SHA-256": copy_and_hash,
    "seal": seal,
    "read plain": read_plain,
    "open, verified": open_sealed,
    "verify without key": verify,
}


def _run_one(name: str, plain: Path, sealed: Path) -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _peak_kilobytes()
    start = time.perf_counter()
    CALLS[name](plain, sealed)
    wall = time.perf_counter() - start
    print(wall, _peak_kilobytes() - before)


def _peak_kilobytes() -> int:
    # Not ru_maxrss: a new process inherits that of its parent.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print one table."""
    with tempfile.TemporaryDirectory() as folder:
        plain, sealed = Path(folder) / "plain", Path(folder) / "sealed"
        with plain.open("wb") as file:
            for _ in range(SIZE // CHUNK):
                file.write(os.urandom(CHUNK))
        seal(plain, sealed)
        results: dict[str, list[tuple[float, int]]] = {name: [] for name in CALLS}
        for _ in range(ROUNDS):
            # In turn, so that a slow moment of the machine falls on all.
            for name, found in results.items():
                command = [sys.executable, "-m", "benchmarks.packages", name, str(plain), str(sealed)]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                found.append((float(said[0]), int(said[1])))
    print(f"{SIZE >> 20} MiB, median of {ROUNDS}, one process each, in turn\n")
    header("what", "GB/s", "against", "ratio of time", "peak memory beyond start, MiB")
    limits = {"seal": "copy with SHA-256", "open, verified": "read plain", "verify without key": "read plain"}
    walls = {name: statistics.median(wall for wall, _ in found) for name, found in results.items()}
    for name, found in results.items():
        limit = limits.get(name)
        ratio = "" if limit is None else f"{walls[name] / walls[limit]:.2f}"
        peak = max(kilobytes for _, kilobytes in found) >> 10
        row(name, f"{SIZE / walls[name] / 1e9:.2f}", limit or "", ratio, peak)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _run_one(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
