"""How many requests may be under way at once; what is above gets 503 and may come again.

Two budgets, so that strangers cannot take the places of partners. A request counts as a partner's if it
brings an access token to a route that looks at it: the token is then judged before the body is
read, so a false one holds its place for a moment only. At a route for everybody nobody looks at
a token, and whoever brings one is a stranger like all others there.

A place is for work, not for waiting: where all are taken, whoever has been sending its body for the longest
gives its place to the next. So bodies that never end keep nobody out, whoever sends them. And where an
answer begins, the work is done: however slowly it is read, its place is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strongroom.broker.http import problem
from strongroom.errors import StorageUnavailable

_ALWAYS: Final = frozenset({"/health", "/ready", "/metrics"})


class _Place:
    """One request under way."""

    __slots__ = ("_arrived", "waiting")

    def __init__(self) -> None:
        self.waiting: asyncio.Timeout | None = None
        """Set while the rest of its body is awaited."""
        self._arrived = False

    async def receive(self, receive: Receive) -> Message:
        if self._arrived:
            return await receive()
        try:
            async with asyncio.timeout(None) as self.waiting:
                message = await receive()
        except TimeoutError as error:
            raise _busy() from error
        finally:
            self.waiting = None
        self._arrived = not message.get("more_body", False)
        return message


class ConcurrencyLimit:
    """Counts requests under way."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_requests: int,
        max_stranger_requests: int,
        is_stranger: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._max = {False: max_requests, True: max_stranger_requests}
        self._is_stranger = is_stranger
        # In the order in which they came.
        self._places: dict[bool, dict[_Place, None]] = {False: {}, True: {}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        stranger = self._is_stranger(scope)
        places = self._places[stranger]
        # One event loop: nothing runs between the look and the step.
        if len(places) >= self._max[stranger] and not _make_room(places):
            await problem.answer(_busy())(scope, receive, send)
            return
        place = _Place()
        places[place] = None

        async def leave(message: Message) -> None:
            places.pop(place, None)
            await send(message)

        try:
            await self._app(scope, lambda: place.receive(receive), leave)
        finally:
            places.pop(place, None)


def _make_room(places: dict[_Place, None]) -> bool:
    """End the oldest wait for a body; says whether there was one."""
    for place in places:
        if place.waiting is not None:
            place.waiting.reschedule(asyncio.get_running_loop().time())
            del places[place]
            return True
    return False


def _busy() -> StorageUnavailable:
    return StorageUnavailable("too many requests at once", code="busy")
