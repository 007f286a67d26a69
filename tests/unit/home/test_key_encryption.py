from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.errors import NoMatchingKey
from strongroom.home import Home
from strongroom.kms.pkcs11 import TokenKeyProvider, create_key
from tests.servers.softhsm import LABEL, PIN, SoftToken
from tests.unit.home.world import NOW, refused

PACKAGES = tuple(f"{number:02x}" * 16 for number in range(5))
PASSPHRASE = "correct horse battery staple 4"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.create("hospital", tmp_path / "home")
    home.keys.create_key_encryption_key(NOW)
    return home


@pytest.fixture
def token(tmp_path: Path) -> Iterator[SoftToken]:
    folder = tmp_path / "softhsm"
    folder.mkdir()
    token = SoftToken.start(folder)
    yield token
    token.stop()


def seal_all(home: Home) -> None:
    for number, package_id in enumerate(PACKAGES):
        home.vault.content_keys.save(package_id, bytes([number]) * 32, home.keys.key_provider())


def assert_all_open(home: Home) -> None:
    for number, package_id in enumerate(PACKAGES):
        assert home.vault.content_keys.load(package_id, home.keys.key_provider()) == bytes([number]) * 32


def test_a_new_key_is_in_force_at_once_and_the_old_one_still_opens(home: Home) -> None:
    seal_all(home)
    old = home.keys.key_provider().key_id
    new = home.keys.renew_key_encryption_key(NOW)
    assert home.keys.key_provider().key_id == new != old
    assert_all_open(home)
    assert_all_open(Home.open(home.path))
    assert home.keys.key_provider().provider(old).key_id == old


def test_rewrapping_changes_the_wrapping_and_no_key(home: Home) -> None:
    seal_all(home)
    before = {path.name: path.read_bytes() for path in (home.path / "vault" / "keys").iterdir()}
    new = home.keys.renew_key_encryption_key(NOW)
    assert home.vault.content_keys.rewrap(home.keys.key_provider()) == len(PACKAGES)
    assert_all_open(home)
    for path in (home.path / "vault" / "keys").iterdir():
        assert path.read_bytes() != before[path.name]
        assert new in path.read_text()
    assert home.vault.content_keys.rewrap(home.keys.key_provider()) == 0


def test_after_rewrapping_the_old_key_is_needed_no_more(home: Home) -> None:
    seal_all(home)
    home.keys.renew_key_encryption_key(NOW)
    home.vault.content_keys.rewrap(home.keys.key_provider())
    (home.path / "keys" / "kek.key").unlink()
    assert_all_open(Home.open(home.path))


def test_rewrapping_that_was_stopped_goes_on_where_it_was(home: Home) -> None:
    seal_all(home)
    home.keys.renew_key_encryption_key(NOW)
    kept = home.path / "vault" / "keys" / f"{PACKAGES[3]}.json"
    damaged = kept.read_bytes()
    kept.write_bytes(b"{")
    refused(lambda: home.vault.content_keys.rewrap(home.keys.key_provider()))
    kept.write_bytes(damaged)
    assert home.vault.content_keys.rewrap(home.keys.key_provider()) == 2
    assert_all_open(home)


def test_a_record_from_before_keys_had_names_opens_and_is_rewrapped(home: Home) -> None:
    seal_all(home)
    for path in (home.path / "vault" / "keys").iterdir():
        head, _, rest = path.read_text().partition('"key_id":"')
        path.write_text(head + rest.partition('",')[2])
    assert_all_open(home)
    assert home.vault.content_keys.rewrap(home.keys.key_provider()) == len(PACKAGES)
    assert_all_open(home)


def test_another_process_takes_up_the_new_key(home: Home) -> None:
    broker = Home.open(home.path)
    broker.keys.key_provider()
    new = home.keys.renew_key_encryption_key(NOW)
    home.vault.content_keys.save(PACKAGES[0], bytes(32), home.keys.key_provider())
    assert broker.keys.key_provider().key_id == new
    assert broker.vault.content_keys.load(PACKAGES[0], broker.keys.key_provider()) == bytes(32)


def test_under_a_passphrase_the_new_key_is_under_it_too(tmp_path: Path) -> None:
    home = Home.create("hospital", tmp_path / "home", passphrase=lambda: PASSPHRASE)
    home.keys.create_key_encryption_key(NOW)
    home.keys.renew_key_encryption_key(NOW)
    for path in (home.path / "keys").glob("kek*.key"):
        assert b"strongroom-encrypted-key.key-encryption." in path.read_bytes()
    assert refused(Home.open(home.path).keys.key_provider).code == "passphrase-required"
    home.keys.create_member(NOW)


def test_without_a_key_there_is_no_provider(tmp_path: Path) -> None:
    home = Home.create("clinic", tmp_path / "home")
    error = refused(home.keys.key_provider)
    assert isinstance(error, NoMatchingKey)
    assert error.code == "no-key"


def test_from_a_file_to_a_token_and_back(home: Home, token: SoftToken) -> None:
    seal_all(home)
    create_key(token.key("kek"), lambda: PIN)
    home = Home.open(home.path, token_pin=lambda _: PIN)
    new = home.keys.use_token(module=token.module, token=LABEL, label="kek")
    assert TokenKeyProvider(token.key("kek"), lambda: PIN).key_id == new
    assert home.vault.content_keys.rewrap(home.keys.key_provider()) == len(PACKAGES)
    opened = Home.open(home.path, token_pin=lambda _: PIN)
    assert opened.keys.key_provider().key_id == new
    assert_all_open(opened)
    error = refused(lambda: assert_all_open(Home.open(home.path)))
    assert error.code == "token-pin-required"
    opened.keys.renew_key_encryption_key(NOW)
    assert opened.vault.content_keys.rewrap(opened.keys.key_provider()) == len(PACKAGES)
    assert_all_open(Home.open(home.path))


def test_another_key_under_the_label_of_the_one_that_was_noted_is_refused(
    home: Home, token: SoftToken, tmp_path: Path
) -> None:
    create_key(token.key("kek"), lambda: PIN)
    home = Home.open(home.path, token_pin=lambda _: PIN)
    home.keys.use_token(module=token.module, token=LABEL, label="kek")
    token.stop()
    (tmp_path / "other").mkdir()
    other = SoftToken.start(tmp_path / "other")
    create_key(other.key("kek"), lambda: PIN)
    opened = Home.open(home.path, token_pin=lambda _: PIN)
    error = refused(
        lambda: opened.vault.content_keys.save(PACKAGES[0], bytes(32), opened.keys.key_provider())
    )
    assert error.code == "token-key-other"
