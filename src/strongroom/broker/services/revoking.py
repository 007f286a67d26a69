"""Revoking: the owner ends a license for good, and everybody whom it concerns hears of it.

    entry = revoke(act, admin, signed)
    page = revocations(kept, principal, now, after="rev-...", count=100)

The owner's license key signs a revocation; the broker cannot make one for a license. What hangs from the
license is dead with it, through the chain. Each organization concerned gets a record of its own: one
site must not learn from a shared one which others there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from strongroom.broker.ledger import Act
from strongroom.broker.principal import Principal
from strongroom.broker.records import LeaseRow, LicenseRow, LicenseStatus
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import each_license_of, own_or_not_found, was_granted
from strongroom.broker.services.publishing import entry_of
from strongroom.keys.owner import Owner, Role
from strongroom.license.documents import Revocation
from strongroom.license.signing import Signed, verify_by_owner
from strongroom.log.entry import Kind
from strongroom.protocol.broker import RevocationPage

_AT_A_TIME: Final = 200


def verify_revocation(token: str, owner: Owner) -> Signed[Revocation]:
    """Verify a revocation that is handed in: by a license key, and by no broker key.

    Raises:
        FormatError: not a revocation.
        VerificationError: another owner's, altered, or by a key that may not sign it.
    """
    signed = verify_by_owner(token, Revocation, owner)
    # A broker key may end leases. Whoever stole one must not be able to end every license.
    owner.verify_token(token, Revocation.typ(), Role.LICENSE, signed.document.issued_at)
    return signed


def revoke(act: Act, principal: Principal, signed: Signed[Revocation]) -> int:
    """Take a verified revocation in, and return its entry; the same one twice changes nothing.

    Raises:
        ObjectNotFound: what it ends is not here, or is another's.
    """
    target = signed.document.target
    rows = own_or_not_found(principal, _concerned(act.kept, target) or None, _holders)
    known = any(each.revocation == signed.id for each in act.kept.revocations_of([target]))
    if known and (before := entry_of(act.kept, signed.id)) is not None:
        return before
    if not known:
        act.kept.add_revocation(signed.id, target, signed.token, act.now)
    is_license = rows[-1].license == target
    if is_license:
        ended = LicenseStatus.REVOKED if was_granted(rows) else LicenseStatus.REFUSED
        act.kept.set_license_status(target, ended)
    # What was never granted is turned down: its partner has not heard of it, and does not now.
    told = [rows[-1].organization] if was_granted(rows) else []
    entry = act.record(
        Kind.REVOCATION,
        [signed.id, target, *told, signed.document.owner],
        document=signed.token,
        reason=signed.document.reason,
        by=principal.id,
    )
    for row in act.kept.licenses_under(target) if is_license else ():
        act.record(
            Kind.REVOCATION,
            [row.license, row.organization],
            document=signed.token,
            reason=signed.document.reason,
        )
    act.changes_rules()
    return entry


def revocations(
    kept: Reading, principal: Principal, now: datetime, *, after: str, count: int
) -> RevocationPage:
    """Return revocations that concern the principal, oldest first.

    Args:
        kept: What the broker keeps.
        principal: Who asks.
        now: The time, to know which leases can still be in use.
        after: Id of the last one that it has seen; one that is not known means from the beginning.
        count: The most to return.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    # Named by its id: the position would tell how many of others' there are.
    seen = kept.revocation(after)
    position = 0 if seen is None else seen.position
    if principal.is_owner:
        rows = kept.revocations(after=position, limit=count)
    else:
        concerned = kept.revocations_of(_targets_of(kept, principal.organization, now))
        rows = [row for row in concerned if row.position > position][:count]
    following = rows[-1].revocation if rows else after or None
    return RevocationPage(revocations=tuple(row.token for row in rows), next=following)


def _targets_of(kept: Reading, organization: str, now: datetime) -> set[str]:
    """Return what can be revoked that concerns an organization.

    That is its licenses, what they hang from, what hangs from them, and the leases under these that
    can be in use.
    """
    found: set[str] = set()
    for row in each_license_of(kept, organization):
        found.update(each.license for each in kept.chain(row.license))
        found.update(each.license for each in kept.licenses_under(row.license))
        found.update(lease.lease for lease in _leases_under(kept, row.license, now))
    return found


def _leases_under(kept: Reading, license: str, now: datetime) -> Iterator[LeaseRow]:
    after = ""
    while rows := kept.leases(now, after=after, limit=_AT_A_TIME, license=license):
        yield from rows
        after = rows[-1].lease


def _concerned(kept: Reading, target: str) -> list[LicenseRow]:
    """Return the chain of a license, or of the license under which a lease was given; empty if unknown."""
    lease = kept.lease(target)
    return kept.chain(target if lease is None else lease.license)


def _holders(rows: list[LicenseRow]) -> set[str]:
    return {row.organization for row in rows} if was_granted(rows) else set()
