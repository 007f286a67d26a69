"""Terms that count: predictions, tokens, explanations, rate, concurrent runtimes.

    {"limit": 1000, "per": "day", "term": "predictions"}
    {"limit": 50, "seconds": 1, "term": "rate"}

Every use is charged to every document of a chain, so what a site uses under a
sub-license also leaves the license above it (spec/license.md, "Counting").
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from strongroom._encoding import to_instant
from strongroom.license.codes import Code
from strongroom.license.fields import verify_count
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.term import Case, Tagged
from strongroom.license.verdict import Denied

MAX_RATE_SECONDS: Final = 3600


class Counted(Tagged, frozen=True, kw_only=True):
    """A limit of a count in a period."""

    is_counted: ClassVar[bool] = True
    counter: ClassVar[CounterName]
    code: ClassVar[Code]

    limit: int
    per: Period

    def check_fields(self) -> None:
        """Check the limit.

        Raises:
            FormatError: not from 1 to 2**53 - 1.
        """
        verify_count(self.limit, "a limit")

    def check(self, case: Case) -> Denied | None:
        """Refuse what goes beyond the limit, counted over all uses of this document."""
        wanted = case.request.amount(self.counter)
        period = self.per.key(case.now)
        used = case.facts.used.get(CounterKey(case.document, self.counter, period), 0)
        if not wanted or used + wanted <= self.limit:
            return None
        end = self.per.end(case.now)
        wait = "" if end is None else f"Wait until {to_instant(end)}, or ask"
        return case.denied(
            self,
            self.code,
            f"{used} of {self.limit} {self.counter} are used ({period}); {wanted} more would go beyond",
            f"{wait or 'Ask'} {case.issuer} for a larger budget.",
        )


class Predictions(Counted, frozen=True, kw_only=True, tag="predictions"):
    """How many rows may be scored."""

    counter: ClassVar[CounterName] = CounterName.PREDICTIONS
    code: ClassVar[Code] = Code.PREDICTIONS_USED_UP


class Tokens(Counted, frozen=True, kw_only=True, tag="tokens"):
    """How many tokens may be read and written."""

    counter: ClassVar[CounterName] = CounterName.TOKENS
    code: ClassVar[Code] = Code.TOKENS_USED_UP


class Explanations(Counted, frozen=True, kw_only=True, tag="explanations"):
    """How many rows may be explained; apart from predictions, because they give more away."""

    counter: ClassVar[CounterName] = CounterName.EXPLANATIONS
    code: ClassVar[Code] = Code.EXPLANATIONS_USED_UP


class Rate(Tagged, frozen=True, kw_only=True, tag="rate"):
    """How many predictions fit in any window of so many seconds."""

    is_counted: ClassVar[bool] = True

    limit: int
    seconds: int

    def check_fields(self) -> None:
        """Check limit and window.

        Raises:
            FormatError: a limit below 1, or a window that is not from 1 to 3600 seconds.
        """
        verify_count(self.limit, "a rate")
        verify_count(self.seconds, "the window of a rate", most=MAX_RATE_SECONDS)

    def check(self, case: Case) -> Denied | None:
        """Refuse what would make a window too full."""
        start = case.now - timedelta(seconds=self.seconds)
        latest = case.facts.recent.get(case.document, ())
        used = sum(recent.predictions for recent in latest if recent.at > start)
        wanted = case.request.predictions
        if not wanted or used + wanted <= self.limit:
            return None
        return case.denied(
            self,
            Code.RATE_EXCEEDED,
            f"{used} of {self.limit} predictions in {self.seconds} seconds are used; "
            f"{wanted} more would go beyond",
            f"Send at most {self.limit} predictions in {self.seconds} seconds.",
        )


class Runtimes(Tagged, frozen=True, kw_only=True, tag="runtimes"):
    """How many runtimes may run at the same time."""

    is_counted: ClassVar[bool] = True

    limit: int

    def check_fields(self) -> None:
        """Check the limit.

        Raises:
            FormatError: not from 1 to 2**53 - 1.
        """
        verify_count(self.limit, "a number of runtimes")

    def check(self, case: Case) -> Denied | None:
        """Refuse one runtime too many; one that runs already keeps its seat."""
        running = case.facts.running.get(case.document, frozenset()) | {case.request.runtime}
        if len(running) <= self.limit:
            return None
        return case.denied(
            self,
            Code.TOO_MANY_RUNTIMES,
            f"the license allows {self.limit} runtimes at the same time; this would be the {len(running)}th",
            f"Stop a runtime, or ask {case.issuer} for more.",
        )
