"""Licenses, what hangs from them, and revocations, as rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.sql.selectable import CTE

from strongroom.broker.records import BelowRow, LicenseRow, LicenseStatus, RevocationRow
from strongroom.broker.sql.driver import Value
from strongroom.broker.sql.rows import Shape, to_seconds
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Several, Statement, adding, in_pieces, names
from strongroom.broker.sql.tables import LICENSE, REVOCATION

_LICENSE: Final = Shape(LicenseRow, LICENSE)
_BELOW: Final = Shape(BelowRow, LICENSE)
_REVOCATION: Final = Shape(RevocationRow, REVOCATION)


def under(count: int) -> CTE:
    """Return the ids of ``count`` licenses and of everything below them."""
    start = select(LICENSE.c.license).where(LICENSE.c.license.in_(names(count)))
    found = start.cte("under", recursive=True)
    below = select(LICENSE.c.license).join(found, LICENSE.c.parent == found.c.license)
    return found.union(below)


def _ancestors() -> CTE:
    start = select(LICENSE.c.license, LICENSE.c.parent).where(LICENSE.c.license == bindparam("license"))
    found = start.cte("above", recursive=True)
    above = select(LICENSE.c.license, LICENSE.c.parent).join(found, LICENSE.c.license == found.c.parent)
    return found.union(above)


_ABOVE: Final = _ancestors()
_UNDER: Final = under(1)

_LICENSE_OF: Final = Statement(select(*_LICENSE.columns).where(LICENSE.c.license == bindparam("license")))
_CHAIN: Final = Statement(
    select(*_LICENSE.columns).join_from(_ABOVE, LICENSE, LICENSE.c.license == _ABOVE.c.license)
)
_LICENSES_UNDER: Final = Statement(
    select(*_BELOW.columns)
    .join_from(_UNDER, LICENSE, LICENSE.c.license == _UNDER.c.license)
    .where(LICENSE.c.license != bindparam("v0"))
    .order_by(LICENSE.c.license)
)
_ADD_LICENSE: Final = adding(LICENSE)
_SET_STATUS: Final = Statement(
    update(LICENSE)
    .where(LICENSE.c.license == bindparam("of"))
    .values(
        status=bindparam("now"),
        approved_by=func.coalesce(
            bindparam("person", type_=LICENSE.c.approved_by.type), LICENSE.c.approved_by
        ),
    )
)
_SET_ACCEPTANCE: Final = Statement(
    update(LICENSE)
    .where(LICENSE.c.license == bindparam("of"))
    .values(acceptance=bindparam("signed"), accepted_at=bindparam("at"))
)

_REVOKED: Final = Several(
    lambda count: select(REVOCATION.c.target).where(REVOCATION.c.target.in_(names(count)))
)
_REVOCATIONS_OF: Final = Several(
    lambda count: select(*_REVOCATION.columns).where(REVOCATION.c.target.in_(names(count)))
)
_ANY_LEASE_REVOKED: Final = Statement(
    select(REVOCATION.c.target).where(REVOCATION.c.target > "lea-", REVOCATION.c.target < "lea.").limit(1)
)
_REVOCATION_OF: Final = Statement(
    select(*_REVOCATION.columns).where(REVOCATION.c.revocation == bindparam("revocation"))
)
_REVOCATIONS: Final = Statement(
    select(*_REVOCATION.columns)
    .where(REVOCATION.c.position > bindparam("after"))
    .order_by(REVOCATION.c.position)
    .limit(bindparam("limit"))
)
_LAST_REVOCATION: Final = Statement(select(func.max(REVOCATION.c.position)))
_ADD_REVOCATION: Final = adding(REVOCATION)


@cache
def _page(organization: bool, status: bool, expires: bool) -> Statement:
    page = select(*_LICENSE.columns).where(LICENSE.c.license > bindparam("after"))
    if organization:
        page = page.where(LICENSE.c.organization == bindparam("organization"))
    if status:
        page = page.where(LICENSE.c.status == bindparam("status"))
    if expires:
        page = page.where(LICENSE.c.expires_at < bindparam("expires_before"))
    return Statement(page.order_by(LICENSE.c.license).limit(bindparam("limit")))


class LicenseReading(Session):
    """What can be asked about licenses."""

    def license(self, license: str) -> LicenseRow | None:
        """Return a license or sub-license."""
        return _LICENSE.optional(self.first(_LICENSE_OF, license=license))

    def chain(self, license: str) -> list[LicenseRow]:
        """Return the documents from the license down to this one, widest first; empty if unknown."""
        narrowest = self.license(license)
        if narrowest is None or narrowest.parent is None:
            return [] if narrowest is None else [narrowest]
        found = {row.license: row for row in _LICENSE.all_from(self.all(_CHAIN, license=license))}
        chain = [narrowest]
        while (parent := chain[-1].parent) is not None:
            chain.append(found[parent])
        return chain[::-1]

    def licenses(
        self,
        *,
        after: str = "",
        limit: int,
        organization: str | None = None,
        status: LicenseStatus | None = None,
        expires_before: datetime | None = None,
    ) -> list[LicenseRow]:
        """Return a page of licenses."""
        values: dict[str, Value] = {"after": after, "limit": limit}
        if organization is not None:
            values["organization"] = organization
        if status is not None:
            values["status"] = status.value
        if expires_before is not None:
            values["expires_before"] = to_seconds(expires_before)
        statement = _page(organization is not None, status is not None, expires_before is not None)
        return _LICENSE.all_from(self.all(statement, **values))

    def licenses_under(self, license: str) -> list[BelowRow]:
        """Return every document below this one, at any depth."""
        return _BELOW.all_from(self.all(_LICENSES_UNDER, v0=license))

    def revoked(self, targets: Collection[str]) -> frozenset[str]:
        """Return those of the ids that are revoked."""
        return frozenset(
            row[0]
            for values in in_pieces(tuple(dict.fromkeys(targets)))
            for row in self.all(_REVOKED.of(len(values)), **values)
        )

    def any_lease_revoked(self) -> bool:
        """Tell whether any lease was ever revoked by its own id, and not with its license."""
        return self.first(_ANY_LEASE_REVOKED) is not None

    def revocation(self, revocation: str) -> RevocationRow | None:
        """Return a revocation."""
        return _REVOCATION.optional(self.first(_REVOCATION_OF, revocation=revocation))

    def revocations(self, *, after: int = 0, limit: int) -> list[RevocationRow]:
        """Return revocations in the order of their arrival."""
        return _REVOCATION.all_from(self.all(_REVOCATIONS, after=after, limit=limit))

    def revocations_of(self, targets: Collection[str]) -> list[RevocationRow]:
        """Return the revocations of these ids, in the order of their arrival."""
        rows = [
            row
            for values in in_pieces(tuple(dict.fromkeys(targets)))
            for row in _REVOCATION.all_from(self.all(_REVOCATIONS_OF.of(len(values)), **values))
        ]
        return sorted(rows, key=lambda row: row.position)


class LicenseWriting(LicenseReading):
    """What can be written about licenses."""

    def add_license(self, row: LicenseRow) -> None:
        """Add a license or sub-license."""
        self.add((_ADD_LICENSE, _LICENSE.to_values(row), "license"))

    def set_license_status(
        self, license: str, status: LicenseStatus, *, approved_by: str | None = None
    ) -> None:
        """Say where a license is in its life, and who approved it."""
        self.change(_SET_STATUS, "license", of=license, now=status.value, person=approved_by)

    def set_acceptance(self, license: str, token: str, at: datetime) -> None:
        """Add the acceptance of a license."""
        self.change(_SET_ACCEPTANCE, "license", of=license, signed=token, at=to_seconds(at))

    def add_revocation(self, revocation: str, target: str, token: str, at: datetime) -> int:
        """Add a revocation; returns its position."""
        last = self.first(_LAST_REVOCATION)
        row = RevocationRow(
            position=1 + (last[0] or 0 if last else 0),
            revocation=revocation,
            target=target,
            token=token,
            received_at=at,
        )
        self.add((_ADD_REVOCATION, _REVOCATION.to_values(row), "revocation"))
        return row.position
