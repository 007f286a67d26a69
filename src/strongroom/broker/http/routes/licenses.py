"""Routes for licenses and everything that changes their standing."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from strongroom.broker.http.routing import After, Area, Caller, Limit, Repeat
from strongroom.broker.permission import Permission
from strongroom.broker.services.licensing import Licensing
from strongroom.protocol.broker import (
    AcceptanceAsk,
    Done,
    LicenseAnswer,
    LicenseAsk,
    LicensePage,
    ReasonAsk,
    RevocationAsk,
    RevocationPage,
    SublicenseAsk,
    SublicensePage,
)

Days = Annotated[int | None, Query(ge=0, le=36_500, description="Only what ends within so many days.")]


def add(area: Area, licensing: Licensing) -> None:
    """Add the routes."""
    _add_licenses(area, licensing)
    _add_documents(area, licensing)


def _add_licenses(area: Area, licensing: Licensing) -> None:
    @area.get("/licenses", Permission.LICENSE_READ)
    def list_licenses(
        caller: Caller, after: After = "", limit: Limit = 100, expires_within_days: Days = None
    ) -> LicensePage:
        """List licenses: the owner's all, a partner's own."""
        return licensing.page(caller, after, limit, expires_within_days)

    @area.post("/licenses", Permission.LICENSE_GRANT, repeat=Repeat.REPEATABLE)
    def grant_license(caller: Caller, ask: LicenseAsk) -> LicenseAnswer:
        """Take in a license that the owner signed."""
        return licensing.grant(caller, ask)

    @area.get("/licenses/{license}", Permission.LICENSE_READ)
    def show_license(caller: Caller, license: str) -> LicenseAnswer:
        """Show one license, with every document of its chain."""
        return licensing.get(caller, license)

    @area.post("/licenses/{license}/approve", Permission.LICENSE_APPROVE)
    def approve_license(caller: Caller, license: str) -> LicenseAnswer:
        """Approve a license as a second person."""
        return licensing.approve(caller, license)

    @area.post("/licenses/{license}/suspend", Permission.LICENSE_SUSPEND)
    def suspend_license(caller: Caller, license: str, ask: ReasonAsk) -> LicenseAnswer:
        """Let no lease under a license be taken or renewed, until it is resumed."""
        return licensing.suspend(caller, license, ask)

    @area.post("/licenses/{license}/resume", Permission.LICENSE_SUSPEND)
    def resume_license(caller: Caller, license: str) -> LicenseAnswer:
        """Let a suspended license go on."""
        return licensing.resume(caller, license)


def _add_documents(area: Area, licensing: Licensing) -> None:
    @area.post("/revocations", Permission.LICENSE_REVOKE, repeat=Repeat.REPEATABLE)
    def revoke_license(caller: Caller, ask: RevocationAsk) -> Done:
        """End a license for good, and with it what hangs from it."""
        return licensing.revoke(caller, ask)

    @area.get("/revocations", Permission.LICENSE_READ)
    def list_revocations(caller: Caller, after: After = "") -> RevocationPage:
        """List revocations that concern the caller, after one that it has seen."""
        return licensing.revocations(caller, after)

    @area.post("/sublicenses", Permission.LICENSE_NARROW, repeat=Repeat.REPEATABLE)
    def narrow_license(caller: Caller, ask: SublicenseAsk) -> LicenseAnswer:
        """Take in a sub-license that a holder signed."""
        return licensing.narrow(caller, ask)

    @area.get("/sublicenses", Permission.LICENSE_READ)
    def list_sublicenses(caller: Caller, after: After = "", limit: Limit = 100) -> SublicensePage:
        """List sub-licenses: the owner's all, a partner's those that it gave."""
        return licensing.sublicenses(caller, after, limit)

    @area.post("/sublicenses/{sublicense}/end", Permission.LICENSE_END)
    def end_sublicense(caller: Caller, sublicense: str, ask: ReasonAsk) -> LicenseAnswer:
        """End a sub-license for good, as its giver, and with it what hangs from it."""
        return licensing.end(caller, sublicense, ask)

    @area.post("/acceptances", Permission.LICENSE_ACCEPT, repeat=Repeat.REPEATABLE)
    def accept_license(caller: Caller, ask: AcceptanceAsk) -> LicenseAnswer:
        """Take in the acceptance of a license."""
        return licensing.accept(caller, ask)
