"""One open model under a lease: when to renew, when to poll, and what to do while nobody answers.

    session = LeaseSession.begin(holder, worker_key, clock)     # asks; in an outage, what the home has
    session.start(meter)                                        # from here on in the background
    session.refresh()                                           # before each use: adopt what is newest
    session.rescue(denied, rows)                                # a use was refused: is there more to have?
    session.stop()                                              # reports what was used

A lease is renewed when half of its life or half of its slice is over, a little earlier or later so
that the runtimes of a ward do not ask all at once. Revocations are asked for in between. A broker that
does not answer is an outage, and the license says how long use goes on; one that says no ends
the use at once, and with it the grace.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from strongroom.errors import Error, LicenseDenied, StorageUnavailable, VerificationError
from strongroom.home.boot_clock import OnlineClock
from strongroom.home.leases import Anchor, LeaseRecord, Refusal
from strongroom.leasing.answer import verify_kept
from strongroom.leasing.leaseholder import Held, Leaseholder
from strongroom.leasing.silence import is_busy, is_silence
from strongroom.leasing.spare import LEAVES_FILES, USED_UP, Spare, spent
from strongroom.license.codes import Code
from strongroom.license.documents import Lease, OfflineFile
from strongroom.license.request import Facts
from strongroom.license.signing import Signed
from strongroom.metering.meter import Meter

_MORE_TO_HAVE: Final = frozenset(
    {
        Code.LEASE_ENDED.value,
        Code.OFFLINE_ENDED.value,
        Code.PREDICTIONS_USED_UP.value,
        Code.TOKENS_USED_UP.value,
        Code.EXPLANATIONS_USED_UP.value,
        Code.NO_BUDGET.value,
        Code.NO_AUTHORITY.value,
    }
)
"""Refusals that a renewal may lift."""
_ENDED: Final = frozenset({Code.LEASE_ENDED.value, Code.NO_AUTHORITY.value})
_RESCUE_SECONDS: Final = 2.0
_JOIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a session asks."""

    poll_seconds: float = 60.0
    """Between two questions for revocations."""
    retry_seconds: float = 5.0
    """After a silence; it doubles up to the time between two polls."""
    renew_at: float = 0.5
    """After which part of its life a lease is renewed."""
    jitter: float = 0.1
    """By which part of its life earlier or later."""
    tick_seconds: float = 1.0
    """How soon a change of what is due is noticed."""


class LeaseSession:
    """What allows one open model to be used. Safe to use from several threads."""

    def __init__(
        self,
        holder: Leaseholder,
        held: Held | Spare,
        worker_key: str,
        clock: OnlineClock,
        pace: Pace,
        *,
        outage_since: datetime | None,
    ) -> None:
        """Use ``begin``."""
        self.held = held
        self._holder = holder
        self._worker_key = worker_key
        self._clock = clock
        self._pace = pace
        self._lock = threading.RLock()
        self._asking = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._meter: Meter | None = None
        self._outage_since = outage_since
        self._silences = 0
        self._asked_at = self._polled_at = time.monotonic()
        self._is_dirty = self._is_used = False
        self._wish: int | None = None
        self._slice: int | None = None
        self._stamp = (0, 0)
        self._record = LeaseRecord()
        self._anchor: Anchor | None = None
        self._mark: datetime | None = None
        self._lease: Signed[Lease] | Signed[OfflineFile] = held.lease
        self._under: str | None = held.lease.token
        """Token of the lease in the home; under a file, of the one that the home had when it began."""
        if self._is_by_file:
            self._under = holder.record().lease
        self.facts: Facts = holder.facts(held.lease, outage_since=outage_since)
        """What is known for decisions."""
        self._load()

    @classmethod
    def begin(
        cls, holder: Leaseholder, worker_key: str, clock: OnlineClock, pace: Pace | None = None
    ) -> LeaseSession:
        """Take a lease, or while the broker is silent go on with the file or the lease that the home has.

        So it does while another program of this home waits for the answer to the same question.

        Raises:
            BrokerUnavailable: no answer, and the home has no lease.
            LicenseDenied: the broker says no.
            Error: whatever else ``Leaseholder.take`` raises.
        """
        outage_since = None
        held: Held | Spare
        try:
            held = holder.take(worker_key)
        except Error as error:
            held = _instead(holder, error)
            outage_since = holder.now() if _is_outage(error) else None
        return cls(holder, held, worker_key, clock, pace or Pace(), outage_since=outage_since)

    @property
    def _is_by_file(self) -> bool:
        return isinstance(self._lease.document, OfflineFile)

    def _leaves(self, refusal: Refusal) -> bool:
        """Say whether use goes on under a file, whatever the broker said of leases."""
        return self._is_by_file and refusal.code in LEAVES_FILES

    @property
    def ends_at(self) -> datetime:
        """When the lease ends if nobody renews it, or the file that takes its place."""
        return self._lease.document.not_after

    def now(self) -> datetime:
        """Return the time toward this owner.

        Raises:
            FormatError: what it is counted from is damaged.
            StorageUnavailable: the kernel does not say when it started.
        """
        with self._lock:
            return self._clock.now(self._anchor, self._mark)

    def start(self, meter: Meter) -> None:
        """Renew in the background from here on, for the use that this meter counts and has allowed.

        Raises:
            Error: whatever reading and writing the home raises.
        """
        with self._lock:
            # From here on time goes by the clock that nobody sets, also where no broker answered.
            self._anchor = self._holder.anchor()
            self._meter = meter
            self._slice = meter.remaining
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def refresh(self) -> None:
        """Go on under what is newest: called before each use.

        Raises:
            LicenseDenied: the broker has ended the use.
            Error: whatever reading the home raises.
        """
        with self._lock:
            if self._is_dirty or self._holder.stamp() != self._stamp:
                self._load()
                if self._meter is not None:
                    self._meter.adopt(self.facts)
            refusal = self._record.refusal
            if refusal is not None and refusal.is_final and not self._leaves(refusal):
                raise _denied(refusal)

    def note(self, remaining: int | None) -> None:
        """Take in what is left after a use: half of a slice is the time to ask for the next."""
        with self._lock:
            self._is_used, self._wish = True, None
            if remaining is not None and (self._slice is None or remaining > self._slice):
                self._slice = remaining

    def rescue(self, denied: LicenseDenied, predictions: int) -> bool:
        """So many predictions were refused: renew if that may help, and say whether to try once more.

        Raises:
            LicenseDenied: the broker has ended the use.
            Error: whatever reading the home raises.
        """
        if denied.code not in _MORE_TO_HAVE:
            return False
        is_ended, wish = denied.code in _ENDED, None
        waited = time.monotonic() - self._asked_at
        if not is_ended and not self._is_used and waited < _RESCUE_SECONDS:
            # Nothing was used since it was renewed, so this is more than a whole slice: the broker
            # is told how much. Once: whoever asks for too much would have it renewed with each request.
            wish = predictions if denied.code == Code.PREDICTIONS_USED_UP else None
            if wish in (None, self._wish) or self._outage_since is not None:
                self._verify_known(denied)
                return False
        self._wish = wish
        self._renew(wish)
        self.refresh()
        refusal = self._record.refusal
        if refusal is not None and self._outage_since is None and (is_ended or refusal.code in _MORE_TO_HAVE):
            # There is no more because of it: that is what its holder has to hear.
            raise _denied(refusal)
        self._verify_known(denied)
        return True

    def _verify_known(self, denied: LicenseDenied) -> None:
        """Raise a refusal in the words that are true while nobody knows what the broker has."""
        if self._is_by_file and self._outage_since is not None and denied.code in USED_UP:
            raise spent(denied)

    def stop(self) -> None:
        """End the renewing, and report what was used, if the broker answers. Stopping twice is harmless."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        thread.join(_JOIN_SECONDS)
        if thread.is_alive() or self._outage_since is not None:
            return
        refusal = self._record.refusal
        try:
            if refusal is not None and refusal.is_final:
                self._holder.report()
            elif self._holder.has_unreported():
                self._holder.take(self._worker_key)
        except Error:
            # It stays in the home, and goes with the next report.
            return

    def _run(self) -> None:
        while not self._stop.wait(self._pace.tick_seconds):
            try:
                if self._is_due():
                    self._renew()
                elif time.monotonic() - self._polled_at >= self._pace.poll_seconds:
                    self._poll()
            except Exception:  # noqa: BLE001 - the edge of a thread: nobody else would begin it again
                # What the home or the broker does not give now it may give at the next turn; uses are
                # decided by what is on the disk, whatever happens here.
                self._asked_at = time.monotonic()

    def _is_due(self) -> bool:
        with self._lock:
            if self._holder.stamp() != self._stamp:
                # Another session of this home has renewed.
                self._load()
                if self._meter is not None:
                    self._meter.adopt(self.facts)
                return False
            waited = time.monotonic() - self._asked_at
            if self._outage_since is not None or self._record.refusal is not None:
                return waited >= self._retry_seconds()
            return waited >= self._pace.tick_seconds and (self._is_half_over() or self._is_half_used())

    def _is_half_over(self) -> bool:
        document = self._lease.document
        life = document.not_after - document.issued_at
        part = self._pace.renew_at + self._pace.jitter * _spread(self._lease.id)
        return self.now() >= document.issued_at + life * part

    def _is_half_used(self) -> bool:
        remaining = None if self._meter is None else self._meter.remaining
        return remaining is not None and self._slice is not None and remaining * 2 <= self._slice

    def _retry_seconds(self) -> float:
        longest: float = min(self._pace.retry_seconds * 2**self._silences, self._pace.poll_seconds)
        return longest * (0.75 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing

    def _renew(self, wish: int | None = None) -> None:
        with self._asking:
            if self._meter is not None:
                # What is in hand and unused goes back before it is reported as used.
                self._meter.close()
            try:
                self._holder.take(self._worker_key, wish)
            except StorageUnavailable as error:
                # No answer of the broker: an outage neither begins nor ends with it, unless another
                # program of this home still waits for that answer.
                if is_busy(error):
                    self._fell_silent()
                else:
                    self._put_off()
            except Error as error:
                if is_silence(error):
                    self._fell_silent()
                    return
                self._answered()
                if isinstance(error, VerificationError):
                    raise
            else:
                self._answered()
                with self._lock:
                    self._slice, self._is_used = None, False

    def _poll(self) -> None:
        with self._asking:
            try:
                self._holder.poll()
            except Error as error:
                if not is_silence(error):
                    raise
                self._fell_silent()
            else:
                self._answered()
            finally:
                self._polled_at = time.monotonic()

    def _answered(self) -> None:
        with self._lock:
            self._outage_since, self._silences = None, 0
            self._asked_at = self._polled_at = time.monotonic()
            self._is_dirty = True

    def _fell_silent(self) -> None:
        with self._lock:
            self._outage_since = self._outage_since or self.now()
            self._silences = min(self._silences + 1, 10)
            self._asked_at = time.monotonic()
            self._is_dirty = True

    def _put_off(self) -> None:
        with self._lock:
            self._asked_at = time.monotonic()
            self._is_dirty = True

    def _load(self) -> None:
        """Read what the home has, and make the facts of it. The caller holds the lock, or is alone."""
        stamp = self._holder.stamp()
        record = self._holder.record()
        lease = self._lease
        if record.lease is not None and record.lease != self._under:
            lease = verify_kept(record.lease, lease.document.runtime, self._holder.owner)
            self._slice, self._under = None, record.lease
        self.facts = self._holder.facts(lease, outage_since=self._outage_since)
        if record.lease is None and not isinstance(lease.document, OfflineFile):
            # Given back while it was open here: nothing more is used under it.
            self.facts = replace(self.facts, authority=None)
        state = self._holder.state()
        self._anchor, self._mark = state.anchor, state.clock
        self._record, self._lease, self._stamp, self._is_dirty = record, lease, stamp, False


def _instead(holder: Leaseholder, error: Error) -> Held | Spare:
    """Return what to go on with where no lease could be taken.

    Raises:
        Error: the error, if there is nothing.
        LicenseDenied: what the home has allows nothing, or the broker had said no before it fell silent.
    """
    if not _is_outage(error):
        return _where_refused(holder, error)
    kept, refusal = holder.kept(), holder.record().refusal
    said_no = refusal is not None and refusal.is_final
    if refusal is not None and said_no and refusal.code not in LEAVES_FILES:
        if kept is None and not holder.has_spare:
            raise error
        # It said no before it fell silent: an outage does not take that back.
        raise _denied(refusal) from error
    try:
        spare = holder.spare()
    except LicenseDenied as denied:
        if kept is None or said_no:
            raise _unusable(denied, error) from error
        return kept
    if spare is not None:
        return spare
    if kept is None:
        raise error
    if refusal is not None and said_no:
        raise _denied(refusal) from error
    return kept


def _is_outage(error: Error) -> bool:
    """Say whether nobody answers, or another program of this home waits for the answer."""
    return is_silence(error) or is_busy(error)


def _where_refused(holder: Leaseholder, error: Error) -> Spare:
    try:
        spare = holder.spare() if error.code in LEAVES_FILES else None
    except LicenseDenied:
        raise error from None
    if spare is None:
        raise error
    return spare


def _unusable(denied: LicenseDenied, silence: Error) -> Error:
    if denied.code in USED_UP:
        return spent(denied)
    # What has ended is as if it were not there: the broker has to be reached.
    return silence if denied.code == Code.OFFLINE_ENDED else denied


def _denied(refusal: Refusal) -> LicenseDenied:
    return LicenseDenied(refusal.message, code=refusal.code, hint=refusal.hint)


def _spread(lease: str) -> float:
    """Return a number from -1 to 1 that is another for each lease and the same in each process."""
    return random.Random(lease).uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
