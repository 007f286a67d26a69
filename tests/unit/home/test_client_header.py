from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.errors import FormatError, NoMatchingKey
from strongroom.home.client_header import ClientHeader


def test_is_made_once_and_kept(tmp_path: Path) -> None:
    path, token = ClientHeader(tmp_path / "run").take()
    assert path.read_text() == f"Authorization: Bearer {token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert ClientHeader(tmp_path / "run").take() == (path, token)


def test_is_made_anew_where_that_is_wanted(tmp_path: Path) -> None:
    header = ClientHeader(tmp_path)
    assert header.take()[1] != header.take(anew=True)[1]


def test_of_two_that_start_at_once_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = ClientHeader(tmp_path)
    other = ClientHeader(tmp_path)
    drawn = iter(["b" * 43, "a" * 43])

    def draw(_: int) -> str:
        token = next(drawn)
        if token.startswith("b"):
            # The other one comes in between: it has found no file either, and writes first.
            other.take()
        return token

    monkeypatch.setattr("strongroom.home.client_header.secrets.token_urlsafe", draw)
    assert header.take() == other.take() == (tmp_path / "authorization", "a" * 43)


def test_of_another_form_is_refused(tmp_path: Path) -> None:
    header = ClientHeader(tmp_path)
    path, _ = header.take()
    path.write_text("Authorization: Bearer short\n")
    with pytest.raises(FormatError) as refused:
        header.take()
    assert refused.value.code == "client-header"


def test_that_others_can_read_is_refused(tmp_path: Path) -> None:
    header = ClientHeader(tmp_path)
    header.take()[0].chmod(0o644)
    with pytest.raises(NoMatchingKey):
        header.take()
