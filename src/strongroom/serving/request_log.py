"""One line of JSON for each request, to stderr; where models are served to a network.

    {"at": "2026-11-24T08:00:00Z", "client": "ward-3", "event": "request", "method": "POST", "ms": 12.1,
     "route": "/v2/models/risk/infer", "status": 200}

What may stand in it is listed here, and nothing else does: no path as it was asked for, no header, no
input, no answer, no token. ``from``, the address, stands only where nobody knows the client's name.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from strongroom._encoding import to_instant
from strongroom.listening import ASGIApp, Receive, Scope, Send
from strongroom.serving.app import CODE, ROUTE, holder_of

_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_HEALTH: Final = frozenset({"/v2/health/live", "/v2/health/ready"})
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def write_line(line: str) -> None:
    """Write to stderr. That it is closed, or its disk is full, is no reason not to answer.

    A pipe that somebody holds open and does not read is one: this waits for its reader.
    """
    with suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def logged(
    app: ASGIApp,
    *,
    write: Callable[[str], None] = write_line,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """Return the application with a line for each request but those for its health."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _HEALTH:
            await app(scope, receive, send)
            return
        status: int | None = None

        async def note_status(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await app(scope, receive, note_status)
        finally:
            client = holder_of(scope)
            peer = scope.get("client")
            line = {
                "at": to_instant(clock().replace(microsecond=0)),
                "event": "request",
                "client": client,
                "from": peer[0] if peer and client is None else None,
                "method": scope["method"] if scope["method"] in _METHODS else "other",
                "route": scope.get(ROUTE),
                "status": status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "code": scope.get(CODE),
            }
            write(_ENCODER.encode({key: value for key, value in line.items() if value is not None}).decode())

    return handle
