from __future__ import annotations

import io
from pathlib import Path

import pytest

from strongroom.cli._secret import HOME, LICENSE, choose_passphrase, read_passphrase, without_asking
from strongroom.cli._terminal import Terminal
from strongroom.errors import ObjectNotFound, UsageError


def terminal(typed: bytes = b"") -> Terminal:
    return Terminal(stdin=io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8"))


def test_a_file_gives_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes("größer als\r\nnext".encode())
    assert read_passphrase(terminal(), HOME, file=file) == "größer als"
    assert choose_passphrase(terminal(), HOME, file=file) == "größer als"


def test_a_dash_is_stdin() -> None:
    assert read_passphrase(terminal(b"secret\n"), HOME, file=Path("-")) == "secret"


def test_the_environment_is_read_if_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "from the environment")
    assert read_passphrase(terminal(), HOME, file=None) == "from the environment"


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "passphrase-empty"), (b"\xff\n", "passphrase-unreadable")]
)
def test_a_file_without_a_usable_line_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_passphrase(terminal(), HOME, file=file)
    assert caught.value.code == code


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        read_passphrase(terminal(), HOME, file=tmp_path / "none")


def test_without_a_terminal_the_hint_names_the_other_ways() -> None:
    with pytest.raises(UsageError) as caught:
        read_passphrase(terminal(b"not asked\n"), HOME, file=None)
    assert caught.value.code == "no-terminal"
    assert "--passphrase-file" in str(caught.value.hint)


def test_a_new_one_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["one", "one", "one", "two"])
    monkeypatch.setattr(Terminal, "ask_secret", lambda *_, **__: next(answers))
    assert choose_passphrase(terminal(), HOME, file=None) == "one"
    with pytest.raises(UsageError) as caught:
        choose_passphrase(terminal(), HOME, file=None)
    assert caught.value.code == "passphrase-differs"


def test_the_environment_may_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "passphrase"
    file.write_text("in a file\n", encoding="utf-8")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(file))
    assert read_passphrase(terminal(), HOME, file=None) == "in a file"


def test_one_secret_does_not_answer_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "of the home")
    assert without_asking(terminal(), LICENSE, file=None) is None
