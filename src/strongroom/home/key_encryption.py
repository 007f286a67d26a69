"""The key-encryption keys of one home: the one in force, and those before it.

    keys = KeyEncryptionKeys(folder, passphrase=ask, pin=ask_pin)
    ring = keys.ring()                               # wraps under the one in force, unwraps under any
    keys.put_in_force(keys.add_file(data))           # from here on another one is in force

Files:

    keys/kek.key                 the first
    keys/kek-<key id>.key        each further one
    keys/kek-<key id>.token      each one on a hardware token: where it is
    keys/kek.json                which of them is in force, if it is not the first

A key file is never changed or removed here, so that a key at rest, in the vault, in a
broker's database or in a backup of either, opens as long as its key-encryption key is
in this folder. Every call looks whether another is in force by now: a broker that runs takes up a key
that another process put in force.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import msgspec

from strongroom.errors import NoMatchingKey, ObjectNotFound, UnsupportedError
from strongroom.home import files, kek_file
from strongroom.home.record import read_record, write_record
from strongroom.kms.interface import KeyProvider
from strongroom.kms.key_ring import KeyRing
from strongroom.kms.software import SoftwareKeyProvider

FIRST: Final = "kek.key"
_IN_FORCE: Final = "kek.json"
_PREFIX: Final = "kek-"
_FILE: Final = ".key"
_WHERE: Final = ".token"


class InForce(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``keys/kek.json`` holds."""

    format: Literal["key-encryption/v1"]
    file: str
    """Name of the file of the key that is in force."""


class TokenRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``keys/kek-<key id>.token`` holds: no secret, only where one is."""

    format: Literal["token-key/v1"]
    module: str
    token: str
    label: str
    key_id: str


class KeyEncryptionKeys:
    """The files ``kek*`` in the ``keys`` folder of a home."""

    __slots__ = ("_folder", "_loaded", "_mark", "_passphrase", "_pin", "_ring", "_stands_in")

    def __init__(self, folder: Path, *, passphrase: Callable[[], str], pin: Callable[[str], str]) -> None:
        self._folder = folder
        # As text: a broker looks at it for every lease.
        self._stands_in = f"{folder}/{_IN_FORCE}"
        self._passphrase = passphrase
        self._pin = pin
        self._loaded: dict[str, KeyProvider] = {}
        self._ring: KeyRing | None = None
        self._mark: tuple[int, int] | None = None

    def ring(self) -> KeyRing:
        """Return what wraps under the key in force and unwraps under any.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), a file is open to others, or the
                pass-phrase is missing or wrong.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        mark = self._stand()
        if self._ring is None or mark != self._mark:
            in_force = self._in_force()
            names = [name for name in self._names() if name != in_force]
            self._ring = KeyRing(self._load(in_force), [self._load(name) for name in names])
            # Taken before the files were read: a change since then is noticed next time.
            self._mark = mark
        return self._ring

    def add_file(self, data: bytes) -> str:
        """Keep a further key, as ``kek_file.to_bytes`` wrote it; returns the name of its file.

        Raises:
            NoMatchingKey: the pass-phrase is missing or wrong.
            UsageError: it is here already (code ``already-exists``).
            StorageUnavailable: the file cannot be written.
        """
        provider = SoftwareKeyProvider(kek_file.from_bytes(data, passphrase=self._passphrase))
        name = f"{provider.key_id}{_FILE}"
        files.write_atomic(self._folder / name, data, replace=False)
        self._loaded[name] = provider
        return name

    def add_token(self, *, module: str, token: str, label: str, create: bool = False) -> str:
        """Note where a key on a token is, and that it can be used; returns the name of the file.

        Raises:
            NoMatchingKey: a wrong PIN, or no such key on the token.
            UsageError: it is to be made, and the token has one of that label (code ``key-exists``).
            UnsupportedError: the extra ``pkcs11`` is not installed.
            StorageUnavailable: the token does not answer, or the file cannot be written.
        """
        if create:
            technology = _tokens()
            key = technology.TokenKey(module=module, token=token, label=label)
            technology.create_key(key, lambda: self._pin(token))
        record = TokenRecord(format="token-key/v1", module=module, token=token, label=label, key_id="")
        record = msgspec.structs.replace(record, key_id=self._token_provider(record).key_id)
        name = f"{record.key_id}{_WHERE}"
        # Whoever names the same key again means the same: tokens are moved, modules renamed.
        write_record(self._folder / name, record)
        self._loaded.pop(name, None)
        return name

    def put_in_force(self, name: str) -> None:
        """Let everything that is wrapped from now on be wrapped under this key.

        Raises:
            StorageUnavailable: the record cannot be written.
        """
        write_record(self._folder / _IN_FORCE, InForce(format="key-encryption/v1", file=name))

    def _stand(self) -> tuple[int, int]:
        # Whoever adds a key writes this record afterwards, and a record is replaced, not changed.
        try:
            status = os.stat(self._stands_in)  # noqa: PTH116 - a tenth of the time of Path.stat
        except FileNotFoundError:
            return 0, 0
        except OSError as error:
            raise files.storage_error(error, self._folder, "read") from error
        return status.st_ino, status.st_mtime_ns

    def _in_force(self) -> str:
        try:
            return files.verify_component(read_record(self._folder / _IN_FORCE, InForce).file)
        except ObjectNotFound:
            return FIRST

    def _names(self) -> list[str]:
        first = [FIRST] if (self._folder / FIRST).exists() else []
        further = [
            f"{stem}{suffix}"
            for suffix in (_FILE, _WHERE)
            for stem in files.names_in(self._folder, suffix)
            if stem.startswith(_PREFIX)
        ]
        return first + further

    def _load(self, name: str) -> KeyProvider:
        if name not in self._loaded:
            self._loaded[name] = self._read(name)
        return self._loaded[name]

    def _read(self, name: str) -> KeyProvider:
        path = self._folder / name
        try:
            if name.endswith(_WHERE):
                return self._token_provider(read_record(path, TokenRecord))
            return SoftwareKeyProvider(
                kek_file.from_bytes(files.read_private(path), passphrase=self._passphrase)
            )
        except ObjectNotFound as error:
            raise NoMatchingKey(
                "this home has no key-encryption key for that",
                code="no-key",
                hint="check --home and STRONGROOM_HOME; keys never leave the home that made them",
            ) from error

    def _token_provider(self, record: TokenRecord) -> KeyProvider:
        technology = _tokens()
        key = technology.TokenKey(module=record.module, token=record.token, label=record.label)
        provider: KeyProvider = technology.TokenKeyProvider(
            key, lambda: self._pin(record.token), key_id=record.key_id or None
        )
        return provider


def _tokens() -> ModuleType:
    # Here and not above: the library is an extra, and most owners keep their key in a file.
    try:
        from strongroom.kms import pkcs11
    except ImportError as error:
        raise UnsupportedError(
            "using a key on a token needs the extra 'pkcs11'",
            code="extra-missing",
            hint='pip install "strongroom[pkcs11]"',
        ) from error
    return pkcs11
