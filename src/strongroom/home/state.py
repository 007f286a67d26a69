"""What one runtime remembers toward one owner: clock, versions, counts. Signed by its device key.

    token = to_token(state, device)                # compact JWS, typ strongroom-state+jws
    state = from_token(token, owner_id, device.public)

    {"clock": "2026-11-24T03:00:00Z", "format": "state/v1", "owner": "own-...",
     "recent": {"lic-...": {"2026-11-24T03:00:00Z": 12}},
     "used": {"lic-.../predictions/2026-11": 512}, "versions": {"risk": "1.2.0"}}

A lease that was reported to its broker is *closed*: what was said of it is final, and what is
still used under it, as far as that is allowed, is charged to the lease that follows. The *anchor*, from
which the time online is counted, is one for all licenses of the owner.

The signature keeps other users and careless editors from touching budgets. Whoever
acts as this user can restore an older state or sign a new one: at level ``local`` the
state is a record, not a barrier (spec/license.md, "Marks").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

import msgspec

from strongroom._encoding import from_instant, from_wire, to_instant, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, StorageUnavailable
from strongroom.home.leases import Anchor
from strongroom.keys.key_pair import SigningKey
from strongroom.license.counted_terms import MAX_RATE_SECONDS
from strongroom.license.counters import prune
from strongroom.license.period import CounterKey, CounterName, is_over
from strongroom.license.release_documents import Lease, OfflineFile
from strongroom.license.request import Authority, BreakGlassUse, Budget, Facts, Recent

TYP: Final = "strongroom-state+jws"
_LONGEST_WINDOW: Final = timedelta(seconds=MAX_RATE_SECONDS)
_SECOND: Final = timedelta(seconds=1)
_REPORTED: Final = (Lease.PREFIX, OfflineFile.PREFIX)
"""Ids of what is reported on; its counts go when the report has arrived."""
_MOST_UNREPORTED: Final = 1024
"""Counts of periods that are over: who counts by the hour must not make the state unreadable."""

A = TypeVar("A", bound=object)


class ClosedDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The signed form of ``Closed``."""

    reported: dict[str, int]
    late: dict[CounterName, int]
    successor: str | None


class BrokenDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The signed form of ``Broken``."""

    license: str
    lease: str
    started_at: str
    reason: str
    reported: bool


class StateDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """The signed form."""

    format: Literal["state/v1"]
    owner: str
    clock: str | None
    versions: dict[str, str]
    used: dict[str, int]
    recent: dict[str, dict[str, int]]
    closed: dict[str, ClosedDocument] = {}
    break_glass: list[BrokenDocument] = []
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A lease whose usage was reported: the report is final."""

    reported: Mapping[CounterKey, int]
    """What the report says, under the id of the lease."""
    late: Mapping[CounterName, int]
    """How much beyond the report each period may still see, while it is not known whether the
    broker has the report. The next lease has room for it, and is charged with it."""
    successor: str | None = None
    """The lease that followed, once it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One use of break-glass."""

    license: str
    """Id of the narrowest document."""
    lease: str
    """The lease that had ended."""
    started_at: datetime
    reason: str
    reported: bool = False
    """Whether the owner has read of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Marks and counts toward one owner. Empty until something was opened."""

    clock: datetime | None = None
    """The latest instant at which something was allowed here."""
    anchor: Anchor | None = None
    """Where the time toward this owner is counted from: a broker's, as a rule."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Model name to the highest version opened here."""
    used: Mapping[CounterKey, int] = field(default_factory=dict)
    """Counts of every document, reserved blocks included."""
    recent: Mapping[str, tuple[Recent, ...]] = field(default_factory=dict)
    """Document id to its latest predictions, by the second, for rates."""
    closed: Mapping[str, Closed] = field(default_factory=dict)
    """Lease id to what was reported of it."""
    broken: tuple[Broken, ...] = ()
    """Every use of break-glass, oldest first."""

    def facts(self, known: Facts, name: str, now: datetime | None = None) -> Facts:
        """Return facts for a decision about the model ``name``: ``known``, and what is kept here.

        With ``now``, a lease that is closed has what is left of it after its report.
        """
        return replace(
            known,
            authority=self._after_report(known.authority, now),
            break_glass=known.break_glass or self.use_in_force(known),
            used=self.used,
            recent=self.recent,
            clock_mark=self.clock,
            version_mark=self.versions.get(name),
        )

    def counts_under(self, authority: str) -> dict[CounterKey, int]:
        """Return what was counted under a lease or an offline file."""
        return {key: count for key, count in self.used.items() if key.document == authority and count}

    def breaks_of(self, license: str) -> tuple[Broken, ...]:
        """Return every use of break-glass under a license, oldest first."""
        return tuple(each for each in self.broken if each.license == license)

    def without_counts_of(self, leases: Collection[str]) -> State:
        """Return the state without anything that is kept by the id of one of these leases."""
        used = {
            key: count
            for key, count in self.used.items()
            if key.document not in leases and key.period not in leases
        }
        return replace(
            self, used=used, closed={name: each for name, each in self.closed.items() if name not in leases}
        )

    def use_in_force(self, known: Facts) -> BreakGlassUse | None:
        """Return the use of break-glass that counts for the lease in ``known``, or None."""
        authority = known.authority
        if not isinstance(authority, Authority):
            return None
        # One that was broken under an earlier lease says nothing about this outage, and one under
        # the lease of another package nothing about this package.
        breaks = enumerate(self.breaks_of(authority.license), start=1)
        newest = max(((number, each) for number, each in breaks if each.lease == authority.id), default=None)
        return None if newest is None else BreakGlassUse(newest[1].started_at, newest[1].reason, newest[0])

    def _after_report(self, authority: A, now: datetime | None) -> A:
        if now is None or not isinstance(authority, Authority) or authority.id not in self.closed:
            return authority
        closed = self.closed[authority.id]
        left = [_left(authority.id, closed, entry, now) for entry in authority.budget_at(now)]
        return replace(authority, budget=tuple(each for each in left if each is not None))

    def with_recent(self, document: str, now: datetime, predictions: int, *, window: timedelta) -> State:
        """Return the state after so many more predictions under a document that has a rate.

        Entries are kept for ``window``, the longest of the document's rates, and by whole
        seconds, rounded up: a prediction leaves a window up to a second late, never early.
        """
        at = now.replace(microsecond=0) + (_SECOND if now.microsecond else timedelta())
        counts = {each.at: each.predictions for each in self.recent.get(document, ())}
        counts[at] = counts.get(at, 0) + predictions
        kept = tuple(
            Recent(moment, count) for moment, count in sorted(counts.items()) if moment > now - window
        )
        return replace(self, recent={**self.recent, document: kept})

    def pruned(self, now: datetime) -> State:
        """Return the state without what can never matter again."""
        recent = {
            document: kept
            for document, entries in self.recent.items()
            if (kept := tuple(each for each in entries if each.at > now - _LONGEST_WINDOW))
        }
        used = {key: count for key, count in prune(self.used, now).items() if count}
        return replace(self, used=used | self._unreported(now), recent=recent)

    def _unreported(self, now: datetime) -> dict[CounterKey, int]:
        """Return the newest counts of periods that are over and stand in no report yet.

        A report names every period: what was used under a lease yesterday is told tomorrow.
        """
        of_reports = (key for key, count in self.used.items() if count and key.document.startswith(_REPORTED))
        over = sorted((key for key in of_reports if is_over(key.period, now)), key=lambda key: key.period)
        return {key: self.used[key] for key in over[-_MOST_UNREPORTED:]}


def _left(lease: str, closed: Closed, entry: Budget, now: datetime) -> Budget | None:
    reported = closed.reported.get(CounterKey(lease, entry.counter, entry.per.key(now)), 0)
    limit = min(entry.limit, reported + closed.late.get(entry.counter, 0))
    return Budget(counter=entry.counter, limit=limit, per=entry.per) if limit else None


def to_token(state: State, owner_id: str, device: SigningKey) -> str:
    """Sign a state.

    Raises:
        StorageUnavailable: it has grown beyond what can be read back (code ``state-too-large``).
    """
    document = StateDocument(
        format="state/v1",
        owner=owner_id,
        clock=None if state.clock is None else to_instant(state.clock),
        versions=dict(state.versions),
        used={key.to_text(): count for key, count in state.used.items()},
        recent={
            name: {to_instant(each.at): each.predictions for each in entries}
            for name, entries in state.recent.items()
        },
        closed={
            name: ClosedDocument(
                reported={key.to_text(): count for key, count in each.reported.items()},
                late=dict(each.late),
                successor=each.successor,
            )
            for name, each in state.closed.items()
        },
        break_glass=[
            BrokenDocument(
                license=each.license,
                lease=each.lease,
                started_at=to_instant(each.started_at),
                reason=each.reason,
                reported=each.reported,
            )
            for each in state.broken
        ],
        anchor=state.anchor,
    )
    token = jws.sign(TYP, to_wire(document), device.secret)
    if len(token) > LIMITS.max_token_bytes:
        raise StorageUnavailable(
            f"the state toward {owner_id} has grown beyond {LIMITS.max_token_bytes} bytes",
            code="state-too-large",
        )
    return token


def from_token(token: str, owner_id: str, device: SigningPublic) -> State:
    """Verify and read a state.

    Raises:
        FormatError: not a state.
        VerificationError: not signed by this device, or altered.
    """
    document = from_wire(jws.verify(token, TYP, [device]), StateDocument)
    if document.owner != owner_id:
        raise FormatError("a state is toward another owner")
    if any(count < 0 for count in document.used.values()):
        raise FormatError("a count of a state is negative")
    return State(
        clock=None if document.clock is None else from_instant(document.clock),
        versions=document.versions,
        used={CounterKey.from_text(text): count for text, count in document.used.items()},
        recent={
            name: tuple(Recent(from_instant(at), count) for at, count in sorted(entries.items()))
            for name, entries in document.recent.items()
        },
        closed={
            name: Closed(
                reported={CounterKey.from_text(text): count for text, count in each.reported.items()},
                late=each.late,
                successor=each.successor,
            )
            for name, each in document.closed.items()
        },
        broken=tuple(
            Broken(
                license=each.license,
                lease=each.lease,
                started_at=from_instant(each.started_at),
                reason=each.reason,
                reported=each.reported,
            )
            for each in document.break_glass
        ),
        anchor=document.anchor,
    )
