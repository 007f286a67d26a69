"""How people write an expiry or a duration.

    parse_expiry("2027-06-30", ZoneInfo("Europe/Berlin"), now)      # the end of that day there
    parse_expiry("2027-06-30T12:00:00Z", zone, now)                 # that instant
    parse_expiry("90d", zone, now)                                  # ninety days from now
    parse_duration("72h")

What is signed is always an instant in UTC. A day is read in the partner's zone, because
"until the 30th of June" means that the 30th still counts where the work is done.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from strongroom.errors import FormatError, UsageError
from strongroom.license.fields import whole_seconds

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([hdwy])")
_UNITS: Final = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_LONGEST: Final = timedelta(days=365 * 500)
_FORMS: Final = (
    "Write a day (2027-06-30), an instant (2027-06-30T12:00:00Z) or a duration (90d, 72h, 8w, 2y)."
)


def parse_expiry(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Read when something ends.

    Args:
        text: A day, an instant with its offset, or a duration from now.
        zone: Where a day is meant.
        now: The time.

    Returns:
        An instant in UTC, whole seconds, later than now.

    Raises:
        UsageError: another form, no such day, or not in the future.
    """
    if _DAY.fullmatch(text):
        moment = _end_of_day(text, zone)
    elif _DURATION.fullmatch(text):
        moment = now + parse_duration(text)
    else:
        moment = _instant(text)
    try:
        moment = whole_seconds(moment)
    except FormatError as error:
        raise _unreadable(text) from error
    if moment <= now:
        raise UsageError(f"'{text}' is in the past", code="expiry-past", hint=_FORMS)
    return moment


def parse_duration(text: str) -> timedelta:
    """Read a length of time: a number of hours, days, weeks or years of 365 days.

    Raises:
        UsageError: another form, or longer than 500 years.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text[:40]}' is no duration", code="duration", hint="Write 72h, 90d, 8w or 2y.")
    duration = int(found[1]) * _UNITS[found[2]]
    if duration > _LONGEST:
        raise UsageError(f"'{text}' is longer than 500 years", code="duration")
    return duration


def _end_of_day(text: str, zone: tzinfo) -> datetime:
    # The first instant of the next day. Where a zone skips midnight, fold 0 gives the
    # instant of the jump, which is the same; where it repeats it, the first of the two.
    try:
        following = date.fromisoformat(text) + timedelta(days=1)
        return datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _unreadable(text) from error


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _unreadable(text) from error
    if moment.tzinfo is None:
        # Noon where? A guess here would be a dispute later.
        raise _unreadable(text)
    return moment


def _unreadable(text: str) -> UsageError:
    return UsageError(f"'{text[:40]}' is no time at which something can end", code="expiry", hint=_FORMS)
