"""What this owner granted: one record and one license file, exactly as issued, for each license.

    home.vault.grants.record(Grant(license="lic-...", partner="clinic", granted_at=instant), license_file)
    home.vault.grants.all(partner="clinic")
    home.vault.grants.license_file("lic-...")
    home.vault.grants.replace_file("lic-...", with_one_more_offline_file)

Files: ``vault/grants/<license id>.json`` and ``.license``. The license itself says the
rest; whoever needs it parses the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.record import read_record, write_record

_RECORD: Final = ".json"
_LICENSE: Final = ".license"
_LEDGER_LOCK: Final = "ledger.lock"


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``vault/grants/<license id>.json`` holds."""

    format: Literal["grant/v1"] = "grant/v1"
    license: str
    """The license id."""
    partner: str
    granted_at: str
    """An instant, as ``_encoding.to_instant`` writes it."""


class Grants:
    """The ledger of what one owner granted."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from deciding about what is out while this one does.

        Raises:
            StorageUnavailable: another process holds it for too long, or the disk does not answer.
        """
        files.make_folder(self._folder)
        # Not the lock of the home, which each single write takes.
        with files.locked(self._folder / _LEDGER_LOCK):
            yield

    def record(self, grant: Grant, license_file: bytes) -> None:
        """Note a new license.

        Raises:
            UsageError: it was noted before (code ``already-exists``).
            FormatError: not a license id.
            StorageUnavailable: it cannot be written.
        """
        record, license_path = self._path(grant.license, _RECORD), self._path(grant.license, _LICENSE)
        with files.locked(self._lock):
            files.make_folder(self._folder)
            if record.exists():
                raise UsageError(f"the grant {grant.license} is noted already", code="already-exists")
            # The record last: it is what makes the grant exist.
            files.write_atomic(license_path, license_file)
            write_record(record, grant)

    def replace_file(self, license_id: str, license_file: bytes) -> None:
        """Keep a new form of a license file: the same license with one more offline file.

        Raises:
            ObjectNotFound: no such license was granted here (code ``unknown-license``).
            FormatError: not a license id, or the record is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        with files.locked(self._lock):
            self.get(license_id)
            files.write_atomic(self._path(license_id, _LICENSE), license_file)

    def all(self, partner: str | None = None) -> list[Grant]:
        """Return the grants of one partner, or of all, sorted by time.

        Raises:
            FormatError: a record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        grants = [self.get(license_id) for license_id in files.names_in(self._folder, _RECORD)]
        wanted = [grant for grant in grants if partner in (None, grant.partner)]
        return sorted(wanted, key=lambda grant: (grant.granted_at, grant.license))

    def get(self, license_id: str) -> Grant:
        """Return the record of a license.

        Raises:
            ObjectNotFound: no such license was granted here (code ``unknown-license``).
            FormatError: not a license id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        try:
            return read_record(self._path(license_id, _RECORD), Grant)
        except ObjectNotFound as error:
            raise _unknown(license_id) from error

    def license_file(self, license_id: str) -> bytes:
        """Return the license file of a grant.

        Raises:
            ObjectNotFound: no such license was granted here (code ``unknown-license``).
            FormatError: not a license id, or the file is too large.
            StorageUnavailable: it cannot be read.
        """
        try:
            return files.read_bytes(self._path(license_id, _LICENSE), max_bytes=LIMITS.max_license_file_bytes)
        except ObjectNotFound as error:
            raise _unknown(license_id) from error

    def _path(self, license_id: str, suffix: str) -> Path:
        return self._folder / (files.verify_component(license_id) + suffix)


def _unknown(license_id: str) -> ObjectNotFound:
    return ObjectNotFound(
        f"no license {license_id} was granted in this home",
        code="unknown-license",
        hint="strongroom license list",
    )
