"""What an owner has said to all: licenses and leases that it revoked, versions that it withdrew.

    announced = read_kept(revocations, withdrawals, owner)     # tokens that were taken in before
    tokens = in_force(tokens, Revocation, owner)               # tokens that come from somewhere now

A key that was cut off, because somebody stole it, says nothing new: what comes by it is left out, and stops
nothing else. What it had said before, where that was taken in, goes on forbidding, and permits nothing any
more (spec/license.md, "Announcements of a key that was cut off").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from strongroom.errors import VerificationError
from strongroom.keys.owner import Owner
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.marks import withdrawn
from strongroom.license.request import Withdrawn
from strongroom.license.signing import O, verify_by_any_key_ever, verify_by_owner


@dataclass(frozen=True, slots=True)
class Announced:
    """What is forbidden by what was taken in."""

    revoked: Mapping[str, str]
    """Why, by the id of a license, sub-license or lease."""
    withdrawals: tuple[Withdrawn, ...]


def read_kept(revocations: Iterable[str], withdrawals: Iterable[str], owner: Owner) -> Announced:
    """Read announcements that were verified when they were taken in.

    Raises:
        FormatError: one is no such document.
        VerificationError: one is not the owner's.
    """
    revoked = [_kept(token, Revocation, owner)[0] for token in revocations]
    return Announced(
        revoked={each.target: each.reason for each in revoked},
        withdrawals=tuple(kept_withdrawals(withdrawals, owner)),
    )


def kept_withdrawals(tokens: Iterable[str], owner: Owner) -> Iterator[Withdrawn]:
    """Read withdrawals that were verified when they were taken in.

    Raises:
        FormatError: one is no withdrawal.
        VerificationError: one is not the owner's.
    """
    for token in tokens:
        document, speaks = _kept(token, Withdrawal, owner)
        taken = withdrawn(document)
        yield taken if speaks else replace(taken, permits=None)


def in_force(tokens: Iterable[str], kind: type[O], owner: Owner) -> tuple[str, ...]:
    """Verify announcements; returns those by keys that were not cut off.

    Raises:
        FormatError: one is no such document.
        VerificationError: one is not the owner's, or its key may not sign it for another reason.
    """
    return tuple(token for token in tokens if _kept(token, kind, owner)[1])


def _kept(token: str, kind: type[O], owner: Owner) -> tuple[O, bool]:
    """Return the document, and whether its key may still speak."""
    try:
        return verify_by_owner(token, kind, owner).document, True
    except VerificationError as error:
        if error.code != "key-cut-off":
            raise
    return verify_by_any_key_ever(token, kind, owner).document, False
