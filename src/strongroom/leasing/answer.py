"""What a runtime believes of a broker's answer: nothing that it has not checked.

    lease = verify_lease(answer, request, opening, owner)
    kept = verify_announcements(answer.revocations, answer.withdrawals, owner)

Pure: the owner's keys, the request that was sent and the answer come in. That the log has the
lease is checked by ``home.logbook``, which remembers what it has seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from strongroom.errors import VerificationError
from strongroom.keys.owner import Owner
from strongroom.license.announced import in_force
from strongroom.license.documents import Lease, LeaseRequest, Revocation, Withdrawal
from strongroom.license.signing import Signed, verify_by_owner


def verify_lease(token: str, request: LeaseRequest, package_id: str, owner: Owner) -> Signed[Lease]:
    """Check that a lease is the answer to this very request.

    Raises:
        FormatError: no lease.
        VerificationError: not by the broker of this owner, under a newer owner document (code
            ``owner-outdated``), the answer to another request (code ``wrong-nonce``), or for something
            else than was asked for (code ``wrong-lease``).
    """
    signed = verify_by_owner(token, Lease, owner)
    lease = signed.document
    if lease.nonce != request.nonce:
        # An older answer, replayed or held back: it must not pass for what is true now.
        raise VerificationError("a lease answers another request", code="wrong-nonce")
    got = (lease.license, lease.runtime, lease.package, lease.package_id, lease.previous)
    asked = (request.license, request.runtime, request.package, package_id, request.previous)
    if got != asked:
        raise VerificationError("a lease is for something else than was asked for", code="wrong-lease")
    return signed


def verify_kept(token: str, runtime: str, owner: Owner) -> Signed[Lease]:
    """Check a lease that this home kept.

    Raises:
        FormatError: no lease.
        VerificationError: not by the broker of this owner, or another runtime's (code ``wrong-lease``).
    """
    signed = verify_by_owner(token, Lease, owner)
    if signed.document.runtime != runtime:
        raise VerificationError("a lease is another runtime's", code="wrong-lease")
    return signed


class Announcements(NamedTuple):
    """What is to be kept of an answer: tokens of revocations and of withdrawals."""

    revocations: tuple[str, ...]
    withdrawals: tuple[str, ...]


def verify_announcements(
    revocations: Iterable[str], withdrawals: Iterable[str], owner: Owner
) -> Announcements:
    """Check that what was announced is by the owner; returns it without what a key says that was cut off.

    Raises:
        FormatError: one is no such document.
        VerificationError: one is not by a key that may sign it.
    """
    return Announcements(in_force(revocations, Revocation, owner), in_force(withdrawals, Withdrawal, owner))
