"""What only an owner keeps: content keys, partners, what was sealed and what was granted.

    vault = home.vault
    vault.set_owner_id(owner.id)                       # whose chain in ``trust`` is this party's own
    vault.content_keys.save(package_id, key, home.keys.key_provider())
    vault.partners.add(enrollment)
    vault.seals.record(seal)
    vault.grants.record(grant, license_file)

Files: ``vault/owner.json`` here, and one folder for each of the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom.errors import ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.content_keys import ContentKeys
from strongroom.home.grants import Grants
from strongroom.home.notices import Notices
from strongroom.home.partners import Partners
from strongroom.home.record import read_record, write_record
from strongroom.home.seals import Seals
from strongroom.keys.identity import verify_owner_id

_OWNER: Final = "owner.json"


class OwnOwner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``vault/owner.json`` holds."""

    format: Literal["own-owner/v1"]
    owner: str
    """The owner id of this party."""


class Vault:
    """The ``vault`` folder of a home."""

    __slots__ = (
        "_folder",
        "_lock",
        "content_keys",
        "derivations",
        "grants",
        "partners",
        "revocations",
        "seals",
        "withdrawals",
    )

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock
        self.content_keys = ContentKeys(folder / "keys", lock)
        self.partners = Partners(folder / "partners", lock)
        self.seals = Seals(folder / "seals", lock)
        self.grants = Grants(folder / "grants", lock)
        self.withdrawals = Notices(folder / "withdrawals", lock)
        self.revocations = Notices(folder / "revocations", lock)
        self.derivations = Notices(folder / "derivations", lock)
        """What was countersigned: the derivation that the partner signed, as evidence."""

    @property
    def owner_id(self) -> str | None:
        """The owner id of this party; None if it owns no models.

        Raises:
            FormatError: the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        try:
            return read_record(self._folder / _OWNER, OwnOwner).owner
        except ObjectNotFound:
            return None

    def verify_owner_id(self) -> str:
        """Return the owner id of this party, which must be an owner.

        Raises:
            UsageError: it is not (code ``not-an-owner``).
            FormatError: the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        owner_id = self.owner_id
        if owner_id is None:
            raise UsageError(
                "this home owns no models",
                code="not-an-owner",
                hint="choose another home with --home or STRONGROOM_HOME, or make one: strongroom init NAME",
            )
        return owner_id

    def set_owner_id(self, owner_id: str) -> None:
        """Say which owner this party is; it never changes afterwards.

        Raises:
            UsageError: this home is an owner already (code ``already-exists``).
            FormatError: not an owner id.
            StorageUnavailable: it cannot be written.
        """
        verify_owner_id(owner_id)
        with files.locked(self._lock):
            write_record(
                self._folder / _OWNER, OwnOwner(format="own-owner/v1", owner=owner_id), replace=False
            )
