"""The licenses that lie in a home: ``licenses/<owner id>/<license id>.license``.

    licenses = home.catalog.licenses
    licenses.add(owner_id, chain.id, data)                  # verified by the caller
    licenses.renew(owner_id, chain.id, lambda known: file)  # with what is there already
    licenses.save_acceptance(owner_id, chain.id, token)     # beside it, ``.acceptance``
    licenses.get(owner_id, chain.id).file
    licenses.all()

A license file is named by the narrowest document in it. It is verified at every opening;
what stands here decides only which one is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, ObjectNotFound
from strongroom.home import files
from strongroom.license.documents import License, Sublicense
from strongroom.license.license_file import LicenseFile
from strongroom.license.package_choice import PackageChoice
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Packages

_LICENSE: Final = ".license"
_ACCEPTANCE: Final = ".acceptance"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLicense:
    """One license file, and this party's acceptance of it."""

    owner_id: str
    license_id: str
    file: LicenseFile
    acceptance: str | None
    """The token; None until this party has accepted."""
    issued_at: datetime
    """When the owner's document says that it was signed. Unverified."""
    choices: tuple[tuple[PackageChoice, ...], ...]
    """What each term about packages lists; a package must be in all of them. Unverified."""

    def names(self, name: str) -> bool:
        """Say whether the license speaks of a model of this name."""
        return all(any(choice.name == name for choice in choices) for choices in self.choices)

    def covers(self, name: str, version: str, package_digest: str) -> bool:
        """Say whether a package is among the licensed ones."""
        return all(
            any(choice.covers(name, version, package_digest) for choice in choices)
            for choices in self.choices
        )


class Licenses:
    """The ``licenses`` folder of a home."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def add(self, owner_id: str, license_id: str, data: bytes) -> None:
        """Keep a license file that the caller has verified; the same license again replaces it.

        Raises:
            FormatError: not an id, or not a license file.
            StorageUnavailable: it cannot be written.
        """
        LicenseFile.from_bytes(data)
        self._write(self._path(owner_id, license_id, _LICENSE), data)

    def renew(
        self, owner_id: str, license_id: str, make: Callable[[LicenseFile | None], LicenseFile]
    ) -> None:
        """Keep the license file that is made of the one here; nobody else writes in between.

        Args:
            owner_id: Whose license it is.
            license_id: Id of the narrowest document.
            make: Gets what is here, unverified, or None if nothing is or it is damaged.

        Raises:
            FormatError: not an id, or what was made is not a license file.
            StorageUnavailable: it cannot be read or written.
            Error: whatever ``make`` raises.
        """
        path = self._path(owner_id, license_id, _LICENSE)
        with files.locked(self._lock):
            files.make_folder(path.parent)
            data = make(_known(path)).to_bytes()
            LicenseFile.from_bytes(data)
            files.write_atomic(path, data)

    def save_acceptance(self, owner_id: str, license_id: str, token: str) -> None:
        """Keep this party's acceptance beside a license.

        Raises:
            ObjectNotFound: there is no such license (code ``unknown-license``).
            FormatError: not an id, or the stored file is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        self.get(owner_id, license_id)
        self._write(self._path(owner_id, license_id, _ACCEPTANCE), token.encode("ascii"))

    def get(self, owner_id: str, license_id: str) -> StoredLicense:
        """Return a license.

        Raises:
            ObjectNotFound: there is no such license (code ``unknown-license``).
            FormatError: not an id, or a file is damaged (code ``damaged-record``).
            StorageUnavailable: it cannot be read.
        """
        path = self._path(owner_id, license_id, _LICENSE)
        try:
            data = files.read_bytes(path, max_bytes=LIMITS.max_license_file_bytes)
        except ObjectNotFound as error:
            raise ObjectNotFound(
                f"there is no license {license_id} in this home",
                code="unknown-license",
                hint="strongroom models",
            ) from error
        acceptance = self._acceptance(self._path(owner_id, license_id, _ACCEPTANCE))
        try:
            file = LicenseFile.from_bytes(data)
            document = read_unverified(file.license, License)
            children = [read_unverified(token, Sublicense) for token in file.sublicenses]
        except FormatError as error:
            raise _damaged(path) from error
        terms = [*document.terms, *(term for child in children for term in child.terms)]
        return StoredLicense(
            owner_id=owner_id,
            license_id=license_id,
            file=file,
            acceptance=acceptance,
            issued_at=document.issued_at,
            choices=tuple(term.packages for term in terms if isinstance(term, Packages)),
        )

    def all(self, owner_id: str | None = None) -> list[StoredLicense]:
        """Return the licenses by one owner, or all; the newest first.

        Raises:
            FormatError: not an id, or a file is damaged.
            StorageUnavailable: a folder cannot be read.
        """
        owners = files.entries_of(self._folder) if owner_id is None else [owner_id]
        found = [
            self.get(each, license_id)
            for each in owners
            if not each.startswith(".")
            for license_id in files.names_in(self._folder / files.verify_component(each), _LICENSE)
        ]
        return sorted(found, key=lambda stored: (stored.issued_at, stored.license_id), reverse=True)

    def _path(self, owner_id: str, license_id: str, suffix: str) -> Path:
        name = files.verify_component(license_id) + suffix
        return self._folder / files.verify_component(owner_id) / name

    def _write(self, path: Path, data: bytes) -> None:
        with files.locked(self._lock):
            files.make_folder(path.parent)
            files.write_atomic(path, data)

    def _acceptance(self, path: Path) -> str | None:
        try:
            return files.read_bytes(path, max_bytes=LIMITS.max_token_bytes).decode("ascii")
        except ObjectNotFound:
            return None
        except UnicodeDecodeError as error:
            raise _damaged(path) from error


def _known(path: Path) -> LicenseFile | None:
    try:
        return LicenseFile.from_bytes(files.read_bytes(path, max_bytes=LIMITS.max_license_file_bytes))
    except (ObjectNotFound, FormatError):
        return None


def _damaged(path: Path) -> FormatError:
    return FormatError(f"{path} is damaged", code="damaged-record", hint="restore it from a backup")
