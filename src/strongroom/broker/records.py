"""What the broker keeps, as plain values: one class for each kind of row.

Instants are aware datetimes in whole seconds, UTC. A row says what happened; what it
permits is decided by ``decide`` and the services. Of holds and seats every renewal reads as many as
the license has machines, so these are tuples, which are made in a third of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from strongroom.broker.principal import Role
from strongroom.license.period import CounterName, Period


class PartyStatus(StrEnum):
    """How far a partner, or one of its runtimes, is believed."""

    PENDING = "pending"
    APPROVED = "approved"
    SUSPENDED = "suspended"


class LicenseStatus(StrEnum):
    """Where a license is in its life. Expiry is not a status: the clock says it."""

    REQUESTED = "requested"
    """Signed, and waits for a second person of the owner."""
    REFUSED = "refused"
    """Requested, and revoked before anybody approved it."""
    GRANTED = "granted"
    SUSPENDED = "suspended"
    REVOKED = "revoked"

    @property
    def was_granted(self) -> bool:
        """Whether it ever took effect. Of what did not, nobody but the owner may learn."""
        return self not in (LicenseStatus.REQUESTED, LicenseStatus.REFUSED)


class LeaseEnd(StrEnum):
    """How a lease ended before its time."""

    SUPERSEDED = "superseded"
    RETURNED = "returned"
    VOIDED = "voided"
    """By a restore: what was handed out since the backup is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerRow:
    """A partner: one organization key."""

    organization: str
    """Organization id, which follows from the key."""
    name: str
    """Unique among approved and suspended partners; several pending ones may claim one name."""
    key: str
    """Public text of the organization key."""
    status: PartyStatus
    enrolled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRow:
    """One enrolled runtime."""

    runtime: str
    organization: str
    device: str
    """Public text of the device key."""
    sealing: str
    """Public text of the sealing key."""
    enrollment: str
    """The token of the enrollment."""
    status: PartyStatus
    """A runtime is APPROVED with its partner; SUSPENDED by itself, when it is lost or stolen."""
    enrolled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A person with access."""

    member: str
    """Member id, which follows from the key."""
    organization: str
    """Organization id, or the owner id."""
    name: str
    role: Role
    key: str
    """Public text of the member key."""
    added_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """A published package. Its repr does not show the wrapped key."""

    package: str
    """Package digest."""
    package_id: str
    name: str
    version: str
    statement: bytes
    wrapped_key: bytes
    """The content key under the key-encryption key, package digest as associated data."""
    key_id: str
    """Which key-encryption key."""
    published_at: datetime

    def __repr__(self) -> str:
        return f"PackageRow(package={self.package!r}, name={self.name!r}, version={self.version!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRow:
    """A license or sub-license."""

    license: str
    parent: str | None
    root: str
    """The license that it hangs from; itself for a license."""
    organization: str
    """Organization id of the holder."""
    holder: str
    """Name of the holder."""
    token: str
    agreement: str | None
    """The text of its agreement."""
    status: LicenseStatus
    granted_at: datetime
    expires_at: datetime | None
    """Its own earliest expiry."""
    requested_by: str | None
    approved_by: str | None
    acceptance: str | None
    """Token."""
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequestRow:
    """A partner's request for a license."""

    request: str
    organization: str
    partner: str
    """Name of the partner."""
    model: str
    """What the partner typed; it may name nothing."""
    purpose: str
    predictions: str | None
    """``LIMIT/PERIOD``."""
    until: datetime | None
    asked_by: str
    asked_at: datetime
    license: str | None
    """The license that answers it."""
    reason: str | None
    """Why it was refused."""
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationRow:
    """A derived model that a partner handed in, without the model."""

    derivation: str
    organization: str
    holder: str
    """Name of the holder of the license."""
    license: str
    """Narrowest document of the chain under which it was made."""
    parent: str
    """Package digest of what it was made of."""
    parent_name: str
    """Its name and version."""
    package: str
    """Package digest that the owner is asked to sign."""
    name: str
    version: str
    handed_in_by: str
    handed_in_at: datetime
    statement: bytes | None
    """The statement as the owner signed it, once it is countersigned."""
    reason: str | None
    """Why it was refused."""
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowRow:
    """What hangs from a license, without its texts: there may be many of them."""

    license: str
    parent: str
    organization: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A lease that was given."""

    lease: str
    license: str
    """Id of the narrowest document."""
    runtime: str
    package: str
    token: str
    nonce: str
    previous: str | None
    issued_at: datetime
    not_after: datetime
    last_use_at: datetime
    """With grace and break-glass: after it, no use is possible."""
    ended: LeaseEnd | None
    reported: bool
    """Whether a usage report under it arrived; until then its slice counts as used."""
    entry: int
    """Index of its entry in the log."""


class HoldRow(NamedTuple):
    """What one lease or offline file holds of one document: a slice of a count, over a range of periods."""

    document: str
    authority: str
    """Lease id or offline file id."""
    counter: CounterName
    per: Period
    first_period: str
    last_period: str
    amount: int


class SeatRow(NamedTuple):
    """A seat of one document, held by a runtime until an instant."""

    document: str
    runtime: str
    authority: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """A usage report that was taken in."""

    usage: str
    license: str
    runtime: str
    authority: str
    previous: str | None
    token: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineRow:
    """An offline file that was checked out."""

    offline: str
    license: str
    runtime: str
    package: str
    token: str
    issued_at: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationRow:
    """A revocation, in the order of arrival."""

    position: int
    revocation: str
    target: str
    token: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalRow:
    """A version that was taken back."""

    withdrawal: str
    name: str
    version: str
    token: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """The end of the log. Whoever writes holds this row: all acts happen one after another."""

    origin: str
    size: int
    frontier: bytes
    checkpoint: str
    """The newest checkpoint, a signed note over exactly ``size`` entries."""
    at: datetime
    """The instant of the last act: the broker's time never runs backwards within a log."""
    generation: int
    """Goes up with every act but lease, usage and return: what was derived from the rest may be kept as
    long as it stands."""
    owner_version: int
    """The newest version of the owner document that has an entry; 0 before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of the log, and the disclosure for those whom it concerns."""

    index: int
    entry: bytes
    disclosure: bytes | None
    """None: erased."""
    subjects: tuple[str, ...]
    """Ids of those whom it concerns; none once it is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """What a write with this key was answered."""

    principal: str
    key: str
    request: str
    """SHA-256 of method, path and body, hexadecimal."""
    status: int
    body: bytes
    at: datetime
