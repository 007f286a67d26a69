"""Routes for leases, usage and offline files."""

from __future__ import annotations

from strongroom.broker.http.routing import After, Area, Caller, Identifier, Limit, Repeat
from strongroom.broker.permission import Permission
from strongroom.broker.services.checking_out import CheckingOut
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.services.reporting import Reporting
from strongroom.protocol.broker import (
    CheckoutAnswer,
    CheckoutAsk,
    Done,
    LeaseAnswer,
    LeaseAsk,
    LeasePage,
    ReasonAsk,
    ReturnAsk,
    UsageAsk,
    UsagePage,
)


def add(area: Area, leasing: Leasing, reporting: Reporting, checking_out: CheckingOut) -> None:
    """Add the routes."""
    _add_leases(area, leasing)
    _add_usage(area, reporting)

    # Repeatable by its serial; and what nothing would be given for any more is not given again.
    @area.post("/checkouts", Permission.CHECKOUT_TAKE, repeat=Repeat.REPEATABLE)
    def check_out(caller: Caller, ask: CheckoutAsk) -> CheckoutAnswer:
        """Give an offline file to a runtime without network."""
        return checking_out.check_out(caller, ask)


def _add_leases(area: Area, leasing: Leasing) -> None:
    # Repeatable by the nonce of the request; wrapped keys are kept nowhere but in the lease itself.
    @area.post("/leases", Permission.LEASE_TAKE, repeat=Repeat.REPEATABLE)
    def take_lease(caller: Caller, ask: LeaseAsk) -> LeaseAnswer:
        """Give a lease, or renew one."""
        return leasing.take(caller, ask)

    @area.get("/leases", Permission.LEASE_READ, absent=True)
    def list_leases(
        caller: Caller, after: After = "", limit: Limit = 100, license: Identifier = None
    ) -> LeasePage:
        """List leases that may be in use."""
        return leasing.page(caller, after, limit, license)

    @area.post("/leases/{lease}/return", Permission.LEASE_RETURN)
    def return_lease(caller: Caller, lease: str, ask: ReturnAsk) -> Done:
        """Take a lease back, and free its seat."""
        return leasing.give_back(caller, lease, ask)

    @area.post("/leases/{lease}/release", Permission.LEASE_RELEASE)
    def release_lease(caller: Caller, lease: str, ask: ReasonAsk) -> Done:
        """End a lease, so that its runtime can start anew."""
        return leasing.release(caller, lease, ask)


def _add_usage(area: Area, reporting: Reporting) -> None:
    @area.post("/usage", Permission.USAGE_REPORT, repeat=Repeat.REPEATABLE)
    def report_usage(caller: Caller, ask: UsageAsk) -> Done:
        """Take in what was used under a lease or an offline file."""
        return reporting.report(caller, ask)

    @area.get("/usage", Permission.USAGE_READ, absent=True)
    def list_usage(
        caller: Caller, after: After = "", limit: Limit = 100, license: Identifier = None
    ) -> UsagePage:
        """List counts."""
        return reporting.page(caller, after, limit, license)
