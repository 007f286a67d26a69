"""Who may come in: what a broker knows about a member or runtime that wants to authenticate.

    candidate = find_candidate(kept, PrincipalKind.RUNTIME, "run-...")
    verify_assertion(token, candidate.key, ...)              # only now is it known who asks
    principal = candidate.admit(now)

The two steps keep strangers in the dark. An unknown id is refused with ``unknown_principal``,
and so must be an id whose key did not sign: what is pending, suspended or expired is told to
nobody but whoever has the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from strongroom._encoding import to_instant
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.records import MemberRow, PartnerRow, PartyStatus, RuntimeRow
from strongroom.broker.repository import Reading
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import BrokerRefused
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.text import KeyKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who says that it is this member or runtime. Its key decides."""

    row: MemberRow | RuntimeRow
    partner: PartnerRow | None
    """None: it belongs to the owner."""

    @property
    def key(self) -> SigningPublic:
        """The key that must have signed: member or device key."""
        if isinstance(self.row, MemberRow):
            return signing_public_from_text(self.row.key, KeyKind.MEMBER)
        return signing_public_from_text(self.row.device, KeyKind.DEVICE)

    def admit(self, now: datetime) -> Principal:
        """Return who it is, if it may come in. Call it after its signature was verified.

        Raises:
            BrokerRefused: codes ``partner-pending``, ``partner-suspended``, ``runtime-suspended``,
                ``member-expired``.
        """
        if self.partner is not None:
            verify_partner_admitted(self.partner)
        if isinstance(self.row, MemberRow):
            _verify_member(self.row, now)
            return Principal(
                organization=self.row.organization,
                id=self.row.member,
                kind=PrincipalKind.MEMBER,
                role=self.row.role,
            )
        verify_runtime_admitted(self.row)
        return Principal(
            organization=self.row.organization,
            id=self.row.runtime,
            kind=PrincipalKind.RUNTIME,
            role=Role.RUNTIME,
        )


def find_candidate(kept: Reading, kind: PrincipalKind, id: str, *, owner_id: str) -> Candidate:
    """Look up who somebody says it is.

    Raises:
        BrokerRefused: nobody here has this id (code ``unknown-principal``).
        StorageUnavailable: the database does not answer.
    """
    row = kept.member(id) if kind is PrincipalKind.MEMBER else kept.runtime(id)
    if row is None:
        raise unknown_principal()
    if row.organization == owner_id:
        return Candidate(row, None)
    partner = kept.partner(row.organization)
    if partner is None:
        raise unknown_principal()
    return Candidate(row, partner)


def unknown_principal() -> BrokerRefused:
    """Return the refusal of whoever is not known here, or has not signed with the key that is."""
    return BrokerRefused(
        "the broker knows no member or runtime of this id and key",
        code="unknown-principal",
        hint="strongroom join FILE.invite, or ask an admin or manager to add you",
    )


def verify_partner_admitted(partner: PartnerRow) -> None:
    """Check that a partner is approved and not suspended.

    Raises:
        BrokerRefused: codes ``partner-pending``, ``partner-suspended``.
    """
    if partner.status is PartyStatus.PENDING:
        raise BrokerRefused(
            "nobody at the owner has compared your fingerprint yet",
            code="partner-pending",
            hint="call the owner, compare the fingerprint of your enrollment, and try again",
        )
    if partner.status is PartyStatus.SUSPENDED:
        raise BrokerRefused(
            f"the owner has suspended {partner.name}", code="partner-suspended", hint="call the owner"
        )


def verify_runtime_admitted(runtime: RuntimeRow) -> None:
    """Check that a runtime is not suspended.

    Raises:
        BrokerRefused: codes ``partner-pending``, ``runtime-suspended``.
    """
    if runtime.status is PartyStatus.PENDING:
        raise BrokerRefused(
            "this runtime is not approved yet",
            code="partner-pending",
            hint="call the owner, and compare the fingerprint of its enrollment",
        )
    if runtime.status is PartyStatus.SUSPENDED:
        raise BrokerRefused(
            "this runtime was suspended, as if it were lost or stolen",
            code="runtime-suspended",
            hint="ask the owner to resume it, or join again from a clean machine with a fresh home",
        )


def _verify_member(member: MemberRow, now: datetime) -> None:
    if member.expires_at is not None and now >= member.expires_at:
        raise BrokerRefused(
            f"the access of {member.name} ended {to_instant(member.expires_at)}",
            code="member-expired",
            hint="ask an admin or manager of your organization to add you again",
        )
