"""Exchanging: one question to the broker, and what of the answer is believed.

    exchange = Exchange(home, client, place, opening)
    lease = exchange.ask(pending, request)             # verified, and shown to be in the log
    exchange.poll()                                    # revocations, kept in the home
    exchange.owner                                     # in the newest version that was seen

What is asked, in which order, and what the home keeps of a lease is in ``leaseholder``; the rules
of an answer are in ``answer``. Whatever is believed here is kept before it is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from strongroom.connection.broker_client import BrokerClient
from strongroom.connection.pages import follow
from strongroom.errors import VerificationError
from strongroom.home.home import Home
from strongroom.home.leases import LeasePlace, Pending
from strongroom.keys.owner import Owner
from strongroom.leasing.answer import Announcements, verify_announcements, verify_lease
from strongroom.license.documents import Lease, LeaseRequest
from strongroom.license.signing import Signed
from strongroom.opening import Opening
from strongroom.protocol.broker import LeaseAnswer, LeaseAsk
from strongroom.witnessing import with_newest_owner

_LOG_MOVED: Final = frozenset({"log-offer-size", "log-origin"})
_LOG_TRIES: Final = 5

T = TypeVar("T")


class Exchange:
    """The line of one lease of a home to the broker of its owner."""

    __slots__ = ("_client", "_home", "_package_id", "_place", "owner")

    def __init__(self, home: Home, client: BrokerClient, place: LeasePlace, opening: Opening) -> None:
        """Ask nothing yet."""
        self._home = home
        self._client = client
        self._place = place
        self._package_id = opening.statement.package_id
        self.owner: Owner = opening.owner

    def ask(self, pending: Pending, request: LeaseRequest) -> Signed[Lease]:
        """Ask for a lease, and return the one that answers this very request and is in the log.

        Raises:
            BrokerUnavailable: no answer.
            LicenseDenied: the broker says no.
            BrokerRefused: the same, for a reason that is not the license's.
            ObjectNotFound: the broker does not know the license or the package.
            VerificationError: what answers is not the broker, or the answer is not believed.
            IntegrityError: the log does not have the lease, or is another than before.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read or written.
        """
        try:
            return self._ask_once(pending, request)
        except VerificationError as error:
            if error.code not in _LOG_MOVED:
                raise
        # Another process of this home saw more of the log, or a restored broker began a new one.
        logbook, owner_id = self._home.logbook, self._place.owner
        with logbook.turn(owner_id):
            for _ in range(_LOG_TRIES):
                logbook.follow(self.owner, self._client, self._client.now)
                try:
                    return self._ask_once(pending, request)
                except VerificationError as error:
                    if error.code not in _LOG_MOVED:
                        raise
            return self._ask_once(pending, request)

    def poll(self) -> None:
        """Ask for revocations, and keep them.

        Raises:
            BrokerUnavailable: no answer.
            BrokerRefused: the broker says no.
            VerificationError: what answers is not the broker, or an announcement is not the owner's.
            FormatError: the answer, or a file of this home, is damaged.
            StorageUnavailable: the home cannot be read or written.
        """
        leases, owner_id = self._home.leases, self._place.owner
        announced: set[str] = set()
        before = leases.notices(owner_id).position
        for page in follow(lambda after: self._client.revocations(after=after), after=before):
            kept = self._verify_announced(page.revocations)
            leases.add_notices(owner_id, revocations=kept.revocations, position=page.next)
            # The place is said also when nothing follows.
            if page.next == before or announced.issuperset(page.revocations):
                return
            announced.update(page.revocations)
            before = page.next

    def _ask_once(self, pending: Pending, request: LeaseRequest) -> Signed[Lease]:
        answer = self._client.take_lease(
            LeaseAsk(
                request=pending.request,
                worker_key=pending.worker_key,
                usage=pending.usage,
                log_size=self._home.logbook.size(self._place.owner),
            )
        )
        return self._believe(answer, request)

    def _believe(self, answer: LeaseAnswer, request: LeaseRequest) -> Signed[Lease]:
        lease = self._by_newest(lambda owner: verify_lease(answer.lease, request, self._package_id, owner))
        kept = self._verify_announced(answer.revocations, answer.withdrawals)
        self._by_newest(
            lambda owner: self._home.logbook.verify_answer(
                owner, document=answer.lease, proof=answer.proof, offer=answer.offer, now=self._client.now
            )
        )
        self._home.leases.add_notices(
            self._place.owner, revocations=kept.revocations, withdrawals=kept.withdrawals
        )
        return lease

    def _verify_announced(
        self, revocations: tuple[str, ...], withdrawals: tuple[str, ...] = ()
    ) -> Announcements:
        return self._by_newest(lambda owner: verify_announcements(revocations, withdrawals, owner))

    def _by_newest(self, verify: Callable[[Owner], T]) -> T:
        """Verify with the owner as it is known, or if that is outdated as the broker knows it; keep which."""

        def read(owner: Owner) -> T:
            self.owner = owner
            return verify(owner)

        return with_newest_owner(self._home, self._client, self.owner, read)
