from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.broker.keys import BrokerKeys, content_key_purpose
from strongroom.errors import FormatError, NoMatchingKey, UsageError
from strongroom.founding import found, rotate
from strongroom.home import Home
from strongroom.keys.intake import verify_intake_certificate
from strongroom.keys.owner import Role
from strongroom.kms.software import SoftwareKeyProvider

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=2)
PASSPHRASE = "planted-Pass-Phrase-9317"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return found("hospital", tmp_path / "hospital", now=NOW)


@pytest.fixture
def keys(home: Home) -> BrokerKeys:
    return BrokerKeys(home, now=NOW)


def test_the_keys_of_a_home(home: Home, keys: BrokerKeys) -> None:
    owner = home.trust.get(keys.owner_id).owner
    assert keys.owner() == owner
    assert keys.owner() is keys.owner()
    key = keys.broker_key(NOW)
    assert key.public in owner.keys_for(Role.BROKER, NOW)
    assert keys.broker_key(NOW) is key
    log = keys.log_key(NOW)
    assert log.public in owner.log_keys(NOW)
    assert keys.log_key(NOW) is log
    assert keys.key_id == home.keys.key_provider().key_id
    assert keys.owner_id in repr(keys)


def test_the_intake_key_is_made_once(home: Home, keys: BrokerKeys) -> None:
    again = BrokerKeys(Home.open(home.path), now=LATER)
    assert again.intake().public == keys.intake().public
    intake = verify_intake_certificate(keys.intake_certificate(NOW), keys.owner(), NOW)
    assert intake.public == keys.intake().public
    assert keys.intake_certificate(LATER) == keys.intake_certificate(NOW)
    assert (home.path / "keys" / "broker-intake.key").stat().st_mode & 0o7777 == 0o600


def test_a_rotation_takes_effect_while_it_runs(home: Home, keys: BrokerKeys) -> None:
    broker, log, certificate = keys.broker_key(NOW), keys.log_key(NOW), keys.intake_certificate(NOW)
    rotated = rotate(Home.open(home.path), now=NOW, renew=[Role.BROKER, Role.LOG]).owner
    assert keys.owner() == rotated
    new = keys.broker_key(LATER)
    assert new.key_id != broker.key_id
    assert new.public in rotated.keys_for(Role.BROKER, LATER)
    assert keys.log_key(LATER).key_id != log.key_id
    assert keys.intake_certificate(LATER) != certificate
    verify_intake_certificate(keys.intake_certificate(LATER), rotated, LATER)
    # Within the second of the rotation, both may sign.
    assert keys.broker_key(NOW).key_id in {broker.key_id, new.key_id}


def test_the_newest_broker_key_may_lie_elsewhere(home: Home, keys: BrokerKeys) -> None:
    rotate(home, now=NOW, renew=[Role.BROKER])
    for path in (home.path / "keys").glob("owner-broker-*.key"):
        path.unlink()
    with pytest.raises(NoMatchingKey):
        keys.broker_key(LATER)


def test_another_provider_can_stand_behind_it(home: Home) -> None:
    provider = SoftwareKeyProvider(bytes(32))
    keys = BrokerKeys(home, now=NOW, provider=provider)
    assert keys.provider() is provider
    assert keys.key_id == provider.key_id


def test_a_home_under_a_passphrase(tmp_path: Path) -> None:
    home = found("hospital", tmp_path / "locked", now=NOW, passphrase=lambda: PASSPHRASE)
    assert BrokerKeys(home, now=NOW).broker_key(NOW).kind.value == "owner-broker"
    assert b"encrypted" in (home.path / "keys" / "broker-intake.key").read_bytes()


def test_only_an_owner_has_a_broker(tmp_path: Path) -> None:
    clinic = found("clinic", tmp_path / "clinic", now=NOW, owner=False)
    with pytest.raises(UsageError) as caught:
        BrokerKeys(clinic, now=NOW)
    assert caught.value.code == "not-an-owner"


def test_threads_share_it(keys: BrokerKeys) -> None:
    found_keys: list[str] = []

    def use() -> None:
        for _ in range(50):
            found_keys.append(keys.broker_key(NOW).key_id)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found_keys)) == 1


def test_the_purpose_names_the_package() -> None:
    assert content_key_purpose("ab" * 32) == b"content-key/" + bytes.fromhex("ab" * 32)
    for wrong in ("", "ab" * 16, "AB" * 32, "zz" * 32):
        with pytest.raises(FormatError):
            content_key_purpose(wrong)
