"""Sending: what this party signed goes to an owner's broker, and what cannot go now waits.

    for sent in send(home, client, owner_id=owner.id):
        sent.parcel.id, sent.answer, sent.refusal

Parcels go in the order in which they were signed. One that the broker refuses stays, with what it
said, until it is sent again or forgotten; when the broker does not answer, that one and
all behind it stay. A parcel that it had taken in before, and whose answer was lost, is the same
act again and is answered the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from strongroom.connection import BrokerClient
from strongroom.errors import BrokerRefused, LicenseDenied, ObjectNotFound
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.protocol.broker import (
    AcceptanceAsk,
    EnrollmentAsk,
    LicenseAsk,
    PackageAsk,
    ReasonAsk,
    RevocationAsk,
    SublicenseAsk,
    WithdrawalAsk,
)
from strongroom.protocol.derivation import CountersignatureAsk

Refusal = BrokerRefused | LicenseDenied | ObjectNotFound
"""What a broker says no with."""
_REFUSALS: Final = (BrokerRefused, LicenseDenied, ObjectNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one parcel."""

    parcel: Parcel
    answer: Any = None
    """The broker's answer, as the message of that route; None if it was refused."""
    refusal: Refusal | None = None


_Post = Callable[[BrokerClient, dict[str, Any]], object]


def _suspend(client: BrokerClient, body: dict[str, Any]) -> object:
    with suppress(ObjectNotFound):  # A partner with whom only files are exchanged.
        return client.suspend_partner(body["organization"], ReasonAsk(reason=body["reason"]))
    return None


def _resume(client: BrokerClient, body: dict[str, Any]) -> object:
    with suppress(ObjectNotFound):
        return client.resume_partner(body["organization"])
    return None


def _countersign(client: BrokerClient, body: dict[str, Any]) -> object:
    with suppress(ObjectNotFound):  # A partner that sent the file alone.
        return client.countersign(body["derivation"], CountersignatureAsk(statement=body["statement"]))
    return None


_ROUTES: Final[dict[ParcelKind, _Post]] = {
    ParcelKind.ENROLLMENT: lambda client, body: client.enroll(EnrollmentAsk(**body)),
    ParcelKind.PACKAGE: lambda client, body: client.publish(PackageAsk(**body)),
    ParcelKind.LICENSE: lambda client, body: client.grant(LicenseAsk(**body)),
    ParcelKind.SUBLICENSE: lambda client, body: client.narrow(SublicenseAsk(**body)),
    ParcelKind.ACCEPTANCE: lambda client, body: client.accept(AcceptanceAsk(**body)),
    ParcelKind.REVOCATION: lambda client, body: client.revoke(RevocationAsk(**body)),
    ParcelKind.WITHDRAWAL: lambda client, body: client.withdraw(WithdrawalAsk(**body)),
    ParcelKind.COUNTERSIGNATURE: _countersign,
    ParcelKind.SUSPENSION: _suspend,
    ParcelKind.RESUMPTION: _resume,
}


def send(
    home: Home, client: BrokerClient, *, owner_id: str, only: Collection[str] | None = None
) -> list[Sent]:
    """Send what waits for an owner's broker.

    Args:
        home: Whose outbox.
        client: The connection to that broker.
        owner_id: Whose broker it is.
        only: Ids of the parcels to send; None: all.

    Returns:
        What became of each that was tried, in their order.

    Raises:
        BrokerUnavailable: the broker does not answer; what was not sent yet waits on.
        VerificationError: what answered is not the broker that is known here.
        FormatError: a stored parcel is damaged, or the broker's answer is.
        StorageUnavailable: the outbox cannot be read or written.
    """
    sent = []
    for parcel in home.outbox.waiting(owner_id):
        if only is not None and parcel.id not in only:
            continue
        try:
            answer = _ROUTES[parcel.kind](client, parcel.body)
        except _REFUSALS as refusal:
            sent.append(Sent(parcel=parcel, refusal=refusal))
            continue
        home.outbox.remove(parcel.id)
        sent.append(Sent(parcel=parcel, answer=answer))
    return sent
