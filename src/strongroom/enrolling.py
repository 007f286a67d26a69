"""How an owner and a partner meet, on both sides, with files and a telephone.

    data = invite(home, "clinic", expires_at=then, now=now)         # owner: write clinic.invite
    joined = join(home, data, now=now)                              # partner: write clinic.enrollment
    enrollment = receive(home, joined.file, now=now)                # owner: keep it, still pending
    approve(home, enrollment, "XK4T-09RM-2H7Q-VB3N-E8WD")           # owner: what the partner read out
    confirm(home, joined.owner, "XK4T-09RM-2H7Q-VB3N-E8WD")         # partner: what the owner read out

Both sides see one fingerprint, of the enrollment, which binds the owner document that
the partner saw. Until it was compared over another channel, both sides stay pending:
nothing is granted to such a partner, and no license by such an owner is accepted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from strongroom.errors import ObjectNotFound, UsageError
from strongroom.founding import own_owner, role_key
from strongroom.home.home import Home
from strongroom.home.partners import Partner
from strongroom.home.trust import PinnedOwner
from strongroom.keys.enrollment import (
    Enrollment,
    EnrollmentFile,
    VerifiedEnrollment,
    make_enrollment,
    verify_enrollment,
)
from strongroom.keys.fingerprint import fingerprint, verify_fingerprint
from strongroom.keys.invite import SERIAL_BYTES, VerifiedInvite, make_invite, verify_invite
from strongroom.keys.owner import Role
from strongroom.keys.signed_document import read_unverified


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a partner has after it answered an invite."""

    owner: PinnedOwner
    partner: str
    """How the owner calls this party."""
    file: bytes
    """The ``.enrollment`` file, to be sent to the owner."""
    fingerprint: str


def invite(home: Home, partner: str, *, expires_at: datetime, now: datetime) -> bytes:
    """Make an ``.invite`` file for a partner.

    Raises:
        UsageError: a name that is not allowed, an expiry that has passed, or this home
            owns no models.
        NoMatchingKey: the license key is not here, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read.
    """
    return make_invite(
        own_owner(home),
        role_key(home, Role.LICENSE, now),
        partner=partner,
        serial=secrets.token_bytes(SERIAL_BYTES),
        now=now,
        expires_at=expires_at,
    )


def join(home: Home, data: bytes, *, now: datetime, alias: str | None = None) -> Joined:
    """Answer an invite: pin the owner, make the keys of this runtime toward it, enroll.

    Joining again with the same invite gives the same enrollment, hence the same fingerprint.

    Raises:
        FormatError: not an invite file, or a file of this home is damaged.
        VerificationError: the invite does not hold, has expired, or contradicts what is pinned.
        UsageError: another owner has the alias, or the invite is this home's own.
        NoMatchingKey: the organization key is missing, or the pass-phrase is missing or wrong.
        StorageUnavailable: a file cannot be read or written.
    """
    pinned = {each.id: each.owner for each in home.trust.all()}
    accepted = verify_invite(data, now, pinned=pinned)
    if accepted.owner.id == home.vault.owner_id:
        raise UsageError(
            "this invite was made in this very home", code="own-invite", hint="send it to the partner"
        )
    organization = home.keys.organization()
    owner = home.trust.pin(accepted.owner.chain, alias=alias)
    keys = home.keys.ensure_runtime_keys(owner.id, now)
    file = _answered(home, owner, accepted)
    if file is None:
        file = make_enrollment(
            accepted, organization=organization, device=keys.device, sealing=keys.sealing, now=now
        )
        home.trust.save_enrollment(owner.id, file)
    token = EnrollmentFile.from_bytes(file).enrollment
    return Joined(owner=owner, partner=accepted.document.partner, file=file, fingerprint=fingerprint(token))


def _answered(home: Home, owner: PinnedOwner, invite: VerifiedInvite) -> bytes | None:
    """Return the enrollment that already answers this invite: a second one has another fingerprint."""
    try:
        file = home.trust.enrollment(owner.id)
    except ObjectNotFound:
        return None
    token = EnrollmentFile.from_bytes(file).enrollment
    return file if read_unverified(token, Enrollment).invite == invite.token else None


def receive(home: Home, data: bytes, *, now: datetime) -> VerifiedEnrollment:
    """Check an ``.enrollment`` file at the owner and keep it.

    A new partner stays pending; a further runtime of an approved one needs no approval.

    Raises:
        FormatError: not an enrollment file.
        VerificationError: a signature, a binding or a date does not hold, or the partner is
            known under another key.
        UsageError: this home owns no models, or the partner has too many runtimes.
        StorageUnavailable: a file cannot be read or written.
    """
    enrollment = verify_enrollment(data, own_owner(home), now)
    home.vault.partners.add(enrollment)
    return enrollment


def approve(home: Home, enrollment: VerifiedEnrollment, given_fingerprint: str) -> Partner:
    """Approve a partner whose fingerprint was compared.

    Raises:
        FormatError: not of the form of a fingerprint (code ``fingerprint-form``).
        VerificationError: another fingerprint, or not an enrollment that was received.
        ObjectNotFound: no such partner.
        StorageUnavailable: a file cannot be read or written.
    """
    verify_fingerprint(given_fingerprint, enrollment.token)
    return home.vault.partners.approve(enrollment.document.partner, enrollment)


def confirm(home: Home, owner: PinnedOwner, given_fingerprint: str) -> PinnedOwner:
    """Confirm a pinned owner whose fingerprint was compared.

    Raises:
        FormatError: not of the form of a fingerprint (code ``fingerprint-form``).
        VerificationError: another fingerprint.
        ObjectNotFound: this home never enrolled with that owner.
        StorageUnavailable: a file cannot be read or written.
    """
    token = EnrollmentFile.from_bytes(home.trust.enrollment(owner.id)).enrollment
    verify_fingerprint(given_fingerprint, token)
    return home.trust.confirm(owner.id)


def own_fingerprint(home: Home, owner: PinnedOwner) -> str:
    """Return the fingerprint that this partner and the owner compare.

    Raises:
        ObjectNotFound: this home never enrolled with that owner.
        FormatError: the stored enrollment is damaged.
        StorageUnavailable: it cannot be read.
    """
    return fingerprint(EnrollmentFile.from_bytes(home.trust.enrollment(owner.id)).enrollment)
