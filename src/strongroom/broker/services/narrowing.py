"""Narrowing: what a holder passed on of its licenses: it looks at each sub-license, and ends one.

    answers, following = sublicenses(kept, manager, answer, now, after="", count=100)
    end(act, manager, "sub-...", "the ward has closed")

A sub-license is ended by whoever holds the document that it hangs from, and by nobody else but the
owner, who revokes. No key signs the end: the owner's license key is not here, and an end that the broker
key signed would be refused with everything beside it once that key is cut off. So nothing travels; no
lease is given under it any more, and use ends with those that are out, as after a suspension. What they
hold stays held until it is reported, or its period is over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

from strongroom.broker.ledger import Act
from strongroom.broker.principal import Principal
from strongroom.broker.records import HoldRow, LeaseRow, LicenseRow, LicenseStatus, OfflineRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.holding import visible_chain
from strongroom.broker.services.ownership import each_license_of
from strongroom.broker.services.paging import page_of
from strongroom.broker.slices import covers
from strongroom.errors import BrokerRefused
from strongroom.license.period import CounterKey
from strongroom.log.entry import Kind
from strongroom.protocol.broker import LicenseAnswer, SublicenseAnswer

_AT_A_TIME: Final = 16
"""Rows of licenses: each may have an agreement of a megabyte."""
_LEASES_AT_A_TIME: Final = 200


def sublicenses(
    kept: Reading,
    principal: Principal,
    answer: Callable[[list[LicenseRow]], LicenseAnswer],
    now: datetime,
    *,
    after: str,
    count: int,
) -> tuple[tuple[SublicenseAnswer, ...], str | None]:
    """Return a page of sub-licenses: of a partner those that it gave itself, of the owner all.

    Args:
        kept: What the broker keeps.
        principal: Who asks.
        answer: What the broker says of a chain.
        now: The time, to know what is out.
        after: The id to go on from.
        count: The most to return.

    Raises:
        FormatError: a stored document is damaged.
        StorageUnavailable: the database does not answer.
    """
    out = _Out(kept, now)
    own = (
        None if principal.is_owner else {row.license for row in each_license_of(kept, principal.organization)}
    )
    below = [] if own is None else _given_under(kept, own)

    def fetch(after: str, limit: int) -> list[LicenseRow]:
        if own is None:
            return kept.licenses(after=after, limit=limit)
        found = (kept.license(each) for each in [each for each in below if each > after][:limit])
        return [row for row in found if row is not None]

    def said(row: LicenseRow) -> SublicenseAnswer:
        rows = kept.chain(row.license)
        return SublicenseAnswer(license=answer(rows), runtimes=out.runtimes(row.license), held=out.held(rows))

    return page_of(
        fetch,
        lambda row: row.license,
        said,
        after=after,
        count=count,
        keep=lambda row: row.parent is not None,
        at_a_time=_AT_A_TIME,
    )


def _given_under(kept: Reading, own: Collection[str]) -> list[str]:
    under = (row for each in own for row in kept.licenses_under(each))
    return sorted({row.license for row in under if row.parent in own})


class _Out:
    """What is out under sub-licenses at one instant. What was looked up for one of them serves the next."""

    __slots__ = ("_holds", "_kept", "_licenses", "_now")

    def __init__(self, kept: Reading, now: datetime) -> None:
        self._kept = kept
        self._now = now
        self._holds: dict[str, list[HoldRow]] = {}
        self._licenses: dict[str, str | None] = {}

    def runtimes(self, license: str) -> tuple[str, ...]:
        """Return who can use it now, or what hangs from it."""
        return tuple(sorted({row.runtime for row in self._authorities(license)}))

    def held(self, rows: Sequence[LicenseRow]) -> dict[str, int]:
        """Return what is held for it of what is above it, in the periods of now, by ``COUNTER/PERIOD``.

        A lease holds as much of each document of its chain that has the count. So the most that is held
        of one of them is what is missing to whoever gave the sub-license.
        """
        license = rows[-1].license
        below = {license, *(row.license for row in self._kept.licenses_under(license))}
        found: dict[str, int] = {}
        for above in rows[:-1]:
            of_document: dict[str, int] = {}
            for hold in self._holds_of(above.license):
                key = CounterKey(hold.document, hold.counter, hold.per.key(self._now))
                if covers(hold, key) and self._license_of(hold.authority) in below:
                    name = f"{hold.counter.value}/{hold.per.value}"
                    of_document[name] = of_document.get(name, 0) + hold.amount
            for name, amount in of_document.items():
                found[name] = max(found.get(name, 0), amount)
        return dict(sorted(found.items()))

    def _holds_of(self, document: str) -> list[HoldRow]:
        if document not in self._holds:
            self._holds[document] = self._kept.holds([document], self._now)
        return self._holds[document]

    def _license_of(self, authority: str) -> str | None:
        if authority not in self._licenses:
            row = self._kept.lease(authority) or self._kept.offline_file(authority)
            self._licenses[authority] = None if row is None else row.license
        return self._licenses[authority]

    def _authorities(self, license: str) -> Iterator[LeaseRow | OfflineRow]:
        kept, now, after = self._kept, self._now, ""
        while leases := kept.leases(now, after=after, limit=_LEASES_AT_A_TIME, license=license):
            yield from leases
            after = leases[-1].lease
        after = ""
        while files := kept.offline_page(now, after=after, limit=_LEASES_AT_A_TIME, license=license):
            yield from files
            after = files[-1].offline


def end(act: Act, principal: Principal, sublicense: str, reason: str) -> None:
    """End a sub-license and what hangs from it, for good; twice changes nothing.

    Raises:
        ObjectNotFound: there is none, or it is another's.
        BrokerRefused: another than the one who asks gave it (``wrong-holder``).
    """
    rows = visible_chain(act.kept, principal, sublicense)
    _verify_gave(principal, rows)
    row, parent = rows[-1], rows[-2]
    if row.status is LicenseStatus.REVOKED:
        return
    act.kept.set_license_status(sublicense, LicenseStatus.REVOKED)
    act.record(
        Kind.REVOCATION,
        [sublicense, parent.license, parent.organization, row.organization],
        document=row.token,
        reason=reason,
        by=principal.id,
    )
    # One site must not learn from a shared record which others there are.
    for below in act.kept.licenses_under(sublicense):
        act.record(Kind.REVOCATION, [below.license, below.organization], reason=reason)
    act.changes_rules()


def _verify_gave(principal: Principal, rows: Sequence[LicenseRow]) -> None:
    if len(rows) == 1:
        raise BrokerRefused(
            "this is no sub-license: the owner gave it",
            code="wrong-holder",
            hint="ask the owner, which alone can end it",
        )
    above = rows[-2]
    if above.organization != principal.organization:
        raise BrokerRefused(
            f"the sub-license was given by {above.holder}, which holds the one above it",
            code="wrong-holder",
            hint=f"ask {above.holder} to end it; the owner can revoke it, with its license key",
        )
