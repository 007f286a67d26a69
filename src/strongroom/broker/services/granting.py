"""Granting: a license that the owner signed takes effect, waits for a second person, rests, or goes on.

    grant(act, admin, signed, text, two_people=True)       # status requested
    approve(act, other_admin, "lic-...")                   # granted
    suspend(act, admin, "lic-...", "the bill is open")
    resume(act, admin, "lic-...")

These are the acts behind ``licensing.Licensing``, each inside one transaction. A suspension stops
renewals of everything that hangs from the license, and can be taken back; what is out ends by itself.
"""

from __future__ import annotations

from strongroom.broker.ledger import Act
from strongroom.broker.principal import Principal
from strongroom.broker.records import LicenseRow, LicenseStatus, PartnerRow, PartyStatus
from strongroom.broker.services.license_rows import expiry_of
from strongroom.broker.services.ownership import own_or_not_found
from strongroom.errors import BrokerRefused, ObjectNotFound
from strongroom.keys.identity import organization_id
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.text import KeyKind
from strongroom.license.documents import License, Party
from strongroom.license.signing import Signed
from strongroom.log.entry import Kind


def organization_of(party: Party) -> str:
    """Return the organization id of a holder."""
    return organization_id(signing_public_from_text(party.organization, KeyKind.ORGANIZATION))


def grant(
    act: Act, principal: Principal, signed: Signed[License], agreement: str | None, *, two_people: bool
) -> None:
    """Take a verified license in; the same one twice changes nothing.

    Raises:
        ObjectNotFound: no partner of that organization is here (code ``unknown-partner``).
        BrokerRefused: the partner is pending or suspended.
    """
    if act.kept.license(signed.id) is not None:
        return
    document = signed.document
    partner = _verify_partner(act, document.partner)
    status = LicenseStatus.REQUESTED if two_people else LicenseStatus.GRANTED
    act.kept.add_license(
        LicenseRow(
            license=signed.id,
            parent=None,
            root=signed.id,
            organization=partner.organization,
            holder=document.partner.name,
            token=signed.token,
            agreement=agreement,
            status=status,
            granted_at=act.now,
            expires_at=expiry_of(document.terms),
            requested_by=principal.id,
            approved_by=None,
            acceptance=None,
            accepted_at=None,
        )
    )
    # A request is nothing that the partner is told of, and a refused one never was.
    told = [] if two_people else [partner.organization]
    act.record(
        Kind.GRANT,
        [signed.id, principal.organization, *told],
        document=signed.token,
        status=status.value,
        by=principal.id,
    )
    act.changes_rules()


def _verify_partner(act: Act, party: Party) -> PartnerRow:
    partner = act.kept.partner(organization_of(party))
    if partner is None:
        raise ObjectNotFound(
            f"the organization of {party.name} has not enrolled at this broker",
            code="unknown-partner",
            hint=f"invite {party.name}, and approve the enrollment",
        )
    if partner.status is PartyStatus.PENDING:
        raise BrokerRefused(
            f"nobody has confirmed yet that {party.name} is who it says it is",
            code="partner-pending",
            hint=f"compare the fingerprint with {party.name}, and approve it",
        )
    if partner.status is PartyStatus.SUSPENDED:
        raise BrokerRefused(
            f"{party.name} is suspended", code="partner-suspended", hint=f"resume {party.name} first"
        )
    return partner


def approve(act: Act, principal: Principal, license: str) -> None:
    """Let a requested license take effect, as a second person; twice changes nothing.

    Raises:
        ObjectNotFound: no such license.
        BrokerRefused: the same person requested it (``same-person``), or it was revoked
            (``license-revoked``).
    """
    row = _owners(act, principal, license)
    if row.status in (LicenseStatus.REVOKED, LicenseStatus.REFUSED):
        raise license_refused(row.status)
    if row.status is not LicenseStatus.REQUESTED:
        return
    if row.requested_by == principal.id:
        raise BrokerRefused(
            "you requested this license yourself, and the owner wants two people for each",
            code="same-person",
            hint="ask another admin or publisher to approve it",
        )
    act.kept.set_license_status(license, LicenseStatus.GRANTED, approved_by=principal.id)
    act.record(
        Kind.APPROVAL,
        [license, row.organization, principal.organization],
        document=row.token,
        by=principal.id,
    )
    act.changes_rules()


def suspend(act: Act, principal: Principal, license: str, reason: str) -> None:
    """Stop renewals under a license, and what hangs from it; twice changes nothing.

    Raises:
        ObjectNotFound: no such license.
        BrokerRefused: it is only requested, or revoked.
    """
    row = _owners(act, principal, license)
    _verify_once_granted(row)
    if row.status is LicenseStatus.GRANTED:
        act.kept.set_license_status(license, LicenseStatus.SUSPENDED)
        subjects = [license, row.organization, principal.organization]
        act.record(Kind.SUSPENSION, subjects, reason=reason, by=principal.id)
        act.changes_rules()


def resume(act: Act, principal: Principal, license: str) -> None:
    """Take a suspension back; twice changes nothing.

    Raises:
        ObjectNotFound: no such license.
        BrokerRefused: it is only requested, or revoked.
    """
    row = _owners(act, principal, license)
    _verify_once_granted(row)
    if row.status is LicenseStatus.SUSPENDED:
        act.kept.set_license_status(license, LicenseStatus.GRANTED)
        subjects = [license, row.organization, principal.organization]
        act.record(Kind.APPROVAL, subjects, resumed=license, by=principal.id)
        act.changes_rules()


def license_refused(status: LicenseStatus) -> BrokerRefused:
    """Return the refusal of an act on a license that is not in force."""
    if status is LicenseStatus.REQUESTED:
        return BrokerRefused(
            "the license waits for a second person",
            code="license-requested",
            hint="ask another admin or publisher to approve it",
        )
    if status is LicenseStatus.SUSPENDED:
        return BrokerRefused(
            "the license is suspended, or what it hangs from", code="license-suspended", hint="call the owner"
        )
    return BrokerRefused(
        "the license was revoked, or what it hangs from",
        code="license-revoked",
        hint="a new license has to be granted",
    )


def _owners(act: Act, principal: Principal, license: str) -> LicenseRow:
    return own_or_not_found(principal, act.kept.license(license), lambda row: ())


def _verify_once_granted(row: LicenseRow) -> None:
    if row.status is LicenseStatus.REVOKED or not row.status.was_granted:
        raise license_refused(row.status)
