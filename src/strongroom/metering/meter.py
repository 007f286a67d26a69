"""One session's meter: every prediction is allowed and charged before its answer leaves.

    meter = Meter(home.marks, chain, request, facts)
    meter.check(now)                          # raises the marks; charges nothing
    charge = meter.charge(rows, now)          # LicenseDenied: nothing was counted
    charge = meter.charge_explanations(rows, now)       # with the right and the budget for explanations
    ...                                       # compute
    meter.refund(charge)                      # only if no answer left
    meter.adopt(facts)                        # the lease was renewed, or the broker fell silent
    meter.close()                             # the unused rest of the block goes back

Counts stand on the disk, charged in blocks before they are used: a process that is
killed loses the rest of its block and gains nothing. A block is at most a hundredth of
what is left and at most 1000, so that a small budget is exact to the row whatever
happens. Time and terms are decided anew for each request.

Explanations are never charged ahead: each request goes to the disk, as a use of the right
``explain``. An explanation holds the score of its row, so it counts as a prediction too.

When a lease is renewed, what is in hand was reported under the old one and is paid for: it
is used up first, in the period that it was taken from.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from strongroom.home.marks import Reservation
from strongroom.license.chain import LicenseChain
from strongroom.license.evaluate import evaluate
from strongroom.license.marks import raise_clock
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import Authority, Facts, Request, Right
from strongroom.license.verdict import Allowed, Denied, OutputPolicy, raise_denied

_MAX_BLOCK: Final = 1000
_BLOCK_SHARE: Final = 100
_UNCOUNTED_BLOCK: Final = 1 << 50
_MARK_INTERVAL: Final = timedelta(seconds=60)
"""How old the clock mark on the disk may get: half of what a clock may go back."""
_COUNTERS: Final = frozenset({CounterName.PREDICTIONS, CounterName.GRACE_PREDICTIONS})

T = TypeVar("T", Allowed, Reservation)


class Ledger(Protocol):
    """Where counts and marks are kept; ``home.marks.Marks`` is one."""

    def reserve(
        self, chain: LicenseChain, request: Request, facts: Facts, now: datetime, *, block: int = 0
    ) -> Reservation | Denied:
        """Decide about a request; if it is allowed, charge it and raise the marks."""

    def give_back(self, owner_id: str, reservation: Reservation, unused: int) -> None:
        """Give the unused rest of a reservation back."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A request that is allowed and paid for."""

    predictions: int
    output: OutputPolicy
    remaining: int | None
    """Predictions left after it; None: they are not counted."""
    reservation: Reservation | None
    """What it was taken from; None: all of it was paid for under a lease before."""
    prepaid: int = 0
    """How many of the predictions were paid for under a lease before."""
    explains: bool = False
    """Whether as many explanations were charged."""
    explanations: int | None = None
    """Explanations left after it; None: they are not counted, or it is for predictions alone."""


class Meter:
    """Decides and counts for one session. Safe to use from several threads."""

    def __init__(self, ledger: Ledger, chain: LicenseChain, request: Request, facts: Facts) -> None:
        """Begin with nothing reserved.

        ``request`` says who asks for what; its amounts are replaced for each request.
        """
        self._ledger = ledger
        self._chain = chain
        self._request = dataclasses.replace(request, predictions=0)
        self._facts = facts
        self._reservation: Reservation | None = None
        self._unused = 0
        self._remaining: int | None = None
        self._marked_at: datetime | None = None
        self._lock = threading.RLock()
        self._prepaid = 0
        self._prepaid_periods: frozenset[str] = frozenset()

    def adopt(self, facts: Facts) -> None:
        """Go on under what is known now: a renewed lease, an outage, a revocation.

        Raises:
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be written.
        """
        with self._lock:
            if facts.authority != self._facts.authority:
                self._set_aside()
                # The mark may have been set by the broker, also to something earlier.
                self._marked_at = None
                self._facts = dataclasses.replace(facts, clock_mark=None)
                return
            self._facts = dataclasses.replace(facts, clock_mark=self._facts.clock_mark)

    def _set_aside(self) -> None:
        if self._reservation is not None and self._unused and self._reservation.charged:
            periods = _periods(self._reservation.allowed)
            kept = self._prepaid if periods == self._prepaid_periods else 0
            self._prepaid, self._prepaid_periods = kept + self._unused, periods
        self._reservation, self._unused = None, 0

    def check(self, now: datetime) -> Allowed:
        """Decide whether the session may begin or go on, and raise the clock and version marks.

        Raises:
            LicenseDenied: a term says no.
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be read or written.
        """
        with self._lock:
            allowed = _or_raise(self._ledger.reserve(self._chain, self._request, self._facts, now)).allowed
            self._marked_at = now
            left = _least(allowed)
            self._remaining = None if left is None else left + self._unused
            return allowed

    def charge(self, predictions: int, now: datetime) -> Charge:
        """Allow and charge one request.

        Raises:
            LicenseDenied: a term says no; nothing was counted.
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be read or written.
        """
        with self._lock:
            if self._marked_at is None:
                self.check(now)
            reservation = self._current(now)
            paid = min(self._prepaid, predictions)
            charge = self._charge_rest(predictions - paid, reservation, now)
            self._prepaid -= paid
            return dataclasses.replace(
                charge,
                predictions=predictions,
                prepaid=paid,
                remaining=self.remaining,
                reservation=charge.reservation if predictions > paid else None,
            )

    def charge_explanations(self, rows: int, now: datetime) -> Charge:
        """Allow and charge one request for explanations: under the right ``explain``, on the disk at once.

        Raises:
            LicenseDenied: a term says no; nothing was counted.
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be read or written.
        """
        request = dataclasses.replace(self._request, right=Right.EXPLAIN, predictions=rows, explanations=rows)
        with self._lock:
            verdict = self._ledger.reserve(self._chain, request, self._facts, now)
            if isinstance(verdict, Denied) and self._unused:
                # As for predictions: what is in hand counts as used on the disk.
                self.close()
                verdict = self._ledger.reserve(self._chain, request, self._facts, now)
            reserved = _or_raise(verdict)
            left = _least(reserved.allowed)
            self._remaining = None if left is None else left + self._unused
            return Charge(
                rows,
                reserved.allowed.output,
                self.remaining,
                reserved,
                explains=True,
                explanations=_explanations(reserved.allowed),
            )

    def _charge_rest(self, predictions: int, reservation: Reservation | None, now: datetime) -> Charge:
        if reservation is None or self._unused < predictions:
            return self._charge_ledger(predictions, now)
        if now - (self._marked_at or now) >= _MARK_INTERVAL:
            self.check(now)
        self._unused -= predictions
        if self._remaining is not None:
            self._remaining -= predictions
        return Charge(predictions, reservation.allowed.output, self._remaining, reservation)

    def refund(self, charge: Charge) -> None:
        """Take a charge back: no answer left.

        Raises:
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be written.
        """
        with self._lock:
            self._prepaid += charge.prepaid
            amount = charge.predictions - charge.prepaid
            if charge.reservation is None:
                return
            if charge.reservation is not self._reservation:
                self._ledger.give_back(self._chain.owner, charge.reservation, amount)
                if charge.explains and self._remaining is not None:
                    self._remaining += amount
                return
            self._unused += amount
            if self._remaining is not None:
                self._remaining += amount

    def close(self) -> None:
        """Give back what is reserved and not used. Closing twice is harmless.

        Raises:
            IntegrityError: the counts on the disk were changed by somebody else.
            StorageUnavailable: they cannot be written.
        """
        with self._lock:
            reservation, unused = self._reservation, self._unused
            self._reservation, self._unused = None, 0
            if reservation is not None and unused and reservation.charged:
                self._ledger.give_back(self._chain.owner, reservation, unused)

    @property
    def authority(self) -> str | None:
        """Id of the lease or key file that is counted under now; None: there is none."""
        authority = self._facts.authority
        return authority.id if isinstance(authority, Authority) else None

    @property
    def remaining(self) -> int | None:
        """Predictions that are left; None: they are not counted."""
        return None if self._remaining is None else self._remaining + self._prepaid

    def _current(self, now: datetime) -> Reservation | None:
        """Return the block in hand, if the license still allows the session and its period lasts."""
        verdict = _or_raise(evaluate(self._chain, self._request, self._facts, now))
        mark = raise_clock(self._facts.clock_mark, now)
        self._facts = dataclasses.replace(self._facts, clock_mark=mark)
        if self._reservation is not None and _counted(verdict).keys() != self._reservation.charged.keys():
            # A new hour, day or month: what is left of the old one does not pass over.
            self.close()
        if self._remaining is None:
            # A count begins, that of grace: one session must not take all of it in one block.
            self._remaining = _least(verdict)
        if self._prepaid and _periods(verdict) != self._prepaid_periods:
            self._prepaid = 0
        return self._reservation

    def _charge_ledger(self, predictions: int, now: datetime) -> Charge:
        carried = self._unused
        verdict = self._reserve(predictions - carried, now)
        if isinstance(verdict, Denied) and carried:
            # What is in hand counts as used on the disk. Put back, the refusal names the
            # true numbers, and somebody else can use it.
            self.close()
            carried = 0
            verdict = self._reserve(predictions, now)
        reserved = _or_raise(verdict)
        self._unused = reserved.predictions + carried - predictions
        self._remaining = _least(reserved.allowed)
        self._marked_at = now
        charged = {key: amount + carried for key, amount in reserved.charged.items()}
        self._reservation = dataclasses.replace(reserved, charged=charged)
        return Charge(predictions, reserved.allowed.output, self._remaining, self._reservation)

    def _reserve(self, missing: int, now: datetime) -> Reservation | Denied:
        request = dataclasses.replace(self._request, predictions=missing)
        block = max(missing, _block(self._remaining))
        return self._ledger.reserve(self._chain, request, self._facts, now, block=block)


def _block(remaining: int | None) -> int:
    if remaining is None:
        return _UNCOUNTED_BLOCK
    return max(1, min(_MAX_BLOCK, remaining // _BLOCK_SHARE))


def _counted(allowed: Allowed) -> dict[CounterKey, int]:
    return {key: left for key, left in allowed.remaining.items() if key.counter in _COUNTERS}


def _periods(allowed: Allowed) -> frozenset[str]:
    return frozenset(key.period for key in allowed.remaining if key.counter is CounterName.PREDICTIONS)


def _least(allowed: Allowed) -> int | None:
    return min(_counted(allowed).values(), default=None)


def _explanations(allowed: Allowed) -> int | None:
    left = [rest for key, rest in allowed.remaining.items() if key.counter is CounterName.EXPLANATIONS]
    return min(left, default=None)


def _or_raise(verdict: T | Denied) -> T:
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    return verdict
