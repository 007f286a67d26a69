"""Counts and times of requests for Prometheus.

    strongroom_broker_requests_total{method="POST",route="/v1/leases",status="200"} 812

Routes are named by their template and nobody is named at all: whoever may scrape a broker learns
how much it does, and not for whom.
"""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})


class Metrics:
    """The metrics of one broker."""

    media_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        # A registry of its own: two brokers in one process do not share counts.
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "strongroom_broker_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "strongroom_broker_request_seconds",
            "Time from the request's head to the end of the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.under_way = Gauge(
            "strongroom_broker_requests_under_way", "Requests under way.", registry=self._registry
        )

    def text(self) -> bytes:
        """Return all of them in the text format."""
        return generate_latest(self._registry)


class MetricsMiddleware:
    """Counts every request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        self._metrics.under_way.inc()
        try:
            await self._app(scope, receive, note_status)
        finally:
            self._metrics.under_way.dec()
            method, route = method_of(scope), route_of(scope)
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(time.perf_counter() - started)


def route_of(scope: Scope) -> str:
    """Return the template of the route that answered, never the path that was asked for."""
    return str(getattr(scope.get("route"), "path", "none"))


def method_of(scope: Scope) -> str:
    """Return the method, if it is one: a stranger's invention would be one more label for ever."""
    return scope["method"] if scope["method"] in _METHODS else "other"
