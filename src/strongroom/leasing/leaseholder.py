"""One lease of one home: what is asked of the broker, what is kept, and in which order.

    holder = Leaseholder(home, opening, client, clock)
    held = holder.take(worker_key)             # settles what is pending, then renews
    holder.kept()                              # the lease of the home, or None
    holder.facts(held.lease, outage_since=None)
    holder.poll()                              # revocations

The order is what makes a crash harmless. The lease before is closed in the signed state, so
that its report is final; report and request are written to the home; then they are sent. Whatever
happens from then on, the same request is asked again, and the broker gives the same lease. Late use
of the old lease is charged to the new one before the new one is in force (spec/license.md, "Usage reports").

A lease that is closed has little left for an outage, in later periods too. So nothing is closed before
the broker has answered something else, and a request that it has certainly not taken in is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET

from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import BrokerRefused, Error, LicenseDenied, ObjectNotFound
from strongroom.home import files
from strongroom.home.boot_clock import OnlineClock, anchored
from strongroom.home.home import Home
from strongroom.home.leases import Anchor, LeasePlace, LeaseRecord, Pending, Refusal
from strongroom.home.state import State
from strongroom.keys.key_pair import sealing_public_from_text
from strongroom.keys.owner import Owner
from strongroom.leasing.answer import verify_kept
from strongroom.leasing.closing import close_lease, note_reported
from strongroom.leasing.exchanging import Exchange
from strongroom.leasing.hearing import hear_why
from strongroom.leasing.refusing import NEVER_TAKEN_IN, STALE, is_final, is_until_later
from strongroom.leasing.reporting import report_files
from strongroom.leasing.silence import is_silence
from strongroom.leasing.spare import Spare, verify_usable
from strongroom.license.announced import read_kept
from strongroom.license.codes import Code
from strongroom.license.documents import (
    Lease,
    LeaseRequest,
    OfflineFile,
    Usage,
)
from strongroom.license.fields import new_serial
from strongroom.license.period import CounterName
from strongroom.license.request import Facts
from strongroom.license.runtime_documents import worker_key_digest
from strongroom.license.signing import Signed, read_unverified, sign_document
from strongroom.opening import Opening
from strongroom.protocol.broker import ReturnAsk, UsageAsk

_PATIENCE_SECONDS: Final = 5.0
"""How long to wait for another program of this home that asks, if there is a lease to go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease, and how its key is opened."""

    lease: Signed[Lease]
    nonce: str | None
    """Of the request, for the worker whose key was sent; None: by the restart envelope."""
    owner: Owner
    """In the version that the lease was verified with."""


class Leaseholder:
    """Takes, renews and returns one lease. Several processes of a home may each have one."""

    def __init__(self, home: Home, opening: Opening, client: BrokerClient, clock: OnlineClock) -> None:
        """Ask nothing yet."""
        self._home = home
        self._opening = opening
        self._client = client
        self._clock = clock
        self.place: LeasePlace = opening.place
        self._exchange = Exchange(home, client, self.place, opening)
        self.has_spare: bool = opening.spare is not None

    @property
    def owner(self) -> Owner:
        """The owner, in the newest version that was seen."""
        return self._exchange.owner

    def now(self) -> datetime:
        """Return the time toward this owner.

        Raises:
            FormatError: the anchor is damaged.
            IntegrityError: the state of this runtime was changed by somebody else.
            StorageUnavailable: the state cannot be read.
        """
        state = self._home.marks.read(self.place.owner)
        return self._clock.now(state.anchor, state.clock)

    def anchor(self) -> Anchor:
        """Return what the time is counted from, by a clock that nobody sets; for a use that was allowed.

        Raises:
            FormatError: the anchor is damaged.
            IntegrityError: the state of this runtime was changed by somebody else.
            StorageUnavailable: the state cannot be read or written.
        """
        return self._home.marks.hold_clock(self.place.owner, self._clock)

    def state(self) -> State:
        """Return what this runtime remembers toward the owner.

        Raises:
            IntegrityError: the state of this runtime was changed by somebody else.
            FormatError: a file of this home is damaged.
            StorageUnavailable: it cannot be read.
        """
        return self._home.marks.read(self.place.owner)

    def record(self) -> LeaseRecord:
        """Return what the home knows of the lease.

        Raises:
            FormatError: it is damaged.
            StorageUnavailable: it cannot be read.
        """
        return self._home.leases.read(self.place)

    def stamp(self) -> tuple[int, int]:
        """Return something that changes when the record does.

        Raises:
            StorageUnavailable: the disk does not answer.
        """
        return self._home.leases.stamp(self.place)

    def take(self, worker_key: str, predictions: int | None = None) -> Held:
        """Take a lease, or renew the one of this home, and report what was used under it.

        Args:
            worker_key: Public text of the one-time key of the worker that is to open it.
            predictions: How many are needed at once; None: as many as the broker likes to give.

        Raises:
            BrokerUnavailable: no answer; the request is kept and will be asked again.
            LicenseDenied: the broker says no; what it said is kept.
            BrokerRefused: the same, for a reason that is not the license's.
            ObjectNotFound: the broker does not know the license or the package.
            VerificationError: what answers is not the broker, or the answer is not believed.
            IntegrityError: the log does not have the lease, or is another than before.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read or written, or another program of it waits
                for an answer (code ``locked``; only for seconds, if there is a lease to go on with).
        """
        patience = files.LOCK_SECONDS if self.record().lease is None else _PATIENCE_SECONDS
        with self._home.leases.locked(self.place, timeout_seconds=patience):
            record = self.record()
            if record.pending is not None:
                record = self._settle(record, record.pending)
            elif record.lease is not None:
                self._verify_answering()
            report_files(self._home, self._client, self.place.owner, self.now())
            try:
                lease, nonce = self._renew(record, worker_key, predictions)
            except BrokerRefused as refusal:
                if refusal.code != STALE:
                    raise
                # The clock of this machine is wrong; by now the broker has said what time it is.
                lease, nonce = self._renew(self.record(), worker_key, predictions)
        return Held(lease=lease, nonce=nonce, owner=self.owner)

    def _renew(
        self, record: LeaseRecord, worker_key: str, predictions: int | None
    ) -> tuple[Signed[Lease], str]:
        record, pending, request = self._prepare(record, worker_key, predictions)
        return self._ask(record, pending, request, is_fresh=True), request.nonce

    def kept(self) -> Held | None:
        """Return the lease that the home has, to be opened by its restart envelope; None: there is none.

        Raises:
            FormatError: a file of this home is damaged.
            VerificationError: the lease is not by the broker of this owner.
            StorageUnavailable: it cannot be read.
        """
        token = self.record().lease
        if token is None:
            return None
        lease = verify_kept(token, self._opening.request.runtime, self.owner)
        return Held(lease=lease, nonce=None, owner=self.owner)

    def spare(self) -> Spare | None:
        """Return the file that was checked out, to be used where no lease can be had; None: there is none.

        Raises:
            LicenseDenied: it does not allow a use now; the code names the rule.
            Error: whatever reading the home raises.
        """
        offline = self._opening.spare
        if offline is None:
            return None
        verify_usable(self._home, self._opening, self.facts(offline, outage_since=None), self.now())
        return Spare(lease=offline, owner=self.owner)

    def has_unreported(self) -> bool:
        """Say whether something was counted under the lease that the broker has not heard of.

        Raises:
            IntegrityError: the state of this runtime was changed by somebody else.
            FormatError: a file of this home is damaged.
            StorageUnavailable: a file cannot be read.
        """
        token = self.record().lease
        if token is None:
            return False
        return bool(self._home.marks.read(self.place.owner).counts_under(read_unverified(token, Lease).id))

    def report(self) -> None:
        """Hand in the report of a renewal that was refused: that ends the lease, and the count is right.

        Raises:
            BrokerUnavailable: no answer.
            BrokerRefused: the broker says no.
            ObjectNotFound: the broker does not know the lease.
            VerificationError: what answers is not the broker.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read.
        """
        with self._home.leases.locked(self.place):
            pending = self.record().pending
            if pending is not None and pending.usage is not None:
                self._client.report(UsageAsk(usage=pending.usage))

    def give_back(self) -> None:
        """Give the lease back and report what was used: its seat is free again.

        Sessions that are open take a new one with their next use, or end.

        Raises:
            BrokerUnavailable: no answer.
            BrokerRefused: the broker says no.
            ObjectNotFound: the broker does not know the lease.
            VerificationError: what answers is not the broker.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read or written.
        """
        with self._home.leases.locked(self.place):
            record = self.record()
            if record.pending is not None:
                record = self._settle(record, record.pending)
            if record.lease is None:
                return
            lease = verify_kept(record.lease, self._opening.request.runtime, self.owner)
            usage = self._report(record, lease)
            self._client.return_lease(lease.id, ReturnAsk(usage=usage.token))
            # Its report is final: what it had left is not here any more, whoever has it open.
            self._home.marks.end(self.place.owner, lease.id)
            note_reported(self._home, self.place.owner, usage.document)
            self._home.leases.write(self.place, LeaseRecord(last_usage=usage.id, returned=lease.id))

    def poll(self) -> None:
        """Ask for revocations, and keep them.

        Raises:
            BrokerUnavailable: no answer.
            BrokerRefused: the broker says no.
            VerificationError: what answers is not the broker, or an announcement is not the owner's.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read or written.
        """
        self._exchange.poll()

    def facts(self, lease: Signed[Lease] | Signed[OfflineFile], *, outage_since: datetime | None) -> Facts:
        """Return what is known for decisions under a lease, or a file in its place.

        Raises:
            FormatError: a file of this home is damaged.
            VerificationError: an announcement that was kept is not the owner's.
            IntegrityError: the state of this runtime was changed by somebody else.
            StorageUnavailable: a file cannot be read.
        """
        notices = self._home.leases.notices(self.place.owner)
        announced = read_kept(notices.revocations, notices.withdrawals, self.owner)
        known = self._opening.facts
        facts = replace(
            known,
            authority=lease.document.authority,
            revoked=known.revoked.union(announced.revoked),
            why_revoked={**known.why_revoked, **announced.revoked},
            withdrawals=(*known.withdrawals, *announced.withdrawals),
            outage_since=outage_since,
        )
        return replace(facts, break_glass=self._home.marks.read(self.place.owner).use_in_force(facts))

    def _verify_answering(self) -> None:
        """Ask something that changes nothing, so that a broker that is silent ends nothing.

        Raises:
            BrokerUnavailable: no answer.
            Error: an answer that is none.
        """
        try:
            self.poll()
        except Error as error:
            if is_silence(error):
                raise
            # What it says no with, it says to the request as well, and there it counts.

    def _settle(self, record: LeaseRecord, pending: Pending) -> LeaseRecord:
        """Ask again what was asked before a crash or a silence: until then nothing else may be asked."""
        request = read_unverified(pending.request, LeaseRequest)
        try:
            self._ask(record, pending, request, is_fresh=False)
        except BrokerRefused as refusal:
            if refusal.code not in NEVER_TAKEN_IN:
                raise
        return self.record()

    def _prepare(
        self, record: LeaseRecord, worker_key: str, predictions: int | None
    ) -> tuple[LeaseRecord, Pending, LeaseRequest]:
        usage, previous = None, None
        if record.lease is not None:
            lease = read_unverified(record.lease, Lease)
            previous = lease.id
            usage = self._report(record, Signed(lease, lease.id, record.lease))
            if predictions is not None:
                # Until the answer is here, no more may be used under the old lease than is wanted.
                closed = self._home.marks.read(self.place.owner).closed[lease.id]
                predictions = max(predictions, closed.late.get(CounterName.PREDICTIONS, 0))
        request = LeaseRequest(
            owner=self.place.owner,
            license=self.place.license,
            runtime=self._opening.request.runtime,
            package=self.place.package,
            level=self._opening.request.level,
            facts=self._opening.shown or UNSET,
            worker_key=worker_key_digest(sealing_public_from_text(worker_key)),
            nonce=new_serial(),
            previous=previous,
            predictions=predictions,
            issued_at=self._client.now.replace(microsecond=0),
        )
        pending = Pending(
            request=sign_document(request, self._home.keys.device(self.place.owner)).token,
            worker_key=worker_key,
            usage=None if usage is None else usage.token,
            sent=self._clock.mark(),
        )
        record = msgspec.structs.replace(record, pending=pending)
        self._home.leases.write(self.place, record)
        return record, pending, request

    def _report(self, record: LeaseRecord, lease: Signed[Lease]) -> Signed[Usage]:
        return close_lease(
            self._home, lease, previous=record.last_usage, now=self.now(), signed_at=self._client.now
        )

    def _ask(
        self, record: LeaseRecord, pending: Pending, request: LeaseRequest, *, is_fresh: bool
    ) -> Signed[Lease]:
        try:
            lease = self._exchange.ask(pending, request)
        except (LicenseDenied, BrokerRefused, ObjectNotFound) as refusal:
            self._note_refusal(record, request, refusal, is_fresh=is_fresh)
            hear_why(self._home, self._client, self.place, self.owner, refusal)
            if refusal.code == Code.REVOKED:
                self._hear_revocations()
            raise
        self._adopt(record, pending, request, lease, is_fresh=is_fresh)
        return lease

    def _hear_revocations(self) -> None:
        """Keep the owner's own word: it holds whatever the broker says later, or has forgotten by then."""
        try:
            self.poll()
        except Error:
            # The refusal stands, whatever comes of this.
            return

    def _adopt(
        self,
        record: LeaseRecord,
        pending: Pending,
        request: LeaseRequest,
        lease: Signed[Lease],
        *,
        is_fresh: bool,
    ) -> None:
        marks, owner_id = self._home.marks, self.place.owner
        # What was used late is charged to the new lease before anybody can use that one.
        marks.succeed(owner_id, request.previous or record.returned, lease.id)
        last_usage = record.last_usage
        if is_fresh:
            anchor = anchored(lease.document.issued_at, pending.sent)
            # Only an answer to a question of just now may turn the mark back.
            marks.set_clock(owner_id, self._clock.now(anchor), anchor)
        if pending.usage is not None:
            usage = read_unverified(pending.usage, Usage)
            note_reported(self._home, self.place.owner, usage)
            last_usage = usage.id
        self._home.leases.write(self.place, LeaseRecord(lease=lease.token, last_usage=last_usage))

    def _note_refusal(
        self, record: LeaseRecord, request: LeaseRequest, refusal: Error, *, is_fresh: bool
    ) -> None:
        """Keep what the broker said, so that every session of this home acts on it."""
        chain = self._opening.chain
        ends = is_final(refusal, chain)
        said = Refusal(code=refusal.code, message=str(refusal), hint=refusal.hint, is_final=ends)
        after = msgspec.structs.replace(record, refusal=said)
        if refusal.code in NEVER_TAKEN_IN or (is_fresh and is_until_later(refusal.code, chain)):
            after = msgspec.structs.replace(after, pending=None)
            if request.previous is not None:
                self._home.marks.reopen(self.place.owner, request.previous)
        elif ends and request.previous is not None:
            # Whether the report was taken in is not known: nothing more is used under the old
            # lease, and the same is asked again when somebody has put things right.
            self._home.marks.end(self.place.owner, request.previous)
        self._home.leases.write(self.place, after)
