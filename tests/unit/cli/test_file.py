from __future__ import annotations

import io
from pathlib import Path

import pytest

from strongroom.cli._file import STANDARD, read_input, read_text, write_output
from strongroom.cli._terminal import Terminal
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError


def terminal(typed: bytes = b"") -> Terminal:
    return Terminal(stdin=io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))


def test_a_dash_is_stdin() -> None:
    assert read_input(terminal(b"hello"), STANDARD) == b"hello"


def test_too_much_on_stdin_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        read_input(terminal(b"x" * 11), STANDARD, max_bytes=10)
    assert caught.value.code == "too-large"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        read_input(terminal(), tmp_path / "none")
    with pytest.raises(StorageUnavailable):
        read_input(terminal(), tmp_path)


def test_text_is_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "agreement.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(FormatError) as caught:
        read_text(terminal(), path)
    assert caught.value.code == "not-text"


def test_a_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "clinic.license"
    write_output(terminal(), b"one", path, replace=False)
    with pytest.raises(UsageError, match="exists already"):
        write_output(terminal(), b"two", path, replace=False)
    assert path.read_bytes() == b"one"
    write_output(terminal(), b"two", path, replace=True)
    assert path.read_bytes() == b"two"
