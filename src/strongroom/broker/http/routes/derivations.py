"""Routes for models that partners derived."""

from __future__ import annotations

from strongroom.broker.http.routing import After, Area, Caller, Limit, Repeat
from strongroom.broker.permission import Permission
from strongroom.broker.services.deriving import Deriving
from strongroom.protocol.broker import ReasonAsk
from strongroom.protocol.derivation import (
    CountersignatureAsk,
    DerivationAnswer,
    DerivationAsk,
    DerivationPage,
)


def add(area: Area, deriving: Deriving) -> None:
    """Add the routes."""

    @area.get("/derivations", Permission.DERIVATION_READ)
    def list_derivations(caller: Caller, after: After = "", limit: Limit = 100) -> DerivationPage:
        """List derived models: the owner's all, a partner's own."""
        return deriving.page(caller, after, limit)

    @area.post("/derivations", Permission.DERIVATION_HAND_IN, repeat=Repeat.REPEATABLE)
    def hand_in_derivation(caller: Caller, ask: DerivationAsk) -> DerivationAnswer:
        """Ask the owner to countersign a derived model."""
        return deriving.hand_in(caller, ask)

    @area.get("/derivations/{derivation}", Permission.DERIVATION_READ)
    def show_derivation(caller: Caller, derivation: str) -> DerivationAnswer:
        """Show one derived model."""
        return deriving.get(caller, derivation)

    @area.post(
        "/derivations/{derivation}/countersign", Permission.DERIVATION_COUNTERSIGN, repeat=Repeat.REPEATABLE
    )
    def countersign_derivation(caller: Caller, derivation: str, ask: CountersignatureAsk) -> DerivationAnswer:
        """Hand in the owner's signature for a derived model."""
        return deriving.countersign(caller, derivation, ask)

    @area.post("/derivations/{derivation}/refuse", Permission.DERIVATION_COUNTERSIGN)
    def refuse_derivation(caller: Caller, derivation: str, ask: ReasonAsk) -> DerivationAnswer:
        """Refuse a derived model, for a reason that the partner is told."""
        return deriving.refuse(caller, derivation, ask)
