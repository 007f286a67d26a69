"""Marks and budgets on disk: decided, charged and written under one lock.

    reservation = home.marks.reserve(chain, request, facts, now, block=256)
    if isinstance(reservation, Denied): ...
    reservation.predictions                      # charged already; use them up, then reserve again
    home.marks.give_back(chain.owner, reservation, unused=17)

    home.marks.read(owner_id).facts(facts, "risk")     # for a decision that charges nothing

Files: ``state/<owner id>/state.jws`` and its lock. One file holds all that this runtime
remembers toward one owner, because a sub-license also charges the license above it, and
because clock and versions hold for all licenses of that owner: one lock and one write
make a use, or nothing. The rules are pure and stand in ``license``.

A charge is on the disk before the answer leaves, so two supervisors can never spend one
budget twice, and a crash costs at most the rest of a block. A missing file is a fresh
start; a file that fails its signature stops everything toward that owner.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, IntegrityError, ObjectNotFound, VerificationError
from strongroom.home import files
from strongroom.home.boot_clock import OnlineClock
from strongroom.home.keystore import Keystore
from strongroom.home.leases import Anchor
from strongroom.home.state import Broken, Closed, State, from_token, to_token
from strongroom.license.chain import LicenseChain
from strongroom.license.counters import charge, give_back
from strongroom.license.evaluate import evaluate
from strongroom.license.marks import latest_of, raise_clock, raise_version
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import Authority, Facts, Request
from strongroom.license.terms import Rate
from strongroom.license.verdict import Allowed, Denied

_STATE: Final = "state.jws"
_LOCK: Final = "state.lock"
_IN_BLOCKS: Final = frozenset({CounterName.PREDICTIONS, CounterName.GRACE_PREDICTIONS})

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A use that was allowed and is charged already."""

    allowed: Allowed
    predictions: int
    """How many predictions are charged: those of the request and the rest of the block."""
    charged: Mapping[CounterKey, int]
    """The counts of predictions, and of explanations if some were asked for; what was added to each."""


class Marks:
    """The ``state`` folder of a home."""

    __slots__ = ("_folder", "_keys")

    def __init__(self, folder: Path, keys: Keystore) -> None:
        self._folder = folder
        self._keys = keys

    def read(self, owner_id: str) -> State:
        """Return what this runtime remembers toward an owner; empty if there is nothing yet.

        Raises:
            IntegrityError: the file fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the file cannot be read.
        """
        path = self._path(owner_id, _STATE)
        try:
            data = files.read_bytes(path, max_bytes=LIMITS.max_token_bytes)
        except ObjectNotFound:
            return State()
        except FormatError as error:
            raise _tampered(path) from error
        device = self._keys.device(owner_id).public
        try:
            return from_token(data.decode("ascii"), owner_id, device)
        except (FormatError, VerificationError, UnicodeDecodeError) as error:
            raise _tampered(path) from error

    def update(self, owner_id: str, change: Callable[[State], tuple[State, T]]) -> T:
        """Replace the state toward an owner by what ``change`` makes of it; nobody writes in between.

        ``change`` returns the new state and a result, which is returned here once the
        state is on the disk; if it raises, nothing changes.

        Raises:
            IntegrityError: the file fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the file cannot be read or written.
        """
        path = self._path(owner_id, _STATE)
        device = self._keys.device(owner_id)
        files.make_folder(path.parent)
        with files.locked(self._path(owner_id, _LOCK)):
            before = self.read(owner_id)
            after, result = change(before)
            if after != before:
                files.write_atomic(path, to_token(after, owner_id, device).encode("ascii"))
            return result

    def reserve(
        self, chain: LicenseChain, request: Request, facts: Facts, now: datetime, *, block: int = 0
    ) -> Reservation | Denied:
        """Decide about a request, and if it is allowed charge it and raise the marks.

        With ``block``, predictions are charged beyond the request up to so many in all,
        as far as every count has room; the caller uses them up without asking here. A
        license with a rate is charged request by request.

        Args:
            chain: The verified license with the sub-licenses under it.
            request: What is asked for; nothing, when a model is only opened.
            facts: What is known. Counts and marks in it are replaced by those on disk.
            now: What the clock says.
            block: How many predictions to charge at once, if possible.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, Reservation | Denied]:
            at = latest_of(now, state.clock)
            verdict = evaluate(chain, request, state.facts(facts, request.name, at), now)
            if isinstance(verdict, Denied):
                return state, verdict
            reservation, added = _charges(verdict, request, 0 if _rate_windows(chain) else block)
            return _after(state, chain, request, added, now), reservation

        return self.update(chain.owner, change)

    def give_back(self, owner_id: str, reservation: Reservation, unused: int) -> None:
        """Give the unused rest of a block back; once, when its holder stops.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, None]:
            used = give_back(state.used, reservation.charged, unused)
            return replace(state, used={key: count for key, count in used.items() if count}), None

        self.update(owner_id, change)

    def set_clock(self, owner_id: str, moment: datetime, anchor: Anchor | None = None) -> None:
        """Set the clock mark to what a broker said in answer to this runtime's own request.

        The only way down: one jump of a wall clock must not lock a runtime out for ever.

        Args:
            owner_id: Whose broker.
            moment: What it is now.
            anchor: What to count the time from, for all licenses of this owner; None: as before.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """
        whole = moment.replace(microsecond=0)
        self.update(
            owner_id, lambda state: (replace(state, clock=whole, anchor=anchor or state.anchor), None)
        )

    def hold_clock(self, owner_id: str, clock: OnlineClock) -> Anchor:
        """Return what the time is counted from since this start; after a restart that is this moment.

        For a use that was allowed: a wall clock that was refused must leave no trace.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, Anchor]:
            anchor = clock.hold(state.anchor, state.clock)
            return replace(state, anchor=anchor), anchor

        return self.update(owner_id, change)

    def close(self, owner_id: str, lease: Authority, now: datetime) -> Mapping[CounterKey, int]:
        """Close a lease: what was counted under it so far is reported, and the report is final.

        Closing it again returns the same counts. What is left of it now may be used until the
        successor is here, which has room for it. What was kept of the leases before it is
        forgotten: their successor is on the disk.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, Mapping[CounterKey, int]]:
            if lease.id in state.closed:
                return state, state.closed[lease.id].reported
            before = [name for name, each in state.closed.items() if each.successor == lease.id]
            state = state.without_counts_of(before)
            counts = state.counts_under(lease.id)
            at = latest_of(now, state.clock)
            late: dict[CounterName, int] = {}
            for entry in lease.budget:
                used = counts.get(CounterKey(lease.id, entry.counter, entry.per.key(at)), 0)
                left = max(entry.limit_at(at, lease.issued_at) - used, 0)
                late[entry.counter] = min(late.get(entry.counter, left), left)
            closed = {**state.closed, lease.id: Closed(reported=counts, late=late)}
            return replace(state, closed=closed), counts

        return self.update(owner_id, change)

    def reopen(self, owner_id: str, lease: str) -> None:
        """Take a closing back: the report certainly reached nobody.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, None]:
            closed = {name: each for name, each in state.closed.items() if name != lease}
            return replace(state, closed=closed), None

        self.update(owner_id, change)

    def end(self, owner_id: str, lease: str) -> None:
        """Let nothing more be used under a closed lease: the broker has its report, and gave no other.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, None]:
            closed = state.closed.get(lease, Closed(reported=state.counts_under(lease), late={}))
            return replace(state, closed={**state.closed, lease: replace(closed, late={})}), None

        self.update(owner_id, change)

    def succeed(self, owner_id: str, lease: str | None, successor: str) -> None:
        """Pass on from a closed lease to the one that followed: late use is charged to that one.

        Passing on again changes nothing.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, None]:
            closed = None if lease is None else state.closed.get(lease)
            if lease is None or closed is None or closed.successor == successor:
                return state, None
            counts = state.counts_under(lease)
            late = {
                key._replace(document=successor): count - closed.reported.get(key, 0)
                for key, count in counts.items()
                if count > closed.reported.get(key, 0)
            }
            done = Closed(reported=counts, late={}, successor=successor)
            used = charge(state.used, late)
            return replace(state, used=used, closed={**state.closed, lease: done}), None

        self.update(owner_id, change)

    def forget(self, owner_id: str, lease: str) -> None:
        """Forget the counts of a lease that is reported and given back.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """
        self.update(owner_id, lambda state: (state.without_counts_of([lease]), None))

    def break_glass(self, owner_id: str, use: Broken) -> int:
        """Note a use of break-glass; returns which one it is under its license, from 1.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, int]:
            after = replace(state, broken=(*state.broken, use))
            return after, len(after.breaks_of(use.license))

        return self.update(owner_id, change)

    def note_reported(self, owner_id: str, license: str, started: Collection[datetime]) -> None:
        """Note that the owner has read of these uses of break-glass.

        Raises:
            IntegrityError: the state fails its signature (code ``state-tampered``).
            NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
            FormatError: not an owner id.
            StorageUnavailable: the state cannot be read or written.
        """

        def change(state: State) -> tuple[State, None]:
            broken = tuple(
                replace(each, reported=True)
                if each.license == license and each.started_at in started
                else each
                for each in state.broken
            )
            return replace(state, broken=broken), None

        self.update(owner_id, change)

    def _path(self, owner_id: str, name: str) -> Path:
        return self._folder / files.verify_component(owner_id) / name


def _charges(verdict: Allowed, request: Request, block: int) -> tuple[Reservation, Mapping[CounterKey, int]]:
    # The verdict names every count that the decision looked at, in the period it took.
    room = [rest for key, rest in verdict.remaining.items() if key.counter in _IN_BLOCKS]
    extra = max(min([block - request.predictions, *room]), 0)
    added = {
        key: request.amount(key.counter) + (extra if key.counter in _IN_BLOCKS else 0)
        for key in verdict.remaining
    }
    # What can be given back. Explanations are never charged ahead: without a block the request is
    # given back as a whole, and of a block only the predictions that were not asked for.
    is_whole = request.explanations and not block
    refundable = _IN_BLOCKS | {CounterName.EXPLANATIONS} if is_whole else _IN_BLOCKS
    charged = {key: amount for key, amount in added.items() if key.counter in refundable}
    total = request.predictions + extra
    return Reservation(allowed=verdict, predictions=total, charged=charged), added


def _rate_windows(chain: LicenseChain) -> dict[str, timedelta]:
    windows: dict[str, timedelta] = {}
    for document, term in chain.terms():
        if isinstance(term, Rate):
            window = timedelta(seconds=term.seconds)
            windows[document.id] = max(window, windows.get(document.id, window))
    return windows


def _after(
    state: State, chain: LicenseChain, request: Request, added: Mapping[CounterKey, int], now: datetime
) -> State:
    clock = raise_clock(state.clock, now).replace(microsecond=0)
    version = raise_version(state.versions.get(request.name), request.version)
    after = replace(
        state.pruned(latest_of(now, clock)),
        clock=clock,
        versions={**state.versions, request.name: version},
    )
    used = charge(after.used, added)
    after = replace(after, used={key: count for key, count in used.items() if count})
    if request.predictions:
        for document, window in _rate_windows(chain).items():
            after = after.with_recent(document, latest_of(now, clock), request.predictions, window=window)
    return after


def _tampered(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} was not written by this runtime, or was changed since",
        code="state-tampered",
        hint="restore it from a backup; if there is none, ask the owner to enroll this runtime anew",
    )
