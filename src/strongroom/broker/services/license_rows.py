"""From rows to documents: the verified chain of a license, its file, and what the broker answers about it.

    rows = kept.chain("sub-...")                        # widest first
    chain = chain_of(rows, owner)
    license_file(kept, rows, owner).to_bytes()
    license_answer(kept, rows, owner, settings, now)

A status is that of the whole chain: what hangs from a revoked license is revoked, whatever its own
row says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.broker.records import LicenseRow, LicenseStatus, PackageRow
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import each_license_of
from strongroom.broker.settings import Settings
from strongroom.keys.owner import Owner
from strongroom.license.chain import ChainDocument, LicenseChain, verify_chain
from strongroom.license.documents import License, Party, Sublicense
from strongroom.license.license_file import LicenseFile
from strongroom.license.signing import read_unverified
from strongroom.license.standing import break_glass_of, grace_of
from strongroom.license.term import Term
from strongroom.license.terms import Expires, Packages
from strongroom.protocol.broker import LicenseAnswer

_KEPT_CHAINS: Final = 4096


def expiry_of(terms: Iterable[Term]) -> datetime | None:
    """Return when one document ends by its own terms; None: it does not."""
    return min((term.at for term in terms if isinstance(term, Expires)), default=None)


def chain_of(rows: Sequence[LicenseRow], owner: Owner) -> LicenseChain:
    """Return the verified chain of rows, widest first.

    Raises:
        FormatError: a stored document is damaged.
        VerificationError: a signature or a link does not hold, or its key was cut off since.
    """
    return _verified(tuple(row.token for row in rows), _Once(owner))


class _Once:
    """An owner as a key of the cache: one version of one owner, without a hash over all its bytes."""

    __slots__ = ("owner",)

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    def __hash__(self) -> int:
        return hash((self.owner.id, self.owner.version))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Once)
            and (other.owner.id, other.owner.version) == (self.owner.id, self.owner.version)
            and other.owner.chain == self.owner.chain
        )


@lru_cache(maxsize=_KEPT_CHAINS)
def _verified(tokens: tuple[str, ...], owner: _Once) -> LicenseChain:
    # Signatures do not change: what was verified under one version of the owner document
    # stays verified under it, on every page that lists it.
    return verify_chain(tokens[0], tokens[1:], owner.owner)


def status_of(rows: Sequence[LicenseRow]) -> LicenseStatus:
    """Return where a license stands, given its chain: the worst of all documents counts."""
    statuses = {row.status for row in rows}
    for worst in (
        LicenseStatus.REVOKED,
        LicenseStatus.REFUSED,
        LicenseStatus.SUSPENDED,
        LicenseStatus.REQUESTED,
    ):
        if worst in statuses:
            return worst
    return LicenseStatus.GRANTED


def license_file(kept: Reading, rows: Sequence[LicenseRow], owner: Owner) -> LicenseFile:
    """Return the license file of a chain, without keys: those come with leases and checkouts.

    Raises:
        FormatError: a stored document is damaged.
        StorageUnavailable: the database does not answer.
    """
    return LicenseFile(
        owner=tuple(owner.chain.to_json()),
        license=rows[0].token,
        sublicenses=tuple(row.token for row in rows[1:]),
        acceptances=tuple(row.acceptance for row in rows[:-1] if row.acceptance is not None),
        withdrawals=tuple(_withdrawals(kept, rows)),
        agreement=rows[-1].agreement,
    )


def _withdrawals(kept: Reading, rows: Sequence[LicenseRow]) -> list[str]:
    names: set[str] = set()
    terms = [term for each in _terms(rows) for term in each if isinstance(term, Packages)]
    for choice in (choice for term in terms for choice in term.packages):
        if choice.name is not None:
            names.add(choice.name)
        elif (package := kept.package(choice.digest or "")) is not None:
            names.add(package.name)
    tokens = [row.token for name in sorted(names) for row in kept.withdrawals(name)]
    return tokens[-LIMITS.max_license_files :]


def _read(row: LicenseRow) -> tuple[Party, tuple[Term, ...]]:
    """Return holder and terms of a document that was verified when it came in."""
    if row.parent is None:
        license = read_unverified(row.token, License)
        return license.partner, license.terms
    sublicense = read_unverified(row.token, Sublicense)
    return sublicense.holder, sublicense.terms


def _terms(rows: Sequence[LicenseRow]) -> Iterator[tuple[Term, ...]]:
    return (_read(row)[1] for row in rows)


def license_answer(
    kept: Reading, rows: Sequence[LicenseRow], owner: Owner, settings: Settings, now: datetime
) -> LicenseAnswer:
    """Return what the broker says about the last license of a chain.

    Raises:
        FormatError: a stored document is damaged.
        StorageUnavailable: the database does not answer.
    """
    last = rows[-1]
    expires_at = min((row.expires_at for row in rows if row.expires_at is not None), default=None)
    worst = _worst_case(kept, rows, owner, settings, now)
    if expires_at is not None:
        worst = max(timedelta(0), min(worst, expires_at - now))
    return LicenseAnswer(
        license=last.license,
        parent=last.parent,
        organization=last.organization,
        holder=last.holder,
        status=status_of(rows).value,
        granted_at=to_instant(last.granted_at),
        accepted_at=None if last.accepted_at is None else to_instant(last.accepted_at),
        expires_at=None if expires_at is None else to_instant(expires_at),
        file=license_file(kept, rows, owner).to_bytes().decode("utf-8"),
        worst_case_seconds=int(worst.total_seconds()),
    )


def _worst_case(
    kept: Reading, rows: Sequence[LicenseRow], owner: Owner, settings: Settings, now: datetime
) -> timedelta:
    """Return how long use goes on after a revocation of which no runtime hears."""
    # Arithmetic only. It has to come out as well when the key of a license was cut off: its
    # runtimes go on until they hear of it, and the list is where an owner looks then.
    chain = LicenseChain(owner.id, owner.name, tuple(_as_it_reads(row) for row in rows))
    online = timedelta(seconds=settings.lease_seconds) + grace_of(chain) + break_glass_of(chain)
    offline = (each.not_after - now for each in kept.offline_files(now, [rows[-1].license]))
    return max([online, *offline])


def _as_it_reads(row: LicenseRow) -> ChainDocument:
    holder, terms = _read(row)
    return ChainDocument(
        id=row.license, token=row.token, holder=holder, issuer="", issued_at=row.granted_at, terms=terms
    )


def licensed_choices(kept: Reading, organization: str) -> Callable[[PackageRow], bool]:
    """Return what tells whether some license of an organization, still in force, covers a package.

    Raises:
        FormatError: a stored document is damaged.
        StorageUnavailable: the database does not answer.
    """
    wanted: list[list[Packages]] = []
    for row in each_license_of(kept, organization):
        chain = kept.chain(row.license)
        if status_of(chain) in (LicenseStatus.GRANTED, LicenseStatus.SUSPENDED):
            wanted.append([t for terms in _terms(chain) for t in terms if isinstance(t, Packages)])
    return lambda package: any(
        all(term.covers(package.name, package.version, package.package) for term in terms) for terms in wanted
    )
