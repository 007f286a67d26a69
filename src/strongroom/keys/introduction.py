"""How an owner and a partner meet: everything about it in one import.

    data = make_invite(owner, license_key, partner="clinic", serial=serial, now=now, expires_at=then)

    invite = verify_invite(data, now)                                        # at the partner
    data = make_enrollment(invite, organization=organization, device=device, sealing=sealing, now=now)

    enrollment = verify_enrollment(data, owner, now)                         # at the owner
    enrollment.fingerprint                                                   # both say it aloud

The documents are in ``invite`` and ``enrollment``, what people compare in ``fingerprint``.
Until that comparison, out of band, neither file says who sent it.
"""

from strongroom.keys.enrollment import (
    Enrollment,
    EnrollmentFile,
    SealingCertificate,
    VerifiedEnrollment,
    make_enrollment,
    verify_enrollment,
    verify_stored_enrollment,
)
from strongroom.keys.fingerprint import fingerprint, is_fingerprint_of, verify_fingerprint
from strongroom.keys.identity import member_id, organization_id, owner_id, runtime_id
from strongroom.keys.invite import (
    BrokerAddress,
    Invite,
    InviteFile,
    VerifiedInvite,
    make_invite,
    verify_invite,
)

__all__ = [
    "BrokerAddress",
    "Enrollment",
    "EnrollmentFile",
    "Invite",
    "InviteFile",
    "SealingCertificate",
    "VerifiedEnrollment",
    "VerifiedInvite",
    "fingerprint",
    "is_fingerprint_of",
    "make_enrollment",
    "make_invite",
    "member_id",
    "organization_id",
    "owner_id",
    "runtime_id",
    "verify_enrollment",
    "verify_fingerprint",
    "verify_invite",
    "verify_stored_enrollment",
]
