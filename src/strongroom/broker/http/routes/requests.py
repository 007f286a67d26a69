"""Routes for partners' requests for licenses."""

from __future__ import annotations

from strongroom.broker.http.routing import After, Area, Caller, Limit
from strongroom.broker.permission import Permission
from strongroom.broker.services.requesting import Requesting
from strongroom.protocol.broker import (
    LicenseRequestAnswer,
    LicenseRequestAsk,
    LicenseRequestPage,
    ReasonAsk,
    RequestGrantAsk,
)


def add(area: Area, requesting: Requesting) -> None:
    """Add the routes."""

    @area.get("/license-requests", Permission.REQUEST_READ)
    def list_license_requests(caller: Caller, after: After = "", limit: Limit = 100) -> LicenseRequestPage:
        """List requests for licenses: the owner's all, a partner's own."""
        return requesting.page(caller, after, limit)

    @area.post("/license-requests", Permission.REQUEST_MAKE)
    def request_license(caller: Caller, ask: LicenseRequestAsk) -> LicenseRequestAnswer:
        """Ask the owner for a license."""
        return requesting.make(caller, ask)

    @area.get("/license-requests/{request}", Permission.REQUEST_READ)
    def show_license_request(caller: Caller, request: str) -> LicenseRequestAnswer:
        """Show one request for a license."""
        return requesting.get(caller, request)

    @area.post("/license-requests/{request}/grant", Permission.LICENSE_GRANT)
    def grant_license_request(caller: Caller, request: str, ask: RequestGrantAsk) -> LicenseRequestAnswer:
        """Say which license answers a request."""
        return requesting.grant(caller, request, ask)

    @area.post("/license-requests/{request}/refuse", Permission.LICENSE_GRANT)
    def refuse_license_request(caller: Caller, request: str, ask: ReasonAsk) -> LicenseRequestAnswer:
        """Refuse a request, for a reason that the partner is told."""
        return requesting.refuse(caller, request, ask)
