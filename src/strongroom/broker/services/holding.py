"""Holding: what the holder of a license does with it: accept it, and narrow it for its sites.

    rows = held_chain(kept, principal, "lic-...")
    accept(act, manager, signed)
    narrow(act, manager, signed, text)

Both are signed by the organization key of the holder, and nobody else can hand them in: not a
site under it, not a site beside it, and not the owner. These are the acts behind
``licensing.Licensing``, each inside one transaction.
"""

from __future__ import annotations

from strongroom._limits import LIMITS
from strongroom.broker.ledger import Act
from strongroom.broker.principal import Principal
from strongroom.broker.records import LicenseRow, LicenseStatus
from strongroom.broker.repository import Reading
from strongroom.broker.services.granting import license_refused, organization_of
from strongroom.broker.services.license_rows import expiry_of, status_of
from strongroom.broker.services.ownership import own_or_not_found, was_granted
from strongroom.errors import BrokerRefused
from strongroom.license.documents import Acceptance, Sublicense
from strongroom.license.signing import Signed
from strongroom.log.entry import Kind


def visible_chain(kept: Reading, principal: Principal, license: str) -> list[LicenseRow]:
    """Return the chain of a license that the principal may see: its own, and what hangs from that.

    Raises:
        ObjectNotFound: there is none, it is another's, or it was not granted yet.
    """
    rows = kept.chain(license)
    return own_or_not_found(principal, rows or None, _seen_by)


def held_chain(kept: Reading, principal: Principal, license: str) -> list[LicenseRow]:
    """Return the chain of a license that the principal's organization itself holds.

    Raises:
        ObjectNotFound: there is none, it is another's, or it was not granted yet.
        BrokerRefused: it hangs from one that the organization holds, or the owner asks (``wrong-holder``).
    """
    rows = visible_chain(kept, principal, license)
    if rows[-1].organization != principal.organization:
        raise BrokerRefused(
            f"the license is held by {rows[-1].holder}, which signs for it",
            code="wrong-holder",
            hint="this is for the holder to do",
        )
    return rows


def _seen_by(rows: list[LicenseRow]) -> set[str]:
    return {row.organization for row in rows} if was_granted(rows) else set()


def accept(act: Act, principal: Principal, signed: Signed[Acceptance]) -> None:
    """Note a verified acceptance; a second one changes nothing.

    Raises:
        ObjectNotFound: there is no such license, or it is another's.
        BrokerRefused: another organization holds it, or it was revoked.
    """
    rows = held_chain(act.kept, principal, signed.document.license)
    if status_of(rows) is LicenseStatus.REVOKED:
        raise license_refused(LicenseStatus.REVOKED)
    row = rows[-1]
    if row.acceptance is not None:
        return
    act.kept.set_acceptance(row.license, signed.token, act.now)
    agreement = signed.document.agreement
    details = {} if agreement is None else {"agreement": agreement}
    act.record(
        Kind.ACCEPTANCE,
        [row.license, row.organization],
        document=signed.token,
        by=principal.id,
        **details,
    )
    act.changes_rules()


def narrow(act: Act, principal: Principal, signed: Signed[Sublicense], agreement: str | None) -> None:
    """Take a verified sub-license in; the same one twice changes nothing.

    Whether the site is enrolled is not asked: the answer would tell one partner about another.

    Raises:
        ObjectNotFound: there is no such license, or it is another's.
        BrokerRefused: another organization holds it, it is not accepted (``not-accepted``),
            it is not in force, or too many hang from it (``too-many-sublicenses``).
    """
    rows = held_chain(act.kept, principal, signed.document.parent)
    verify_may_narrow(rows)
    if act.kept.license(signed.id) is not None:
        return
    parent, document = rows[-1], signed.document
    holder = organization_of(document.holder)
    _verify_room(act.kept, parent.root, holder)
    act.kept.add_license(
        LicenseRow(
            license=signed.id,
            parent=parent.license,
            root=parent.root,
            organization=holder,
            holder=document.holder.name,
            token=signed.token,
            agreement=agreement,
            status=LicenseStatus.GRANTED,
            granted_at=act.now,
            expires_at=expiry_of(document.terms),
            requested_by=principal.id,
            approved_by=None,
            acceptance=None,
            accepted_at=None,
        )
    )
    act.record(
        Kind.SUBLICENSE,
        [signed.id, parent.license, parent.organization, holder],
        document=signed.token,
        by=principal.id,
    )
    act.changes_rules()


def _verify_room(kept: Reading, root: str, holder: str) -> None:
    """Bound what one partner can put on the owner's list, and on that of whomever it names.

    Everything ever made counts: what is revoked or over is listed as well.
    """
    below = kept.licenses_under(root)
    of_holder = sum(each.organization == holder for each in below)
    if len(below) >= LIMITS.max_sublicenses or of_holder >= LIMITS.max_holder_sublicenses:
        raise BrokerRefused(
            "no more can hang from this license, in all or for this holder",
            code="too-many-sublicenses",
            hint="ask the owner for another license",
        )


def verify_may_narrow(rows: list[LicenseRow]) -> None:
    """Check that a license is in force and accepted, so that something can hang from it.

    Raises:
        BrokerRefused: codes ``license-suspended``, ``license-revoked``, ``not-accepted``.
    """
    if (status := status_of(rows)) is not LicenseStatus.GRANTED:
        raise license_refused(status)
    if rows[-1].acceptance is None:
        raise BrokerRefused(
            "the license is not accepted yet", code="not-accepted", hint="strongroom accept FILE.license"
        )
