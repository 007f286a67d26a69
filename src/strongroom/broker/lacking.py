"""What a database that came back from a backup does not know of what its owner signed.

    for parcel in lacking(url, everything_signed(home, now=now)):
        home.outbox.add(parcel)

A revocation from after the backup is not in it: without this, what was ended would be given again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from strongroom.broker.records import PartyStatus
from strongroom.broker.repository import Reading
from strongroom.broker.sql.store import open_store
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.signing import read_unverified

_LEASE: Final = "lea-"


def lacking(url: str, parcels: Iterable[Parcel]) -> list[Parcel]:
    """Return those parcels whose document the database does not have, in their order.

    Raises:
        FormatError: a document is damaged.
        UsageError: no address of a database.
        StorageUnavailable: the database does not answer.
    """
    store = open_store(url)
    try:
        with store.read() as kept:
            return [parcel for parcel in parcels if _IS_LACKING[parcel.kind](kept, parcel)]
    finally:
        store.close()


def _is_license_lacking(kept: Reading, parcel: Parcel) -> bool:
    return kept.license(parcel.id) is None


def _is_revocation_lacking(kept: Reading, parcel: Parcel) -> bool:
    target = read_unverified(str(parcel.body["revocation"]), Revocation).target
    # Every lease has ended with the restore.
    return not target.startswith(_LEASE) and kept.revocation(parcel.id) is None


def _is_withdrawal_lacking(kept: Reading, parcel: Parcel) -> bool:
    name = read_unverified(str(parcel.body["withdrawal"]), Withdrawal).name
    return all(row.withdrawal != parcel.id for row in kept.withdrawals(name))


def _is_suspension_lacking(kept: Reading, parcel: Parcel) -> bool:
    row = kept.partner(str(parcel.body["organization"]))
    return row is not None and row.status is PartyStatus.APPROVED


_IS_LACKING: Final[dict[ParcelKind, Callable[[Reading, Parcel], bool]]] = {
    ParcelKind.LICENSE: _is_license_lacking,
    ParcelKind.REVOCATION: _is_revocation_lacking,
    ParcelKind.WITHDRAWAL: _is_withdrawal_lacking,
    ParcelKind.SUSPENSION: _is_suspension_lacking,
}
