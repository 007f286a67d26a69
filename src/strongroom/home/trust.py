"""Pinned owners: whose signatures this home believes, and since when.

    pinned = home.trust.pin(chain, alias="st-georg")      # pending until people have compared a fingerprint
    home.trust.confirm(pinned.id)
    home.trust.find("st-georg").owner                     # by alias, name or id
    home.trust.confirmed("st-georg")                      # the same, or VerificationError while pending
    home.trust.update(newer_chain)                        # a fork or a rollback is refused

Files, one set for each owner id:

    trust/<owner id>.json             chain, status, alias
    trust/<owner id>.enrollment       what this party sent to that owner, for the fingerprint
    trust/<owner id>.runtime          by which this party certifies its own runtime, for receipts

The chain is verified again at every reading: a file is a copy, never a proof.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom.errors import ObjectNotFound, UsageError, VerificationError
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.keys.name import verify_chosen_name
from strongroom.keys.owner import Owner, OwnerChain, verify_newer, verify_owner_chain

_RECORD: Final = ".json"
_ENROLLMENT: Final = ".enrollment"
_CERTIFICATE: Final = ".runtime"


class TrustStatus(StrEnum):
    """How far a pinned owner is believed."""

    PENDING = "pending"
    """The document came over a line that anybody could have tapped."""
    CONFIRMED = "confirmed"
    """Two people have compared the fingerprint, or the owner is this party itself."""


class TrustRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``trust/<owner id>.json`` holds."""

    format: Literal["trust/v1"]
    status: TrustStatus
    alias: str | None
    chain: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedOwner:
    """An owner whose document this home has verified and keeps."""

    owner: Owner
    status: TrustStatus
    alias: str | None
    """What this party calls the owner; at most one owner has it here."""

    @property
    def id(self) -> str:
        """The owner id."""
        return self.owner.id

    @property
    def label(self) -> str:
        """What to call the owner in messages: the alias, else its own name."""
        return self.alias or self.owner.name


class Trust:
    """The pinned owners of one home."""

    __slots__ = ("_folder", "_lock", "_paths")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._paths: dict[str, str] = {}
        self._lock = lock

    def pin(
        self, chain: OwnerChain, *, alias: str | None = None, status: TrustStatus = TrustStatus.PENDING
    ) -> PinnedOwner:
        """Verify and keep an owner's chain; one that is pinned already is brought up to date.

        A pinned owner keeps its status, and its alias unless another is given.

        Raises:
            VerificationError: the chain does not verify, or forks or rolls back the pinned one.
            UsageError: the alias is not allowed or another owner has it (code ``alias-taken``).
            FormatError: a stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        owner = verify_owner_chain(chain)
        with files.locked(self._lock):
            pinned = self._load_if_there(owner.id)
            if pinned is not None:
                owner, status = verify_newer(pinned.owner, chain), pinned.status
                alias = alias or pinned.alias
            return self._store(PinnedOwner(owner=owner, status=status, alias=alias))

    def update(self, chain: OwnerChain) -> PinnedOwner:
        """Replace the chain of a pinned owner by the same or a longer one.

        Raises:
            ObjectNotFound: no such owner is pinned (code ``unknown-owner``).
            VerificationError: the chain does not verify, or forks or rolls back the pinned one.
            FormatError: a stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        offered = verify_owner_chain(chain)
        with files.locked(self._lock):
            pinned = self.get(offered.id)
            owner = verify_newer(pinned.owner, chain)
            return self._store(PinnedOwner(owner=owner, status=pinned.status, alias=pinned.alias))

    def confirm(self, owner_id: str) -> PinnedOwner:
        """Note that people have compared the fingerprint.

        Raises:
            ObjectNotFound: no such owner is pinned (code ``unknown-owner``).
            VerificationError: the stored chain does not verify.
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        with files.locked(self._lock):
            pinned = self.get(owner_id)
            return self._store(
                PinnedOwner(owner=pinned.owner, status=TrustStatus.CONFIRMED, alias=pinned.alias)
            )

    def set_alias(self, owner_id: str, alias: str | None) -> PinnedOwner:
        """Give a pinned owner a name of one's own, or take it away.

        Raises:
            ObjectNotFound: no such owner is pinned (code ``unknown-owner``).
            UsageError: the alias is not allowed or another owner has it (code ``alias-taken``).
            VerificationError: a stored chain does not verify.
            FormatError: a stored record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        with files.locked(self._lock):
            pinned = self.get(owner_id)
            return self._store(PinnedOwner(owner=pinned.owner, status=pinned.status, alias=alias))

    def all(self) -> list[PinnedOwner]:
        """Return every pinned owner, sorted by label and id.

        Raises:
            VerificationError: a stored chain does not verify.
            FormatError: a stored record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        pinned = [self.get(owner_id) for owner_id in files.names_in(self._folder, _RECORD)]
        return sorted(pinned, key=lambda each: (each.label, each.id))

    def get(self, owner_id: str) -> PinnedOwner:
        """Return a pinned owner by id.

        Raises:
            ObjectNotFound: no such owner is pinned (code ``unknown-owner``).
            VerificationError: the stored chain does not verify, or is another owner's.
            FormatError: the stored record is damaged.
            StorageUnavailable: it cannot be read.
        """
        pinned = self._load_if_there(owner_id)
        if pinned is None:
            raise _unknown(owner_id)
        return pinned

    def mark(self, owner_id: str) -> tuple[int, int, int]:
        """Return something that changes whenever the record of a pinned owner does, for the price of a stat.

        Raises:
            ObjectNotFound: no such owner is pinned (code ``unknown-owner``).
            FormatError: not an owner id.
            StorageUnavailable: its record cannot be looked at.
        """
        # Made once, and text instead of a ``Path``: a broker asks several times for every lease.
        path = self._paths.get(owner_id)
        if path is None:
            path = f"{self._folder}/{files.verify_component(owner_id)}{_RECORD}"
            self._paths[owner_id] = path
        try:
            status = os.stat(path)  # noqa: PTH116 - a tenth of the time of Path.stat
        except FileNotFoundError as error:
            raise _unknown(owner_id) from error
        except OSError as error:
            raise files.storage_error(error, Path(path), "read") from error
        return status.st_ino, status.st_mtime_ns, status.st_size

    def find(self, reference: str) -> PinnedOwner:
        """Return a pinned owner by id, alias or name.

        Raises:
            ObjectNotFound: none is called so (code ``unknown-owner``), or several are
                (code ``ambiguous-owner``); the message lists them.
            VerificationError: a stored chain does not verify.
            FormatError: a stored record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        everyone = self.all()
        # An id names one owner and an alias was chosen here: both go before the name
        # that an owner gave itself, which anybody can take.
        for found in (
            [pinned for pinned in everyone if reference in (pinned.id, pinned.alias)],
            [pinned for pinned in everyone if reference == pinned.owner.name],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                listed = ", ".join(f"{pinned.label} ({pinned.id})" for pinned in found)
                raise ObjectNotFound(
                    f"several owners are called {reference}: {listed}",
                    code="ambiguous-owner",
                    hint="use the id, or give one of them an alias",
                )
        raise _unknown(reference)

    def confirmed(self, reference: str) -> Owner:
        """Return a pinned owner whose fingerprint was compared.

        Raises:
            VerificationError: it is still pending (code ``owner-pending``), or the stored
                chain does not verify.
            ObjectNotFound: none or several are called so.
            FormatError: a stored record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        pinned = self.find(reference)
        if pinned.status is not TrustStatus.CONFIRMED:
            raise VerificationError(
                f"nobody has confirmed yet that {pinned.label} is who it says it is",
                code="owner-pending",
                hint=f"call {pinned.label}, compare the fingerprint of your enrollment, and accept with it",
            )
        return pinned.owner

    def save_enrollment(self, owner_id: str, data: bytes) -> None:
        """Keep the enrollment file that this party made for an owner; a later one replaces it.

        Raises:
            StorageUnavailable: it cannot be written.
            FormatError: not an owner id.
        """
        with files.locked(self._lock):
            files.write_atomic(self._path(owner_id, _ENROLLMENT), data)

    def enrollment(self, owner_id: str) -> bytes:
        """Return the enrollment file that this party made for an owner.

        Raises:
            ObjectNotFound: there is none (code ``not-joined``).
            StorageUnavailable: it cannot be read.
            FormatError: not an owner id, or the file is too large.
        """
        try:
            return files.read_bytes(self._path(owner_id, _ENROLLMENT))
        except ObjectNotFound as error:
            raise ObjectNotFound(
                "this home has not joined that owner",
                code="not-joined",
                hint="ask the owner for an invite, then: strongroom join FILE.invite",
            ) from error

    def save_certificate(self, owner_id: str, token: str) -> None:
        """Keep the certificate of this party's runtime toward an owner; a later one replaces it.

        Raises:
            StorageUnavailable: it cannot be written.
            FormatError: not an owner id.
        """
        with files.locked(self._lock):
            files.write_atomic(self._path(owner_id, _CERTIFICATE), token.encode("ascii"))

    def certificate(self, owner_id: str) -> str | None:
        """Return the certificate of this party's runtime toward an owner; None: there is none yet.

        Raises:
            StorageUnavailable: it cannot be read.
            FormatError: not an owner id, or the file is too large.
        """
        try:
            data = files.read_bytes(self._path(owner_id, _CERTIFICATE))
        except ObjectNotFound:
            return None
        # Bytes that are no text are no token either, which whoever verifies it says.
        return data.decode("ascii", "replace")

    def _path(self, owner_id: str, suffix: str) -> Path:
        return self._folder / (files.verify_component(owner_id) + suffix)

    def _load_if_there(self, owner_id: str) -> PinnedOwner | None:
        try:
            record = read_record(self._path(owner_id, _RECORD), TrustRecord)
        except ObjectNotFound:
            return None
        owner = verify_owner_chain(OwnerChain.from_json(record.chain))
        if owner.id != owner_id:
            raise VerificationError(
                f"the record of {owner_id} holds the document of another owner", code="owner-other"
            )
        return PinnedOwner(owner=owner, status=record.status, alias=record.alias)

    def _store(self, pinned: PinnedOwner) -> PinnedOwner:
        if pinned.alias is not None:
            self._verify_alias(pinned.id, pinned.alias)
        record = TrustRecord(
            format="trust/v1",
            status=pinned.status,
            alias=pinned.alias,
            chain=pinned.owner.chain.to_json(),
        )
        write_record(self._path(pinned.id, _RECORD), record)
        return pinned

    def _verify_alias(self, owner_id: str, alias: str) -> None:
        verify_chosen_name(alias)
        if any(other.alias == alias and other.id != owner_id for other in self.all()):
            raise UsageError(f"another owner has the alias {alias} here", code="alias-taken")


def _unknown(reference: str) -> ObjectNotFound:
    return ObjectNotFound(
        f"no owner {reference!r} is pinned here",
        code="unknown-owner",
        hint="strongroom join FILE.invite",
    )
