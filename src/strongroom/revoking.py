"""Taking back: the owner ends a license, or withdraws a version of a model, for good.

    affected = hanging_from("lic-...", licenses)                             # who loses what
    signed = revoke(home, "lic-...", reason="the contract ended", now=now)   # see ``sending``
    no_use_after(now, affected)

    signed = withdraw_version(home, "risk@2.0.0", permits="1.0.0", reason="wrong unit", now=now)
    renewed_files(home, signed)                                              # without a broker

The license key signs; the broker hands it out. A runtime that hears of it stops at once, and one that
cannot hear of it stops when its lease, grace and break-glass have passed. Without a broker, news
travels only as files, and a license cannot be revoked: it ends by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from strongroom._encoding import from_instant, to_instant
from strongroom.founding import own_owner, role_key
from strongroom.home.grants import Grant
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.keys.owner import Role
from strongroom.license.documents import License, OfflineFile, Revocation, Withdrawal
from strongroom.license.license_file import LicenseFile
from strongroom.license.request import Right
from strongroom.license.signing import Signed, read_unverified, sign_document
from strongroom.license.terms import Packages, Rights
from strongroom.protocol.broker import LeaseSummary, LicenseAnswer


def revoke(home: Home, target: str, *, reason: str, now: datetime) -> Signed[Revocation]:
    """Sign the end of a license, and keep it to be sent.

    Args:
        home: The owner's home.
        target: Id of a license, sub-license, lease or offline file.
        reason: One line; the partner reads it.
        now: The time.

    Raises:
        UsageError: this home owns no models.
        FormatError: no such kind of id, or the reason is no line of text.
        NoMatchingKey: the license key is not here, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        StorageUnavailable: a file cannot be read or written.
    """
    owner = own_owner(home)
    document = Revocation(
        owner=owner.id, owner_version=owner.version, issued_at=now, target=target, reason=reason
    )
    signed = sign_document(document, role_key(home, Role.LICENSE, now))
    home.vault.revocations.add(signed.id, signed.token)
    home.outbox.add(revocation_parcel(signed, now=now))
    return signed


def revocation_parcel(signed: Signed[Revocation], *, now: datetime) -> Parcel:
    """Wrap up a revocation for the broker, for the first time or once more."""
    return Parcel(
        kind=ParcelKind.REVOCATION,
        id=signed.id,
        owner=signed.document.owner,
        about=f"the end of {signed.document.target}",
        body={"revocation": signed.token},
        added_at=to_instant(now),
    )


def hanging_from(target: str, licenses: Iterable[LicenseAnswer]) -> list[LicenseAnswer]:
    """Return a license and every sub-license under it, widest first; empty if it is not among them."""
    known = {each.license: each for each in licenses}
    if target not in known:
        return []
    found, reached = [known[target]], {target}
    waiting = [each for each in known.values() if each.license != target]
    while grown := [each for each in waiting if each.parent in reached]:
        found += grown
        reached |= {each.license for each in grown}
        waiting = [each for each in waiting if each.license not in reached]
    return found


def may_be_narrowed(license: LicenseAnswer) -> bool:
    """Say whether anything can hang from a license; if not, nobody has to look for it.

    Raises:
        FormatError: the broker's answer holds no license.
    """
    file = LicenseFile.from_bytes(license.file.encode("utf-8"))
    rights = [term for term in read_unverified(file.license, License).terms if isinstance(term, Rights)]
    return any(Right.SUBLICENSE in term.rights for term in rights)


def no_use_after(now: datetime, affected: Iterable[LicenseAnswer]) -> datetime:
    """Return the instant from which on no runtime can use what is revoked now, even without any news."""
    return now + timedelta(seconds=max((each.worst_case_seconds for each in affected), default=0))


def is_file(lease: LeaseSummary) -> bool:
    """Say whether what is out is an offline file: no revocation reaches it before its end."""
    return lease.lease.startswith(OfflineFile.PREFIX)


def last_use(leases: Sequence[LeaseSummary]) -> datetime | None:
    """Return the last use that one of the leases or files that are out allows, or None if none is out."""
    return max((from_instant(each.last_use_at) for each in leases), default=None)


def withdraw_version(
    home: Home,
    model: str,
    *,
    permits: str | None,
    reason: str,
    now: datetime,
    to_broker: bool = False,
) -> Signed[Withdrawal]:
    """Sign that a version must not run any more, and to which older one a runtime may go back.

    From then on it is in every license file for the model, and nobody is granted the version.
    ``renewed_files`` gives the files that were sent before, with the withdrawal in them;
    ``to_broker`` puts it into the outbox, for the broker to hand out.

    Raises:
        ObjectNotFound: a version was not sealed here.
        UsageError: this home owns no models.
        FormatError: what is permitted is not older, or the reason is no line of text.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        StorageUnavailable: a file cannot be read.
    """
    name, _, version = model.partition("@")
    seal = home.vault.seals.find(name, version or None)
    if permits is not None:
        home.vault.seals.find(seal.name, permits)
    owner = own_owner(home)
    document = Withdrawal(
        owner=owner.id,
        owner_version=owner.version,
        issued_at=now,
        name=seal.name,
        version=seal.version,
        package=seal.package_digest,
        permits=permits,
        reason=reason,
    )
    signed = sign_document(document, role_key(home, Role.LICENSE, now))
    home.vault.withdrawals.add(signed.id, signed.token)
    if to_broker:
        home.outbox.add(withdrawal_parcel(signed, now=now))
    return signed


def withdrawal_parcel(signed: Signed[Withdrawal], *, now: datetime) -> Parcel:
    """Wrap up a withdrawal for the broker, for the first time or once more."""
    return Parcel(
        kind=ParcelKind.WITHDRAWAL,
        id=signed.id,
        owner=signed.document.owner,
        about=f"the withdrawal of {signed.document.name} {signed.document.version}",
        body={"withdrawal": signed.token},
        added_at=to_instant(now),
    )


def renewed_files(home: Home, withdrawal: Signed[Withdrawal]) -> list[tuple[Grant, bytes]]:
    """Put a withdrawal into the license files that speak of its model, to be sent again.

    A partner that is not sent the new file, or leaves it unread, goes on with the version
    until its key file ends: without a broker, news travels only as files.

    Raises:
        FormatError: a stored file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    renewed = []
    for noted in home.vault.grants.all():
        file = LicenseFile.from_bytes(home.vault.grants.license_file(noted.license))
        if _speaks_of(file, withdrawal.document.name) and withdrawal.token not in file.withdrawals:
            tokens = (*file.withdrawals, withdrawal.token)
            data = msgspec.structs.replace(file, withdrawals=tokens).to_bytes()
            home.vault.grants.replace_file(noted.license, data)
            renewed.append((noted, data))
    return renewed


def _speaks_of(file: LicenseFile, name: str) -> bool:
    terms = read_unverified(file.license, License).terms
    choices = [choice for term in terms if isinstance(term, Packages) for choice in term.packages]
    return any(choice.name in (None, name) for choice in choices)
