"""A new key-encryption key for the content keys at the broker, while it serves (spec/keys.md).

    home.keys.renew_key_encryption_key(now)       # from here on new packages rest under it
    rekey_all(home, database_url, now)            # the vault, and the broker's database
    Rekeying(store, keys).run()                   # 12000: so many keys were wrapped anew

Packages are not encrypted again: their keys are wrapped again, a few in each act. The wrapping is
done before the act begins, so that leases wait for a few writes only, never for a hardware
token. Killed anywhere, the next run goes on with what is left: a row says which key it is under,
and a broker finds that key in its ring, whichever it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from strongroom.broker.keys import BrokerKeys, content_key_purpose
from strongroom.broker.records import PackageRow
from strongroom.broker.repository import Store
from strongroom.broker.sql.store import open_store
from strongroom.home.home import Home
from strongroom.kms.interface import KeyProvider

ROWS_IN_ONE_ACT: Final = 50


class _Anew(NamedTuple):
    row: PackageRow
    wrapped_key: bytes


class Rekeying:
    """Brings every content key under the key-encryption key that is in force."""

    __slots__ = ("_keys", "_store")

    def __init__(self, store: Store, keys: BrokerKeys) -> None:
        self._store = store
        self._keys = keys

    def run(self) -> int:
        """Wrap until nothing is under another key; returns how many were wrapped anew.

        Raises:
            IntegrityError: a key is under a key-encryption key that is not at hand, or altered.
            NoMatchingKey: the key-encryption key refuses to be used.
            StorageUnavailable: the database or the token does not answer; what was wrapped stays.
        """
        done = 0
        while (step := self.step()) is not None:
            done += step
        self._let_go_of_old_rows()
        return done

    def step(self, limit: int = ROWS_IN_ONE_ACT) -> int | None:
        """Wrap a few keys anew; returns how many, or None if none was left.

        Raises:
            IntegrityError: a key is under a key-encryption key that is not at hand, or altered.
            NoMatchingKey: the key-encryption key refuses to be used.
            StorageUnavailable: the database or the token does not answer.
        """
        ring = self._keys.provider()
        key_id = ring.key_id
        with self._store.read() as kept:
            rows = kept.packages_not_under(key_id, limit=limit)
        if not rows:
            return None
        return self._replace([_wrap(row, ring) for row in rows], key_id)

    def _replace(self, rows: list[_Anew], key_id: str) -> int:
        done = 0
        with self._store.write() as kept:
            for row, wrapped_key in rows:
                found = kept.package(row.package)
                # Another run may have been faster, or have taken yet another key.
                if found is not None and found.key_id == row.key_id:
                    kept.set_wrapped_key(row.package, wrapped_key, key_id)
                    done += 1
        return done

    def _let_go_of_old_rows(self) -> None:
        # Once, at the end: until then what brokers remember of a package opens as well, and
        # forgetting everything with every act would slow down all leases.
        with self._store.write() as kept:
            head = kept.head()
            kept.set_head(replace(head, generation=head.generation + 1))


def _wrap(row: PackageRow, provider: KeyProvider) -> _Anew:
    purpose = content_key_purpose(row.package)
    return _Anew(row, provider.wrap(provider.unwrap(row.wrapped_key, purpose), purpose))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """What was wrapped anew."""

    key_id: str
    """The key-encryption key in force."""
    in_vault: int
    at_broker: int


def rekey_all(home: Home, database_url: str | None, now: datetime) -> Rekeyed:
    """Bring every content key of an owner under the key that is in force, in the vault and at the broker.

    Args:
        home: The owner's home.
        database_url: The broker's database; None: there is no broker.
        now: The time.

    Raises:
        IntegrityError: a key is under a key-encryption key that is not at hand, or altered.
        NoMatchingKey: a key is missing, or the pass-phrase or the PIN is wrong.
        UsageError: not an owner's home.
        FormatError: a file is damaged.
        ObjectNotFound: there is no such database.
        StorageUnavailable: a file, the database or the token does not answer; what was wrapped stays.
    """
    provider = home.keys.key_provider()
    in_vault = home.vault.content_keys.rewrap(provider)
    at_broker = 0
    if database_url is not None:
        store = open_store(database_url)
        try:
            at_broker = Rekeying(store, BrokerKeys(home, now=now)).run()
        finally:
            store.close()
    return Rekeyed(key_id=provider.key_id, in_vault=in_vault, at_broker=at_broker)
