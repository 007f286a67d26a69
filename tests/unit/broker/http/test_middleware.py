"""Clients that are slow in ways that only a server sees."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from strongroom.broker.http.middleware.body import BodyLimit
from strongroom.broker.http.middleware.concurrency import ConcurrencyLimit
from strongroom.broker.http.middleware.edge import DEFECT, Edge
from strongroom.errors import Error


def scope(**changes: Any) -> dict[str, Any]:
    return {"type": "http", "headers": [], "raw_path": b"/", "query_string": b"", "path": "/", **changes}


async def nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def nobody(_: Any) -> None:
    return None


def everybody(_: Any) -> bool:
    return True


def body_limit(app: Any, **changes: Any) -> BodyLimit:
    options: dict[str, Any] = {"max_bytes": 1, "max_stranger_bytes": 1, "max_target_bytes": 10}
    return BodyLimit(app, **{**options, "seconds": 0.01, "is_stranger": everybody, **changes})


def test_a_body_that_never_comes_is_given_up() -> None:
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def silent() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    limit = body_limit(reading)
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

    limit = body_limit(reading)
    asyncio.run(limit(scope(), nothing, nobody))
    assert len(seen) == 2


@pytest.mark.parametrize("middleware", ["body", "edge"])
def test_what_is_no_request_passes(middleware: str) -> None:
    seen = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    wrapped = body_limit(inner) if middleware == "body" else Edge(inner)
    asyncio.run(wrapped({"type": "lifespan"}, nothing, nobody))
    assert seen == ["lifespan"]


class Crowd:
    """Requests under a limit of one, whose bodies come when a test lets them."""

    def __init__(self) -> None:
        self.arrive = asyncio.Event()
        self.answers: list[Any] = []

        async def reading(scope: Any, receive: Any, send: Any) -> None:
            try:
                while (await receive()).get("more_body"):
                    continue
            except Error as error:
                await send({"refused": error.code})
            else:
                await send({"done": scope["path"]})

        self.limit = ConcurrencyLimit(
            reading, max_requests=1, max_stranger_requests=1, is_stranger=lambda scope: scope["stranger"]
        )

    def begin(self, path: str, *, stranger: bool = True, pieces: int = 1) -> asyncio.Task[None]:
        left = pieces

        async def receive() -> dict[str, Any]:
            nonlocal left
            await self.arrive.wait()
            left -= 1
            return {"type": "http.request", "body": b"", "more_body": left > 0}

        async def send(message: Any) -> None:
            self.answers.append(message.get("status", message))

        return asyncio.create_task(self.limit(scope(path=path, stranger=stranger), receive, send))


def test_whoever_waits_for_its_body_makes_room() -> None:
    async def play() -> list[Any]:
        crowd = Crowd()
        tasks = [crowd.begin(path) for path in ("/a", "/b")]
        await asyncio.sleep(0.01)
        tasks.append(crowd.begin("/c", stranger=False))
        await asyncio.sleep(0.01)
        crowd.arrive.set()
        await asyncio.gather(*tasks)
        return crowd.answers

    assert asyncio.run(play()) == [{"refused": "busy"}, {"done": "/b"}, {"done": "/c"}]


def test_an_answer_that_is_not_read_holds_no_place() -> None:
    async def play() -> list[Any]:
        stuck, sent = asyncio.Event(), []

        async def answering(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def never_read(message: Any) -> None:
            await stuck.wait()

        async def send(message: Any) -> None:
            sent.append(message["status"])

        limit = ConcurrencyLimit(answering, max_requests=1, max_stranger_requests=1, is_stranger=everybody)
        slow = asyncio.create_task(limit(scope(), nothing, never_read))
        await asyncio.sleep(0.01)
        await limit(scope(), nothing, send)
        stuck.set()
        await slow
        return sent

    assert asyncio.run(play()) == [200]


def test_whoever_is_at_work_does_not() -> None:
    async def play() -> list[int]:
        go_on, sent = asyncio.Event(), []

        async def working(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await go_on.wait()
            await receive()

        async def send(message: Any) -> None:
            sent.append(message.get("status"))

        limit = ConcurrencyLimit(working, max_requests=1, max_stranger_requests=1, is_stranger=everybody)
        first = asyncio.create_task(limit(scope(), nothing, nobody))
        await asyncio.sleep(0.01)
        await limit(scope(), nothing, send)
        go_on.set()
        await first
        return sent

    assert asyncio.run(play()) == [503, None]


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
