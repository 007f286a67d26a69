"""The secret keys of one home: private files, each made once and never overwritten.

    organization = home.keys.create_organization(now)
    home.keys.organization()                                 # later, from the file
    device, sealing = home.keys.ensure_runtime_keys(owner_id, now)
    root = home.keys.create_owner_key(KeyKind.OWNER_ROOT, now)
    home.keys.owner_key(KeyKind.OWNER_LICENSE, owner.keys_for(Role.LICENSE, now))
    home.keys.log_key(owner.log_keys(now))
    home.keys.key_provider()                                 # wraps content keys

Files:

    keys/organization.key  keys/member.key     this party's own
    keys/owner-<role>-<key id>.key             an owner's roots and roles; rotation adds files
    keys/kek.key  keys/kek-<key id>.key        an owner's key-encryption keys (``key_encryption``)
    keys/derivation.key                    an owner's: content keys of derived models are wrapped to it
    keys/<owner id>/device.key, sealing.key    this runtime toward one owner; witness.key: of its log

Mode 0600 from the first byte; a file that others could have read, or a link, is
refused. In a home with a pass-phrase every key is under that one pass-phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from strongroom.crypto import segment
from strongroom.crypto.ed25519 import Ed25519Public
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, NoMatchingKey, ObjectNotFound, UsageError
from strongroom.home import files, kek_file
from strongroom.home.key_encryption import FIRST, KeyEncryptionKeys
from strongroom.keys import key_file, key_pair
from strongroom.keys.key_pair import KeyPair, RolePublic, SealingKey, SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.text import KeyKind
from strongroom.keys.witness_key import WitnessKey
from strongroom.kms.key_ring import KeyRing

_SUFFIX: Final = ".key"
_KEK: Final = "kek"
_INTAKE: Final = "broker-intake"
_DERIVATION: Final = "derivation"
_OWNER_KINDS: Final = (
    KeyKind.OWNER_ROOT,
    KeyKind.OWNER_PACKAGE,
    KeyKind.OWNER_LICENSE,
    KeyKind.OWNER_BROKER,
)


class RuntimeKeys(NamedTuple):
    """The keys of this runtime toward one owner."""

    device: SigningKey
    sealing: SealingKey


class Keystore:
    """The ``keys`` folder of a home."""

    __slots__ = (
        "_answer",
        "_ask",
        "_devices",
        "_encrypted",
        "_folder",
        "_lock",
        "_pin",
        "_proven",
        "key_encryption",
    )

    def __init__(
        self,
        folder: Path,
        lock: Path,
        *,
        encrypted: bool,
        passphrase: Callable[[], str] | None,
        pin: Callable[[str], str] | None = None,
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._encrypted = encrypted
        self._ask = passphrase
        self._answer: str | None = None
        self._proven = False
        self._pin = pin
        self._devices: dict[str, SigningKey] = {}
        self.key_encryption = KeyEncryptionKeys(folder, passphrase=self.passphrase, pin=self._ask_pin)

    @property
    def encrypted(self) -> bool:
        """Whether new keys of this home go under its pass-phrase."""
        return self._encrypted

    def passphrase(self) -> str:
        """Return the pass-phrase of this home; asks for it at most once.

        Raises:
            NoMatchingKey: nobody can be asked (code ``passphrase-required``).
        """
        if self._answer is None:
            if self._ask is None:
                raise NoMatchingKey(
                    "the keys of this home are under a pass-phrase",
                    code="passphrase-required",
                    hint="name a file that holds it in STRONGROOM_PASSPHRASE_FILE, "
                    "or run this on a terminal and type it",
                )
            self._answer = self._ask()
        return self._answer

    def create_organization(self, now: datetime) -> SigningKey:
        """Make the key by which this party signs enrollments and acceptances.

        Raises:
            UsageError: there is one already (code ``key-exists``).
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: the file cannot be written.
        """
        return self._create_single(KeyKind.ORGANIZATION, now)

    def organization(self) -> SigningKey:
        """Return the key by which this party signs enrollments and acceptances.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), the file is open to others, or
                the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        return self._load_single(KeyKind.ORGANIZATION)

    def create_member(self, now: datetime) -> SigningKey:
        """Make the key by which a person of this party signs in at a broker.

        Raises:
            UsageError: there is one already (code ``key-exists``).
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: the file cannot be written.
        """
        return self._create_single(KeyKind.MEMBER, now)

    def has_member(self) -> bool:
        """Say whether this party has its member key, the last one of its own that founding makes."""
        return (self._folder / _file_name(KeyKind.MEMBER)).exists()

    def member(self) -> SigningKey:
        """Return the key by which a person of this party signs in at a broker.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), the file is open to others, or
                the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        return self._load_single(KeyKind.MEMBER)

    def ensure_runtime_keys(self, owner_id: str, now: datetime) -> RuntimeKeys:
        """Return the device and sealing key toward an owner; makes what is missing.

        Raises:
            NoMatchingKey: a file is open to others, or the pass-phrase is missing or wrong.
            FormatError: not an owner id, or a file is damaged.
            StorageUnavailable: a file cannot be read or written.
        """
        folder = self._runtime_folder(owner_id)
        with files.locked(self._lock):
            files.make_folder(folder)
            for kind in (KeyKind.DEVICE, KeyKind.SEALING):
                if not (folder / _file_name(kind)).exists():
                    self._write(folder / _file_name(kind), key_pair.generate(kind), now)
        return RuntimeKeys(self.device(owner_id), self.sealing(owner_id))

    def has_runtime_keys(self, owner_id: str) -> bool:
        """Say whether this runtime has both keys toward an owner.

        Raises:
            FormatError: not an owner id.
        """
        folder = self._runtime_folder(owner_id)
        return all((folder / _file_name(kind)).exists() for kind in (KeyKind.DEVICE, KeyKind.SEALING))

    def device(self, owner_id: str) -> SigningKey:
        """Return this runtime's device key toward an owner. It is read once and kept.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), the file is open to others, or
                the pass-phrase is missing or wrong.
            FormatError: not an owner id, or the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        if owner_id not in self._devices:
            key = self._load(self._runtime_folder(owner_id) / _file_name(KeyKind.DEVICE), KeyKind.DEVICE)
            self._devices[owner_id] = _signing(key)
        return self._devices[owner_id]

    def sealing(self, owner_id: str) -> SealingKey:
        """Return this runtime's sealing key toward an owner.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), the file is open to others, or
                the pass-phrase is missing or wrong.
            FormatError: not an owner id, or the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        return _sealing(
            self._load(self._runtime_folder(owner_id) / _file_name(KeyKind.SEALING), KeyKind.SEALING)
        )

    def open_sealing_file(self, owner_id: str) -> int:
        """Open the sealing key's file, unread, to hand it to a worker; the caller closes it.

        A supervisor that only passes the descriptor on never holds the key.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), or the file is open to others.
            FormatError: not an owner id.
            StorageUnavailable: it cannot be opened.
        """
        try:
            return files.open_private(self._runtime_folder(owner_id) / _file_name(KeyKind.SEALING))
        except ObjectNotFound as error:
            raise _missing(KeyKind.SEALING.value) from error

    def create_owner_key(self, kind: KeyKind, now: datetime) -> SigningKey:
        """Make one more root or role key of an owner.

        Raises:
            UsageError: not a kind of key that owners have (code ``wrong-kind``).
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: the file cannot be written.
        """
        if kind not in _OWNER_KINDS:
            raise UsageError(f"an owner has no {kind.value} key", code="wrong-kind")
        key = SigningKey.generate(kind)
        with files.locked(self._lock):
            self._write(self._owner_path(kind, key.key_id), key, now)
        return key

    def create_log_key(self, now: datetime) -> LogKey:
        """Make one more key of an owner's log.

        Raises:
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: the file cannot be written.
        """
        key = LogKey.generate()
        with files.locked(self._lock):
            self._write(self._owner_path(KeyKind.OWNER_LOG, key.key_id), key, now)
        return key

    def owner_key(self, kind: KeyKind, allowed: Iterable[SigningPublic]) -> SigningKey:
        """Return a key of the given kind that is at hand here and among the allowed ones.

        Raises:
            NoMatchingKey: none of them is here (code ``no-key``), the file is open to
                others, or the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        return _signing(self._load(self._path_at_hand(kind, allowed), kind))

    def log_key(self, allowed: Iterable[Ed25519Public]) -> LogKey:
        """Return a key of the owner's log that is at hand here and among the allowed ones.

        Raises:
            NoMatchingKey: none of them is here (code ``no-key``), the file is open to
                others, or the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        key = self._load(self._path_at_hand(KeyKind.OWNER_LOG, allowed), KeyKind.OWNER_LOG)
        if not isinstance(key, LogKey):
            raise AssertionError(key)
        return key

    def owner_key_ids(self, kind: KeyKind) -> list[str]:
        """Return the ids of the owner keys of one kind that are here, sorted.

        Raises:
            StorageUnavailable: the folder cannot be read.
        """
        prefix = f"{kind.value}-"
        names = files.names_in(self._folder, _SUFFIX)
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def ensure_intake(self, now: datetime) -> SealingKey:
        """Return the key to which content keys for this owner's broker are wrapped; makes it the first time.

        Raises:
            NoMatchingKey: the file is open to others, or the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        return self._ensure_sealing(_INTAKE, now)

    def ensure_derivation(self, now: datetime) -> SealingKey:
        """Return the key to which content keys of derived models are wrapped; makes it the first time.

        Raises:
            NoMatchingKey: the file is open to others, or the pass-phrase is missing or wrong.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        return self._ensure_sealing(_DERIVATION, now)

    def _ensure_sealing(self, name: str, now: datetime) -> SealingKey:
        path = self._folder / f"{name}{_SUFFIX}"
        with files.locked(self._lock):
            if not path.exists():
                self._write(path, SealingKey.generate(), now)
        return _sealing(self._load(path, KeyKind.SEALING))

    def witness(self, owner_id: str, now: datetime, *, known: str | None) -> WitnessKey:
        """Return the key by which this home cosigns an owner's log; a fresh one unless it is the known one.

        A witness that forgot what it accepted must not cosign under the same key.

        Raises:
            NoMatchingKey: the file is open to others, or the pass-phrase is missing or wrong.
            FormatError: not an owner id, or the file is damaged.
            StorageUnavailable: it cannot be read or written.
        """
        folder = self._runtime_folder(owner_id)
        path = folder / _file_name(KeyKind.WITNESS)
        with files.locked(self._lock):
            files.make_folder(folder)
            old = self._load(path, KeyKind.WITNESS) if path.exists() else None
            if isinstance(old, WitnessKey) and old.key_id == known:
                return old
            key = WitnessKey.generate()
            passphrase = self._passphrase_for_new_key()
            files.write_atomic(path, key_file.to_bytes(key, passphrase=passphrase, created_at=now))
        return key

    def load_file(self, path: Path, kind: KeyKind) -> SigningKey:
        """Return a signing key from a file outside this home: a root key on a stick.

        Raises:
            NoMatchingKey: there is none (code ``no-key``), the file is open to others, or
                the pass-phrase is missing or wrong.
            FormatError: the file is damaged or holds a key of another kind.
            StorageUnavailable: it cannot be read.
        """
        return _signing(self._load(path, kind))

    def create_key_encryption_key(self, now: datetime) -> None:
        """Make the key under which content keys rest.

        Raises:
            UsageError: there is one already (code ``key-exists``).
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: the file cannot be written.
        """
        with files.locked(self._lock):
            passphrase = self._passphrase_for_new_key()
            data = kek_file.to_bytes(segment.generate_key(), passphrase=passphrase, created_at=now)
            self._write_new(self._folder / FIRST, data)

    def renew_key_encryption_key(self, now: datetime) -> str:
        """Make a further key-encryption key and put it in force; returns its id.

        Raises:
            NoMatchingKey: the pass-phrase is missing or not that of the other keys.
            StorageUnavailable: a file cannot be written.
        """
        with files.locked(self._lock):
            passphrase = self._passphrase_for_new_key()
            data = kek_file.to_bytes(segment.generate_key(), passphrase=passphrase, created_at=now)
            self.key_encryption.put_in_force(self.key_encryption.add_file(data))
        return self.key_provider().key_id

    def use_token(self, *, module: str, token: str, label: str, create: bool = False) -> str:
        """Put a key-encryption key on a hardware token in force, after making it there; returns its id.

        Raises:
            NoMatchingKey: a wrong PIN, or no such key on the token.
            UnsupportedError: the extra ``pkcs11`` is not installed.
            StorageUnavailable: the token does not answer, or a file cannot be written.
        """
        with files.locked(self._lock):
            name = self.key_encryption.add_token(module=module, token=token, label=label, create=create)
            self.key_encryption.put_in_force(name)
        return self.key_provider().key_id

    def key_provider(self) -> KeyRing:
        """Return what wraps content keys, and unwraps them under every key-encryption key of this home.

        Raises:
            NoMatchingKey: there is no key-encryption key (code ``no-key``), a file is open to
                others, or the pass-phrase is missing or wrong.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        return self.key_encryption.ring()

    def _ask_pin(self, token: str) -> str:
        if self._pin is None:
            raise NoMatchingKey(
                f"the token {token!r} needs a PIN",
                code="token-pin-required",
                hint="name a file that holds it in STRONGROOM_TOKEN_PIN_FILE, or run this on a terminal",
            )
        return self._pin(token)

    def _owner_path(self, kind: KeyKind, key_id: str) -> Path:
        return self._folder / f"{kind.value}-{key_id}{_SUFFIX}"

    def _path_at_hand(self, kind: KeyKind, allowed: Iterable[RolePublic]) -> Path:
        at_hand = set(self.owner_key_ids(kind))
        for public in allowed:
            if public.key_id in at_hand:
                return self._owner_path(kind, public.key_id)
        raise _missing(kind.value)

    def _runtime_folder(self, owner_id: str) -> Path:
        return self._folder / files.verify_component(owner_id)

    def _create_single(self, kind: KeyKind, now: datetime) -> SigningKey:
        key = SigningKey.generate(kind)
        with files.locked(self._lock):
            self._write(self._folder / _file_name(kind), key, now)
        return key

    def _load_single(self, kind: KeyKind) -> SigningKey:
        return _signing(self._load(self._folder / _file_name(kind), kind))

    def _load(self, path: Path, kind: KeyKind) -> KeyPair:
        try:
            data = files.read_private(path)
        except ObjectNotFound as error:
            raise _missing(kind.value) from error
        try:
            return key_file.from_bytes(data, kind, passphrase=self.passphrase)
        except FormatError as error:
            raise FormatError(f"{path}: {error}", code=error.code, hint=error.hint) from error

    def _write(self, path: Path, key: KeyPair, now: datetime) -> None:
        passphrase = self._passphrase_for_new_key()
        self._write_new(path, key_file.to_bytes(key, passphrase=passphrase, created_at=now))

    def _write_new(self, path: Path, data: bytes) -> None:
        try:
            files.write_atomic(path, data, replace=False)
        except UsageError as error:
            raise UsageError(f"there is a key at {path} already", code="key-exists") from error
        self._proven = True

    def _passphrase_for_new_key(self) -> str | None:
        if not self._encrypted:
            return None
        if not self._proven:
            # A second pass-phrase, mistyped once, would lock its owner out of half the home.
            self._verify_passphrase()
        return self.passphrase()

    def _verify_passphrase(self) -> None:
        for path in sorted(self._folder.rglob(f"*{_SUFFIX}")):
            data = files.read_private(path)
            if path.stem.startswith(_KEK):
                kek_file.from_bytes(data, passphrase=self.passphrase)
            else:
                key_file.KeyFile.from_bytes(data).unlock(self.passphrase)
            # One is enough: this rule kept all of them under one pass-phrase.
            return


def _file_name(kind: KeyKind) -> str:
    return f"{kind.value}{_SUFFIX}"


def _signing(key: KeyPair) -> SigningKey:
    if not isinstance(key, SigningKey):
        raise AssertionError(key)
    return key


def _sealing(key: KeyPair) -> SealingKey:
    if not isinstance(key, SealingKey):
        raise AssertionError(key)
    return key


def _missing(what: str) -> NoMatchingKey:
    return NoMatchingKey(
        f"this home has no {what} key for that",
        code="no-key",
        hint="check --home and STRONGROOM_HOME; keys never leave the home that made them",
    )
