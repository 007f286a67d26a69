"""Routes for packages and withdrawals."""

from __future__ import annotations

from strongroom.broker.http.routing import After, Area, Caller, Limit, Repeat
from strongroom.broker.permission import Permission
from strongroom.broker.services.publishing import Publishing
from strongroom.protocol.broker import Done, PackageAnswer, PackageAsk, PackagePage, WithdrawalAsk


def add(area: Area, publishing: Publishing) -> None:
    """Add the routes."""

    @area.get("/packages", Permission.PACKAGE_READ)
    def list_packages(caller: Caller, after: After = "", limit: Limit = 100) -> PackagePage:
        """List the packages that the caller may know of."""
        return publishing.page(caller, after, limit)

    @area.post("/packages", Permission.PACKAGE_PUBLISH, repeat=Repeat.REPEATABLE)
    def publish_package(caller: Caller, ask: PackageAsk) -> PackageAnswer:
        """Publish a package: its statement, and its content key wrapped to the broker."""
        return publishing.publish(caller, ask)

    @area.post("/withdrawals", Permission.PACKAGE_WITHDRAW, repeat=Repeat.REPEATABLE)
    def withdraw_version(caller: Caller, ask: WithdrawalAsk) -> Done:
        """Take a version back."""
        return publishing.withdraw(caller, ask)
