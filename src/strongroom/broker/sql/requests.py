"""Partners' requests for licenses, as rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, delete, select

from strongroom.broker.records import LicenseRequestRow
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Statement, replacing
from strongroom.broker.sql.tables import LICENSE_REQUEST as TABLE

_REQUEST: Final = Shape(LicenseRequestRow, TABLE)

_REQUEST_OF: Final = Statement(select(*_REQUEST.columns).where(TABLE.c.request == bindparam("request")))
_REQUESTS_OF: Final = Statement(
    select(*_REQUEST.columns)
    .where(TABLE.c.organization == bindparam("organization"))
    .order_by(TABLE.c.asked_at, TABLE.c.request)
)
_REQUESTS: Final = Statement(
    select(*_REQUEST.columns)
    .where(TABLE.c.request > bindparam("after"))
    .order_by(TABLE.c.request)
    .limit(bindparam("limit"))
)
_REPLACE: Final = replacing(TABLE)
_REMOVE: Final = Statement(delete(TABLE).where(TABLE.c.request == bindparam("request")))


class RequestReading(Session):
    """What can be asked about requests."""

    def license_request(self, request: str) -> LicenseRequestRow | None:
        """Return a request for a license."""
        return _REQUEST.optional(self.first(_REQUEST_OF, request=request))

    def license_requests_of(self, organization: str) -> list[LicenseRequestRow]:
        """Return every request of an organization, oldest first."""
        return _REQUEST.all_from(self.all(_REQUESTS_OF, organization=organization))

    def license_requests(self, *, after: str = "", limit: int) -> list[LicenseRequestRow]:
        """Return a page of requests."""
        return _REQUEST.all_from(self.all(_REQUESTS, after=after, limit=limit))


class RequestWriting(RequestReading):
    """What can be written about requests."""

    def add_license_request(self, row: LicenseRequestRow) -> None:
        """Add a request for a license, or replace it."""
        self.later(_REPLACE, [_REQUEST.to_values(row)])

    def remove_license_request(self, request: str) -> None:
        """Forget a request."""
        self.change(_REMOVE, "request", request=request)
