from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.client.secret import Secrets, environment_without_secrets
from strongroom.errors import ObjectNotFound, UsageError


def found() -> tuple[str | None, str | None]:
    secrets = Secrets.find(passphrase=None, key_passphrase=None)
    return secrets.passphrase, secrets.key_passphrase


def test_nothing_is_found_where_nothing_is() -> None:
    assert found() == (None, None)


def test_files_go_before_variables_and_what_is_given_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STRONGROOM_LICENSE_PASSPHRASE", "of the license")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "of the home")
    assert found() == ("of the license", "of the home")
    (tmp_path / "home").write_bytes(b"from a file\r\nand a note\n")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(tmp_path / "home"))
    assert found() == ("of the license", "from a file")
    given = Secrets.find(passphrase="one", key_passphrase="two")
    assert (given.passphrase, given.key_passphrase) == ("one", "two")


@pytest.mark.parametrize("data", [b"", b"\nlater", b"\xff\xfe"])
def test_a_file_without_a_pass_phrase_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "home").write_bytes(data)
    monkeypatch.setenv("STRONGROOM_PASSPHRASE_FILE", str(tmp_path / "home"))
    with pytest.raises(UsageError) as caught:
        found()
    assert caught.value.code == "passphrase-unreadable"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRONGROOM_LICENSE_PASSPHRASE_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ObjectNotFound, match="nothing"):
        found()


def test_children_do_not_inherit_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_LICENSE_PASSPHRASE", "hunter2")
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", "hunter2")
    monkeypatch.setenv("STRONGROOM_HOME", "/srv/strongroom")
    environment = environment_without_secrets()
    assert "hunter2" not in environment.values()
    assert environment["STRONGROOM_HOME"] == "/srv/strongroom"


def test_they_do_not_show() -> None:
    assert "hunter2" not in repr(Secrets(passphrase="hunter2", key_passphrase="hunter2"))
