from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom.serving.app import CODE, HOLDER, ROUTE
from strongroom.serving.request_log import logged, write_line


def lines_of(*, fails: bool = False, known: bool = True, **request: Any) -> list[dict[str, Any]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if known:
            scope[HOLDER], scope[ROUTE] = "ward-3", "/v2"
        else:
            scope[CODE] = "token"
        if fails:
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"answer"})

    async def nothing(*_: Any) -> None:
        return

    lines: list[str] = []
    scope = {
        "type": "http",
        "path": "/v2/secret-4711",
        "method": "GET",
        "client": ("192.0.2.7", 1),
        "headers": [(b"authorization", b"Bearer srt_4711")],
    }
    wrapped = logged(app, write=lines.append, clock=lambda: datetime(2026, 11, 24, 8, 0, 0, 5, tzinfo=UTC))
    try:
        asyncio.run(wrapped(scope | request, nothing, nothing))  # type: ignore[arg-type] # answers nothing
    except RuntimeError:
        assert fails
    assert "4711" not in "".join(lines)
    return [json.loads(line) for line in lines]


def test_a_client_is_named() -> None:
    (line,) = lines_of()
    assert line.pop("ms") >= 0
    assert line == {
        "at": "2026-11-24T08:00:00Z",
        "event": "request",
        "client": "ward-3",
        "method": "GET",
        "route": "/v2",
        "status": 200,
    }


def test_of_a_stranger_the_address_is_named_and_nothing_that_it_says() -> None:
    (line,) = lines_of(known=False, method="4711")
    assert (line["from"], line["code"], line["method"]) == ("192.0.2.7", "token", "other")
    assert not {"client", "route"} & set(line)
    assert "from" not in lines_of(known=False, client=None)[0]


def test_whoever_has_gone_gets_a_line_without_status() -> None:
    assert "status" not in lines_of(fails=True)[0]


def test_health_and_what_is_no_request_have_no_line() -> None:
    assert lines_of(path="/v2/health/live") == lines_of(type="lifespan") == []
    assert lines_of(path="/v2/health/live/x"), "else a token that was stolen could be tried without a trace"


def test_that_nobody_reads_it_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_line("a")
    assert capsys.readouterr().err == "a\n"

    class Full:
        def write(self, _: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    write_line("b")
