"""What this party signed and its broker has not taken in yet: kept here until it is sent.

    home.outbox.add(Parcel(kind=ParcelKind.LICENSE, id="lic-...", body={"license": token}, ...))
    for parcel in home.outbox.waiting(owner_id):
        ...                                        # hand it to the broker, then:
        home.outbox.remove(parcel.id)

Whatever is signed is put here before it is sent, so that a broker that is down, or a machine
that stops in between, loses nothing. A parcel holds a signed document, whose id follows from its
content, or how a partner stands, with one id a partner: sent twice, it is the same act. Files:
``outbox/<number>-<id>.json``, in the order in which they were signed, which is the order in which
they make sense to the broker.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import ObjectNotFound
from strongroom.home import files
from strongroom.home.record import read_record, write_record

_SUFFIX: Final = ".json"
_NUMBER_DIGITS: Final = 8


class ParcelKind(StrEnum):
    """What is in it, and so which of the broker's routes takes it."""

    ENROLLMENT = "enrollment"
    PACKAGE = "package"
    LICENSE = "license"
    SUBLICENSE = "sublicense"
    ACCEPTANCE = "acceptance"
    REVOCATION = "revocation"
    WITHDRAWAL = "withdrawal"
    COUNTERSIGNATURE = "countersignature"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"


class Parcel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One signed document, or the standing of one partner, on its way to a broker."""

    format: Literal["parcel/v1"] = "parcel/v1"
    kind: ParcelKind
    id: str
    """Of the document in it."""
    owner: str
    """Whose broker."""
    about: str
    """In a few words, for people: a partner, a model, a license."""
    body: dict[str, str | None]
    """What is sent, as the message of that route."""
    added_at: str
    """An instant, as ``_encoding.to_instant`` writes it."""


class Outbox:
    """The ``outbox`` folder of a home."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def add(self, parcel: Parcel) -> None:
        """Keep a parcel; one that waits already stays as it is.

        Raises:
            FormatError: its id cannot be a file name.
            StorageUnavailable: it cannot be written.
        """
        files.verify_component(parcel.id)
        with files.locked(self._lock):
            names = self._names()
            if parcel.id in names.values():
                return
            files.make_folder(self._folder)
            number = max((int(name[:_NUMBER_DIGITS]) for name in names), default=0) + 1
            write_record(self._folder / f"{number:0{_NUMBER_DIGITS}}-{parcel.id}{_SUFFIX}", parcel)

    def waiting(self, owner_id: str | None = None) -> list[Parcel]:
        """Return what waits for one owner's broker, or for any, in the order in which it was signed.

        Raises:
            FormatError: a file is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        found = []
        for name in sorted(self._names()):
            try:
                parcel = read_record(
                    # A license goes with its agreement, which alone may be as large as other records are.
                    self._folder / f"{name}{_SUFFIX}",
                    Parcel,
                    max_bytes=LIMITS.max_license_file_bytes,
                )
            except ObjectNotFound:
                # Sent by another process since the folder was listed.
                continue
            if owner_id in (None, parcel.owner):
                found.append(parcel)
        return found

    def remove(self, parcel_id: str) -> None:
        """Forget a parcel that the broker took in, or that nobody wants to send any more.

        Raises:
            StorageUnavailable: it cannot be removed.
        """
        with files.locked(self._lock):
            for name, identity in self._names().items():
                if identity == parcel_id:
                    files.remove(self._folder / f"{name}{_SUFFIX}")

    def _names(self) -> dict[str, str]:
        """Return the id in each file name."""
        names = files.names_in(self._folder, _SUFFIX)
        return {
            name: name[_NUMBER_DIGITS + 1 :]
            for name in names
            if name[:_NUMBER_DIGITS].isdigit() and name[_NUMBER_DIGITS : _NUMBER_DIGITS + 1] == "-"
        }
