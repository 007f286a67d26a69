"""Licensing: everything that happens to a license at the broker, in one use case.

    licensing.grant(admin, LicenseAsk(license=token, agreement=text))
    licensing.accept(manager, AcceptanceAsk(acceptance=token))
    licensing.narrow(manager, SublicenseAsk(sublicense=token))
    licensing.end(manager, "sub-...", ReasonAsk(reason="the ward has closed"))
    licensing.revoke(admin, RevocationAsk(revocation=token))

Signatures are checked here, before an act begins; the acts are in ``granting``, ``holding``, ``narrowing``
and ``revoking``. A partner sees what it holds and what hangs from that; whatever else exists is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import LicenseRow
from strongroom.broker.repository import Reading
from strongroom.broker.services import granting, holding, narrowing, revoking
from strongroom.broker.services.license_rows import chain_of, license_answer
from strongroom.broker.services.ownership import verify_owner
from strongroom.broker.services.paging import page_of
from strongroom.broker.services.partners import verify_reason
from strongroom.broker.settings import Settings
from strongroom.errors import VerificationError
from strongroom.license.agreement import agreement_digest
from strongroom.license.chain import ChainDocument, verify_acceptance, verify_chain
from strongroom.license.documents import Acceptance, License, Sublicense
from strongroom.license.signing import Signed, read_unverified
from strongroom.protocol.broker import (
    AcceptanceAsk,
    Done,
    LicenseAnswer,
    LicenseAsk,
    LicensePage,
    ReasonAsk,
    RevocationAsk,
    RevocationPage,
    SublicenseAsk,
    SublicensePage,
)

_AT_A_TIME: Final = 16
"""Rows of licenses: each may have an agreement of a megabyte."""


class Licensing:
    """Licenses and sub-licenses."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def grant(self, principal: Principal, ask: LicenseAsk) -> LicenseAnswer:
        """Let a license take effect that the owner signed; the same one twice changes nothing.

        Where the owner wants two people, it is requested until another one approves it.

        Raises:
            FormatError: not a license, or the agreement is no text that people can sign.
            VerificationError: not signed by this owner's license key, or another agreement than
                the license names (``wrong-agreement``).
            ObjectNotFound: its partner is not known here (``unknown-partner``).
            BrokerRefused: its partner is pending or suspended.
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        chain = verify_chain(ask.license, [], self._keys.owner())
        _verify_text(ask.agreement, chain.last)
        document = read_unverified(ask.license, License)
        signed = Signed(document, document.id, ask.license)
        return self._act(
            signed.id,
            lambda act: granting.grant(
                act, principal, signed, ask.agreement, two_people=self._settings.two_people
            ),
        )

    def approve(self, principal: Principal, license: str) -> LicenseAnswer:
        """Approve a requested license as a second person; twice changes nothing.

        Raises:
            ObjectNotFound: no such license.
            BrokerRefused: the same person requested it (``same-person``), or it was revoked.
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        return self._act(license, lambda act: granting.approve(act, principal, license))

    def suspend(self, principal: Principal, license: str, ask: ReasonAsk) -> LicenseAnswer:
        """Stop renewals under a license or sub-license until it is resumed; twice changes nothing.

        Raises:
            ObjectNotFound: no such license.
            FormatError: the reason is no line of text.
            BrokerRefused: it is only requested, or revoked.
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)
        return self._act(license, lambda act: granting.suspend(act, principal, license, ask.reason))

    def resume(self, principal: Principal, license: str) -> LicenseAnswer:
        """Take a suspension back; twice changes nothing.

        Raises:
            ObjectNotFound: no such license.
            BrokerRefused: it is only requested, or revoked.
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        return self._act(license, lambda act: granting.resume(act, principal, license))

    def revoke(self, principal: Principal, ask: RevocationAsk) -> Done:
        """End a license, sub-license or lease for good; the same revocation twice changes nothing.

        Raises:
            FormatError: not a revocation.
            VerificationError: not signed by this owner's license key.
            ObjectNotFound: what it ends is not here, or is another's.
            StorageUnavailable: the database does not answer.
        """
        signed = revoking.verify_revocation(ask.revocation, self._keys.owner())
        return self._ledger.act(lambda act: Done(entry=revoking.revoke(act, principal, signed)))

    def narrow(self, principal: Principal, ask: SublicenseAsk) -> LicenseAnswer:
        """Take in a sub-license that the holder signed for one of its sites; twice changes nothing.

        Raises:
            FormatError: not a sub-license, or the agreement is no text that people can sign.
            ObjectNotFound: what it hangs from is not here, or is another's.
            VerificationError: not signed by the holder, not permitted, too deep, or another
                agreement than it names (``wrong-agreement``).
            BrokerRefused: another organization holds what it hangs from, that is not accepted or
                not in force, or too many hang from it (``too-many-sublicenses``).
            StorageUnavailable: the database does not answer.
        """
        document = read_unverified(ask.sublicense, Sublicense)
        owner = self._keys.owner()
        with self._ledger.view() as kept:
            rows = holding.held_chain(kept, principal, document.parent)
        chain = verify_chain(rows[0].token, [*(row.token for row in rows[1:]), ask.sublicense], owner)
        _verify_text(ask.agreement, chain.last)
        signed = Signed(document, document.id, ask.sublicense)
        return self._act(signed.id, lambda act: holding.narrow(act, principal, signed, ask.agreement))

    def sublicenses(self, principal: Principal, after: str = "", limit: int = 100) -> SublicensePage:
        """Return sub-licenses after an id, with what is out under each; a partner sees those that it gave.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            now = self._ledger.now(kept)
            answers, following = narrowing.sublicenses(
                kept, principal, lambda rows: self._answer(kept, rows, now), now, after=after, count=count
            )
        return SublicensePage(sublicenses=answers, next=following)

    def end(self, principal: Principal, sublicense: str, ask: ReasonAsk) -> LicenseAnswer:
        """End a sub-license for good, as whoever gave it; twice changes nothing.

        Raises:
            ObjectNotFound: no such sub-license, or another's.
            FormatError: the reason is no line of text.
            BrokerRefused: another gave it (``wrong-holder``).
            StorageUnavailable: the database does not answer.
        """
        verify_reason(ask)
        return self._act(sublicense, lambda act: narrowing.end(act, principal, sublicense, ask.reason))

    def accept(self, principal: Principal, ask: AcceptanceAsk) -> LicenseAnswer:
        """Take in that the holder accepts a license; a second time changes nothing.

        Raises:
            FormatError: not an acceptance.
            ObjectNotFound: the license is not here, or is another's.
            VerificationError: not signed by the holder, or for another agreement.
            BrokerRefused: another organization holds it, or it was revoked.
            StorageUnavailable: the database does not answer.
        """
        claimed = read_unverified(ask.acceptance, Acceptance)
        with self._ledger.view() as kept:
            rows = holding.held_chain(kept, principal, claimed.license)
        signed = verify_acceptance(ask.acceptance, chain_of(rows, self._keys.owner()))
        return self._act(claimed.license, lambda act: holding.accept(act, principal, signed))

    def get(self, principal: Principal, license: str) -> LicenseAnswer:
        """Return one license.

        Raises:
            ObjectNotFound: there is none, or it is another's.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            rows = holding.visible_chain(kept, principal, license)
            return self._answer(kept, rows, self._ledger.now(kept))

    def page(
        self,
        principal: Principal,
        after: str = "",
        limit: int = 100,
        expires_within_days: int | None = None,
    ) -> LicensePage:
        """Return licenses after an id; a partner sees those that it holds.

        Args:
            principal: Who asks.
            after: The id to go on from.
            limit: The most to return.
            expires_within_days: Only those that end by their own terms within so many days.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            now = self._ledger.now(kept)
            before = None if expires_within_days is None else now + timedelta(days=expires_within_days)
            answers, following = page_of(
                lambda after, limit: kept.licenses(
                    after=after,
                    limit=limit,
                    organization=None if principal.is_owner else principal.organization,
                    expires_before=before,
                ),
                lambda row: row.license,
                lambda row: self._answer(kept, kept.chain(row.license), now),
                after=after,
                count=self._settings.page(limit),
                keep=lambda row: _is_listed(principal, row, None if before is None else now),
                at_a_time=_AT_A_TIME,
            )
        return LicensePage(licenses=answers, next=following)

    def revocations(self, principal: Principal, after: str = "", limit: int = 100) -> RevocationPage:
        """Return revocations that concern the principal, oldest first, and what to go on from later.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)
        with self._ledger.view() as kept:
            return revoking.revocations(kept, principal, self._ledger.now(kept), after=after, count=count)

    def _act(self, license: str, do: Callable[[Act], None]) -> LicenseAnswer:
        def act_and_answer(act: Act) -> LicenseAnswer:
            do(act)
            return self._answer(act.kept, act.kept.chain(license), act.now)

        return self._ledger.act(act_and_answer)

    def _answer(self, kept: Reading, rows: list[LicenseRow], now: datetime) -> LicenseAnswer:
        return license_answer(kept, rows, self._keys.owner(), self._settings, now)


def _is_listed(principal: Principal, row: LicenseRow, ended_before: datetime | None) -> bool:
    if ended_before is not None and row.expires_at is not None and row.expires_at <= ended_before:
        return False
    return principal.is_owner or row.status.was_granted


def _verify_text(agreement: str | None, document: ChainDocument) -> None:
    if (None if agreement is None else agreement_digest(agreement)) != document.agreement:
        raise VerificationError(
            "the agreement is not the one that the license names",
            code="wrong-agreement",
            hint="hand in the text exactly as it was when the license was signed",
        )
