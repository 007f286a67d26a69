from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, NoMatchingKey, ObjectNotFound, StorageUnavailable, UsageError
from strongroom.home.client_tokens import ClientTokens

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture
def tokens(tmp_path: Path) -> ClientTokens:
    return ClientTokens(tmp_path / "run", tmp_path / "home.lock")


def test_there_are_none_at_first(tokens: ClientTokens) -> None:
    assert (tokens.read(), tokens.stamp(), tokens.last_used("ward-3")) == ((), None, None)


def test_what_is_kept_of_a_token_is_not_the_token(tokens: ClientTokens, tmp_path: Path) -> None:
    token = tokens.add("ward-3", expires_at=NOW + timedelta(days=1), now=NOW)
    other = tokens.add("ward-4", expires_at=None, now=NOW)
    assert token != other
    path = tmp_path / "run" / "tokens.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert token[4:].encode() not in path.read_bytes()
    first, second = tokens.read()
    assert (first.name, second.name) == ("ward-3", "ward-4")
    assert not first.has_expired(NOW)
    assert first.has_expired(NOW + timedelta(days=1))
    assert not second.has_expired(NOW + timedelta(days=9999))


def test_one_name_has_one_token(tokens: ClientTokens) -> None:
    tokens.add("ward-3", expires_at=None, now=NOW)
    with pytest.raises(UsageError) as refused:
        tokens.add("ward-3", expires_at=None, now=NOW)
    assert refused.value.code == "client-exists"
    with pytest.raises(UsageError) as refused:
        tokens.add("Ward 3", expires_at=None, now=NOW)
    assert refused.value.code == "name"


def test_as_many_as_there_may_be_fit_into_the_file(tokens: ClientTokens) -> None:
    for number in range(LIMITS.max_client_tokens_length):
        tokens.add(f"{number:03}".ljust(LIMITS.max_name_chars, "x"), expires_at=NOW, now=NOW)
    assert len(tokens.read()) == LIMITS.max_client_tokens_length
    with pytest.raises(UsageError) as refused:
        tokens.add("one-more", expires_at=None, now=NOW)
    assert refused.value.code == "too-many-clients"


def test_removing(tokens: ClientTokens) -> None:
    tokens.add("ward-3", expires_at=None, now=NOW)
    tokens.note_use("ward-3")
    used = tokens.last_used("ward-3")
    assert used is not None
    assert abs(used - datetime.now(UTC)) < timedelta(minutes=1)
    before = tokens.stamp()
    tokens.remove("ward-3")
    assert tokens.stamp() != before
    assert (tokens.read(), tokens.last_used("ward-3")) == ((), None)
    with pytest.raises(ObjectNotFound) as refused:
        tokens.remove("ward-3")
    assert refused.value.code == "unknown-client"


def test_a_use_that_cannot_be_noted_is_none_the_less_allowed(tokens: ClientTokens) -> None:
    tokens.note_use("ward-3")
    assert tokens.last_used("ward-3") is None


@pytest.mark.parametrize(
    ("name", "made_at", "sha256"),
    [
        ("A", "2026-11-24T08:00:00Z", "0" * 64),
        ("a", "now", "0" * 64),
        ("a", "2026-11-24T08:00:00Z", "0" * 62),
        ("a", "2026-11-24T08:00:00Z", "G" * 64),
    ],
)
def test_a_damaged_file(tokens: ClientTokens, tmp_path: Path, name: str, made_at: str, sha256: str) -> None:
    tokens.add("ward-3", expires_at=None, now=NOW)
    token = {"made_at": made_at, "name": name, "sha256": sha256}
    record = {"format": "client-tokens/v1", "tokens": [token]}
    (tmp_path / "run" / "tokens.json").write_text(json.dumps(record, separators=(",", ":")), "utf-8")
    with pytest.raises(FormatError, match="is damaged") as refused:
        tokens.read()
    assert refused.value.code == "client-tokens"


def test_a_file_that_others_could_have_read(tokens: ClientTokens, tmp_path: Path) -> None:
    tokens.add("ward-3", expires_at=None, now=NOW)
    (tmp_path / "run" / "tokens.json").chmod(0o644)
    with pytest.raises(NoMatchingKey):
        tokens.read()


def test_a_folder_that_cannot_be_looked_at(tokens: ClientTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> os.stat_result:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(StorageUnavailable):
        tokens.stamp()
