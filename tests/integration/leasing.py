"""What tests of leases share: refusals, and what is in the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.errors import Error, LicenseDenied
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind
from strongroom.log.proof import Proof
from tests.lease_world import LeaseWorld, OpenSession


def refusal(act: Callable[[], object]) -> Error:
    """Return what an act is refused with."""
    with pytest.raises(Error) as caught:
        act()
    return caught.value


def use_up(session: OpenSession, then: Callable[[], None] = lambda: None) -> tuple[int, LicenseDenied]:
    """Predict until the license says no; returns how often it said yes, and the refusal."""
    for served in range(1000):
        try:
            session.predict(1)
        except LicenseDenied as denied:
            return served, denied
        then()
    raise AssertionError("the license never says no")


def kinds_in_log(world: LeaseWorld) -> list[Kind]:
    """Return what stands in the log, in its order."""
    records = world.admin.records().records
    proofs = [Proof.from_bytes(each.proof.encode("utf-8")) for each in records]
    return [Disclosure.from_bytes(each.extra).record.kind for each in proofs if each.extra is not None]
