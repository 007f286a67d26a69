"""How large a request may be, and how long it may take to arrive.

The body is read by the route, after it is known who asks; this only counts and waits. What is too
large is refused by its announced length before a byte of it is read, or where the count passes the limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strongroom.broker.http import problem
from strongroom.errors import Error, FormatError, UsageError


class BodyLimit:
    """Bounds size and time of the body, and the length of the target."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_stranger_bytes: int,
        max_target_bytes: int,
        seconds: float,
        is_stranger: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._max = {False: max_bytes, True: max_stranger_bytes}
        self._is_stranger = is_stranger
        self._max_target = max_target_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit = self._max[self._is_stranger(scope)]
        refusal = self._refusal(scope, headers, limit)
        if refusal is not None:
            await problem.answer(refusal)(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        seen = 0
        complete = False

        async def bounded() -> Message:
            nonlocal seen, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise UsageError(
                    "the body of a request did not arrive in time", code="body-timeout"
                ) from error
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _too_large(limit)
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, bounded, send)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes], limit: int) -> Error | None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self._max_target:
            return FormatError("the address of a request is too long", code="target-too-long")
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or len(announced) > 19 or int(announced) > limit:
            return _too_large(limit)
        return None


def _too_large(limit: int) -> FormatError:
    return FormatError(f"the body of a request is larger than {limit} bytes", code="body-too-large")
