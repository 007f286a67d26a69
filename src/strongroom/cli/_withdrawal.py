"""A withdrawal on its way to partners: added to each license file that names the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.cli._shared import Shared
    from strongroom.home import Home
    from strongroom.license.license_file import LicenseFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """One license file that now carries the withdrawal."""

    partner: str
    license_id: str
    path: Path


def add_to_licenses(shared: Shared, home: Home, token: str, model: str, into: Path) -> list[Renewed]:
    """Add a withdrawal to the license files of a model, in the vault and in a folder to be sent.

    Raises:
        UsageError: a file exists in the folder.
        FormatError: a stored license is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    import msgspec

    from strongroom.cli._file import write_output
    from strongroom.license.license_file import LicenseFile

    renewed = []
    for grant in home.vault.grants.all():
        file = LicenseFile.from_bytes(home.vault.grants.license_file(grant.license))
        if not _names(file, model):
            continue
        grown = msgspec.structs.replace(file, withdrawals=(*file.withdrawals, token))
        home.vault.grants.replace_file(grant.license, grown.to_bytes())
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{grant.partner}-{grant.license}.license"
        write_output(shared.terminal, grown.to_bytes(), path, replace=shared.yes)
        renewed.append(Renewed(partner=grant.partner, license_id=grant.license, path=path))
    return renewed


def _names(file: LicenseFile, model: str) -> bool:
    from strongroom.license.documents import License
    from strongroom.license.signing import read_unverified
    from strongroom.license.terms import Packages

    terms = read_unverified(file.license, License).terms
    choices = [choice for term in terms if isinstance(term, Packages) for choice in term.packages]
    # One that names a package by its digest alone may be of this model: too often harms nobody.
    return any(choice.name in (None, model) for choice in choices)
