"""Dates and durations as people write them, read as UTC instants.

    >>> from datetime import UTC, datetime
    >>> from zoneinfo import ZoneInfo
    >>> end_of("2027-06-30", datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    datetime.datetime(2027, 6, 30, 22, 0, tzinfo=datetime.timezone.utc)

A bare date means the whole of that day where the license is used: as an end its last second, as a start its
first. What is signed is the instant, so everybody computes with the same one.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strongroom.errors import UsageError

_DURATION: Final = re.compile(r"(\d{1,6})(s|min|h|d|w|m|y)", re.ASCII)
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "m": timedelta(days=30),
    "y": timedelta(days=365),
}
_SIZES: Final = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
_HINT: Final = "write a date (2027-06-30), an instant (2027-06-30T12:00:00Z) or a duration (12h, 90d, 8w, 1y)"


def end_of(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Read the end of a period; a bare date includes that day in ``zone`` (None: this machine's).

    Returns:
        The first instant that is no longer covered: for a bare date, midnight after that day.

    Raises:
        UsageError: it is none of the forms (code ``bad-date``), or not in the future (code ``expiry-past``).
    """
    moment = _read(text, now, zone, timedelta(days=1))
    if moment <= now:
        raise UsageError(f"{text} is in the past", code="expiry-past", hint=_HINT)
    return moment


def start_of(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Read the start of a period; a bare date means its first second in ``zone``.

    Raises:
        UsageError: it is none of the forms (code ``bad-date``).
    """
    return _read(text, now, zone, timedelta())


def _read(text: str, now: datetime, zone: tzinfo | None, beyond: timedelta) -> datetime:
    if match := _DURATION.fullmatch(text):
        try:
            return (now + int(match[1]) * _UNITS[match[2]]).replace(microsecond=0)
        except OverflowError as error:
            raise UsageError(f"{text} is too far away", code="bad-date", hint=_HINT) from error
    try:
        if len(text) == len("2027-06-30"):
            # astimezone of a naive value takes the machine's zone with its rule for that very day.
            moment = datetime.combine(date.fromisoformat(text) + beyond, time())
            return (moment.replace(tzinfo=zone) if zone else moment).astimezone(UTC)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"not a date: {text}", code="bad-date", hint=_HINT) from error
    if instant.tzinfo is None:
        raise UsageError(f"{text} does not say in which time zone", code="bad-date", hint=_HINT)
    return instant.astimezone(UTC).replace(microsecond=0)


def zone_of(name: str | None) -> tzinfo | None:
    """Find a time zone by its name, as ``Europe/Berlin``; None stays None.

    Raises:
        UsageError: there is none of that name (code ``bad-zone``).
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"no time zone {name}", code="bad-zone", hint="for example: --zone Europe/Berlin"
        ) from error


def duration_of(text: str) -> timedelta:
    """Read a length of time: ``15min``, ``12h``, ``90d``, ``8w``, ``6m`` (30 days each), ``1y`` (365 days).

    Raises:
        UsageError: it is not one (code ``bad-duration``).
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"not a length of time: {text}", code="bad-duration", hint="write 15min, 12h, 90d, 8w or 1y"
        )
    return int(match[1]) * _UNITS[match[2]]


def shown(moment: datetime) -> str:
    """Write an instant for people: ``2027-06-30 21:59 UTC``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: int) -> str:
    """Write a length of time for people, in its two largest units: ``3 d 15 min``."""
    return " ".join(f"{count} {name}" for name, _, count in _parts(seconds)) or "0 s"


def span_at_most(seconds: int) -> str:
    """Write a length of time that is promised not to be exceeded: what ``span`` leaves out, rounded up.

    ``3 d 2 h`` for 3 days, 1 hour and 15 minutes.
    """
    parts = _parts(seconds)
    smallest = parts[-1][1] if parts else 1
    left_out = seconds - sum(size * count for _, size, count in parts)
    return span(seconds if left_out == 0 else seconds - left_out + smallest)


def _parts(seconds: int) -> list[tuple[str, int, int]]:
    """Return the two largest units that are in it: name, seconds, how many."""
    parts = []
    for name, size in _SIZES.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((name, size, count))
    return parts[:2]
