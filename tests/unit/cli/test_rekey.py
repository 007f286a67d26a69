from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.broker.assembly import database_path, default_database
from strongroom.broker.keys import BrokerKeys, content_key_purpose
from strongroom.broker.records import PackageRow
from strongroom.broker.sql.store import open_store
from strongroom.home import Home
from tests.servers.softhsm import LABEL, PIN, SoftToken
from tests.unit.cli.conftest import Scene
from tests.unit.home.world import NOW


@pytest.fixture
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    token = SoftToken.start(tmp_path_factory.mktemp("softhsm"))
    yield token
    token.stop()


def publish(home: Home) -> None:
    """Put a package into the broker's database."""
    database_path(home).parent.mkdir(exist_ok=True)
    keys = BrokerKeys(home, now=NOW)
    store = open_store(default_database(home), create=True)
    with store.write() as kept:
        kept.add_package(
            PackageRow(
                package="ab" * 32,
                package_id="cd" * 16,
                name="risk",
                version="1.0.0",
                statement=b"{}",
                wrapped_key=keys.provider().wrap(bytes(32), content_key_purpose("ab" * 32)),
                key_id=keys.key_id,
                published_at=NOW,
            )
        )
    store.close()


def key_at_broker(home: Home, pin: str | None = None) -> str:
    """Return the key-encryption key of the package, which opens under it."""
    opened = Home.open(home.path, token_pin=None if pin is None else lambda _: pin)
    store = open_store(default_database(home))
    with store.read() as kept:
        row = kept.package("ab" * 32)
    store.close()
    assert row is not None
    provider = opened.keys.key_provider().provider(row.key_id)
    assert provider.unwrap(row.wrapped_key, content_key_purpose(row.package)) == bytes(32)
    return row.key_id


def test_rekeying_reaches_the_vault_and_the_broker(scene: Scene) -> None:
    home = Home.open(scene.hospital.home)
    publish(home)
    old = key_at_broker(home)
    done = scene.hospital.run("broker", "rekey", "--json").json
    assert (done["in_vault"], done["at_broker"]) == (1, 1)
    assert done["key"] == key_at_broker(home) != old
    again = scene.hospital.run("broker", "rekey", "--resume", "--json").json
    assert (again["key"], again["in_vault"], again["at_broker"]) == (done["key"], 0, 0)


def test_an_owner_without_a_broker_rekeys_its_vault(scene: Scene) -> None:
    assert "0 at the broker" in scene.hospital.run("broker", "rekey").text


def test_from_a_file_to_a_token(
    scene: Scene, token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.open(scene.hospital.home)
    publish(home)
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    monkeypatch.setenv("STRONGROOM_TOKEN_PIN_FILE", str(pin))
    options = ["--hsm", LABEL, "--module", token.module, "--label", "kek"]
    done = scene.hospital.run("broker", "rekey", *options, "--create", "--json").json
    assert done["at_broker"] == 1
    assert key_at_broker(home, PIN) == done["key"]
    assert (
        scene.hospital.run("broker", "rekey", *options, "--create", "--json", code=2).json["error"]["code"]
        == "key-exists"
    )


def test_a_token_is_named_in_full_or_not_at_all(scene: Scene) -> None:
    assert (
        scene.hospital.run("broker", "rekey", "--hsm", LABEL, "--json", code=2).json["error"]["code"]
        == "token-options"
    )
