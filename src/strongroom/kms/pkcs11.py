"""A key-encryption key on a hardware token, through PKCS#11 (spec/keys.md, "Content keys at rest").

    key = TokenKey(module="/usr/lib/softhsm/libsofthsm2.so", token="owner", label="kek-2026")
    provider = TokenKeyProvider(key, pin=lambda: Path("/etc/strongroom/pin").read_text().strip())
    blob = provider.wrap(content_key, aad=b"content-key/...")

AES-GCM with the purpose as associated data. The wrapping mechanisms of the standard are
not used: RFC 3394 binds no purpose, so a key could be passed off as another package's.
The token is first touched at the first use, in the process that uses it, because a
PKCS#11 library does not survive a fork. Its library is told that one thread uses it
(python-pkcs11 knows no other way), so a lock of the process lets one call in at a time;
without it SoftHSM crashes. A session is opened anew after the token was gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Final, NamedTuple, Protocol, TypeVar, cast

import pkcs11
from pkcs11 import exceptions

from strongroom.errors import IntegrityError, NoMatchingKey, StorageUnavailable, UsageError
from strongroom.kms.interface import KEY_BYTES, context, name_key, verify_size

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_BLOB_BYTES: Final = len(_VERSION) + _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_ID_BYTES: Final = 16
_ONE_THREAD: Final = RLock()
_WRONG_PIN: Final = (
    exceptions.PinExpired,
    exceptions.PinIncorrect,
    exceptions.PinInvalid,
    exceptions.PinLenRange,
    exceptions.PinLocked,
    exceptions.UserPinNotInitialized,
)
_ALTERED: Final = (exceptions.EncryptedDataInvalid, exceptions.EncryptedDataLenRange)
_WITHDRAWN: Final = (
    exceptions.DeviceRemoved,
    exceptions.KeyHandleInvalid,
    exceptions.ObjectHandleInvalid,
    exceptions.SessionClosed,
    exceptions.SessionHandleInvalid,
    exceptions.TokenNotPresent,
    exceptions.UserNotLoggedIn,
)
"""What a session says that has outlived its token, its key or its login."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """Where a key-encryption key lies."""

    module: str
    """Path of the PKCS#11 library of the token's maker."""
    token: str
    """Label of the token."""
    label: str
    """Label of the key; the token must have exactly one AES key of that name."""


class _Key(Protocol):
    """What the library's keys can do once they are found on a token."""

    @property
    def id(self) -> bytes: ...

    @property
    def key_length(self) -> int: ...

    def encrypt(self, data: bytes, *, mechanism: object, mechanism_param: object) -> bytes: ...

    def decrypt(self, data: bytes, *, mechanism: object, mechanism_param: object) -> bytes: ...


class _Session(NamedTuple):
    session: pkcs11.Session
    key: _Key


class TokenKeyProvider:
    """A key-encryption key on a token. Its repr shows where, not what.

    With ``key_id`` only the key of that name is used, whatever now bears its label.
    """

    __slots__ = ("_key", "_key_id", "_open", "_pin")

    def __init__(self, key: TokenKey, pin: Callable[[], str], *, key_id: str | None = None) -> None:
        self._key = key
        self._pin = pin
        self._open: _Session | None = None
        self._key_id = key_id

    @property
    def key_id(self) -> str:
        """Return the name of the key, a digest of the id (CKA_ID) that it has on the token.

        Raises:
            NoMatchingKey: wrong PIN, or no such key.
            StorageUnavailable: the token does not answer.
        """
        if self._key_id is None:
            self._key_id = self._use(lambda key: name_key(b"pkcs11", key.id))
        return self._key_id

    def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Wrap a 32-byte key; ``aad`` says what it is the key of.

        Raises:
            UsageError: the key has another size (code ``key-size``).
            NoMatchingKey: wrong PIN, or no such key.
            StorageUnavailable: the token does not answer.
        """
        verify_size(key)
        # Random nonces of 96 bits: a collision becomes likely after 2**48 packages.
        nonce = secrets.token_bytes(_NONCE_BYTES)
        how = pkcs11.GCMParams(nonce, context(aad), _TAG_BYTES * 8)
        sealed = self._use(
            lambda kek: kek.encrypt(key, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=how)
        )
        return _VERSION + nonce + sealed

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Unwrap what ``wrap`` returned, given the same ``aad``.

        Raises:
            IntegrityError: altered, or wrapped by another key or for another purpose (code
                ``wrapped-key``).
            NoMatchingKey: wrong PIN, or no such key.
            StorageUnavailable: the token does not answer.
        """
        if len(blob) != _BLOB_BYTES or not blob.startswith(_VERSION):
            raise _altered()
        try:
            key = self._decrypt(blob, aad)
        except StorageUnavailable as error:
            # Several tokens, SoftHSM among them, say "general error" for a tag that does not
            # hold. One that goes on working has just said so.
            if self._works():
                raise _altered() from error
            raise
        if len(key) != KEY_BYTES:
            raise _altered()
        return key

    def _decrypt(self, blob: bytes, aad: bytes) -> bytes:
        nonce, sealed = blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :]
        how = pkcs11.GCMParams(nonce, context(aad), _TAG_BYTES * 8)
        return self._use(
            lambda kek: kek.decrypt(sealed, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=how)
        )

    def _works(self) -> bool:
        probe = secrets.token_bytes(KEY_BYTES)
        try:
            return self._decrypt(self.wrap(probe, b"probe"), b"probe") == probe
        except StorageUnavailable:
            return False

    def close(self) -> None:
        """Log out. The next use logs in again."""
        with _ONE_THREAD:
            if self._open is not None:
                _close(self._open.session)
            self._open = None

    def _use(self, act: Callable[[_Key], T]) -> T:
        with _ONE_THREAD:
            try:
                return self._try(act)
            except _WITHDRAWN:
                # The token was away, or another user of it in this process logged out: afresh.
                self.close()
            try:
                return self._try(act)
            except _WITHDRAWN as error:
                raise self._lost(error) from error

    def _try(self, act: Callable[[_Key], T]) -> T:
        if self._open is None:
            self._open = self._log_in()
        try:
            return act(self._open.key)
        except _ALTERED as error:
            raise _altered() from error
        except _WITHDRAWN:
            raise
        except pkcs11.PKCS11Error as error:
            raise self._lost(error) from error

    def _log_in(self) -> _Session:
        one = _log_in(self._key, self._pin)
        found = name_key(b"pkcs11", one.key.id)
        if self._key_id is not None and found != self._key_id:
            # What it wrapped would be lost to whoever has the key that was meant.
            _close(one.session)
            raise NoMatchingKey(
                f"the key {self._key.label!r} of the token {self._key.token!r} is not {self._key_id}",
                code="token-key-other",
                hint="plug in the token that holds it, or give its copy the same CKA_ID",
            )
        return one

    def _lost(self, error: Exception) -> StorageUnavailable:
        self.close()
        return _unavailable(self._key, error)

    def __repr__(self) -> str:
        return f"TokenKeyProvider(token={self._key.token!r}, label={self._key.label!r})"


def create_key(key: TokenKey, pin: Callable[[], str]) -> None:
    """Make a key-encryption key on the token: AES-256, never to leave it, with an id of its own.

    Raises:
        UsageError: the token has a key of that label (code ``key-exists``).
        NoMatchingKey: wrong PIN.
        StorageUnavailable: the token does not answer, or is write-protected.
    """
    with _ONE_THREAD:
        session = _open_session(key, pin, writable=True)
        try:
            _create(session, key)
        except pkcs11.PKCS11Error as error:
            raise _unavailable(key, error) from error
        finally:
            _close(session)


def _create(session: pkcs11.Session, key: TokenKey) -> None:
    if _keys(session, key.label):
        raise UsageError(
            f"the token {key.token!r} has a key {key.label!r} already",
            code="key-exists",
            hint="choose another label; a label names one key",
        )
    session.generate_key(
        pkcs11.KeyType.AES,
        KEY_BYTES * 8,
        id=secrets.token_bytes(_ID_BYTES),
        label=key.label,
        store=True,
        capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
        template={pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True},
    )


def _log_in(key: TokenKey, pin: Callable[[], str]) -> _Session:
    session = _open_session(key, pin)
    try:
        return _Session(session, _verify_single(_keys(session, key.label), key))
    except NoMatchingKey:
        _close(session)
        raise
    except pkcs11.PKCS11Error as error:
        _close(session)
        raise _unavailable(key, error) from error


def _open_session(key: TokenKey, pin: Callable[[], str], *, writable: bool = False) -> pkcs11.Session:
    try:
        token = pkcs11.lib(key.module).get_token(token_label=key.token)
        try:
            return token.open(rw=writable, user_pin=pin())
        except exceptions.UserAlreadyLoggedIn:
            # By another provider of this process; a login counts for all of its sessions.
            return token.open(rw=writable)
    except exceptions.MultipleTokensReturned as error:
        raise NoMatchingKey(
            f"several tokens are called {key.token!r}",
            code="token-ambiguous",
            hint="unplug the others, or give the token a label of its own",
        ) from error
    except _WRONG_PIN as error:
        raise NoMatchingKey(
            f"the token {key.token!r} refuses the PIN",
            code="token-pin",
            hint="check the PIN; most tokens lock themselves after a few wrong ones",
        ) from error
    except RuntimeError as error:
        # PKCS11Error is one; a plain RuntimeError says that the library cannot be loaded.
        raise _unavailable(key, error) from error


def _verify_single(found: list[_Key], key: TokenKey) -> _Key:
    if not found:
        raise NoMatchingKey(
            f"the token {key.token!r} has no AES-256 key {key.label!r} with an id",
            code="token-key",
            hint="check the label; a key that another program made needs CKA_ID and 256 bits",
        )
    if len(found) > 1:
        # Labels are not unique on a token. Which of two keys was meant is not ours to guess.
        raise NoMatchingKey(
            f"the token {key.token!r} has several keys {key.label!r}",
            code="token-key-ambiguous",
            hint="give each key a label of its own with the tool of the token's maker",
        )
    return found[0]


def _keys(session: pkcs11.Session, label: str) -> list[_Key]:
    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
        pkcs11.Attribute.LABEL: label,
    }
    # The library gives a key the methods that its token permits; the types do not know which.
    found = cast("list[_Key]", list(session.get_objects(wanted)))
    return [one for one in found if one.key_length == KEY_BYTES * 8 and one.id]


def _close(session: pkcs11.Session) -> None:
    # Whatever it says: the session is not used again.
    try:
        session.close()
    except pkcs11.PKCS11Error:
        return


def _altered() -> IntegrityError:
    return IntegrityError("a key at rest does not open with this key-encryption key", code="wrapped-key")


def _unavailable(key: TokenKey, error: Exception) -> StorageUnavailable:
    # Only the name of the error: what a maker's library writes into it is not under our control.
    return StorageUnavailable(
        f"the token {key.token!r} does not answer ({type(error).__name__})",
        code="token-unavailable",
        hint="check that it is plugged in and that its library and its service are there",
    )
