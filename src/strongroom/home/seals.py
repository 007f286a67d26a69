"""What this owner sealed: one record for each package, so that a grant needs no package at hand.

    home.vault.seals.record(seal)
    home.vault.seals.find("risk")                  # the highest version
    home.vault.seals.find("risk", "1.2.0")
    home.vault.seals.all()

Files: ``vault/seals/<name>-<version>.json``, and the texts of the agreements that the
packages name, ``vault/seals/<sha256>.agreement``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, IntegrityError, ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.license.agreement import agreement_digest
from strongroom.package.names import Version, verify_model_name

_SUFFIX: Final = ".json"
_AGREEMENT: Final = ".agreement"


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``vault/seals/<name>-<version>.json`` holds. Digests and ids are hexadecimal."""

    format: Literal["seal/v1"] = "seal/v1"
    name: str
    version: str
    package_id: str
    package_digest: str
    file_sha256: str
    """Of the whole package file."""
    agreement: str | None
    """SHA-256 of the agreement text that licenses use unless they say otherwise."""
    sealed_at: str
    """An instant, as ``_encoding.to_instant`` writes it."""


class Seals:
    """The ledger of what one owner sealed."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def record(self, seal: Seal) -> None:
        """Note a new package.

        Raises:
            UsageError: this version was sealed before (code ``version-exists``).
            FormatError: not a model name or a version.
            StorageUnavailable: it cannot be written.
        """
        path = self._path(seal.name, Version.from_text(seal.version))
        with files.locked(self._lock):
            files.make_folder(self._folder)
            try:
                write_record(path, seal, replace=False)
            except UsageError as error:
                raise UsageError(
                    f"{seal.name} {seal.version} was sealed before",
                    code="version-exists",
                    hint="packages never change; seal it under the next version",
                ) from error

    def all(self, name: str | None = None) -> list[Seal]:
        """Return the seals of one model, or of all, sorted by name and version.

        Raises:
            FormatError: a record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        seals = [
            read_record(self._folder / f"{each}{_SUFFIX}", Seal)
            for each in files.names_in(self._folder, _SUFFIX)
        ]
        wanted = [seal for seal in seals if name in (None, seal.name)]
        return sorted(wanted, key=lambda seal: (seal.name, Version.from_text(seal.version)))

    def find(self, name: str, version: str | None = None) -> Seal:
        """Return the seal of a version, else of the highest version.

        Raises:
            ObjectNotFound: never sealed here (code ``unknown-package``).
            FormatError: a record is damaged.
            StorageUnavailable: the folder cannot be read.
        """
        for seal in reversed(self.all(name)):
            if version in (None, seal.version):
                return seal
        what = name if version is None else f"{name} {version}"
        raise ObjectNotFound(
            f"{what} was not sealed in this home",
            code="unknown-package",
            hint=f"strongroom seal MODEL --name {name}",
        )

    def save_agreement(self, text: str) -> str:
        """Keep an agreement text; returns its SHA-256 in hexadecimal.

        Raises:
            FormatError: empty, too long, or with characters that do not show.
            StorageUnavailable: it cannot be written.
        """
        digest = agreement_digest(text)
        with files.locked(self._lock):
            files.make_folder(self._folder)
            files.write_atomic(self._folder / f"{digest}{_AGREEMENT}", text.encode("utf-8"))
        return digest

    def agreement(self, digest: str) -> str:
        """Return the agreement text with this SHA-256.

        Raises:
            ObjectNotFound: it is not here (code ``unknown-agreement``).
            IntegrityError: the file holds another text.
            FormatError: not a digest, or the file is too large.
            StorageUnavailable: it cannot be read.
        """
        path = self._folder / (files.verify_component(digest) + _AGREEMENT)
        try:
            data = files.read_bytes(path, max_bytes=LIMITS.max_agreement_bytes)
        except ObjectNotFound as error:
            raise ObjectNotFound(
                "the vault does not have the text of this agreement", code="unknown-agreement"
            ) from error
        if sha256(data).hex() != digest:
            raise IntegrityError(f"{path} is not the agreement that was kept there", code="agreement-changed")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"{path} is not a text in UTF-8") from error

    def _path(self, name: str, version: Version) -> Path:
        verify_model_name(name)
        return self._folder / f"{name}-{version}{_SUFFIX}"
