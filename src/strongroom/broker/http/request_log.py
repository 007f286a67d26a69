"""One line of JSON for each request, to stderr.

    {"at": "2026-11-24T08:00:00Z", "event": "request", "method": "POST", "ms": 12.1,
     "principal": "run-...", "route": "/v1/leases", "status": 200}

What may stand in it is listed here, and nothing else does: no path as it was asked for, no query, no
header, no body. Ids are in the owner's own log only; no token or key can be.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Final, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strongroom.broker.http.metrics import method_of, route_of
from strongroom.broker.http.middleware.edge import DEFECT
from strongroom.broker.principal import Principal

CODE: Final = "strongroom.code"
"""The key of the request's scope under which the code of a refusal stands."""
_QUIET: Final = frozenset({"/health", "/ready", "/metrics"})


class RequestLog:
    """Writes the log of one broker."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._logger: Any = structlog.wrap_logger(
            structlog.PrintLogger(stream or sys.stderr),
            processors=[
                structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True, key="at"),
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )

    def event(self, name: str, **members: str | int | float | None) -> None:
        """Write one line. Members without a value are left out."""
        self._logger.msg(name, **{key: value for key, value in members.items() if value is not None})


class RequestLogMiddleware:
    """Writes a line for every request."""

    def __init__(self, app: ASGIApp, *, log: RequestLog, principal_key: str) -> None:
        self._app = app
        self._log = log
        self._principal_key = principal_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, note_status)
        finally:
            principal = scope.get(self._principal_key)
            self._log.event(
                "request",
                method=method_of(scope),
                route=route_of(scope),
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
                principal=principal.id if isinstance(principal, Principal) else None,
                code=scope.get(CODE),
                defect=scope.get(DEFECT),
            )
