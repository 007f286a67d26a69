"""Partners, their runtimes, and members, as rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, delete, select, update

from strongroom.broker.records import MemberRow, PartnerRow, PartyStatus, RuntimeRow
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Statement, adding, replacing
from strongroom.broker.sql.tables import MEMBER, PARTNER, RUNTIME

_PARTNER: Final = Shape(PartnerRow, PARTNER)
_RUNTIME: Final = Shape(RuntimeRow, RUNTIME)
_MEMBER: Final = Shape(MemberRow, MEMBER)

_PARTNER_OF: Final = Statement(
    select(*_PARTNER.columns).where(PARTNER.c.organization == bindparam("organization"))
)
_PARTNERS_CALLED: Final = Statement(
    select(*_PARTNER.columns).where(PARTNER.c.name == bindparam("name")).order_by(PARTNER.c.organization)
)
_PARTNERS: Final = Statement(
    select(*_PARTNER.columns)
    .where(PARTNER.c.organization > bindparam("after"))
    .order_by(PARTNER.c.organization)
    .limit(bindparam("limit"))
)
_ADD_PARTNER: Final = adding(PARTNER)
_SET_PARTNER: Final = Statement(
    update(PARTNER).where(PARTNER.c.organization == bindparam("organization")).values(status=bindparam("now"))
)
_REMOVE_PARTNER: Final = Statement(
    delete(PARTNER).where(
        PARTNER.c.organization == bindparam("organization"), PARTNER.c.status == PartyStatus.PENDING.value
    )
)
_REMOVE_RUNTIMES: Final = Statement(
    delete(RUNTIME).where(RUNTIME.c.organization == bindparam("organization"))
)
_REMOVE_MEMBERS: Final = Statement(delete(MEMBER).where(MEMBER.c.organization == bindparam("organization")))

_RUNTIME_OF: Final = Statement(select(*_RUNTIME.columns).where(RUNTIME.c.runtime == bindparam("runtime")))
_RUNTIMES_OF: Final = Statement(
    select(*_RUNTIME.columns)
    .where(RUNTIME.c.organization == bindparam("organization"))
    .order_by(RUNTIME.c.runtime)
)
_REPLACE_RUNTIME: Final = replacing(RUNTIME)
_SET_RUNTIME: Final = Statement(
    update(RUNTIME).where(RUNTIME.c.runtime == bindparam("of")).values(status=bindparam("now"))
)

_MEMBER_OF: Final = Statement(select(*_MEMBER.columns).where(MEMBER.c.member == bindparam("member")))
_MEMBERS_OF: Final = Statement(
    select(*_MEMBER.columns)
    .where(MEMBER.c.organization == bindparam("organization"), MEMBER.c.member > bindparam("after"))
    .order_by(MEMBER.c.member)
    .limit(bindparam("limit"))
)
_ADD_MEMBER: Final = adding(MEMBER)
_REMOVE_MEMBER: Final = Statement(delete(MEMBER).where(MEMBER.c.member == bindparam("member")))


class PartyReading(Session):
    """What can be asked about parties."""

    def partner(self, organization: str) -> PartnerRow | None:
        """Return a partner."""
        return _PARTNER.optional(self.first(_PARTNER_OF, organization=organization))

    def partners_called(self, name: str) -> list[PartnerRow]:
        """Return who has a name or claims it."""
        return _PARTNER.all_from(self.all(_PARTNERS_CALLED, name=name))

    def partners(self, *, after: str = "", limit: int) -> list[PartnerRow]:
        """Return a page of partners."""
        return _PARTNER.all_from(self.all(_PARTNERS, after=after, limit=limit))

    def runtime(self, runtime: str) -> RuntimeRow | None:
        """Return a runtime."""
        return _RUNTIME.optional(self.first(_RUNTIME_OF, runtime=runtime))

    def runtimes_of(self, organization: str) -> list[RuntimeRow]:
        """Return the runtimes of an organization."""
        return _RUNTIME.all_from(self.all(_RUNTIMES_OF, organization=organization))

    def member(self, member: str) -> MemberRow | None:
        """Return a member."""
        return _MEMBER.optional(self.first(_MEMBER_OF, member=member))

    def members_of(self, organization: str, *, after: str = "", limit: int) -> list[MemberRow]:
        """Return a page of the members of an organization."""
        return _MEMBER.all_from(self.all(_MEMBERS_OF, organization=organization, after=after, limit=limit))


class PartyWriting(PartyReading):
    """What can be written about parties."""

    def add_partner(self, row: PartnerRow) -> None:
        """Add a partner."""
        self.add((_ADD_PARTNER, _PARTNER.to_values(row), "partner"))

    def set_partner_status(self, organization: str, status: PartyStatus) -> None:
        """Approve or suspend a partner."""
        self.change(_SET_PARTNER, "partner", organization=organization, now=status.value)

    def remove_partner(self, organization: str) -> None:
        """Forget a pending partner with its runtimes and members."""
        self.change(_REMOVE_PARTNER, "pending partner", organization=organization)
        self.later(_REMOVE_RUNTIMES, [{"organization": organization}])
        self.later(_REMOVE_MEMBERS, [{"organization": organization}])

    def add_runtime(self, row: RuntimeRow) -> None:
        """Add a runtime, or replace the enrollment that it had."""
        self.later(_REPLACE_RUNTIME, [_RUNTIME.to_values(row)])

    def set_runtime_status(self, runtime: str, status: PartyStatus) -> None:
        """Approve or suspend a runtime."""
        self.change(_SET_RUNTIME, "runtime", of=runtime, now=status.value)

    def add_member(self, row: MemberRow) -> None:
        """Add a member."""
        self.add((_ADD_MEMBER, _MEMBER.to_values(row), "member"))

    def remove_member(self, member: str) -> None:
        """Remove a member."""
        self.change(_REMOVE_MEMBER, "member", member=member)
