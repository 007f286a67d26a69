"""The partners of an owner: who they are, how far they are believed, which runtimes they have.

    partners = home.vault.partners
    partner = partners.add(verify_enrollment(data, owner, now))       # pending
    partners.approve("clinic", enrollment)                           # people compared its fingerprint
    partners.get("clinic").status
    partners.enrollments("clinic", owner)                            # one for each runtime
    partners.suspend("clinic")

Files: ``vault/partners/<name>.json``. A partner is its organization key. Before it is
approved, anybody who saw the invite may have answered it, so answers under several keys
are kept side by side; approval picks the key and drops what other keys signed. From then
on another key is refused, and a further runtime needs no further approval.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import ObjectNotFound, UsageError, VerificationError
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.keys.enrollment import EnrollmentFile, VerifiedEnrollment, verify_stored_enrollment
from strongroom.keys.name import verify_name
from strongroom.keys.owner import Owner

_SUFFIX: Final = ".json"


class PartnerStatus(StrEnum):
    """How far a partner is believed."""

    PENDING = "pending"
    """Somebody answered the invite; nobody compared the fingerprint."""
    APPROVED = "approved"
    SUSPENDED = "suspended"
    """Was approved; gets nothing new until it is approved again."""


class EnrolledRuntime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One runtime of a partner."""

    runtime: str
    """The runtime id."""
    organization: str
    """Public text of the organization key that signed the enrollment."""
    token: str
    """The enrollment itself."""


class Partner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``vault/partners/<name>.json`` holds."""

    format: Literal["partner/v1"]
    name: str
    status: PartnerStatus
    organization: str | None
    """Public text of the approved organization key; None while pending."""
    runtimes: tuple[EnrolledRuntime, ...]


class Partners:
    """The partners of one owner."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def add(self, enrollment: VerifiedEnrollment) -> Partner:
        """Keep a verified enrollment under the partner's name; the same one twice changes nothing.

        A runtime that enrolls again replaces its earlier enrollment.

        Raises:
            VerificationError: the partner is known under another key (code ``partner-key-changed``).
            UsageError: too many runtimes, or too many answers to one invite (code ``too-many-runtimes``).
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        document = enrollment.document
        added = EnrolledRuntime(
            runtime=document.runtime, organization=document.organization, token=enrollment.token
        )
        with files.locked(self._lock):
            partner = self._get_or_new(document.partner)
            if partner.organization not in (None, document.organization):
                raise VerificationError(
                    f"{partner.name} is known here under another organization key",
                    code="partner-key-changed",
                    hint="call the partner; if its keys really are new, invite it under a new name",
                )
            kept = [
                each
                for each in partner.runtimes
                if (each.organization, each.runtime) != (added.organization, added.runtime)
            ]
            if len(kept) >= LIMITS.max_partner_runtimes:
                raise UsageError(
                    f"{partner.name} has {len(kept)} enrollments already", code="too-many-runtimes"
                )
            return self._store(msgspec.structs.replace(partner, runtimes=(*kept, added)))

    def approve(self, name: str, enrollment: VerifiedEnrollment) -> Partner:
        """Note that people have compared the fingerprint of this enrollment.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            VerificationError: this enrollment was not added, or another key was approved
                before (code ``partner-key-changed``).
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        organization = enrollment.document.organization
        with files.locked(self._lock):
            partner = self.get(name)
            known = any(each.token == enrollment.token for each in partner.runtimes)
            if not known or partner.organization not in (None, organization):
                raise VerificationError(
                    f"this is not an enrollment of {name} as it is known here", code="partner-key-changed"
                )
            return self._store(
                msgspec.structs.replace(
                    partner,
                    status=PartnerStatus.APPROVED,
                    organization=organization,
                    # The answers of whoever else had the invite.
                    runtimes=tuple(each for each in partner.runtimes if each.organization == organization),
                )
            )

    def refuse(self, name: str, organizations: Collection[str]) -> None:
        """Forget what organizations, given by their keys, answered under a name that nobody has approved.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            UsageError: it was approved (code ``partner-approved``).
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        with files.locked(self._lock):
            partner = self.get(name)
            if partner.status is not PartnerStatus.PENDING:
                raise UsageError(
                    f"{name} was approved before",
                    code="partner-approved",
                    hint=f"strongroom partner suspend {name}",
                )
            left = tuple(each for each in partner.runtimes if each.organization not in organizations)
            if left:
                self._store(msgspec.structs.replace(partner, runtimes=left))
            else:
                files.remove(self._path(name))

    def resume(self, name: str) -> Partner:
        """Take a suspension back.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            UsageError: it was never approved (code ``partner-pending``).
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        return self._set_status(name, PartnerStatus.APPROVED)

    def suspend(self, name: str) -> Partner:
        """Give a partner nothing new. What it holds stays in force until it expires.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            UsageError: it was never approved (code ``partner-pending``).
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        return self._set_status(name, PartnerStatus.SUSPENDED)

    def all(self) -> list[Partner]:
        """Return every partner, sorted by name.

        Raises:
            FormatError: a stored record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        return [self.get(name) for name in files.names_in(self._folder, _SUFFIX)]

    def get(self, name: str) -> Partner:
        """Return a partner by name.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            FormatError: not a name, or the stored record is damaged.
            StorageUnavailable: it cannot be read.
        """
        try:
            return self._load(name)
        except ObjectNotFound as error:
            raise ObjectNotFound(
                f"there is no partner {name!r}",
                code="unknown-partner",
                hint=f"strongroom invite {name} > {name}.invite",
            ) from error

    def verify_approved(self, name: str) -> Partner:
        """Return a partner by name, which must be approved and not suspended.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            VerificationError: it is pending (code ``partner-pending``) or suspended (code
                ``partner-suspended``).
            FormatError: not a name, or the stored record is damaged.
            StorageUnavailable: it cannot be read.
        """
        partner = self.get(name)
        if partner.status is PartnerStatus.PENDING:
            raise VerificationError(
                f"nobody has confirmed yet that {name} is who it says it is",
                code="partner-pending",
                hint=f"compare the fingerprint with {name}, then: strongroom partner approve {name}",
            )
        if partner.status is PartnerStatus.SUSPENDED:
            raise VerificationError(f"{name} is suspended", code="partner-suspended")
        return partner

    def enrollments(self, name: str, owner: Owner) -> list[VerifiedEnrollment]:
        """Return the enrollments of a partner, verified again, in the order of their arrival.

        Raises:
            ObjectNotFound: no such partner (code ``unknown-partner``).
            FormatError: not a name, or the stored record is damaged.
            VerificationError: a stored enrollment does not verify.
            StorageUnavailable: it cannot be read.
        """
        return [
            verify_stored_enrollment(
                EnrollmentFile(format="enrollment-file/v1", enrollment=each.token).to_bytes(), owner
            )
            for each in self.get(name).runtimes
        ]

    def _path(self, name: str) -> Path:
        verify_name(name)
        return self._folder / f"{name}{_SUFFIX}"

    def _load(self, name: str) -> Partner:
        return read_record(self._path(name), Partner)

    def _get_or_new(self, name: str) -> Partner:
        try:
            return self._load(name)
        except ObjectNotFound:
            return Partner(
                format="partner/v1", name=name, status=PartnerStatus.PENDING, organization=None, runtimes=()
            )

    def _set_status(self, name: str, status: PartnerStatus) -> Partner:
        with files.locked(self._lock):
            partner = self.get(name)
            if partner.organization is None:
                raise UsageError(
                    f"{name} was never approved",
                    code="partner-pending",
                    hint=f"strongroom partner approve {name}",
                )
            return self._store(msgspec.structs.replace(partner, status=status))

    def _store(self, partner: Partner) -> Partner:
        files.make_folder(self._folder)
        write_record(self._path(partner.name), partner)
        return partner
