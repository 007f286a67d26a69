"""Resending: what this owner signed is wrapped up once more, for a broker that does not know it any more.

    parcels_of(home, "lic-...", now=now)        # a license, and its end if it was revoked
    everything_signed(home, now=now)            # for a database that came back from a backup

The vault keeps everything that the license key signed, also what a broker took in long ago. Handed
in twice, it is the same act.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from strongroom.enrolling import standing_parcel
from strongroom.errors import ObjectNotFound
from strongroom.granting import license_parcel
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel
from strongroom.home.partners import PartnerStatus
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.license_file import LicenseFile
from strongroom.license.signing import Signed, read_unverified
from strongroom.revoking import revocation_parcel, withdrawal_parcel

_LICENSE: Final = "lic-"


def parcels_of(home: Home, identity: str, *, now: datetime) -> list[Parcel]:
    """Wrap up one document of the vault, a license with whatever ended it.

    Raises:
        ObjectNotFound: nothing of this id was signed here (codes ``unknown-license``, ``nothing-waits``).
        UsageError: this home owns no models.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read.
    """
    if identity.startswith(_LICENSE):
        ends = [signed for signed in _revocations(home) if signed.document.target == identity]
        return [license_parcel(home, identity, now=now), *(revocation_parcel(each, now=now) for each in ends)]
    signed = [
        *(withdrawal_parcel(each, now=now) for each in _withdrawals(home)),
        *(revocation_parcel(each, now=now) for each in _revocations(home)),
    ]
    found = [parcel for parcel in signed if parcel.id == identity]
    if not found:
        raise ObjectNotFound(
            f"nothing of the id {identity} waits here", code="nothing-waits", hint="strongroom license upload"
        )
    return found


def everything_signed(home: Home, *, now: datetime) -> list[Parcel]:
    """Wrap up licenses for the broker, withdrawals, revocations and suspended partners, in this order.

    Licenses with key files are left out: they work without a broker, and were not meant for one.

    Raises:
        UsageError: this home owns no models.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read.
    """
    return [
        *(
            license_parcel(home, noted.license, now=now)
            for noted in home.vault.grants.all()
            if _is_for_broker(home, noted.license)
        ),
        *(withdrawal_parcel(each, now=now) for each in _withdrawals(home)),
        *(revocation_parcel(each, now=now) for each in _revocations(home)),
        *(
            standing_parcel(home, partner, reason="suspended", now=now)
            for partner in home.vault.partners.all()
            if partner.status is PartnerStatus.SUSPENDED
        ),
    ]


def _is_for_broker(home: Home, license_id: str) -> bool:
    file = LicenseFile.from_bytes(home.vault.grants.license_file(license_id))
    return not file.offline and not file.passphrase


def _revocations(home: Home) -> list[Signed[Revocation]]:
    found = [(read_unverified(token, Revocation), token) for token in home.vault.revocations.all()]
    signed = [Signed(document, document.id, token) for document, token in found]
    return sorted(signed, key=lambda each: each.document.issued_at)


def _withdrawals(home: Home) -> list[Signed[Withdrawal]]:
    found = [(read_unverified(token, Withdrawal), token) for token in home.vault.withdrawals.all()]
    signed = [Signed(document, document.id, token) for document, token in found]
    return sorted(signed, key=lambda each: each.document.issued_at)
