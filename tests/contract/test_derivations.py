"""What partners derived, as rows: the same on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.broker.repository import Store
from strongroom.errors import ObjectNotFound
from tests.contract import broker_rows as rows
from tests.contract.broker_rows import MINUTE, NOW


def test_derivations(store: Store) -> None:
    first, later = (
        rows.derivation("drv-b"),
        replace(rows.derivation("drv-a"), handed_in_at=NOW + MINUTE),
    )
    with store.write() as kept:
        for row in (later, first, rows.derivation("drv-c", "org-c")):
            kept.add_derivation(row)
    answered = replace(first, statement=b"{}\x00", answered_by="mem-b", answered_at=NOW + MINUTE)
    with store.write() as kept:
        kept.add_derivation(answered)
        kept.remove_derivation("drv-c")
        with pytest.raises(ObjectNotFound), kept.savepoint():
            kept.remove_derivation("drv-x")
    with store.read() as kept:
        assert kept.derivation("drv-b") == answered
        assert kept.derivation("drv-c") is None
        assert kept.derivations_of("org-a") == [answered, later]
        assert kept.derivations(limit=9) == [later, answered]
        assert kept.derivations(after="drv-a", limit=1) == [answered]
