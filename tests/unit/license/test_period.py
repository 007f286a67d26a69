from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from strongroom.errors import FormatError
from strongroom.license.period import CounterKey, CounterName, Period, is_over

MOMENT = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "name", "end"),
    [
        (Period.HOUR, "2026-12-31T23", "2027-01-01T00:00:00+00:00"),
        (Period.DAY, "2026-12-31", "2027-01-01T00:00:00+00:00"),
        (Period.MONTH, "2026-12", "2027-01-01T00:00:00+00:00"),
        (Period.YEAR, "2026", "2027-01-01T00:00:00+00:00"),
    ],
)
def test_periods_are_of_utc(period: Period, name: str, end: str) -> None:
    assert period.key(MOMENT) == name
    berlin = MOMENT.astimezone(timezone(timedelta(hours=1)))
    assert period.key(berlin) == name
    finish = period.end(berlin)
    assert finish == datetime.fromisoformat(end)
    assert period.key(finish) != name
    assert period.key(finish - timedelta(seconds=1)) == name
    assert not is_over(name, MOMENT)
    assert is_over(name, finish)


def test_the_total_has_no_end() -> None:
    assert Period.TOTAL.key(MOMENT) == "total"
    assert Period.TOTAL.end(MOMENT) is None
    assert not is_over("total", MOMENT)


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_ends_with_the_next(month: int) -> None:
    end = Period.MONTH.end(datetime(2028, month, 28, 12, 30, 1, tzinfo=UTC))
    assert end is not None
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    assert end.month == month % 12 + 1


def test_a_counter_key_as_text() -> None:
    key = CounterKey("lic-abc", CounterName.PREDICTIONS, "2026-11")
    assert key.to_text() == "lic-abc/predictions/2026-11"
    assert CounterKey.from_text(key.to_text()) == key
    for text in (
        "",
        "a/b",
        "a/predictions",
        "/predictions/total",
        "a/predictions/",
        "a/x/total",
        "a/tokens/b/c",
    ):
        with pytest.raises(FormatError):
            CounterKey.from_text(text)
