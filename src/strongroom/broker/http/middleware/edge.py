"""The outer edge: whatever went wrong inside leaves as a problem without a word about the inside.

The only place of the server where any exception at all is caught. The defect goes to the broker's
own log by its type and place; texts of foreign exceptions may quote tokens or keys.
"""

from __future__ import annotations

import traceback
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strongroom.broker.http import problem
from strongroom.errors import Error

DEFECT: Final = "strongroom.defect"
"""The key of the request's scope under which the request log finds what broke."""


class Edge:
    """Turns what nobody expected into status 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except Exception as error:  # noqa: BLE001  # the edge: a client gets a code, never a traceback
            scope[DEFECT] = _place(error)
            if not started:
                await problem.answer(Error("a defect"))(scope, receive, send)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
