"""What is asked for, and the facts that are known when it is decided.

    request = Request(
        right=Right.PREDICT, owner="own-...", name="risk", version="1.2.0", package_digest="9f...",
        level=Level.LOCAL, runtime="run-...", predictions=128, purpose="triage",
    )
    facts = Facts(authority=authority, accepted={chain.id: digest}, used=counts, clock_mark=mark)

A fact that is left out is taken in the sense that allows less wherever that is
possible: no acceptance, no authority, no grace. Facts come from the partner's own
signed state below ``attested``; DESIGN says what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from strongroom.errors import FormatError, UsageError
from strongroom.license.fields import MAX_COUNT, Fields, verify_count
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.version import version_number


class Right(StrEnum):
    """What may be done with a package."""

    PREDICT = "predict"
    EVALUATE = "evaluate"
    EXPLAIN = "explain"
    EXPORT = "export"
    MODIFY = "modify"
    SUBLICENSE = "sublicense"


class Level(StrEnum):
    """How the model is protected where it runs, weakest first."""

    LOCAL = "local"
    SEALED = "sealed"
    ATTESTED = "attested"
    HOSTED = "hosted"

    def reaches(self, other: Level) -> bool:
        """Tell whether this level is ``other`` or a stronger one."""
        return _STRENGTH[self] >= _STRENGTH[other]


_STRENGTH: Final = {level: strength for strength, level in enumerate(Level)}


class Budget(Fields, frozen=True, kw_only=True, omit_defaults=True):
    """A limit of a count in a period, as leases and offline files carry it."""

    counter: CounterName
    limit: int
    """In the period in which the lease or file was made; 0 only where there is something later."""
    per: Period
    later: int | None = None
    """In each period after that one; None: as much."""

    def check_fields(self) -> None:
        """Check the limits.

        Raises:
            FormatError: one is out of its range, or the later one says nothing.
        """
        if self.later is None:
            verify_count(self.limit, "a budget")
            return
        if not (0 <= self.limit <= MAX_COUNT and 0 <= self.later <= MAX_COUNT):
            raise FormatError(f"a budget with later periods must have numbers from 0 to {MAX_COUNT}")
        if self.later == self.limit or self.per is Period.TOTAL:
            # One spelling for each meaning: what is signed can be made again from what it says.
            raise FormatError("a budget of later periods says nothing")

    def limit_at(self, now: datetime, issued_at: datetime) -> int:
        """Return the limit in the period of now, of a lease or file that was made at ``issued_at``."""
        if self.later is None or self.per.key(now) <= self.per.key(issued_at):
            return self.limit
        return self.later


class AuthorityKind(StrEnum):
    """Which document released the content key."""

    LEASE = "lease"
    OFFLINE = "offline"
    PASSPHRASE = "passphrase"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The verified document that released the keys, as far as decisions need it."""

    kind: AuthorityKind
    id: str
    license: str
    """Id of the narrowest document of the chain for which it was made."""
    runtime: str | None
    """The one runtime that it is for; None: whoever knows the pass-phrase."""
    package: str
    """Package digest."""
    issued_at: datetime
    not_after: datetime
    budget: tuple[Budget, ...] = ()

    def budget_at(self, now: datetime) -> tuple[Budget, ...]:
        """Return what may be used in the periods of now.

        A counter of which there is nothing in one of them is left out of all.
        """
        limits = [(each, each.limit_at(now, self.issued_at)) for each in self.budget]
        # Of the day there is nothing: what there is of the hour must not be used without it.
        spent = {each.counter for each, limit in limits if not limit}
        return tuple(
            Budget(counter=each.counter, limit=limit, per=each.per)
            for each, limit in limits
            if each.counter not in spent
        )


@dataclass(frozen=True, slots=True)
class AtOwner:
    """The owner's own server decides or computes: it needs nobody's leave for its own keys."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Predictions at one instant, for rates."""

    at: datetime
    predictions: int


@dataclass(frozen=True, slots=True)
class BreakGlassUse:
    """The use of break-glass that is in force."""

    started_at: datetime
    reason: str
    number: int
    """Which use it is in the life of the license, from 1."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A verified withdrawal, as far as decisions need it."""

    owner: str
    name: str
    version: str
    permits: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One use that somebody wants to make of one package.

    Raises:
        UsageError: a negative amount (it would give budget back).
        FormatError: the version is not of the form N.N.N.
    """

    right: Right
    owner: str
    """Owner id in the verified statement of the package."""
    name: str
    version: str
    package_digest: str
    level: Level
    """The protection level that is really reached."""
    runtime: str
    predictions: int = 0
    tokens: int = 0
    explanations: int = 0
    purpose: str | None = None

    def __post_init__(self) -> None:
        version_number(self.version)
        if min(self.predictions, self.tokens, self.explanations) < 0:
            raise UsageError("a request cannot ask for less than nothing", code="negative-count")

    def amount(self, counter: CounterName) -> int:
        """Return how much this request adds to a counter."""
        match counter:
            case CounterName.PREDICTIONS | CounterName.GRACE_PREDICTIONS:
                return self.predictions
            case CounterName.TOKENS:
                return self.tokens
            case CounterName.EXPLANATIONS:
                return self.explanations
            case _ as other:
                assert_never(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known at the moment of a decision. Ids are those of documents of the chain."""

    authority: Authority | AtOwner | None = None
    """What released the keys; None: nothing did."""
    accepted: Mapping[str, str | None] = field(default_factory=dict)
    """Document id to the agreement digest that its holder accepted (None: there was no agreement)."""
    revoked: frozenset[str] = frozenset()
    """Ids of revoked documents: licenses, sub-licenses, leases, offline files."""
    why_revoked: Mapping[str, str] = field(default_factory=dict)
    """Id of a revoked document to the reason that its owner signed, where that is known."""
    used: Mapping[CounterKey, int] = field(default_factory=dict)
    """Counts so far, without this request."""
    running: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Document id to the runtimes that hold a seat of it now."""
    recent: Mapping[str, tuple[Recent, ...]] = field(default_factory=dict)
    """Document id to its latest predictions, at least those of the longest rate window."""
    clock_mark: datetime | None = None
    """The latest instant that this runtime has certainly seen."""
    version_mark: str | None = None
    """The highest version of this model that this runtime has opened."""
    withdrawals: tuple[Withdrawn, ...] = ()
    outage_since: datetime | None = None
    """Since when the broker has been silent; None: it answers. Grace exists in an outage only."""
    break_glass: BreakGlassUse | None = None
