"""Content keys at rest: one wrapped key for each package.

    home.vault.content_keys.save(package_id, key, provider)
    key = home.vault.content_keys.load(package_id, provider)

    home.vault.content_keys.rewrap(home.keys.key_provider())      # after a rotation

Files: ``vault/keys/<package id>.json``. The wrapping binds the package id, so a key
cannot be passed off as another package's. Without this file and the key-encryption
key no further license for the package can be made: back up both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom._encoding import from_base64, from_hex, to_base64
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.kms.interface import KeyProvider
from strongroom.package.layout import PACKAGE_ID_BYTES

_SUFFIX: Final = ".json"


class WrappedContentKey(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """What ``vault/keys/<package id>.json`` holds."""

    format: Literal["content-key/v1"]
    package_id: str
    wrapped: str
    key_id: str | None = None
    """The key-encryption key; None in records older than its rotation: whichever opens it."""


class ContentKeys:
    """The wrapped content keys of one owner."""

    __slots__ = ("_folder", "_lock")

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    def save(self, package_id: str, key: bytes, provider: KeyProvider) -> None:
        """Keep the content key of a new package.

        Raises:
            UsageError: there is one already (code ``key-exists``); keys are never replaced.
            FormatError: not a package id.
            StorageUnavailable: the file cannot be written, or the provider does not answer.
        """
        record = WrappedContentKey(
            format="content-key/v1",
            package_id=package_id,
            wrapped=to_base64(provider.wrap(key, _purpose(package_id))),
            key_id=provider.key_id,
        )
        with files.locked(self._lock):
            files.make_folder(self._folder)
            try:
                write_record(self._folder / f"{package_id}{_SUFFIX}", record, replace=False)
            except UsageError as error:
                raise UsageError("this package has a content key already", code="key-exists") from error

    def load(self, package_id: str, provider: KeyProvider) -> bytes:
        """Return the content key of a package.

        Raises:
            ObjectNotFound: there is none here (code ``no-content-key``).
            FormatError: not a package id, or the record is damaged.
            IntegrityError: the key is wrapped for another package or by another key-encryption key.
            StorageUnavailable: it cannot be read, or the provider does not answer.
        """
        purpose = _purpose(package_id)
        try:
            record = read_record(self._folder / f"{package_id}{_SUFFIX}", WrappedContentKey)
        except ObjectNotFound as error:
            raise ObjectNotFound(
                f"the vault has no content key of package {package_id}",
                code="no-content-key",
                hint="it lies in the home that sealed the package; check --home and STRONGROOM_HOME",
            ) from error
        return provider.unwrap(from_base64(record.wrapped), purpose)

    def rewrap(self, provider: KeyProvider) -> int:
        """Wrap every content key anew that is not under the key in force; returns how many.

        ``provider`` has to unwrap what the earlier key wrapped, as a key ring does. Each key
        is one act: killed anywhere, the next call goes on from there.

        Raises:
            IntegrityError: a key is wrapped for another package, or by a key that is not at hand.
            NoMatchingKey: the provider refuses to be used.
            FormatError: a record is damaged.
            StorageUnavailable: a file cannot be read or written, or the provider does not answer.
        """
        in_force, done = provider.key_id, 0
        for package_id in files.names_in(self._folder, _SUFFIX):
            done += self._rewrap_one(package_id, provider, in_force)
        return done

    def _rewrap_one(self, package_id: str, provider: KeyProvider, in_force: str) -> int:
        path, purpose = self._folder / f"{package_id}{_SUFFIX}", _purpose(package_id)
        with files.locked(self._lock):
            record = read_record(path, WrappedContentKey)
            if record.key_id == in_force:
                return 0
            key = provider.unwrap(from_base64(record.wrapped), purpose)
            wrapped = to_base64(provider.wrap(key, purpose))
            write_record(path, msgspec.structs.replace(record, wrapped=wrapped, key_id=in_force))
        return 1


def _purpose(package_id: str) -> bytes:
    return b"content-key/" + from_hex(package_id, size=PACKAGE_ID_BYTES)
