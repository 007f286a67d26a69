"""What is counted, and in which period of UTC time.

    >>> Period.MONTH.key(datetime(2026, 11, 24, 3, tzinfo=UTC))
    '2026-11'
    >>> CounterKey.from_text("lic-abc/predictions/2026-11").counter
    <CounterName.PREDICTIONS: 'predictions'>

A count belongs to a key: document, counter and period. When the period is over, the
key changes and the count begins at zero, with no timer and no reset (spec/license.md,
"Counting"). UTC and not the partner's zone: a zone's rules change under a license.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from strongroom._encoding import to_instant
from strongroom.errors import FormatError


class Period(StrEnum):
    """How long a limit lasts before its count starts again."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    TOTAL = "total"
    """Never starts again."""

    def key(self, moment: datetime) -> str:
        """Return the name of the period in which an instant lies: a prefix of the instant's text."""
        return "total" if self is Period.TOTAL else to_instant(moment)[: _KEY_CHARS[self]]

    def end(self, moment: datetime) -> datetime | None:
        """Return when the period in which an instant lies is over; None for the total."""
        start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        match self:
            case Period.HOUR:
                return start + timedelta(hours=1)
            case Period.DAY:
                return start.replace(hour=0) + timedelta(days=1)
            case Period.MONTH:
                return (start.replace(day=1, hour=0) + timedelta(days=31)).replace(day=1)
            case Period.YEAR:
                return start.replace(year=start.year + 1, month=1, day=1, hour=0)
            case Period.TOTAL:
                return None
            case _ as other:
                assert_never(other)


_KEY_CHARS: Final[Mapping[Period, int]] = {
    Period.HOUR: 13,
    Period.DAY: 10,
    Period.MONTH: 7,
    Period.YEAR: 4,
}
_PERIOD_OF_SIZE: Final = {size: period for period, size in _KEY_CHARS.items()}


class CounterName(StrEnum):
    """What is counted."""

    PREDICTIONS = "predictions"
    """Rows for which an answer is computed."""
    TOKENS = "tokens"
    """Text tokens, read and written."""
    EXPLANATIONS = "explanations"
    """Rows for which contributions are computed."""
    GRACE_PREDICTIONS = "grace-predictions"
    """Predictions after the end of a lease; the period is the id of that lease."""


class CounterKey(NamedTuple):
    """One count: of which document, of what, in which period."""

    document: str
    counter: CounterName
    period: str

    @classmethod
    def from_text(cls, text: str) -> CounterKey:
        """Read ``document/counter/period``, as it stands in state files.

        Raises:
            FormatError: another form, or an unknown counter.
        """
        parts = text.split("/")
        if len(parts) != 3 or not parts[0] or parts[1] not in _COUNTERS or not parts[2]:
            raise FormatError("not a counter key of the form document/counter/period")
        return cls(parts[0], CounterName(parts[1]), parts[2])

    def to_text(self) -> str:
        """Write ``document/counter/period``."""
        return f"{self.document}/{self.counter.value}/{self.period}"


_COUNTERS: Final = frozenset(counter.value for counter in CounterName)


def is_over(period: str, moment: datetime) -> bool:
    """Tell whether a period lies wholly before an instant, so that its count may be forgotten."""
    kind = _PERIOD_OF_SIZE.get(len(period))
    return kind is not None and period < kind.key(moment)
