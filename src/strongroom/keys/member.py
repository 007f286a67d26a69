"""Members: a partner says which person may do what for it at a broker (spec/keys.md, "Member certificate").

    token = make_member_certificate(organization, member=key.public_text, name="j.doe",
                                    role=MemberRole.MANAGER, owner=owner.id, now=now)
    member = verify_member_certificate(token, organization.public, owner=owner.id, now=now)
    member.id, member.document.role

Access belongs to the organization, so its key hands it to people, and the broker need not be
told by anybody who works there. The people of the owner have no certificate: an admin adds
their keys at the broker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Self

import msgspec

from strongroom._encoding import from_instant, from_wire, to_instant, to_wire
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.identity import member_id, organization_id, verify_organization_id, verify_owner_id
from strongroom.keys.invite import SKEW
from strongroom.keys.key_pair import SigningKey, signing_public_from_text
from strongroom.keys.name import verify_chosen_name, verify_name
from strongroom.keys.signed_document import read_unverified, sign
from strongroom.keys.text import KeyKind


class MemberRole(StrEnum):
    """What a person of a partner may do. Wire names."""

    MANAGER = "manager"
    """Accepts and narrows licenses, adds members."""
    OPERATOR = "operator"
    """Runs models."""
    AUDITOR = "auditor"
    """Reads."""


class MemberCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the partner's organization key signs about a person."""

    TYP: ClassVar[str] = "strongroom-member+jws"

    format: Literal["member/v1"]
    owner: str
    """The owner id: access at one owner's broker is none at another's."""
    organization: str
    """The organization id of the key that signs this."""
    member: str
    """Public text of the person's member key."""
    name: str
    """What the person is called."""
    role: MemberRole
    issued_at: str
    expires_at: str | None

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Parse a payload and check every rule that needs nothing else.

        Raises:
            FormatError: not canonical, or a rule of spec/keys.md does not hold.
        """
        document = from_wire(payload, cls)
        document._check()
        return document

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)

    def _check(self) -> None:
        verify_owner_id(self.owner)
        verify_organization_id(self.organization)
        signing_public_from_text(self.member, KeyKind.MEMBER)
        verify_name(self.name)
        issued_at = from_instant(self.issued_at)
        if self.expires_at is not None and from_instant(self.expires_at) <= issued_at:
            raise FormatError("a member certificate expires before it is issued")


@dataclass(frozen=True, slots=True)
class VerifiedMember:
    """A person whose certificate holds. Made by ``verify_member_certificate``."""

    document: MemberCertificate
    key: SigningPublic
    token: str

    @property
    def id(self) -> str:
        """``mem-`` and 24 characters."""
        return member_id(self.key)


def make_member_certificate(
    organization: SigningKey,
    *,
    member: str,
    name: str,
    role: MemberRole,
    owner: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Say that a person may act for this organization at the broker of an owner; returns the token.

    Args:
        organization: The partner's organization key.
        member: Public text of the person's member key.
        name: What the person is called.
        role: What the person may do.
        owner: The owner id.
        now: The time of issue.
        expires_at: When the access ends by itself.

    Raises:
        UsageError: a name that is not allowed, another kind of key, or an expiry that has passed.
        FormatError: the member key is none, or ``owner`` is no owner id.
    """
    verify_chosen_name(name)
    if organization.kind is not KeyKind.ORGANIZATION:
        raise UsageError("a member is certified by an organization key", code="wrong-kind")
    if expires_at is not None and to_instant(expires_at) <= to_instant(now):
        raise UsageError("the access of a member must end later than now", code="expiry")
    document = MemberCertificate(
        format="member/v1",
        owner=owner,
        organization=organization_id(organization.public),
        member=member,
        name=name,
        role=role,
        issued_at=to_instant(now),
        expires_at=None if expires_at is None else to_instant(expires_at),
    )
    return sign(document, organization)


def verify_member_certificate(
    token: str, organization: SigningPublic, *, owner: str, now: datetime
) -> VerifiedMember:
    """Check a member certificate at the broker of an owner.

    Raises:
        FormatError: not a member certificate.
        VerificationError: signed by another organization (``wrong-signer``), for another owner
            (``owner-other``) or organization (``wrong-organization``), for the organization's own
            key (``one-key-twice``), expired (``member-expired``) or dated in the future
            (``member-not-yet``).
    """
    document = read_unverified(token, MemberCertificate)
    jws.verify(token, MemberCertificate.TYP, [organization])
    if document.owner != owner:
        raise VerificationError("a member is certified toward another owner", code="owner-other")
    if document.organization != organization_id(organization):
        raise VerificationError("a member is certified for another organization", code="wrong-organization")
    key = signing_public_from_text(document.member, KeyKind.MEMBER)
    # One key under two kinds: whoever signs in would sign with what makes the organization.
    if key == organization:
        raise VerificationError("a member has the key of the organization", code="one-key-twice")
    if document.expires_at is not None and now >= from_instant(document.expires_at):
        raise VerificationError(
            f"the access of {document.name} expired at {document.expires_at}",
            code="member-expired",
            hint="Certify the member again.",
        )
    if from_instant(document.issued_at) - now > SKEW:
        raise VerificationError(
            f"the certificate of {document.name} is dated {document.issued_at}, in the future",
            code="member-not-yet",
            hint="Compare the clocks of the two machines.",
        )
    return VerifiedMember(document, key, token)
