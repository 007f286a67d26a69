"""Clients that are slow in ways that only a server sees."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from strongroom.broker.http.middleware.body import BodyLimit
from strongroom.broker.http.middleware.edge import DEFECT, Edge
from strongroom.broker.http.middleware.slow_reader import AnswerTimeout
from strongroom.errors import Error


def scope(**changes: Any) -> dict[str, Any]:
    return {"type": "http", "headers": [], "raw_path": b"/", "query_string": b"", "path": "/", **changes}


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def nobody(_: Any) -> None:
    return None


def test_a_client_that_never_reads_is_given_up() -> None:
    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def stuck(message: Any) -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(AnswerTimeout(answering, seconds=0.01)(scope(), nothing, stuck))


def test_a_body_that_never_comes_is_given_up() -> None:
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def silent() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    limit = BodyLimit(reading, max_bytes=1, max_stranger_bytes=1, max_target_bytes=10, seconds=0.01)
    with pytest.raises(Error) as caught:
        asyncio.run(limit(scope(), silent, nobody))
    assert caught.value.code == "body-timeout"


def test_a_body_that_is_complete_is_waited_for_no_longer() -> None:
    """What follows is the client's goodbye, which may take as long as it likes."""
    seen = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        await asyncio.sleep(0.02)
        seen.append(await receive())

    limit = BodyLimit(reading, max_bytes=1, max_stranger_bytes=1, max_target_bytes=10, seconds=0.01)
    asyncio.run(limit(scope(), nothing, nobody))
    assert len(seen) == 2


@pytest.mark.parametrize("middleware", ["body", "edge"])
def test_what_is_no_request_passes(middleware: str) -> None:
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    wrapped = (
        BodyLimit(inner, max_bytes=1, max_stranger_bytes=1, max_target_bytes=1, seconds=1)
        if middleware == "body"
        else Edge(inner)
    )
    asyncio.run(wrapped({"type": "lifespan"}, nothing, nobody))
    assert seen == ["lifespan"]


def test_a_defect_after_the_answer_began_changes_nothing_that_was_said() -> None:
    sent = []

    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("hunter2")

    async def send(message: Any) -> None:
        sent.append(message)

    place = scope()
    asyncio.run(Edge(breaking)(place, nothing, send))
    assert [each["type"] for each in sent] == ["http.response.start"]
    assert place[DEFECT].startswith("RuntimeError at test_middleware.py:")
