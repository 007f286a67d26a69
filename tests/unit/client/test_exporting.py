from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.client.exporting import export
from strongroom.client.process import RuntimeProcess
from strongroom.errors import Error, FormatError, IntegrityError, StorageUnavailable, UsageError, WorkerLost
from strongroom.package.contents import FileEntry, Schema
from strongroom.worker.frames import Datatype, Frame, Tensor
from strongroom.worker.messages import Answer, Chunk, File, Opened

FILES = {"config.json": b"{}", "empty": b"", "weights/one.bin": bytes(range(256)) * 40}


def file_frame(name: str, data: bytes, *, size: int | None = None) -> Frame:
    entry = FileEntry(
        name=name, size=len(data) if size is None else size, sha256=hashlib.sha256(data).hexdigest()
    )
    return Frame(File(id=1, file=entry))


def chunk(data: bytes) -> Frame:
    return Frame(Chunk(id=1), (Tensor("data", Datatype.UINT8, (len(data),), data),))


def stream(files: dict[str, bytes]) -> Iterator[Frame]:
    for name, data in files.items():
        yield file_frame(name, data)
        for start in range(0, len(data), 1000):
            yield chunk(data[start : start + 1000])


class FakeRuntime:
    """Streams what a test gives it, as a runtime would."""

    def __init__(self, frames: list[Any]) -> None:
        self.frames = frames
        self.ended = False
        self.wish: Any = None

    def open(self, wish: Any, *, timeout_seconds: float) -> Opened:
        self.wish = wish
        return Opened(
            name="risk",
            version="1.0.0",
            owner="own-" + "a" * 24,
            owner_name="hospital",
            package="ab" * 32,
            license="lic-" + "b" * 24,
            level="local",
            schema=Schema(inputs=[], outputs=[]),
        )

    def stream(self, message: Any, last: Any) -> Iterator[Frame]:
        for frame in self.frames:
            if isinstance(frame, Error):
                raise frame
            yield frame

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    fake = FakeRuntime(list(stream(FILES)))
    monkeypatch.setattr(RuntimeProcess, "start", lambda _secrets: fake)
    return fake


def test_a_folder_appears_with_a_manifest(runtime: FakeRuntime, tmp_path: Path) -> None:
    exported = export("risk", tmp_path / "deep" / "plain", home="clinic", purpose="tuning")
    folder = tmp_path / "deep" / "plain"
    assert exported.folder == folder
    assert exported.files == tuple(FILES)
    for name, data in FILES.items():
        assert (folder / name).read_bytes() == data
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    manifest = json.loads(exported.manifest.read_bytes())
    assert manifest["format"] == "export/v1"
    assert (manifest["package"], manifest["license"]) == ("ab" * 32, "lic-" + "b" * 24)
    assert manifest["files"][2] == {
        "name": "weights/one.bin",
        "sha256": hashlib.sha256(FILES["weights/one.bin"]).hexdigest(),
        "size": 10_240,
    }
    assert runtime.ended
    assert (runtime.wish.right, runtime.wish.purpose) == ("export", "tuning")
    assert runtime.wish.home == str(Path("clinic").absolute())


def test_an_empty_folder_may_be_there(runtime: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert export("risk", tmp_path / "plain").manifest.is_file()


def test_a_folder_with_something_in_it_is_left_alone(runtime: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"mine")
    for target in (tmp_path, tmp_path / "note"):
        with pytest.raises(UsageError) as caught:
            export("risk", target)
        assert caught.value.code == "folder-not-empty"
    assert runtime.wish is None
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([file_frame("a", b"data"), chunk(b"dat!")], IntegrityError),
        ([file_frame("a", b"data"), chunk(b"dat")], IntegrityError),
        ([file_frame("a", b"data"), chunk(b"data"), chunk(b"more")], IntegrityError),
        ([file_frame("../a", b"")], FormatError),
        ([file_frame("/etc/a", b"")], FormatError),
        ([file_frame("b", b""), file_frame("a", b"")], FormatError),
        ([file_frame("a", b""), file_frame("a", b"")], FormatError),
        ([file_frame("strongroom-manifest.json", b"")], FormatError),
        ([chunk(b"data")], FormatError),
        ([file_frame("a", b""), Frame(Answer(id=1))], FormatError),
        ([file_frame("a", b"data"), Frame(Chunk(id=1))], FormatError),
        ([file_frame("a", b"data"), chunk(b"da"), WorkerLost("gone")], WorkerLost),
    ],
)
def test_a_stream_that_is_not_right_leaves_nothing(
    runtime: FakeRuntime, tmp_path: Path, frames: list[Any], kind: type[Error]
) -> None:
    runtime.frames = frames
    with pytest.raises(kind):
        export("risk", tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []
    assert runtime.ended


def test_a_disk_that_cannot_be_written_leaves_nothing(
    runtime: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left"):
        export("risk", tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(runtime: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"mine")
    with pytest.raises(StorageUnavailable):
        export("risk", tmp_path / "note" / "plain")
