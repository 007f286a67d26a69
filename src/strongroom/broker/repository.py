"""What the broker keeps and how it is reached: the seam between services and a database.

    with store.write() as kept:               # holds the log head: one writer at a time
        kept.add_license(row)
    with store.read() as kept:
        kept.license("lic-...")

``write`` commits on the way out and is durable when it returns; any exception takes
everything back. Every writer holds the log head from its first statement, so no two
acts ever interleave, on one machine or on several (docs/adr/0013). All pages are ordered by
their id and begin after the id given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from strongroom.broker.records import (
    BelowRow,
    DerivationRow,
    EntryRow,
    HoldRow,
    IdempotencyRow,
    LeaseEnd,
    LeaseRow,
    LicenseRequestRow,
    LicenseRow,
    LicenseStatus,
    LogHead,
    MemberRow,
    OfflineRow,
    PackageRow,
    PartnerRow,
    PartyStatus,
    RevocationRow,
    RuntimeRow,
    SeatRow,
    UsageRow,
    WithdrawalRow,
)
from strongroom.license.period import CounterKey
from strongroom.log.tile import TileReader


class Reading(TileReader, Protocol):
    """What can be asked. A ``None`` means: there is no such thing.

    Raises:
        StorageUnavailable: from every method, when the database does not answer.
    """

    # -- parties
    def partner(self, organization: str) -> PartnerRow | None:
        """Return a partner."""
        ...

    def partners_called(self, name: str) -> list[PartnerRow]:
        """Return who has a name or claims it."""
        ...

    def partners(self, *, after: str = "", limit: int) -> list[PartnerRow]:
        """Return a page of partners."""
        ...

    def runtime(self, runtime: str) -> RuntimeRow | None:
        """Return a runtime."""
        ...

    def runtimes_of(self, organization: str) -> list[RuntimeRow]:
        """Return the runtimes of an organization."""
        ...

    def member(self, member: str) -> MemberRow | None:
        """Return a member."""
        ...

    def members_of(self, organization: str, *, after: str = "", limit: int) -> list[MemberRow]:
        """Return a page of the members of an organization."""
        ...

    # -- packages
    def package(self, package: str) -> PackageRow | None:
        """Return a package by its digest."""
        ...

    def packages(self, *, after: str = "", limit: int) -> list[PackageRow]:
        """Return a page of packages."""
        ...

    def packages_called(self, name: str) -> list[PackageRow]:
        """Return every version of a name."""
        ...

    def packages_not_under(self, key_id: str, *, limit: int) -> list[PackageRow]:
        """Return packages whose content key is wrapped by another key-encryption key."""
        ...

    def withdrawals(self, name: str) -> list[WithdrawalRow]:
        """Return the withdrawals of versions of a name."""
        ...

    # -- licenses
    def license(self, license: str) -> LicenseRow | None:
        """Return a license or sub-license."""
        ...

    def chain(self, license: str) -> list[LicenseRow]:
        """Return the documents from the license down to this one, widest first; empty if unknown."""
        ...

    def licenses(
        self,
        *,
        after: str = "",
        limit: int,
        organization: str | None = None,
        status: LicenseStatus | None = None,
        expires_before: datetime | None = None,
    ) -> list[LicenseRow]:
        """Return a page of licenses."""
        ...

    def licenses_under(self, license: str) -> list[BelowRow]:
        """Return every document below this one, at any depth."""
        ...

    def revoked(self, targets: Collection[str]) -> frozenset[str]:
        """Return those of the ids that are revoked."""
        ...

    def any_lease_revoked(self) -> bool:
        """Tell whether any lease was ever revoked by its own id, and not with its license."""
        ...

    def revocation(self, revocation: str) -> RevocationRow | None:
        """Return a revocation."""
        ...

    def revocations(self, *, after: int = 0, limit: int) -> list[RevocationRow]:
        """Return revocations in the order of their arrival."""
        ...

    def revocations_of(self, targets: Collection[str]) -> list[RevocationRow]:
        """Return the revocations of these ids, in the order of their arrival."""
        ...

    # -- requests
    def license_request(self, request: str) -> LicenseRequestRow | None:
        """Return a request for a license."""
        ...

    def license_requests_of(self, organization: str) -> list[LicenseRequestRow]:
        """Return every request of an organization, oldest first."""
        ...

    def license_requests(self, *, after: str = "", limit: int) -> list[LicenseRequestRow]:
        """Return a page of requests."""
        ...

    # -- derivations
    def derivation(self, derivation: str) -> DerivationRow | None:
        """Return a derived model that was handed in."""
        ...

    def derivations_of(self, organization: str) -> list[DerivationRow]:
        """Return everything that an organization handed in, oldest first."""
        ...

    def derivations(self, *, after: str = "", limit: int) -> list[DerivationRow]:
        """Return a page of derived models."""
        ...

    # -- leases and counts
    def lease(self, lease: str) -> LeaseRow | None:
        """Return a lease."""
        ...

    def newest_lease(self, runtime: str, license: str, package: str) -> LeaseRow | None:
        """Return the lease that a runtime was given last."""
        ...

    def leases(
        self, now: datetime, *, after: str = "", limit: int, license: str | None = None
    ) -> list[LeaseRow]:
        """Return leases under which use is possible now; with ``license``, of it and what hangs from it."""
        ...

    def offline_files(self, now: datetime, documents: Collection[str]) -> list[OfflineRow]:
        """Return offline files of these documents and of what hangs from them that have not ended."""
        ...

    def offline_page(
        self, now: datetime, *, after: str = "", limit: int, license: str | None = None
    ) -> list[OfflineRow]:
        """Return offline files that have not ended; with ``license``, of it and what hangs from it."""
        ...

    def offline_file(self, offline: str) -> OfflineRow | None:
        """Return an offline file, ended or not."""
        ...

    def used(self, keys: Collection[CounterKey]) -> Mapping[CounterKey, int]:
        """Return how much was used of each key."""
        ...

    def counts(
        self, *, after: str = "", limit: int, documents: Collection[str] | None = None
    ) -> list[tuple[CounterKey, int]]:
        """Return a page of counts in the order of their keys; ``after`` is the text of a key."""
        ...

    def holds(self, documents: Collection[str], now: datetime | None = None) -> list[HoldRow]:
        """Return what is held of these documents; with ``now``, only where a period is not over then."""
        ...

    def holds_of(self, authority: str) -> list[HoldRow]:
        """Return what a lease or offline file holds."""
        ...

    def seats(self, documents: Collection[str], now: datetime) -> list[SeatRow]:
        """Return the seats of these documents that are held beyond ``now``."""
        ...

    def usage(self, usage: str) -> UsageRow | None:
        """Return a usage report."""
        ...

    def newest_usage(self, runtime: str, license: str) -> UsageRow | None:
        """Return the usage report that a runtime made last."""
        ...

    # -- log
    def head(self) -> LogHead:
        """Return the head; its origin is empty until the log is founded."""
        ...

    def past_log(self, origin: str) -> tuple[LogHead, TileReader] | None:
        """Return the last head of a log that ended with a restore, and its tiles, or None."""
        ...

    def entries(self, first: int, count: int) -> list[EntryRow]:
        """Return up to ``count`` entries from an index on."""
        ...

    def entries_about(self, subjects: Collection[str] | None, *, after: int, limit: int) -> list[EntryRow]:
        """Return entries about one of the subjects (None: about anything) whose index is above ``after``."""
        ...

    def cosignatures(self) -> list[str]:
        """Return the newest note that witnesses signed, as ``set_cosignature`` kept it, or nothing."""
        ...

    # -- repeated requests
    def answered(self, principal: str, key: str) -> IdempotencyRow | None:
        """Return what this request was answered before."""
        ...


class Writing(Reading, Protocol):
    """What can be written, within one transaction.

    Raises:
        UsageError: code ``exists-already``: adding what is there already.
        ObjectNotFound: changing or removing what is not there.
        StorageUnavailable: from every method, when the database does not answer.
    """

    def savepoint(self) -> AbstractContextManager[None]:
        """Take back only what happens inside, if it raises."""
        ...

    def add_partner(self, row: PartnerRow) -> None:
        """Add a partner."""
        ...

    def set_partner_status(self, organization: str, status: PartyStatus) -> None:
        """Approve or suspend a partner."""
        ...

    def remove_partner(self, organization: str) -> None:
        """Forget a pending partner with its runtimes and members."""
        ...

    def add_runtime(self, row: RuntimeRow) -> None:
        """Add a runtime, or replace the enrollment that it had."""
        ...

    def set_runtime_status(self, runtime: str, status: PartyStatus) -> None:
        """Approve or suspend a runtime."""
        ...

    def add_member(self, row: MemberRow) -> None:
        """Add a member."""
        ...

    def remove_member(self, member: str) -> None:
        """Remove a member."""
        ...

    def add_package(self, row: PackageRow) -> None:
        """Add a package."""
        ...

    def set_wrapped_key(self, package: str, wrapped_key: bytes, key_id: str) -> None:
        """Replace the wrapped content key of a package."""
        ...

    def add_withdrawal(self, row: WithdrawalRow) -> None:
        """Add a withdrawal."""
        ...

    def add_license(self, row: LicenseRow) -> None:
        """Add a license or sub-license."""
        ...

    def set_license_status(
        self, license: str, status: LicenseStatus, *, approved_by: str | None = None
    ) -> None:
        """Say where a license is in its life, and who approved it."""
        ...

    def set_acceptance(self, license: str, token: str, at: datetime) -> None:
        """Add the acceptance of a license."""
        ...

    def add_license_request(self, row: LicenseRequestRow) -> None:
        """Add a request for a license, or replace it."""
        ...

    def remove_license_request(self, request: str) -> None:
        """Forget a request."""
        ...

    def add_derivation(self, row: DerivationRow) -> None:
        """Add a derived model, or replace it."""
        ...

    def remove_derivation(self, derivation: str) -> None:
        """Forget a derived model."""
        ...

    def add_revocation(self, revocation: str, target: str, token: str, at: datetime) -> int:
        """Add a revocation; returns its position."""
        ...

    def add_lease(self, row: LeaseRow, holds: Sequence[HoldRow], seats: Sequence[SeatRow]) -> None:
        """Add a lease, and what it holds."""
        ...

    def end_lease(self, lease: str, how: LeaseEnd) -> None:
        """Note how a lease ended, and free its seats. Its holds stay until its usage is known."""
        ...

    def add_offline(self, row: OfflineRow, holds: Sequence[HoldRow], seats: Sequence[SeatRow] = ()) -> None:
        """Add an offline file, and what it holds."""
        ...

    def drop_usage(self, offline: str) -> None:
        """Forget what was reported under an offline file."""
        ...

    def add_usage(self, row: UsageRow) -> None:
        """Add a usage report."""
        ...

    def mark_reported(self, lease: str, ended: LeaseEnd | None = None) -> None:
        """Note that the usage under a lease or offline file is known, and free its holds.

        With ``ended``, do as ``end_lease`` as well, in one go.
        """
        ...

    def add_used(self, amounts: Mapping[CounterKey, int]) -> None:
        """Add to what was used, up to ``MAX_COUNT``."""
        ...

    def void_leases(self, now: datetime) -> list[LeaseRow]:
        """End every lease that has not ended, as after a restore; returns those in use until now."""
        ...

    def append_entries(self, rows: Sequence[EntryRow], tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Add entries, and replace tiles by ``(level, number)``."""
        ...

    def set_head(self, head: LogHead) -> None:
        """Replace the head."""
        ...

    def start_log(self, head: LogHead) -> None:
        """End the log as it stands, and begin another, without entries: after a restore."""
        ...

    def erase_disclosure(self, index: int) -> None:
        """Forget what an entry stood for, and whom it concerned."""
        ...

    def set_cosignature(self, size: int, note: str) -> None:
        """Keep the note of a checkpoint with the signatures of witnesses, unless a newer one is kept."""
        ...

    def remember_answer(self, row: IdempotencyRow) -> None:
        """Keep what a request was answered."""
        ...

    def forget_answers(self, before: datetime) -> None:
        """Drop answers that are older."""
        ...


class Store(Protocol):
    """A database."""

    def read(self) -> AbstractContextManager[Reading]:
        """Look at one consistent state."""
        ...

    def write(self) -> AbstractContextManager[Writing]:
        """Act: hold the log head, commit on the way out.

        Raises:
            StorageUnavailable: the database does not answer, or its disk is full; nothing was written.
        """
        ...

    def close(self) -> None:
        """Give connections back."""
        ...
