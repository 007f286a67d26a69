"""Requesting: a partner asks for a license, and the owner answers with one, or with a reason.

    requesting.make(manager, LicenseRequestAsk(model="risk", purpose="triage", predictions="1000/day"))
    requesting.grant(admin, "ask-...", RequestGrantAsk(license="lic-..."))
    requesting.refuse(admin, "ask-...", ReasonAsk(reason="not before the audit"))

A request names a model in the partner's own words, and nothing is looked up by them: the answer is
the same whether the owner has such a model or not. How many a partner may have is bounded. A
license that waits for a second person answers nothing yet: to the partner the request is open.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Final

from strongroom._encoding import from_instant, to_base32, to_instant
from strongroom._limits import LIMITS
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.records import LicenseRequestRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import own_or_not_found, raise_not_found, verify_owner
from strongroom.broker.services.paging import page_of, some_of
from strongroom.broker.services.partners import verify_reason
from strongroom.broker.settings import Settings
from strongroom.errors import BrokerRefused, FormatError
from strongroom.license.fields import verify_text
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    LicenseRequestAnswer,
    LicenseRequestAsk,
    LicenseRequestPage,
    ReasonAsk,
    RequestGrantAsk,
)

_ID_BYTES: Final = 15
_BUDGET: Final = re.compile(r"[1-9][0-9]{0,14}/(hour|day|month|year|total)", re.ASCII)


class Requesting:
    """Requests for licenses."""

    __slots__ = ("_ledger", "_settings")

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    def make(self, principal: Principal, ask: LicenseRequestAsk) -> LicenseRequestAnswer:
        """Ask for a license; what is asked already and open changes nothing.

        Raises:
            FormatError: model or purpose is no line of text, or a term cannot be read.
            ObjectNotFound: whoever asks belongs to no partner.
            BrokerRefused: too many requests of the partner are open (``too-many-requests``).
            StorageUnavailable: the database does not answer.
        """
        verify_text(ask.model, "a model", most=LIMITS.max_request_chars)
        verify_text(ask.purpose, "a purpose", most=LIMITS.max_request_chars)
        if ask.predictions is not None and not _BUDGET.fullmatch(ask.predictions):
            raise FormatError("the predictions of a request must be as 1000/month")
        if ask.until is not None:
            from_instant(ask.until)
        return self._ledger.act(lambda act: _answer(act.kept, principal, _make(act, principal, ask)))

    def grant(self, principal: Principal, request: str, ask: RequestGrantAsk) -> LicenseRequestAnswer:
        """Answer a request with a license that its partner was given; twice changes nothing.

        Raises:
            ObjectNotFound: no such request, or no such license of its partner.
            BrokerRefused: it was answered otherwise (``request-answered``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)

        def grant(act: Act) -> LicenseRequestAnswer:
            row = _of_owner(act, principal, request)
            license = act.kept.license(ask.license)
            if license is None or license.organization != row.organization:
                raise_not_found()
            if row.license != ask.license:
                _verify_open(act.kept, row)
                row = replace(row, license=ask.license, answered_by=principal.id, answered_at=act.now)
                act.kept.add_license_request(row)
                # The partner is not among the subjects: the license may wait for a second person.
                act.record(
                    Kind.REQUEST, [request, principal.organization], by=principal.id, license=ask.license
                )
            return _answer(act.kept, principal, row)

        return self._ledger.act(grant)

    def refuse(self, principal: Principal, request: str, ask: ReasonAsk) -> LicenseRequestAnswer:
        """Refuse a request; twice changes nothing.

        Raises:
            ObjectNotFound: no such request.
            FormatError: the reason is no line of text.
            BrokerRefused: it was granted (``request-answered``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        verify_reason(ask)

        def refuse(act: Act) -> LicenseRequestAnswer:
            row = _of_owner(act, principal, request)
            if row.reason is None:
                _verify_open(act.kept, row)
                row = replace(row, reason=ask.reason, answered_by=principal.id, answered_at=act.now)
                act.kept.add_license_request(row)
                subjects = [request, row.organization, principal.organization]
                act.record(Kind.REQUEST, subjects, reason=ask.reason, status="refused", by=principal.id)
            return _answer(act.kept, principal, row)

        return self._ledger.act(refuse)

    def get(self, principal: Principal, request: str) -> LicenseRequestAnswer:
        """Return one request; a partner sees its own.

        Raises:
            ObjectNotFound: there is none, or it is another's.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            found = kept.license_request(request)
            row = own_or_not_found(principal, found, lambda row: [row.organization])
            return _answer(kept, principal, row)

    def page(self, principal: Principal, after: str = "", limit: int = 100) -> LicenseRequestPage:
        """Return requests after an id; a partner sees its own.

        Raises:
            UsageError: a limit below one.
            StorageUnavailable: the database does not answer.
        """
        with self._ledger.view() as kept:
            answers, following = page_of(
                lambda after, limit: _some(principal, kept, after, limit),
                lambda row: row.request,
                lambda row: _answer(kept, principal, row),
                after=after,
                count=self._settings.page(limit),
            )
        return LicenseRequestPage(requests=answers, next=following)


def _make(act: Act, principal: Principal, ask: LicenseRequestAsk) -> LicenseRequestRow:
    partner = act.kept.partner(principal.organization)
    if partner is None:
        raise_not_found()
    rows = act.kept.license_requests_of(partner.organization)
    is_open = [row for row in rows if _status_of(act.kept, row) == "open"]
    until = None if ask.until is None else from_instant(ask.until)
    wanted = (ask.model, ask.purpose, ask.predictions, until)
    for row in is_open:
        if (row.model, row.purpose, row.predictions, row.until) == wanted:
            return row
    if len(is_open) >= LIMITS.max_open_requests_length:
        raise BrokerRefused(
            f"{len(is_open)} requests of your organization are open, and there may be no more",
            code="too-many-requests",
            hint="wait until the owner has answered some of them: strongroom license requests",
        )
    if len(rows) >= LIMITS.max_kept_requests_length:
        act.kept.remove_license_request(next(row for row in rows if row not in is_open).request)
    row = LicenseRequestRow(
        request=f"ask-{to_base32(secrets.token_bytes(_ID_BYTES))}",
        organization=partner.organization,
        partner=partner.name,
        model=ask.model,
        purpose=ask.purpose,
        predictions=ask.predictions,
        until=until,
        asked_by=principal.id,
        asked_at=act.now,
        license=None,
        reason=None,
        answered_by=None,
        answered_at=None,
    )
    act.kept.add_license_request(row)
    subjects = [row.request, row.organization]
    act.record(Kind.REQUEST, subjects, model=ask.model, status="open", by=principal.id)
    return row


def _of_owner(act: Act, principal: Principal, request: str) -> LicenseRequestRow:
    return own_or_not_found(principal, act.kept.license_request(request), lambda row: ())


def _verify_open(kept: Reading, row: LicenseRequestRow) -> None:
    if (status := _status_of(kept, row)) != "open":
        raise BrokerRefused(
            f"this request was {status} before",
            code="request-answered",
            hint="strongroom license requests shows how; grant without a request, or revoke the license",
        )


def _status_of(kept: Reading, row: LicenseRequestRow) -> str:
    if row.reason is not None:
        return "refused"
    license = None if row.license is None else kept.license(row.license)
    return "granted" if license is not None and license.status.was_granted else "open"


def _some(principal: Principal, kept: Reading, after: str, limit: int) -> list[LicenseRequestRow]:
    if principal.is_owner:
        return kept.license_requests(after=after, limit=limit)
    own = kept.license_requests_of(principal.organization)
    return some_of(own, lambda row: row.request, after, limit)


def _answer(kept: Reading, principal: Principal, row: LicenseRequestRow) -> LicenseRequestAnswer:
    status = _status_of(kept, row)
    return LicenseRequestAnswer(
        request=row.request,
        organization=row.organization,
        partner=row.partner,
        model=row.model,
        purpose=row.purpose,
        predictions=row.predictions,
        until=None if row.until is None else to_instant(row.until),
        asked_at=to_instant(row.asked_at),
        asked_by=row.asked_by,
        status=status,
        # Of a license that is not granted yet, nobody but the owner may learn.
        license=row.license if principal.is_owner or status == "granted" else None,
        reason=row.reason,
    )
