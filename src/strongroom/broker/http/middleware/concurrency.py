"""How many requests may be under way at once; what is above gets 503 and may come again.

Two budgets, so that strangers cannot take the places of partners. A request with an access token counts
as a partner's here; whether the token is good is found out before its body is read, so a false one
holds its place for a moment only.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from strongroom.broker.http import problem
from strongroom.errors import StorageUnavailable

_ALWAYS: Final = frozenset({"/health", "/ready", "/metrics"})


class ConcurrencyLimit:
    """Counts requests under way."""

    def __init__(self, app: ASGIApp, *, max_requests: int, max_stranger_requests: int) -> None:
        self._app = app
        self._free = {True: max_requests, False: max_stranger_requests}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        with_token = any(name == b"authorization" for name, _ in scope["headers"])
        if not self._free[with_token]:
            busy = StorageUnavailable("too many requests at once", code="busy")
            await problem.answer(busy)(scope, receive, send)
            return
        # One event loop: nothing runs between the look and the step.
        self._free[with_token] -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._free[with_token] += 1
