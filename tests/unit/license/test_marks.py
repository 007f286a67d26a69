from __future__ import annotations

from datetime import timedelta

import pytest

from strongroom.license.marks import (
    check_clock,
    check_version,
    clock_from_broker,
    latest_of,
    raise_clock,
    raise_version,
    withdrawn,
)
from strongroom.license.notice_documents import Withdrawal
from strongroom.license.request import Withdrawn
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import DAY, NOW, OWNER, request

SECOND = timedelta(seconds=1)


def test_a_clock_may_go_back_two_minutes_and_no_more() -> None:
    assert check_clock(NOW, None) is None
    assert check_clock(NOW, NOW - DAY, NOW + 120 * SECOND) is None
    denied = check_clock(NOW, NOW - DAY, NOW + 121 * SECOND)
    assert denied is not None
    assert denied.code == "clock-set-back"
    assert denied.hint == "Set the clock of this machine right."


def test_the_latest_of_nothing_is_now() -> None:
    assert latest_of(NOW) == latest_of(NOW, None) == NOW
    assert latest_of(NOW, NOW + DAY, None) == NOW + DAY


def test_the_mark_goes_up_and_only_a_fresh_broker_takes_it_down() -> None:
    assert raise_clock(None, NOW) == NOW
    assert raise_clock(NOW, NOW + DAY) == NOW + DAY
    assert raise_clock(NOW, NOW - SECOND) == NOW
    # The wall clock once jumped to 2040: the broker's answer lets the ward in again.
    jumped = NOW.replace(year=2040)
    assert check_clock(NOW, jumped) is not None
    assert check_clock(NOW, clock_from_broker(NOW)) is None


def withdrawal(version: str, permits: str | None, *, owner: str = OWNER.id, name: str = "risk") -> Withdrawn:
    return Withdrawn(owner, name, version, permits)


@pytest.mark.parametrize(
    ("mark", "wanted", "withdrawals", "code"),
    [
        (None, "1.0.0", [], None),
        ("1.9.0", "1.10.0", [], None),
        ("1.9.0", "1.9.0", [], None),
        ("1.10.0", "1.9.0", [], "version-rollback"),
        ("3.0.0", "2.0.0", [("3.0.0", "2.0.0")], None),
        ("3.0.0", "1.0.0", [("3.0.0", "2.0.0")], "version-rollback"),
        ("3.0.0", "3.0.0", [("3.0.0", "2.0.0")], "version-withdrawn"),
        ("3.0.0", "4.0.0", [("3.0.0", "2.0.0")], None),
        ("4.0.0", "2.0.0", [("3.0.0", "2.0.0")], "version-rollback"),
        ("3.0.0", "2.0.0", [("3.0.0", None)], "version-rollback"),
        ("3.0.0", "1.0.0", [("3.0.0", "2.0.0"), ("2.0.0", "1.0.0")], None),
        ("3.0.0", "2.0.0", [("3.0.0", "2.0.0"), ("2.0.0", "1.0.0")], "version-withdrawn"),
    ],
)
def test_versions_go_up_unless_withdrawn(
    mark: str | None, wanted: str, withdrawals: list[tuple[str, str | None]], code: str | None
) -> None:
    notices = [withdrawal(version, permits) for version, permits in withdrawals]
    denied = check_version(request(version=wanted), mark, notices)
    assert (None if denied is None else denied.code) == code


def test_a_withdrawal_concerns_one_owner_and_one_model() -> None:
    for notice in (
        withdrawal("3.0.0", "2.0.0", owner="own-" + "x" * 24),
        withdrawal("3.0.0", "2.0.0", name="other"),
    ):
        assert check_version(request(version="2.0.0"), "3.0.0", [notice]) is not None
        assert check_version(request(version="3.0.0"), "3.0.0", [notice]) is None


def test_hints_say_what_to_open() -> None:
    denied = check_version(request(version="3.0.0"), None, [withdrawal("3.0.0", None)])
    assert denied is not None
    assert denied.hint == "Ask the owner for a newer version."
    denied = check_version(request(version="2.0.0"), "3.0.0", [])
    assert denied is not None
    assert denied.hint == "Open risk 3.0.0, or ask the owner to withdraw it."


def test_a_version_mark_only_goes_up() -> None:
    assert raise_version(None, "1.0.0") == "1.0.0"
    assert raise_version("1.9.0", "1.10.0") == "1.10.0"
    assert raise_version("1.10.0", "1.9.0") == "1.10.0"


def test_a_verified_withdrawal_as_a_fact() -> None:
    document = DOCUMENTS["withdrawal"]
    assert isinstance(document, Withdrawal)
    assert withdrawn(document) == Withdrawn(document.owner, "risk", "1.3.0", "1.2.0")
