from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from strongroom._encoding import to_instant
from strongroom.errors import UsageError
from strongroom.license.instants import parse_duration, parse_expiry
from tests.unit.license.world import NOW

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2027-06-30", "UTC", "2027-07-01T00:00:00Z"),
        ("2027-06-30", "Europe/Berlin", "2027-06-30T22:00:00Z"),
        ("2027-12-31", "Europe/Berlin", "2027-12-31T23:00:00Z"),
        ("2027-06-30", "America/Los_Angeles", "2027-07-01T07:00:00Z"),
        ("2027-06-30", "Pacific/Kiritimati", "2027-06-30T10:00:00Z"),
        ("2028-02-28", "UTC", "2028-02-29T00:00:00Z"),
        ("2028-02-29", "UTC", "2028-03-01T00:00:00Z"),
        # The day of a change of the clocks has 23 or 25 hours; it ends with the next day.
        ("2027-03-28", "Europe/Berlin", "2027-03-28T22:00:00Z"),
        ("2027-10-31", "Europe/Berlin", "2027-10-31T23:00:00Z"),
        ("2027-06-30T12:00:00Z", "Europe/Berlin", "2027-06-30T12:00:00Z"),
        ("2027-06-30T12:00:00+02:00", "UTC", "2027-06-30T10:00:00Z"),
        ("2027-06-30T12:00:00.999Z", "UTC", "2027-06-30T12:00:00Z"),
        ("90d", "Europe/Berlin", "2027-02-22T03:00:00Z"),
        ("72h", "UTC", "2026-11-27T03:00:00Z"),
        ("2w", "UTC", "2026-12-08T03:00:00Z"),
        ("1y", "UTC", "2027-11-24T03:00:00Z"),
    ],
)
def test_when_something_ends(text: str, zone: str, instant: str) -> None:
    assert to_instant(parse_expiry(text, ZoneInfo(zone), NOW)) == instant


def test_a_day_whose_midnight_does_not_exist_ends_with_the_jump() -> None:
    # Beirut goes from 24:00 to 01:00 in spring: the day before ends there.
    beirut = ZoneInfo("Asia/Beirut")
    now = datetime(2024, 1, 1, tzinfo=UTC)
    end = parse_expiry("2024-03-30", beirut, now)
    assert to_instant(end) == "2024-03-30T22:00:00Z"
    assert end.astimezone(beirut).isoformat() == "2024-03-31T01:00:00+03:00"
    assert (end - timedelta(seconds=1)).astimezone(beirut).isoformat() == "2024-03-30T23:59:59+02:00"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-11-23", "expiry-past"),
        ("2026-11-24T03:00:00Z", "expiry-past"),
        ("2027-02-29", "expiry"),
        ("2027-13-01", "expiry"),
        ("9999-12-31", "expiry"),
        ("3000-01-01", "expiry"),
        ("3000-06-01T00:00:00Z", "expiry"),
        ("0001-01-01T00:00:00+14:00", "expiry"),
        ("2027-06-30T12:00:00", "expiry"),
        ("2027-06-30 noon", "expiry"),
        ("30.06.2027", "expiry"),
        ("tomorrow", "expiry"),
        ("", "expiry"),
        ("0d", "expiry"),
        ("-5d", "expiry"),
        ("9999999y", "expiry"),
        ("999999y", "duration"),
    ],
)
def test_what_is_no_end(text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expiry(text, BERLIN, NOW)
    assert caught.value.code == code


def test_durations() -> None:
    assert parse_duration("72h") == timedelta(hours=72)
    assert parse_duration("500y") == timedelta(days=365 * 500)
    for text in ("", "h", "1", "1.5d", "1m", "0h", "501y", "1d ", "\uff11d", "1234567h"):
        with pytest.raises(UsageError) as caught:
            parse_duration(text)
        assert caught.value.code == "duration"
