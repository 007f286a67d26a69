from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli._moment import duration_of, end_of, shown, span, span_at_most, start_of, zone_of
from strongroom.errors import UsageError

NOW = datetime(2026, 11, 24, 3, 0, 0, 123456, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_date_includes_that_day_in_its_zone() -> None:
    assert end_of("2027-06-30", NOW, BERLIN) == datetime(2027, 6, 30, 22, tzinfo=UTC)
    assert start_of("2027-06-30", NOW, BERLIN) == datetime(2027, 6, 29, 22, 0, 0, tzinfo=UTC)


def test_a_date_follows_the_summer_time_of_that_day_and_not_of_today() -> None:
    assert end_of("2027-01-31", NOW, BERLIN) == datetime(2027, 1, 31, 23, tzinfo=UTC)


def test_an_instant_is_itself() -> None:
    assert end_of("2027-06-30T12:00:00Z", NOW) == datetime(2027, 6, 30, 12, tzinfo=UTC)
    assert end_of("2027-06-30T12:00:00+02:00", NOW) == datetime(2027, 6, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("8w", timedelta(weeks=8)),
        ("1m", timedelta(days=30)),
        ("1y", timedelta(days=365)),
    ],
)
def test_a_duration_counts_from_now(text: str, length: timedelta) -> None:
    assert end_of(text, NOW) == NOW.replace(microsecond=0) + length
    assert duration_of(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2027-02-30",
        "2027-06-30T12:00:00",
        "30.6.2027",
        "1x",
        "999999y",
        "-1d",
        "20270630",
        "٣d",
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        end_of(text, NOW)
    assert caught.value.code == "bad-date"
    assert "2027-06-30" in str(caught.value.hint)


@given(st.text(max_size=30))
def test_any_text_gives_an_instant_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert end_of(text, NOW, UTC).tzinfo is UTC


def test_a_length_of_time_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="not a length of time"):
        duration_of("soon")


def test_zones_have_names() -> None:
    assert zone_of(None) is None
    assert zone_of("Europe/Berlin") == BERLIN
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(UsageError, match="no time zone"):
            zone_of(name)


def test_instants_are_shown_in_utc() -> None:
    assert shown(datetime(2027, 6, 30, 12, tzinfo=BERLIN)) == "2027-06-30 10:00 UTC"


def test_an_end_in_the_past_is_a_mistake() -> None:
    with pytest.raises(UsageError) as caught:
        end_of("2020-01-01", NOW)
    assert caught.value.code == "expiry-past"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (900, "15 min"),
        (3660, "1 h 1 min"),
        (260_100, "3 d 15 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_written_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (3_660, "1 h 1 min"),
        (3_661, "1 h 2 min"),
        (3 * 86_400 + 900, "3 d 15 min"),
        (3 * 86_400 + 3_600 + 900, "3 d 2 h"),
        (86_400 + 23 * 3_600 + 1, "2 d"),
    ],
)
def test_what_is_not_to_be_exceeded_is_rounded_up(seconds: int, text: str) -> None:
    assert span_at_most(seconds) == text


def test_minutes_are_not_months() -> None:
    assert duration_of("15min") == timedelta(minutes=15)
    assert duration_of("15m") == timedelta(days=450)
