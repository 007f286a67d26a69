from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.errors import StorageUnavailable
from strongroom.home.client_tokens import ClientTokens
from strongroom.serving.admission import NamedTokens, Token, Unauthorized

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


class Clock:
    now = NOW


@pytest.fixture
def tokens(tmp_path: Path) -> ClientTokens:
    return ClientTokens(tmp_path / "run", tmp_path / "home.lock")


def gate_of(tokens: ClientTokens) -> NamedTokens:
    return NamedTokens(tokens, lambda: Clock.now)


def bearer(token: str) -> bytes:
    return b"Bearer " + token.encode()


def refusal(gate: NamedTokens | Token, header: bytes) -> str:
    with pytest.raises(Unauthorized) as refused:
        gate.admit(header)
    return refused.value.code


@pytest.mark.parametrize("header", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"abc", b"Bearer abcd"])
def test_one_token(header: bytes) -> None:
    gate = Token.of("abc")
    assert gate.admit(b"bearer abc") == gate.admit(b"Bearer  abc ") == "strongroom.known"
    assert refusal(gate, header) == "token"


def test_each_is_known_by_its_name_and_by_nothing_else(tokens: ClientTokens) -> None:
    gate = gate_of(tokens)
    assert refusal(gate, b"Bearer ") == "token"
    three, four = (tokens.add(name, expires_at=None, now=NOW) for name in ("ward-3", "ward-4"))
    assert gate.admit(bearer(three)) == "ward-3"
    assert gate.admit(bearer(four)) == "ward-4"
    for wrong in (three[:-1], three + "x", three.upper(), four[:20] + three[20:], tokens.read()[0].sha256):
        assert refusal(gate, bearer(wrong)) == "token"
    assert refusal(gate, three.encode()) == "token"


def test_what_is_removed_is_refused_at_the_next_request(tokens: ClientTokens) -> None:
    gate = gate_of(tokens)
    for _ in range(20):
        token = tokens.add("ward-3", expires_at=None, now=NOW)
        assert gate.admit(bearer(token)) == "ward-3"
        tokens.remove("ward-3")
        assert refusal(gate, bearer(token)) == "token"


def test_what_has_expired_is_refused(tokens: ClientTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = gate_of(tokens)
    token = tokens.add("ward-3", expires_at=NOW + timedelta(hours=1), now=NOW)
    assert gate.admit(bearer(token)) == "ward-3"
    monkeypatch.setattr(Clock, "now", NOW + timedelta(hours=1))
    assert refusal(gate, bearer(token)) == "token-expired"


def test_where_the_tokens_cannot_be_read_nobody_is_admitted(tokens: ClientTokens, tmp_path: Path) -> None:
    gate = gate_of(tokens)
    token = tokens.add("ward-3", expires_at=None, now=NOW)
    assert gate.admit(bearer(token)) == "ward-3"
    path = tmp_path / "run" / "tokens.json"
    path.chmod(0o644)
    for _ in range(2):
        with pytest.raises(StorageUnavailable) as refused:
            gate.admit(bearer(token))
        assert refused.value.code == "client-tokens"
    path.chmod(0o600)
    assert gate.admit(bearer(token)) == "ward-3"
    path.unlink()
    assert refusal(gate, bearer(token)) == "token"


def test_uses_are_noted_now_and_then(tokens: ClientTokens, tmp_path: Path) -> None:
    gate = gate_of(tokens)
    token = tokens.add("ward-3", expires_at=None, now=NOW)
    assert tokens.last_used("ward-3") is None
    gate.admit(bearer(token))
    assert tokens.last_used("ward-3") is not None
    (tmp_path / "run" / "used" / "ward-3").unlink()
    gate.admit(bearer(token))
    assert tokens.last_used("ward-3") is None
