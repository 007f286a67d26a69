"""The options that say what a license allows, shared by ``grant`` and ``license narrow``.

    --until 2027-06-30 --predictions 1M/month --grace 72h --answers rounded:2

Each option is one term. What is left out is not restricted, or filled in by ``granting``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Group, Parameter

from strongroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.cli._shared import Shared
    from strongroom.license.terms import Rate, Term

_LONGEST_OFFLINE: Final = "1y"
"""As long as a license lasts unless it says otherwise."""
_HOUR: Final = timedelta(hours=1)
_GROUP: Final = Group("Terms of the license", sort_key=60)
_BUDGET: Final = re.compile(r"([1-9][0-9,_]*[kM]?)/(hour|day|month|year|total)", re.ASCII)
_BOUNDED: Final = re.compile(r"(0*[1-9][0-9]{0,5}[hdwy])(?::([1-9][0-9,_]*[kM]?))?", re.ASCII)
"""No ``m``: whoever means a minute must not grant a month."""
_SUFFIXES: Final = {"k": 1_000, "M": 1_000_000}
_PERIOD_HOURS: Final = {"hour": 1, "day": 24, "month": 30 * 24, "year": 365 * 24}
_BUSY: Final = 2
"""How much more than on average is wanted in the hours of an outage: they may be those of a working day."""
_UNCOUNTED_GRACE: Final = 1_000_000
"""Predictions of the grace time where the license counts none: as good as all."""
_RATE: Final = re.compile(r"([1-9][0-9]*)/([1-9][0-9]*)?(s|second|min|minute)", re.ASCII)
_ANSWERS: Final = re.compile(r"(full|label)|rounded:([0-9]{1,2})|top-k:([0-9]{1,6})", re.ASCII)

RightName = Literal["predict", "evaluate", "explain", "export", "modify", "sublicense"]
LevelName = Literal["local", "sealed", "attested", "hosted"]


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class TermOptions:
    """The terms as they are typed."""

    expires: Annotated[
        str | None,
        Parameter(alias="--until", help="The last day, an instant, or a time from now (90d)."),
    ] = None
    starts: Annotated[str | None, Parameter(help="The first day, an instant, or a time from now.")] = None
    zone: Annotated[
        str | None, Parameter(help="Where those days begin and end, as Europe/Berlin (else here).")
    ] = None
    right: Annotated[
        tuple[RightName, ...], Parameter(help="What may be done; repeat it for several.", metavar="RIGHT")
    ] = ()
    level: Annotated[
        LevelName | None, Parameter(help="The weakest protection that is enough.", metavar="LEVEL")
    ] = None
    predictions: Annotated[str | None, Parameter(help="At most so many, as 1000/month or 1M/total.")] = None
    explanations: Annotated[str | None, Parameter(help="At most so many explanations, as 50/day.")] = None
    tokens: Annotated[str | None, Parameter(help="At most so many tokens of text, as 100000/day.")] = None
    rate: Annotated[
        str | None, Parameter(help="At most so many predictions in a time, as 10/s or 100/60s.")
    ] = None
    runtimes: Annotated[int | None, Parameter(help="At most so many installations at the same time.")] = None
    answers: Annotated[
        str | None, Parameter(help="How much of an answer: full, rounded:DECIMALS, top-k:K or label.")
    ] = None
    purpose: Annotated[tuple[str, ...], Parameter(help="What answers may be used for; repeatable.")] = ()
    versions: Annotated[str | None, Parameter(help="Which versions, as '>=1.2.0,<2.0.0'.")] = None
    grace: Annotated[
        str | None,
        Parameter(help="How long use goes on when the broker is down: 72h, or 72h:5000 predictions."),
    ] = None
    break_glass: Annotated[
        str | None, Parameter(help="In an emergency after that, for a reason: 12h, or 12h:3 times.")
    ] = None
    offline: Annotated[str | None, Parameter(help="How long without a broker at a time, as 90d.")] = None
    offline_files: Annotated[
        int | None, Parameter(help="On how many installations without a broker (else those enrolled now).")
    ] = None

    def warn(self, shared: Shared) -> None:
        """Say it if what was typed gives a license that no installation can use."""
        from strongroom.license.request import Level

        if self.level is None or Level(self.level) is Level.LOCAL:
            return
        if Level(self.level) is not Level.SEALED:
            shared.terminal.warning(
                f"no installation reaches the level {self.level} yet, only {Level.LOCAL} and {Level.SEALED}: "
                "nothing opens under this license until one does"
            )
            return
        shared.terminal.note(
            "It opens only where a service account runs the model: 'strongroom doctor' there says what is "
            "missing. Below attested, the level is the partner's own signed statement."
        )

    def terms(self, model: str, *, runtimes: int, now: datetime) -> list[Term]:
        """Return the terms that were typed.

        Args:
            model: The model that ``versions`` is about.
            runtimes: How many offline files ``offline`` allows.
            now: What durations count from.

        Raises:
            UsageError: an option that cannot be read.
            FormatError: a term breaks a rule of spec/license.md.
        """
        from strongroom.license import terms as kinds
        from strongroom.license.request import Level, Right

        found: list[Term] = [*self._times(now), *self._budgets()]
        if self.right:
            found.append(kinds.Rights(rights=tuple(sorted({Right(right) for right in self.right}))))
        if self.level is not None:
            found.append(kinds.Levels(at_least=Level(self.level)))
        if self.rate is not None:
            found.append(rate_of(self.rate))
        if self.runtimes is not None:
            found.append(kinds.Runtimes(limit=self.runtimes))
        found += self._outages(now)
        if self.answers is not None:
            found.append(answers_of(self.answers))
        if self.purpose:
            found.append(kinds.Purpose(purposes=tuple(sorted(set(self.purpose)))))
        if self.versions is not None:
            choice = kinds.PackageChoice.from_text(f"{model.partition('@')[0]}@{self.versions}")
            found.append(kinds.Packages(packages=(choice,)))
        if self.offline is not None or self.offline_files is not None:
            files = self.offline_files or max(runtimes, 1)
            found.append(kinds.Offline(hours=_hours(self.offline or _LONGEST_OFFLINE), files=files))
        return found

    def _times(self, now: datetime) -> Iterator[Term]:
        from strongroom.cli._moment import end_of, start_of, zone_of
        from strongroom.license.terms import Expires, NotBefore

        zone = zone_of(self.zone)
        if self.starts is not None:
            yield NotBefore(at=start_of(self.starts, now, zone))
        if self.expires is not None:
            yield Expires(at=end_of(self.expires, now, zone))

    def _budgets(self) -> Iterator[Term]:
        from strongroom.license.period import Period
        from strongroom.license.terms import Explanations, Predictions, Tokens

        for kind, text in (
            (Predictions, self.predictions),
            (Explanations, self.explanations),
            (Tokens, self.tokens),
        ):
            if text is None:
                continue
            limit, per = budget_of(text)
            yield kind(limit=limit, per=Period(per))

    def _outages(self, now: datetime) -> Iterator[Term]:
        from strongroom.license.terms import BreakGlass, Grace

        if self.grace is not None:
            hours, bound = _bounded(
                self.grace,
                "write whole hours or more: 1h, 72h, 3d or 2w; 72h:5000 with the predictions of that time",
            )
            yield Grace(hours=hours, predictions=bound or self._grace_predictions(hours, now))
        if self.break_glass is not None:
            hours, bound = _bounded(
                self.break_glass, "write whole hours or more: 1h, 12h or 3d; 12h:3 for three times"
            )
            yield BreakGlass(hours=hours, uses=bound or 1)

    def _grace_predictions(self, hours: int, now: datetime) -> int:
        """Return twice the share of the budget that falls on the hours, for each of the runtimes.

        It is set aside when a lease is given, so that it is there in an outage: with the whole
        budget set aside for the first runtime, nothing would be left for the second.
        """
        match = _BUDGET.fullmatch(self.predictions or "")
        if match is None:
            return _UNCOUNTED_GRACE
        limit, period = _whole(match[1]), _PERIOD_HOURS.get(match[2]) or self._life_hours(now)
        share = min(limit, math.ceil(_BUSY * limit * hours / period))
        return max(1, share // (self.runtimes or 1))

    def _life_hours(self, now: datetime) -> int:
        from strongroom.license.terms import Expires

        ends = [term.at for term in self._times(now) if isinstance(term, Expires)]
        return _hours(_LONGEST_OFFLINE) if not ends else max(1, math.ceil((ends[0] - now) / _HOUR))


def budget_of(text: str) -> tuple[int, str]:
    """Return limit and period of a budget such as ``1M/month``.

    Raises:
        UsageError: it cannot be read.
    """
    match = _BUDGET.fullmatch(text)
    if match is None:
        raise _unreadable(text, "write 1000/month; also per hour, day, year or total")
    return _whole(match[1]), match[2]


def rate_of(text: str) -> Rate:
    """Read a rate: ``10/s``, ``100/60s``, ``500/min``.

    Raises:
        UsageError: another form.
        FormatError: a window that no license may have.
    """
    from strongroom.license.terms import Rate

    match = _RATE.fullmatch(text)
    if match is None:
        raise _unreadable(text, "write 10/s, 100/60s or 500/min")
    seconds = int(match[2] or 1) * (1 if match[3].startswith("s") else 60)
    return Rate(limit=int(match[1]), seconds=seconds)


def answers_of(text: str) -> Term:
    """Read how much of an answer may leave.

    Raises:
        UsageError: another form.
        FormatError: a number that no license may have.
    """
    from strongroom.license.terms import Output, OutputKind

    match = _ANSWERS.fullmatch(text)
    if match is None:
        raise _unreadable(text, "write full, rounded:2, top-k:3 or label")
    if match[2] is not None:
        return Output(policy=OutputKind.ROUNDED, decimals=int(match[2]))
    if match[3] is not None:
        return Output(policy=OutputKind.TOP_K, k=int(match[3]))
    return Output(policy=OutputKind(match[1]))


def _hours(text: str) -> int:
    from strongroom.cli._moment import duration_of

    return math.ceil(duration_of(text) / _HOUR)


def _bounded(text: str, hint: str) -> tuple[int, int | None]:
    match = _BOUNDED.fullmatch(text)
    if match is None:
        raise _unreadable(text, hint)
    return _hours(match[1]), None if match[2] is None else _whole(match[2])


def _whole(text: str) -> int:
    digits = text.rstrip("kM").replace(",", "").replace("_", "")
    return int(digits) * _SUFFIXES.get(text[-1], 1)


def _unreadable(text: str, hint: str) -> UsageError:
    return UsageError(f"cannot read {text}", code="bad-term", hint=hint)


NO_TERMS: Final = TermOptions()
"""All options left out."""
