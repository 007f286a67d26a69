"""What every database keeps to of counts: how long a hold is open, and how large a sum gets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from strongroom.broker.repository import Store
from strongroom.license.fields import MAX_COUNT
from strongroom.license.period import Period
from tests.contract import broker_rows as rows
from tests.contract.broker_rows import MINUTE, NOW


@pytest.mark.parametrize("per", Period)
def test_a_hold_is_open_until_its_last_period_is_over(store: Store, per: Period) -> None:
    last = NOW + 60 * MINUTE
    held = rows.hold("lea-a", per=per)
    end = per.end(last)
    with store.write() as kept:
        for license in ("lic-a", "sub-b"):
            kept.add_license(rows.license_row(license))
        kept.add_lease(rows.lease("lea-a"), [held], [])
        kept.add_lease(rows.lease("lea-b"), [rows.hold("lea-b", "sub-b", per)], [])
        assert kept.holds(["lic-a"], NOW - timedelta(days=9000)) == [held]
        assert kept.holds(["lic-a"], last) == [held]
        assert kept.holds(["lic-x"], last) == []
        if end is None:
            assert kept.holds(["lic-a"], NOW + timedelta(days=90_000)) == [held]
        else:
            assert kept.holds(["lic-a"], end - timedelta(seconds=1)) == [held]
            assert kept.holds(["lic-a"], end) == kept.holds(["lic-a"], NOW + timedelta(days=90_000)) == []
        # Whoever reports later finds what it held.
        assert kept.holds_of("lea-a") == kept.holds(["lic-a"]) == [held]
        kept.mark_reported("lea-a")
        assert kept.holds_of("lea-a") == []


def test_no_count_grows_beyond_what_a_message_can_say(store: Store) -> None:
    key = rows.key("lic-a")
    with store.write() as kept:
        for _ in range(3):
            kept.add_used({key: MAX_COUNT - 1})
            found = kept.used([key])[key]
            assert type(found) is int
        assert found == MAX_COUNT
        kept.add_used({key: 0})
        assert kept.counts(limit=9) == [(key, MAX_COUNT)]
