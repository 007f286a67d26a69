"""Routes for partners, their runtimes, and members."""

from __future__ import annotations

from strongroom.broker.http.routing import After, Area, Caller, Limit
from strongroom.broker.permission import Permission
from strongroom.broker.services.members import Members
from strongroom.broker.services.partners import Partners
from strongroom.protocol.broker import (
    ApprovalAsk,
    Done,
    MemberAnswer,
    MemberAsk,
    MemberPage,
    PartnerAnswer,
    PartnerPage,
    ReasonAsk,
)


def add(area: Area, partners: Partners, members: Members) -> None:
    """Add the routes."""
    _add_partners(area, partners)
    _add_members(area, members)


def _add_partners(area: Area, partners: Partners) -> None:
    @area.get("/partners", Permission.PARTNER_READ)
    def list_partners(caller: Caller, after: After = "", limit: Limit = 100) -> PartnerPage:
        """List partners."""
        return partners.page(caller, after, limit)

    @area.get("/partners/{organization}", Permission.PARTNER_READ)
    def show_partner(caller: Caller, organization: str) -> PartnerAnswer:
        """Show one partner with its runtimes."""
        return partners.get(caller, organization)

    @area.post("/partners/{organization}/approve", Permission.PARTNER_APPROVE)
    def approve_partner(caller: Caller, organization: str, ask: ApprovalAsk) -> PartnerAnswer:
        """Approve a partner, or one more runtime of it, whose fingerprint was compared."""
        return partners.approve(caller, organization, ask)

    @area.post("/partners/{organization}/refuse", Permission.PARTNER_APPROVE)
    def refuse_partner(caller: Caller, organization: str, ask: ReasonAsk) -> Done:
        """Drop an organization that nobody has approved."""
        return partners.refuse(caller, organization, ask)

    @area.post("/partners/{organization}/suspend", Permission.PARTNER_SUSPEND)
    def suspend_partner(caller: Caller, organization: str, ask: ReasonAsk) -> PartnerAnswer:
        """Stop everything of a partner, until it is resumed."""
        return partners.suspend(caller, organization, ask)

    @area.post("/partners/{organization}/resume", Permission.PARTNER_SUSPEND)
    def resume_partner(caller: Caller, organization: str) -> PartnerAnswer:
        """Let a suspended partner go on."""
        return partners.resume(caller, organization)

    @area.post("/runtimes/{runtime}/suspend", Permission.PARTNER_SUSPEND)
    def suspend_runtime(caller: Caller, runtime: str, ask: ReasonAsk) -> PartnerAnswer:
        """Stop one runtime, which was lost or stolen."""
        return partners.suspend_runtime(caller, runtime, ask)

    @area.post("/runtimes/{runtime}/resume", Permission.PARTNER_SUSPEND)
    def resume_runtime(caller: Caller, runtime: str) -> PartnerAnswer:
        """Let a suspended runtime go on."""
        return partners.resume_runtime(caller, runtime)


def _add_members(area: Area, members: Members) -> None:
    @area.get("/members", Permission.MEMBER_READ)
    def list_members(caller: Caller, after: After = "", limit: Limit = 100) -> MemberPage:
        """List the members of the caller's organization."""
        return members.page(caller, after, limit)

    @area.post("/members", Permission.MEMBER_WRITE)
    def add_member(caller: Caller, ask: MemberAsk) -> MemberAnswer:
        """Give a person access."""
        return members.add(caller, ask)

    @area.delete("/members/{member}", Permission.MEMBER_WRITE)
    def remove_member(caller: Caller, member: str) -> Done:
        """Take a person's access away."""
        return members.remove(caller, member)
