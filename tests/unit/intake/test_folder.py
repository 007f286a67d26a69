"""Files are taken as they were when they were looked at; the rest is left with a reason, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strongroom.errors import ObjectNotFound, StorageUnavailable, UsageError
from strongroom.intake import folder
from strongroom.intake.folder import CHUNK_BYTES, LocalFile, scan


def test_a_folder_is_taken_with_everything_below_it(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", "a/b/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = scan(tmp_path)
    assert {name: file.read() for name, file in found.files.items()} == {
        name: name.encode() for name in ("a/b/d.txt", "a/c.txt", "b.txt")
    }
    assert found.left == []


def test_what_is_left_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "__pycache__").mkdir()
    for name in (".DS_Store", "risk-1.0.0.sealed", "risk-1.0.0.sealed.sig", "clinic.license"):
        (tmp_path / name).write_text("x")
    found = scan(tmp_path)
    assert found.files == {}
    assert {left.name: left.reason for left in found.left} == {
        ".DS_Store": "hidden",
        ".git": "hidden",
        "__pycache__": "a cache of Python",
        "clinic.license": "made by strongroom itself",
        "risk-1.0.0.sealed": "made by strongroom itself",
        "risk-1.0.0.sealed.sig": "made by strongroom itself",
    }


def test_names_are_brought_to_one_form(tmp_path: Path) -> None:
    (tmp_path / "u\u0308.txt").write_text("x")
    assert list(scan(tmp_path).files) == ["\u00fc.txt"]


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "\u202egnp.txt", "\udcff"])
def test_names_that_no_package_may_hold_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError) as raised:
        scan(tmp_path)
    assert raised.value.code == "file-name"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(folder, "LIMITS", type("Few", (), {"max_files": 3}))
    with pytest.raises(UsageError) as raised:
        scan(tmp_path)
    assert raised.value.code == "file-count"


def test_what_is_not_there_or_not_readable(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        LocalFile.at(tmp_path / "nothing")
    with pytest.raises(StorageUnavailable):
        LocalFile.at(tmp_path / ("a" * 300))
    with pytest.raises(StorageUnavailable):
        scan(tmp_path / "nothing")
    with pytest.raises(UsageError, match="is a folder"):
        LocalFile.at(tmp_path)
    with pytest.raises(UsageError, match="is a device"):
        LocalFile.at(Path("/dev/null"))


def test_content_comes_in_pieces(tmp_path: Path) -> None:
    data = os.urandom(CHUNK_BYTES + 3)
    (tmp_path / "data").write_bytes(data)
    file = LocalFile.at(tmp_path / "data")
    assert file.size == len(data)
    assert [len(chunk) for chunk in file.chunks()] == [CHUNK_BYTES, 3]
    assert b"".join(file.chunks()) == data == file.read()


@pytest.mark.parametrize("change", ["grow", "touch", "replace"])
def test_a_changed_file_is_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"before")
    file = LocalFile.at(path)
    if change == "grow":
        path.write_bytes(b"before and after")
    elif change == "touch":
        os.utime(path, ns=(1, 1))
    else:
        (tmp_path / "other").write_bytes(b"before")
        (tmp_path / "other").replace(path)
    with pytest.raises(UsageError) as raised:
        file.read()
    assert raised.value.code == "source-changed"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(CHUNK_BYTES * 2))
    chunks = LocalFile.at(path).chunks()
    next(chunks)
    path.write_bytes(b"\1" * CHUNK_BYTES * 2)
    with pytest.raises(UsageError) as raised:
        list(chunks)
    assert raised.value.code == "source-changed"


def test_a_file_that_has_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x")
    file = LocalFile.at(tmp_path / "data")
    (tmp_path / "data").unlink()
    with pytest.raises(StorageUnavailable):
        file.read()
