"""What partners derived and handed in, as rows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, delete, select

from strongroom.broker.records import DerivationRow
from strongroom.broker.sql.rows import Shape
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Statement, replacing
from strongroom.broker.sql.tables import DERIVATION as TABLE

_DERIVATION: Final = Shape(DerivationRow, TABLE)

_DERIVATION_OF: Final = Statement(
    select(*_DERIVATION.columns).where(TABLE.c.derivation == bindparam("derivation"))
)
_DERIVATIONS_OF: Final = Statement(
    select(*_DERIVATION.columns)
    .where(TABLE.c.organization == bindparam("organization"))
    .order_by(TABLE.c.handed_in_at, TABLE.c.derivation)
)
_DERIVATIONS: Final = Statement(
    select(*_DERIVATION.columns)
    .where(TABLE.c.derivation > bindparam("after"))
    .order_by(TABLE.c.derivation)
    .limit(bindparam("limit"))
)
_REPLACE: Final = replacing(TABLE)
_REMOVE: Final = Statement(delete(TABLE).where(TABLE.c.derivation == bindparam("derivation")))


class DerivationReading(Session):
    """What can be asked about derived models."""

    def derivation(self, derivation: str) -> DerivationRow | None:
        """Return a derived model that was handed in."""
        return _DERIVATION.optional(self.first(_DERIVATION_OF, derivation=derivation))

    def derivations_of(self, organization: str) -> list[DerivationRow]:
        """Return everything that an organization handed in, oldest first."""
        return _DERIVATION.all_from(self.all(_DERIVATIONS_OF, organization=organization))

    def derivations(self, *, after: str = "", limit: int) -> list[DerivationRow]:
        """Return a page of derived models."""
        return _DERIVATION.all_from(self.all(_DERIVATIONS, after=after, limit=limit))


class DerivationWriting(DerivationReading):
    """What can be written about derived models."""

    def add_derivation(self, row: DerivationRow) -> None:
        """Add a derived model, or replace it."""
        self.later(_REPLACE, [_DERIVATION.to_values(row)])

    def remove_derivation(self, derivation: str) -> None:
        """Forget a derived model."""
        self.change(_REMOVE, "derivation", derivation=derivation)
