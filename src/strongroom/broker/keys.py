"""The keys that a broker works with, as they lie in its owner's home.

    keys = BrokerKeys(home, now=now)
    keys.owner()                          # the newest chain, read again after it was rotated
    keys.broker_key(now)                  # signs leases
    keys.log_key(now)                     # signs checkpoints
    keys.intake(), keys.intake_certificate(now)
    keys.provider()                       # wraps content keys under the key-encryption key

Everything is read once and kept, until the owner document changes: a rotation of a role key
takes effect while the broker runs, with the next request. Root, package and license keys may lie in
the same home; nothing here reads them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from strongroom._encoding import from_hex
from strongroom.crypto.digest import DIGEST_BYTES
from strongroom.home.home import Home
from strongroom.keys.intake import make_intake_certificate
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.owner import Owner, Role
from strongroom.keys.text import KeyKind
from strongroom.kms.interface import KeyProvider


def content_key_purpose(package: str) -> bytes:
    """Return the associated data under which the content key of a package rests at the broker.

    Raises:
        FormatError: not a package digest.
    """
    return b"content-key/" + from_hex(package, size=DIGEST_BYTES)


K = TypeVar("K", SigningKey, LogKey)


@dataclass(frozen=True, slots=True, repr=False)
class _Chosen(Generic[K]):
    """The key that signs at one instant, while the owner document stands: several ask in one second."""

    owner: Owner
    at: datetime
    key: K

    def is_for(self, owner: Owner, at: datetime) -> bool:
        """Tell whether nothing has changed."""
        return self.owner is owner and self.at == at


class BrokerKeys:
    """The keys of one broker. Safe to share between threads."""

    __slots__ = (
        "_certificate",
        "_chosen_log",
        "_chosen_signing",
        "_home",
        "_id",
        "_intake",
        "_lock",
        "_log",
        "_mark",
        "_owner",
        "_provider",
        "_signing",
    )

    def __init__(self, home: Home, *, now: datetime, provider: KeyProvider | None = None) -> None:
        """Read the keys.

        Args:
            home: The owner's home.
            now: The time, for a key that is made here the first time.
            provider: The key-encryption key; None for the one in the home.

        Raises:
            UsageError: the home owns no models (code ``not-an-owner``).
            NoMatchingKey: a key is missing, or the pass-phrase is missing or wrong.
            VerificationError: the owner's own chain does not verify.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read or written.
        """
        self._home = home
        self._id = home.vault.verify_owner_id()
        self._lock = threading.Lock()
        self._provider = provider
        self.provider()
        self._intake = home.keys.ensure_intake(now)
        self._mark = home.trust.mark(self._id)
        self._owner = home.trust.get(self._id).owner
        self._signing: dict[tuple[str, ...], SigningKey] = {}
        self._log: dict[tuple[str, ...], LogKey] = {}
        self._chosen_signing: _Chosen[SigningKey] | None = None
        self._chosen_log: _Chosen[LogKey] | None = None
        self._certificate: tuple[str, str] | None = None

    @property
    def owner_id(self) -> str:
        """The owner id, the same through every rotation."""
        return self._id

    @property
    def key_id(self) -> str:
        """Which key-encryption key is in force.

        Raises:
            NoMatchingKey: the provider refuses to be used.
            StorageUnavailable: the provider does not answer.
        """
        return self.provider().key_id

    def owner(self) -> Owner:
        """Return the owner with its newest chain.

        Raises:
            ObjectNotFound: the chain is missing from the home.
            VerificationError: it does not verify.
            FormatError: the file is damaged.
            StorageUnavailable: it cannot be read.
        """
        with self._lock:
            return self._newest()

    def broker_key(self, now: datetime) -> SigningKey:
        """Return a broker key that may sign now.

        Raises:
            NoMatchingKey: none that is in force lies here (code ``no-key``), or the pass-phrase
                is missing or wrong.
            VerificationError: the owner's chain does not verify.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        with self._lock:
            return self._broker_key(now)

    def log_key(self, now: datetime) -> LogKey:
        """Return a log key that may sign now.

        Raises:
            NoMatchingKey: none that is in force lies here (code ``no-key``), or the pass-phrase
                is missing or wrong.
            VerificationError: the owner's chain does not verify.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        with self._lock:
            owner = self._newest()
            if self._chosen_log is None or not self._chosen_log.is_for(owner, now):
                allowed = owner.log_keys(now)
                names = tuple(public.key_id for public in allowed)
                if names not in self._log:
                    self._log = {names: self._home.keys.log_key(allowed)}
                self._chosen_log = _Chosen(owner, now, self._log[names])
            return self._chosen_log.key

    def intake(self) -> SealingKey:
        """Return the key to which the owner's home wraps content keys."""
        return self._intake

    def intake_certificate(self, now: datetime) -> str:
        """Return the token by which the broker key in force vouches for the intake key.

        Raises:
            NoMatchingKey: no broker key in force lies here.
            VerificationError: the owner's chain does not verify.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        with self._lock:
            key = self._broker_key(now)
            if self._certificate is None or self._certificate[0] != key.key_id:
                token = make_intake_certificate(self._owner, key, self._intake.public_text, now)
                self._certificate = key.key_id, token
            return self._certificate[1]

    def provider(self) -> KeyProvider:
        """Return what wraps and unwraps content keys at rest.

        Without one of its own, it is the home's: a key that was put in force meanwhile is taken up.

        Raises:
            NoMatchingKey: a key-encryption key is missing, or the pass-phrase is missing or wrong.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read.
        """
        return self._home.keys.key_provider() if self._provider is None else self._provider

    def _newest(self) -> Owner:
        mark = self._home.trust.mark(self._id)
        if mark != self._mark:
            # In this order: a rotation between the two lines is read now or noticed next time.
            self._owner = self._home.trust.get(self._id).owner
            self._mark = mark
        return self._owner

    def _broker_key(self, now: datetime) -> SigningKey:
        owner = self._newest()
        if self._chosen_signing is None or not self._chosen_signing.is_for(owner, now):
            allowed = owner.keys_for(Role.BROKER, now)
            names = tuple(public.key_id for public in allowed)
            if names not in self._signing:
                # By all that are allowed, and not by itself: a successor is taken as soon as there is one.
                self._signing = {names: self._home.keys.owner_key(KeyKind.OWNER_BROKER, allowed)}
            self._chosen_signing = _Chosen(owner, now, self._signing[names])
        return self._chosen_signing.key

    def __repr__(self) -> str:
        return f"BrokerKeys(owner={self._id!r})"
