from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from strongroom.errors import FormatError
from strongroom.license.fields import new_serial, verify_id, verify_set, whole_seconds

AHEAD = timezone(timedelta(hours=14))


def test_instants_lie_between_2000_and_2999_in_utc() -> None:
    first = datetime(2000, 1, 1, tzinfo=UTC)
    last = datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert whole_seconds(first) == first
    assert whole_seconds(last) == last
    assert whole_seconds(datetime(2000, 1, 1, 14, tzinfo=AHEAD)) == first
    for outside in (
        first - timedelta(seconds=1),
        last + timedelta(seconds=1),
        datetime(2000, 1, 1, 13, 59, tzinfo=AHEAD),
        datetime(1, 1, 1, tzinfo=AHEAD),
        datetime(2026, 1, 1),
    ):
        with pytest.raises(FormatError):
            whole_seconds(outside)


def test_serials_are_fresh() -> None:
    one, other = new_serial(), new_serial()
    assert len(one) == 32
    assert one != other


def test_ids_have_a_kind_and_a_length() -> None:
    verify_id("lic-" + "a" * 24, "lic-", "sub-")
    verify_id("sub-" + "7" * 24, "lic-", "sub-")
    for text in (
        "",
        "lic-",
        "a" * 28,
        "lic-" + "a" * 25,
        "lic-" + "1" * 24,
        "acc-" + "a" * 24,
        "lic-lic-" + "a" * 20,
    ):
        with pytest.raises(FormatError) as caught:
            verify_id(text, "lic-", "sub-")
        assert caught.value.code == "wrong-kind"


def test_a_set_is_sorted_and_bounded() -> None:
    verify_set(["a", "b"], "letters")
    for values in ([], ["b", "a"], ["a", "a"], [f"{number:03}" for number in range(65)]):
        with pytest.raises(FormatError):
            verify_set(values, "letters")
