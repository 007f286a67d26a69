"""Licenses that lie in this home, given or got, as the commands about them need them.

file = find_license(home, "lic-...")
chain = verified_chain(home, file)
summary(chain)["models"], ends_of(home, file)
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongroom.home import Home
    from strongroom.license.chain import LicenseChain
    from strongroom.license.license_file import LicenseFile


def find_license(home: Home, license_id: str) -> LicenseFile:
    """Return a license file of this home, given or got.

    Raises:
        ObjectNotFound: there is no such license here.
        FormatError: it is damaged.
        StorageUnavailable: it cannot be read.
    """
    from strongroom.license.license_file import LicenseFile

    for stored in home.catalog.licenses.all():
        if stored.license_id == license_id:
            return stored.file
    return LicenseFile.from_bytes(home.vault.grants.license_file(license_id))


def verified_chain(home: Home, file: LicenseFile) -> LicenseChain:
    """Return the chain of a license file, every signature of it checked.

    Raises:
        VerificationError: it does not verify.
        ObjectNotFound: its owner is not pinned here.
        FormatError: it is damaged.
    """
    from strongroom.keys.owner import verify_owner_chain
    from strongroom.license.chain import verify_chain

    owner = home.trust.get(verify_owner_chain(file.owner_chain()).id).owner
    return verify_chain(file.license, file.sublicenses, owner)


def summary(chain: LicenseChain) -> dict[str, Any]:
    """Return id, models and end of a license, as documents of ``--json`` have them."""
    from strongroom._encoding import to_instant
    from strongroom.license.terms import Expires, Packages

    terms = [term for _, term in chain.terms()]
    ends = [term.at for term in terms if isinstance(term, Expires)]
    models = [choice.to_text() for term in terms if isinstance(term, Packages) for choice in term.packages]
    return {
        "license": chain.id,
        "models": ", ".join(dict.fromkeys(models)),
        "ends": to_instant(min(ends)) if ends else None,
    }


def ends_of(home: Home, file: LicenseFile, *, with_keys: bool = True) -> datetime | None:
    """Return when a license file is of no more use here: the end of its terms or of its last key, or None.

    ``with_keys`` is for where no broker releases others.

    Raises:
        VerificationError: it does not verify.
        ObjectNotFound: its owner is not pinned here.
        FormatError: it is damaged.
    """
    from strongroom.license.release_documents import OfflineFile, PassphraseFile
    from strongroom.license.signing import read_unverified
    from strongroom.license.terms import Expires

    ends = [term.at for _, term in verified_chain(home, file).terms_of(Expires)]
    if not with_keys:
        return min(ends, default=None)
    keys = [read_unverified(token, OfflineFile).not_after for token in file.offline]
    keys += [read_unverified(token, PassphraseFile).not_after for token in file.passphrase]
    return min((*ends, *([max(keys)] if keys else [])), default=None)
