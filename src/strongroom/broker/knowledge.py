"""What a broker knows of licenses, packages and runtimes, verified once and kept while the rules stand.

    knowledge = Knowledge(keys)
    with store.read() as kept:
        holding = knowledge.look(kept).holding("sub-...")      # None: there is no such license
        holding.chain, holding.accepted, holding.hindrances

Verifying the signatures of a chain costs more than everything else in a decision. They are
verified again whenever the generation of the database or the version of the owner document has
changed, so what is kept here never outlives a revocation, a suspension or a rotation. Counts,
leases and seats are not kept: they change with every lease.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Generic, NamedTuple, TypeVar

from strongroom.broker.act import Act
from strongroom.broker.decide import Hindrance
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.records import (
    LicenseRow,
    LicenseStatus,
    PackageRow,
    PartnerRow,
    PartyStatus,
    RuntimeRow,
)
from strongroom.broker.repository import Reading
from strongroom.broker.services.license_rows import chain_of
from strongroom.crypto.hpke import SealingPublic
from strongroom.keys.key_pair import sealing_public_from_text
from strongroom.keys.owner import Owner
from strongroom.license.announced import in_force, kept_withdrawals
from strongroom.license.chain import LicenseChain, verify_acceptances
from strongroom.license.codes import Code
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.request import Withdrawn
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Counted, Runtimes

MOST_KEPT: Final = 1024
"""Of each kind; a chain of four documents has about 10 KiB."""

T = TypeVar("T")

_ENDED: Final = (LicenseStatus.REVOKED, LicenseStatus.REFUSED)


class Stamp(NamedTuple):
    """Under which rules something was found out."""

    generation: int
    owner_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A license or sub-license with everything above it."""

    rows: tuple[LicenseRow, ...]
    """Widest first."""
    partners: tuple[PartnerRow | None, ...]
    """The holders, in the same order."""
    chain: LicenseChain
    accepted: Mapping[str, str | None]
    revoked: frozenset[str]
    why_revoked: Mapping[str, str]
    leases_revoked: bool
    """Whether any lease at all was revoked by its own id: most brokers never see one, and need not look."""
    hindrances: tuple[Hindrance, ...]

    @property
    def is_counted(self) -> bool:
        """Whether any document counts what is used."""
        return bool(self.chain.terms_of(Counted))

    @property
    def has_seats(self) -> bool:
        """Whether any document bounds how many runtimes run at the same time."""
        return bool(self.chain.terms_of(Runtimes))

    @property
    def organization(self) -> str:
        """Organization id of who may use it."""
        return self.rows[-1].organization

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whom an act under it concerns: every document, and every holder."""
        return (*self.chain.ids, *dict.fromkeys(row.organization for row in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """A published package, with the withdrawals of its model."""

    row: PackageRow
    withdrawals: tuple[Withdrawn, ...]
    tokens: tuple[str, ...]
    """The withdrawals as they were signed, by keys that were not cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An enrolled runtime with its partner."""

    row: RuntimeRow
    partner: PartnerRow | None
    sealing: SealingPublic


class Remembered(Generic[T]):
    """A bounded number of findings, the latest used; one of older rules is as good as none."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._found: OrderedDict[str, tuple[Stamp, T]] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def get(self, key: str, stamp: Stamp) -> T | None:
        """Return what was found out under these rules, or None."""
        with self._lock:
            entry = self._found.get(key)
            if entry is None or entry[0] != stamp:
                return None
            self._found.move_to_end(key)
            return entry[1]

    def put(self, key: str, stamp: Stamp, value: T) -> None:
        """Keep a finding."""
        with self._lock:
            self._found[key] = stamp, value
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)

    def __len__(self) -> int:
        return len(self._found)


class NotRememberedError(Exception):
    """A look from memory found nothing that was found out under the newest rules known here."""


class Knowledge:
    """Finds out, and remembers. Safe to share between threads."""

    __slots__ = ("_catalogued", "_generation", "_holdings", "_keys", "_machines")

    def __init__(self, keys: BrokerKeys) -> None:
        self._keys = keys
        self._holdings: Remembered[Holding] = Remembered()
        self._catalogued: Remembered[Catalogued] = Remembered()
        self._machines: Remembered[Machine] = Remembered()
        self._generation: int | None = None

    def look_back(self) -> Look | None:
        """Look at what is remembered, without the database; None if it was never looked at.

        Others may have changed the rules since. So it is good for what an act will look up again, and
        for no refusal. What is not remembered raises ``NotRememberedError``.

        Raises:
            VerificationError: the owner's own chain does not verify.
            StorageUnavailable: the home does not answer.
        """
        return None if self._generation is None else self._look(None, self._generation, keep=False)

    def look(self, kept: Reading) -> Look:
        """Look at what is committed.

        Raises:
            VerificationError: the owner's own chain does not verify.
            StorageUnavailable: the database or the home does not answer.
        """
        return self._look(kept, kept.head().generation, keep=True)

    def look_within(self, act: Act) -> Look:
        """Look at what an act sees; what it finds is not kept, since it may still be taken back.

        Raises:
            VerificationError: the owner's own chain does not verify.
            StorageUnavailable: the database or the home does not answer.
        """
        return self._look(act.kept, act.generation, keep=False)

    def _look(self, kept: Reading | None, generation: int, *, keep: bool) -> Look:
        owner = self._keys.owner()
        # Of an act, it may be taken back. What is found under it was committed all the same, or is
        # not found: only ``look`` keeps anything.
        self._generation = generation
        stamp = Stamp(generation, owner.version)
        return Look(kept, owner, stamp, keep, self._holdings, self._catalogued, self._machines)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one state of the database."""

    kept: Reading | None
    """None: nothing but memory is asked."""
    owner: Owner
    stamp: Stamp
    keep: bool
    holdings: Remembered[Holding]
    packages: Remembered[Catalogued]
    machines: Remembered[Machine]

    def holding(self, license: str) -> Holding | None:
        """Return what is known of a license or sub-license, or None if there is none of this id.

        Raises:
            VerificationError: a signature does not hold any more, as of a key that was cut off.
            FormatError: what is in the database is no license.
            StorageUnavailable: the database does not answer.
        """
        return self._find(self.holdings, license, _read_holding)

    def catalogued(self, package: str) -> Catalogued | None:
        """Return what is known of a package, or None if none has this digest.

        Raises:
            VerificationError: a withdrawal does not hold any more.
            FormatError: what is in the database is no withdrawal.
            StorageUnavailable: the database does not answer.
        """
        return self._find(self.packages, package, _read_package)

    def machine(self, runtime: str) -> Machine | None:
        """Return what is known of a runtime, or None if none has this id.

        Raises:
            FormatError: what is in the database is no key.
            StorageUnavailable: the database does not answer.
        """
        return self._find(self.machines, runtime, _read_machine)

    def _find(
        self, remembered: Remembered[T], key: str, read: Callable[[Reading, Owner, str], T | None]
    ) -> T | None:
        found = remembered.get(key, self.stamp)
        if found is None:
            if self.kept is None:
                raise NotRememberedError
            found = read(self.kept, self.owner, key)
            if found is not None and self.keep:
                remembered.put(key, self.stamp, found)
        return found


def _read_holding(kept: Reading, owner: Owner, license: str) -> Holding | None:
    rows = kept.chain(license)
    if not rows:
        return None
    chain = chain_of(rows, owner)
    acceptances = [row.acceptance for row in rows if row.acceptance is not None]
    partners = tuple(kept.partner(row.organization) for row in rows)
    revoked = {row.license for row in rows if row.status in _ENDED}
    return Holding(
        rows=tuple(rows),
        partners=partners,
        chain=chain,
        accepted=verify_acceptances(acceptances, chain),
        revoked=kept.revoked(chain.ids) | revoked,
        why_revoked=_ended(rows) | _reasons(kept, chain),
        leases_revoked=kept.any_lease_revoked(),
        hindrances=tuple(_hindrances(rows, partners, owner)),
    )


def _reasons(kept: Reading, chain: LicenseChain) -> dict[str, str]:
    # What is there was verified when it was handed in.
    found = (read_unverified(row.token, Revocation) for row in kept.revocations_of(chain.ids))
    return {each.target: each.reason for each in found}


def _ended(rows: Sequence[LicenseRow]) -> dict[str, str]:
    """Return why sub-licenses are over that no revocation names: whoever gave one ended it."""
    return {
        row.license: f"{above.holder} ended it"
        for above, row in pairwise(rows)
        if row.status is LicenseStatus.REVOKED
    }


def _hindrances(
    rows: Sequence[LicenseRow], partners: Sequence[PartnerRow | None], owner: Owner
) -> list[Hindrance]:
    found = []
    for row, partner in zip(rows, partners, strict=True):
        if row.status is LicenseStatus.SUSPENDED:
            found.append(Hindrance(Code.SUSPENDED, row.license, f"{owner.name} has suspended {row.license}"))
        if row.status is LicenseStatus.REQUESTED:
            reason = f"{row.license} waits for a second person of {owner.name}"
            found.append(Hindrance(Code.NOT_APPROVED, row.license, reason))
        # Those above as well: who is shut out has no sites that go on.
        status = PartyStatus.PENDING if partner is None else partner.status
        if status is PartyStatus.SUSPENDED:
            reason = f"{owner.name} has suspended {row.holder}, which holds {row.license}"
            found.append(Hindrance(Code.SUSPENDED, row.license, reason))
        if status is PartyStatus.PENDING:
            reason = f"{owner.name} has not approved {row.holder} yet, which holds {row.license}"
            found.append(Hindrance(Code.NOT_APPROVED, row.license, reason))
    return found


def _read_package(kept: Reading, owner: Owner, package: str) -> Catalogued | None:
    row = kept.package(package)
    if row is None:
        return None
    tokens = [each.token for each in kept.withdrawals(row.name)]
    return Catalogued(
        row=row,
        withdrawals=tuple(kept_withdrawals(tokens, owner)),
        tokens=in_force(tokens, Withdrawal, owner),
    )


def _read_machine(kept: Reading, _: Owner, runtime: str) -> Machine | None:
    row = kept.runtime(runtime)
    if row is None:
        return None
    return Machine(
        row=row, partner=kept.partner(row.organization), sealing=sealing_public_from_text(row.sealing)
    )
