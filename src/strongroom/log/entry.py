"""What the log holds, and what it hides: entries, records, and the salt between them.

    {"commitment": "7be1...", "format": "log-entry/v1"}

    record = Record(kind=Kind.GRANT, at=now, subjects=(license_id, organization_id), document=digest)
    entry = commit(record, salt)                  # goes into the log, for everybody
    verify_record(record.to_bytes(), salt, entry.to_bytes())

The entry shows that something happened, and nothing else: every partner can read the log, and
none may learn what another does. What happened, when and to whom stands in the *record*, which
goes, with its 32 random bytes of *salt*, to those whom it concerns. Whoever has not both learns
nothing from the commitment; when record and salt are erased everywhere, so is what was
logged, and the log stays whole (spec/log.md, "Entries").
"""

from __future__ import annotations

import re
import secrets
from enum import StrEnum
from typing import Final, Literal

import msgspec

from strongroom._encoding import from_hex, from_instant, from_wire, to_hex, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto import labels
from strongroom.crypto.digest import DIGEST_BYTES, sha256
from strongroom.errors import FormatError, IntegrityError
from strongroom.log.tile import MAX_ENTRY_BYTES

SALT_BYTES: Final = 32
_SUBJECT: Final = re.compile(r"[a-z]{3}-[a-z2-7]{24}")
_DETAIL_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MAX_DETAIL_CHARS: Final = 1024


class Kind(StrEnum):
    """What happened. Wire names: never changed, never used again for something else."""

    OWNER_DOCUMENT = "owner-document"
    """A new version of the owner document."""
    RESTORE = "restore"
    """The first entry of a log that follows another; its record names the last known checkpoint."""
    ENROLLMENT = "enrollment"
    """A runtime was enrolled."""
    APPROVAL = "approval"
    """A partner, or a request of one, was approved."""
    SUSPENSION = "suspension"
    """A partner, a runtime or a license was suspended."""
    MEMBERSHIP = "membership"
    """A person got access for an organization, got another role, or lost it."""
    PUBLICATION = "publication"
    """A package was put into the catalog."""
    GRANT = "grant"
    """A license was signed."""
    SUBLICENSE = "sublicense"
    """A holder narrowed its license for a site."""
    ACCEPTANCE = "acceptance"
    """A partner accepted an agreement."""
    LEASE = "lease"
    """A runtime got keys and a slice of the quota, or renewed them."""
    RETURN = "return"
    """A lease ended before its time: the runtime gave it back, or the owner released it."""
    CHECKOUT = "checkout"
    """A runtime got an offline file."""
    USAGE = "usage"
    """A runtime reported what it had used."""
    REVOCATION = "revocation"
    """A license was revoked."""
    WITHDRAWAL = "withdrawal"
    """A version of a package was withdrawn."""
    BREAK_GLASS = "break-glass"
    """A partner went past the end of a license in an emergency."""
    CLONE_ALARM = "clone-alarm"
    """One lease had two different successors."""
    DERIVATION = "derivation"
    """A derived model was handed in, countersigned or refused."""
    REFUSALS = "refusals"
    """How often members of a partner were refused in a period."""
    REQUEST = "request"
    """A partner asked for a license, or was refused one that it had asked for."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One leaf of the log."""

    format: Literal["log-entry/v1"]
    commitment: str
    """64 hexadecimal digits."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Read an entry.

        Raises:
            FormatError: not canonical, or a rule of spec/log.md does not hold.
        """
        entry = from_wire(data, cls, max_bytes=MAX_ENTRY_BYTES)
        from_hex(entry.commitment, size=DIGEST_BYTES)
        return entry

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form, whose hash is the leaf."""
        return to_wire(self)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happened, for those whom it concerns."""

    format: Literal["log-record/v1"] = "log-record/v1"
    kind: Kind
    at: str
    subjects: tuple[str, ...]
    """The ids of the parties and documents that it is about, sorted, each once."""
    document: str | None = None
    """SHA-256 of the signed document of the act, 64 hexadecimal digits, if there is one."""
    details: dict[str, str | int] = {}
    """A few named values: counts, reasons, names."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """Read a record.

        Raises:
            FormatError: not canonical, or a rule of spec/log.md does not hold.
        """
        record = from_wire(data, cls, max_bytes=LIMITS.max_log_record_bytes)
        record.check()
        return record

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form.

        Raises:
            FormatError: a rule of spec/log.md does not hold.
        """
        self.check()
        data = to_wire(self)
        if len(data) > LIMITS.max_log_record_bytes:
            raise FormatError("a record of the log is too large", code="log-record")
        return data

    def check(self) -> None:
        """Check every rule within one record.

        Raises:
            FormatError: a rule of spec/log.md does not hold.
        """
        from_instant(self.at)
        if not 1 <= len(self.subjects) <= LIMITS.max_log_subjects_length:
            raise FormatError("a record of the log has no subject, or too many", code="log-record")
        if list(self.subjects) != sorted(set(self.subjects)):
            raise FormatError(
                "the subjects of a record are not sorted, or one is there twice", code="log-record"
            )
        if not all(_SUBJECT.fullmatch(each) for each in self.subjects):
            raise FormatError("a subject of a record is no id", code="log-record")
        if self.document is not None:
            from_hex(self.document, size=DIGEST_BYTES)
        if len(self.details) > LIMITS.max_log_details_length:
            raise FormatError("a record of the log has too many details", code="log-record")
        for name, value in self.details.items():
            if isinstance(value, bool) or not _DETAIL_NAME.fullmatch(name):
                raise FormatError("a detail of a record has no plain name or value", code="log-record")
            if len(str(value)) > _MAX_DETAIL_CHARS:
                raise FormatError("a detail of a record is too long", code="log-record")
            # Reasons are free text of somebody else's, and are shown in terminals.
            if not str(value).isprintable():
                raise FormatError("a detail of a record has a control character", code="log-record")


def generate_salt() -> bytes:
    """Return fresh salt. One for each entry: the same salt twice would show two equal records to be equal."""
    return secrets.token_bytes(SALT_BYTES)


def commit(record: Record, salt: bytes) -> Entry:
    """Make the entry of a record.

    Raises:
        FormatError: the record breaks a rule of spec/log.md, or the salt has another size.
    """
    return commit_bytes(record.to_bytes(), salt)


def commit_bytes(record: bytes, salt: bytes) -> Entry:
    """Make the entry of what ``Record.to_bytes`` returned.

    Raises:
        FormatError: the salt has another size.
    """
    if len(salt) != SALT_BYTES:
        raise FormatError(f"the salt of a record has not {SALT_BYTES} bytes", code="log-salt")
    commitment = sha256(labels.bind(labels.LOG_COMMITMENT, salt, record))
    return Entry(format="log-entry/v1", commitment=to_hex(commitment))


def verify_record(record: bytes, salt: bytes, entry: bytes) -> Record:
    """Check that an entry of the log stands for this record; returns the record.

    Raises:
        FormatError: one of them breaks a rule of spec/log.md.
        IntegrityError: code ``log-record``: the entry stands for something else.
    """
    parsed = Record.from_bytes(record)
    if commit(parsed, salt) != Entry.from_bytes(entry):
        raise IntegrityError("an entry of the log is not that of this record", code="log-record")
    return parsed
