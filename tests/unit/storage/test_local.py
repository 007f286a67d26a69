from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from strongroom.errors import ObjectNotFound, StorageError, StorageUnavailable
from strongroom.storage.local import LocalSource


def test_a_path(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    buffer = bytearray(3)
    with LocalSource(path) as source:
        source.read_into(4, buffer)
        assert source.size() == 10
    assert buffer == b"456"


def test_a_descriptor_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDONLY)
    with LocalSource(descriptor) as source:
        source.read_into(0, bytearray(10))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_descriptor_is_not_inherited(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with LocalSource(path) as source:
        assert not os.get_inheritable(source._descriptor)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        LocalSource(tmp_path / "nothing")


def test_a_path_that_goes_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageUnavailable, match="Not a directory"):
        LocalSource(tmp_path / "file" / "inside")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as refused:
        LocalSource(tmp_path)
    assert refused.value.code == "not-a-file"


def test_a_named_pipe_does_not_make_us_wait(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outcome: list[str] = []

    def try_it() -> None:
        try:
            LocalSource(pipe)
        except StorageError as error:
            outcome.append(error.code)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(10)
    assert outcome == ["not-a-file"]


def test_a_pipe_as_a_descriptor_is_refused_and_closed() -> None:
    ours, theirs = os.pipe()
    with pytest.raises(StorageError):
        LocalSource(ours)
    os.close(theirs)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ours)


def test_reading_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    source = LocalSource(path)
    source.close()
    source.close()
    with pytest.raises(StorageUnavailable):
        source.read_into(0, bytearray(1))


def test_a_file_that_is_cut_short_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with LocalSource(path) as source:
        os.truncate(path, 5)
        assert source.size() == 10
        with pytest.raises(StorageError) as refused:
            source.read_into(0, bytearray(10))
    assert refused.value.code == "storage-short-read"
