"""The leases of a home: what is in force, what was asked for, and what the broker said.

    place = LeasePlace(owner="own-...", license="lic-...", package=digest)
    with home.leases.locked(place):                    # one process of this home asks at a time
        record = home.leases.read(place)
        home.leases.write(place, replace(record, pending=request))    # before it is sent
    home.leases.stamp(place)                           # changes when somebody else renewed

    home.leases.notices(owner_id).revocations          # tokens, verified by whoever uses them

Files, in ``leases/<owner id>/``: ``<license id>.<package digest>.json`` and its lock, and
``notices.json``. All sessions of a home share one lease and take the newest from here. A request
is on the disk before it leaves, so that a crash is followed by the same request and not by a
second one, which the broker would take for that of a copy.

Lease, request and notices are signed by those who made them; that they are here is not. Whoever acts as
this user can take away a refusal or a notice, as it can put back an older state: at level ``local`` that
a revocation was seen is a record, and what ends is the lease (spec/license.md, "Marks").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom.errors import ObjectNotFound
from strongroom.home import files
from strongroom.home.record import read_record, write_record

_RECORD: Final = ".json"
_LOCK: Final = ".lock"
_NOTICES: Final = "notices.json"
_NOTICES_LOCK: Final = "notices.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePlace:
    """Which lease: of whose model, under which license."""

    owner: str
    license: str
    """Id of the narrowest document."""
    package: str
    """Package digest."""


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A broker's time, and what the boot clock said when it was asked for."""

    time: str
    boot_id: str
    boot_milliseconds: int


class Pending(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request that may have reached the broker, whose answer is not here."""

    request: str
    """Token of the lease request."""
    worker_key: str
    """Public text of the worker's one-time key."""
    usage: str | None
    """Token of the report on the lease before."""
    sent: Anchor
    """When it was first sent, by the clock of then."""


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the broker refused with, last."""

    code: str
    message: str
    hint: str | None
    is_final: bool
    """Whether use ends with it, and not only with the lease."""


class LeaseRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of one lease."""

    format: Literal["lease-record/v1"] = "lease-record/v1"
    lease: str | None = None
    """Token of the lease in force."""
    pending: Pending | None = None
    refusal: Refusal | None = None
    last_usage: str | None = None
    """Id of the newest report that the broker has."""
    returned: str | None = None
    """Id of the lease that was given back, if there was none after it."""


class Notices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the broker of one owner has announced."""

    format: Literal["notices/v1"] = "notices/v1"
    revocations: tuple[str, ...] = ()
    """Tokens."""
    withdrawals: tuple[str, ...] = ()
    """Tokens."""
    position: str | None = None
    """Where to go on reading."""


class Leases:
    """The ``leases`` folder of a home."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self, place: LeasePlace, *, timeout_seconds: float = files.LOCK_SECONDS) -> Iterator[None]:
        """Hold a lease against other processes and threads of this home.

        Args:
            place: Which.
            timeout_seconds: How long to wait for others.

        Raises:
            StorageUnavailable: somebody else holds it for too long (code ``locked``).
            FormatError: an id cannot be a file name.
        """
        path = self._path(place, _LOCK)
        self._make_folder(path.parent)
        with files.locked(path, timeout_seconds=timeout_seconds):
            yield

    def read(self, place: LeasePlace) -> LeaseRecord:
        """Return what is known of a lease; empty if there is nothing yet.

        Raises:
            FormatError: it is damaged (code ``damaged-record``), or an id cannot be a file name.
            StorageUnavailable: it cannot be read.
        """
        try:
            return read_record(self._path(place, _RECORD), LeaseRecord)
        except ObjectNotFound:
            return LeaseRecord()

    def write(self, place: LeasePlace, record: LeaseRecord) -> None:
        """Keep what is known of a lease. The caller holds its lock.

        Raises:
            FormatError: an id cannot be a file name.
            StorageUnavailable: it cannot be written.
        """
        write_record(self._path(place, _RECORD), record)

    def stamp(self, place: LeasePlace) -> tuple[int, int]:
        """Return something that changes whenever the record does; cheap enough for every request.

        Raises:
            FormatError: an id cannot be a file name.
            StorageUnavailable: the disk does not answer.
        """
        path = self._path(place, _RECORD)
        try:
            status = path.stat()
        except FileNotFoundError:
            return 0, 0
        except OSError as error:
            raise files.storage_error(error, path, "look at") from error
        # Each writing makes a new file.
        return status.st_ino, status.st_mtime_ns

    def places(self, owner_id: str) -> list[LeasePlace]:
        """Return every lease toward an owner of which something is known.

        Raises:
            FormatError: not an owner id.
            StorageUnavailable: the folder cannot be read.
        """
        folder = self._folder / files.verify_component(owner_id)
        names = [name.split(".") for name in files.names_in(folder, _RECORD) if "." in name]
        return [LeasePlace(owner=owner_id, license=license, package=package) for license, package in names]

    def notices(self, owner_id: str) -> Notices:
        """Return what the broker of an owner has announced.

        Raises:
            FormatError: it is damaged (code ``damaged-record``), or not an owner id.
            StorageUnavailable: it cannot be read.
        """
        try:
            return read_record(self._folder / files.verify_component(owner_id) / _NOTICES, Notices)
        except ObjectNotFound:
            return Notices()

    def add_notices(
        self,
        owner_id: str,
        *,
        revocations: Iterable[str] = (),
        withdrawals: Iterable[str] = (),
        position: str | None = None,
    ) -> None:
        """Keep announcements that the caller has verified; what was announced is never forgotten.

        Raises:
            FormatError: the stored ones are damaged, or not an owner id.
            StorageUnavailable: they cannot be read or written.
        """
        folder = self._folder / files.verify_component(owner_id)
        self._make_folder(folder)
        with files.locked(folder / _NOTICES_LOCK):
            known = self.notices(owner_id)
            after = Notices(
                revocations=tuple(dict.fromkeys((*known.revocations, *revocations))),
                withdrawals=tuple(dict.fromkeys((*known.withdrawals, *withdrawals))),
                position=position or known.position,
            )
            if after != known:
                write_record(folder / _NOTICES, after)

    def _make_folder(self, folder: Path) -> None:
        # One after the other: only the last that is made at once gets the mode.
        files.make_folder(self._folder)
        files.make_folder(folder)

    def _path(self, place: LeasePlace, suffix: str) -> Path:
        name = f"{files.verify_component(place.license)}.{files.verify_component(place.package)}{suffix}"
        return self._folder / files.verify_component(place.owner) / name
