"""Packages and withdrawals, as rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, or_, select, update

from strongroom.broker.records import PackageRow, WithdrawalRow
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Statement, adding
from strongroom.broker.sql.tables import PACKAGE, WITHDRAWAL

_PACKAGE: Final = Shape(PackageRow, PACKAGE)
_WITHDRAWAL: Final = Shape(WithdrawalRow, WITHDRAWAL)

_PACKAGE_OF: Final = Statement(select(*_PACKAGE.columns).where(PACKAGE.c.package == bindparam("package")))
_PACKAGES: Final = Statement(
    select(*_PACKAGE.columns)
    .where(PACKAGE.c.package > bindparam("after"))
    .order_by(PACKAGE.c.package)
    .limit(bindparam("limit"))
)
_PACKAGES_CALLED: Final = Statement(
    select(*_PACKAGE.columns).where(PACKAGE.c.name == bindparam("name")).order_by(PACKAGE.c.package)
)
# Two ranges and not "<>", for which no index helps.
_PACKAGES_NOT_UNDER: Final = Statement(
    select(*_PACKAGE.columns)
    .where(or_(PACKAGE.c.key_id < bindparam("key_id"), PACKAGE.c.key_id > bindparam("key_id")))
    .limit(bindparam("limit"))
)
_ADD_PACKAGE: Final = adding(PACKAGE)
_SET_KEY: Final = Statement(
    update(PACKAGE)
    .where(PACKAGE.c.package == bindparam("of"))
    .values(wrapped_key=bindparam("wrapped"), key_id=bindparam("under"))
)
_WITHDRAWALS: Final = Statement(
    select(*_WITHDRAWAL.columns)
    .where(WITHDRAWAL.c.name == bindparam("name"))
    .order_by(WITHDRAWAL.c.withdrawal)
)
_ADD_WITHDRAWAL: Final = adding(WITHDRAWAL)


class PackageReading(Session):
    """What can be asked about packages."""

    def package(self, package: str) -> PackageRow | None:
        """Return a package by its digest."""
        return _PACKAGE.optional(self.first(_PACKAGE_OF, package=package))

    def packages(self, *, after: str = "", limit: int) -> list[PackageRow]:
        """Return a page of packages."""
        return _PACKAGE.all_from(self.all(_PACKAGES, after=after, limit=limit))

    def packages_called(self, name: str) -> list[PackageRow]:
        """Return every version of a name."""
        return _PACKAGE.all_from(self.all(_PACKAGES_CALLED, name=name))

    def packages_not_under(self, key_id: str, *, limit: int) -> list[PackageRow]:
        """Return packages whose content key is wrapped by another key-encryption key."""
        return _PACKAGE.all_from(self.all(_PACKAGES_NOT_UNDER, key_id=key_id, limit=limit))

    def withdrawals(self, name: str) -> list[WithdrawalRow]:
        """Return the withdrawals of versions of a name."""
        return _WITHDRAWAL.all_from(self.all(_WITHDRAWALS, name=name))


class PackageWriting(PackageReading):
    """What can be written about packages."""

    def add_package(self, row: PackageRow) -> None:
        """Add a package."""
        self.add((_ADD_PACKAGE, _PACKAGE.to_values(row), "package"))

    def set_wrapped_key(self, package: str, wrapped_key: bytes, key_id: str) -> None:
        """Replace the wrapped content key of a package."""
        self.change(_SET_KEY, "package", of=package, wrapped=wrapped_key, under=key_id)

    def add_withdrawal(self, row: WithdrawalRow) -> None:
        """Add a withdrawal."""
        self.add((_ADD_WITHDRAWAL, _WITHDRAWAL.to_values(row), "withdrawal"))
