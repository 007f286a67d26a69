"""Where the brokers of pinned owners are: ``brokers/<owner id>.json``.

    home.brokers.keep(owner.id, invite.broker)        # from a verified invite, or by ``broker run``
    home.brokers.address(owner.id)                     # BrokerAddress, or None: this owner has none

Address and certificate authority come from a document that the owner signed, so that the partner
pins them with the owner.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom.errors import ObjectNotFound
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.keys.invite import BrokerAddress

_RECORD: Final = ".json"


class BrokerRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``brokers/<owner id>.json`` holds."""

    format: Literal["broker/v1"] = "broker/v1"
    address: BrokerAddress


class Brokers:
    """The ``brokers`` folder of a home."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def keep(self, owner_id: str, address: BrokerAddress) -> None:
        """Keep where an owner's broker is; a later address replaces it.

        Raises:
            FormatError: not an owner id, or no such address (code ``broker-address``).
            StorageUnavailable: it cannot be written.
        """
        address.check()
        with files.locked(self._lock):
            files.make_folder(self._folder)
            write_record(self._path(owner_id), BrokerRecord(address=address))

    def address(self, owner_id: str) -> BrokerAddress | None:
        """Return where an owner's broker is, or None.

        Raises:
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        try:
            record = read_record(self._path(owner_id), BrokerRecord)
        except ObjectNotFound:
            return None
        record.address.check()
        return record.address

    def get(self, owner_id: str) -> BrokerAddress:
        """Return where an owner's broker is.

        Raises:
            ObjectNotFound: this owner has none (code ``no-broker``).
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        address = self.address(owner_id)
        if address is None:
            raise ObjectNotFound(
                f"this home knows no broker of {owner_id}",
                code="no-broker",
                hint="ask the owner for an invite that names its broker, then: strongroom join FILE.invite",
            )
        return address

    def _path(self, owner_id: str) -> Path:
        return self._folder / (files.verify_component(owner_id) + _RECORD)
