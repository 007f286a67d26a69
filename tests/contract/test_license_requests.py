"""What every database of a broker must keep of partners' requests for licenses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom.broker.repository import Store
from strongroom.errors import ObjectNotFound
from tests.contract import broker_rows as rows
from tests.contract.broker_rows import MINUTE, NOW


def test_license_requests(store: Store) -> None:
    first, later = (
        rows.license_request("ask-b"),
        replace(rows.license_request("ask-a"), asked_at=NOW + MINUTE),
    )
    with store.write() as kept:
        for row in (later, first, rows.license_request("ask-c", "org-c")):
            kept.add_license_request(row)
    answered = replace(first, license="lic-a", answered_by="mem-b", answered_at=NOW + MINUTE)
    with store.write() as kept:
        kept.add_license_request(answered)
        kept.remove_license_request("ask-c")
        with pytest.raises(ObjectNotFound), kept.savepoint():
            kept.remove_license_request("ask-x")
    with store.read() as kept:
        assert kept.license_request("ask-b") == answered
        assert kept.license_request("ask-c") is None
        assert kept.license_requests_of("org-a") == [answered, later]
        assert kept.license_requests(limit=9) == [later, answered]
        assert kept.license_requests(after="ask-a", limit=1) == [answered]
