"""Routes for whoever operates the broker: is it alive, is it ready, what does it do."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from strongroom.broker.http.metrics import Metrics
from strongroom.broker.http.routing import PUBLIC, Area
from strongroom.errors import ObjectNotFound


def add(area: Area, *, check: Callable[[], None], metrics: Metrics) -> None:
    """Add the routes; ``check`` raises while the broker cannot do its work."""

    @area.get("/health", PUBLIC, include_in_schema=False)
    def show_health() -> Response:
        """Say that the process runs."""
        return JSONResponse({"status": "ok"})

    @area.get("/ready", PUBLIC, include_in_schema=False)
    def show_readiness() -> Response:
        """Say whether database and keys can be used."""
        check()
        return JSONResponse({"status": "ready"})

    @area.get("/metrics", PUBLIC, include_in_schema=False)
    def show_metrics(request: Request) -> Response:
        """Return the metrics, to this machine only."""
        # To everybody else it does not exist.
        if area.around.settings.behind_proxy or not _is_loopback(request):
            raise ObjectNotFound("there is nothing at this address", code="not-found")
        return Response(metrics.text(), media_type=metrics.media_type)


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
