from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.broker.keys import BrokerKeys, content_key_purpose
from strongroom.broker.records import LogHead, PackageRow
from strongroom.broker.repository import Store
from strongroom.broker.services.rekeying import Rekeying
from strongroom.broker.sql.store import open_store
from strongroom.errors import IntegrityError, StorageUnavailable
from strongroom.founding import found
from strongroom.home import Home
from strongroom.kms.software import SoftwareKeyProvider
from tests.unit.home.world import NOW

COUNT = 130


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return found("hospital", tmp_path / "home", now=NOW)


@pytest.fixture
def keys(home: Home) -> BrokerKeys:
    return BrokerKeys(home, now=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path / 'broker.db'}", create=True)
    with store.write() as kept:
        kept.set_head(
            LogHead(origin="o", size=0, frontier=b"", checkpoint="", at=NOW, generation=1, owner_version=1)
        )
    yield store
    store.close()


def digest(number: int) -> str:
    return f"{number:064x}"


def content_key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def publish(store: Store, keys: BrokerKeys, numbers: range = range(COUNT)) -> None:
    provider = keys.provider()
    with store.write() as kept:
        for number in numbers:
            kept.add_package(
                PackageRow(
                    package=digest(number),
                    package_id=f"{number:032x}",
                    name="risk",
                    version=f"1.0.{number}",
                    statement=b"{}",
                    wrapped_key=provider.wrap(content_key(number), content_key_purpose(digest(number))),
                    key_id=provider.key_id,
                    published_at=NOW,
                )
            )


def assert_all_open(store: Store, keys: BrokerKeys) -> None:
    for number in range(COUNT):
        with store.read() as kept:
            row = kept.package(digest(number))
        assert row is not None
        purpose = content_key_purpose(row.package)
        assert keys.provider().unwrap(row.wrapped_key, purpose) == content_key(number)


def ids(store: Store) -> set[str]:
    with store.read() as kept:
        return {row.key_id for row in kept.packages(limit=1000)}


def test_every_key_comes_under_the_new_one_and_none_changes(
    store: Store, keys: BrokerKeys, home: Home
) -> None:
    publish(store, keys)
    assert Rekeying(store, keys).run() == 0
    new = home.keys.renew_key_encryption_key(NOW)
    assert keys.key_id == new
    assert Rekeying(store, keys).run() == COUNT
    assert ids(store) == {new}
    assert_all_open(store, keys)
    (home.path / "keys" / "kek.key").unlink()
    assert_all_open(store, BrokerKeys(Home.open(home.path), now=NOW))


def test_the_statement_and_everything_else_of_a_package_stay_as_they_were(
    store: Store, keys: BrokerKeys, home: Home
) -> None:
    publish(store, keys, range(3))
    with store.read() as kept:
        before = [(row.package, row.package_id, row.version, row.statement) for row in kept.packages(limit=9)]
    home.keys.renew_key_encryption_key(NOW)
    Rekeying(store, keys).run()
    with store.read() as kept:
        after = [(row.package, row.package_id, row.version, row.statement) for row in kept.packages(limit=9)]
    assert before == after


def test_steps_are_small_and_a_stopped_run_goes_on(store: Store, keys: BrokerKeys, home: Home) -> None:
    publish(store, keys)
    new = home.keys.renew_key_encryption_key(NOW)
    assert Rekeying(store, keys).step(50) == 50
    assert len(ids(store)) == 2
    assert_all_open(store, keys)
    # As after a restart: nothing is remembered but the rows.
    again = BrokerKeys(Home.open(home.path), now=NOW)
    assert Rekeying(store, again).run() == COUNT - 50
    assert ids(store) == {new}
    assert Rekeying(store, again).step() is None


def test_what_was_derived_from_packages_is_read_again(store: Store, keys: BrokerKeys, home: Home) -> None:
    publish(store, keys, range(3))
    with store.read() as kept:
        before = kept.head().generation
    home.keys.renew_key_encryption_key(NOW)
    Rekeying(store, keys).run()
    with store.read() as kept:
        assert kept.head().generation > before


def test_readers_and_publishers_do_not_notice(store: Store, keys: BrokerKeys, home: Home) -> None:
    publish(store, keys, range(COUNT - 30))
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with store.read() as kept:
                rows = kept.packages(limit=20)
            for row in rows:
                keys.provider().unwrap(row.wrapped_key, content_key_purpose(row.package))

    def publish_more() -> None:
        for number in range(COUNT - 30, COUNT):
            publish(store, keys, range(number, number + 1))

    with ThreadPoolExecutor(2) as pool:
        reading, publishing = pool.submit(read), pool.submit(publish_more)
        try:
            for _ in range(3):
                home.keys.renew_key_encryption_key(NOW)
                Rekeying(store, keys).run()
            publishing.result()
        finally:
            done.set()
        reading.result()
    Rekeying(store, keys).run()
    assert ids(store) == {keys.key_id}
    assert_all_open(store, keys)


def test_a_key_that_is_not_at_hand_stops_the_run_and_changes_nothing(
    store: Store, keys: BrokerKeys, home: Home
) -> None:
    publish(store, keys, range(3))
    stranger = BrokerKeys(home, now=NOW, provider=SoftwareKeyProvider(bytes(32)))
    with pytest.raises(IntegrityError) as caught:
        Rekeying(store, stranger).run()
    assert caught.value.code == "wrapped-key"
    assert ids(store) == {keys.key_id}


def test_a_provider_that_does_not_answer_stops_the_run(store: Store, keys: BrokerKeys, home: Home) -> None:
    publish(store, keys, range(3))

    class Away(SoftwareKeyProvider):
        def wrap(self, key: bytes, aad: bytes) -> bytes:
            raise StorageUnavailable("the token does not answer")

        def unwrap(self, blob: bytes, aad: bytes) -> bytes:
            return keys.provider().unwrap(blob, aad)

    with pytest.raises(StorageUnavailable):
        Rekeying(store, BrokerKeys(home, now=NOW, provider=Away(bytes(32)))).run()
    assert ids(store) == {keys.key_id}
    assert_all_open_of(store, keys, 3)


def assert_all_open_of(store: Store, keys: BrokerKeys, count: int) -> None:
    with store.read() as kept:
        rows = kept.packages(limit=count)
    for row in rows:
        keys.provider().unwrap(row.wrapped_key, content_key_purpose(row.package))
