"""``strongroom broker`` but for its listening, which tests/integration does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.broker.assembly import admit_owner, assemble, default_database
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.cli.broker import address_of, database_of
from strongroom.crypto.certificate import make_authority
from strongroom.errors import UsageError
from strongroom.home import Home
from strongroom.keys.invite import BrokerAddress
from tests.unit.cli.conftest import Party


@pytest.fixture
def broker(hospital: Party) -> Path:
    """Return the database of a broker that has run once."""
    home = Home.open(hospital.home)
    with assemble(home, HttpSettings(url="https://127.0.0.1:8443"), Settings()) as broker:
        assert admit_owner(broker, home)
        assert not admit_owner(broker, home)
    return hospital.home / "broker" / "broker.sqlite"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "8443", ":8443", "localhost:", "localhost:x", "a:65536", "a:-1", "a:٣"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        address_of(text)
    assert caught.value.code == "listen-address"


@pytest.mark.parametrize(
    "url", ["postgresql://broker:hunter2@db/broker", "postgresql://db/broker?user=b&password=hunter2"]
)
def test_a_password_is_never_on_the_command_line(hospital: Party, url: str) -> None:
    outcome = hospital.run("broker", "run", "--database", url, code=2)
    assert "password-on-command-line" in outcome.stderr
    assert "hunter2" not in outcome.stderr


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_DATABASE", "")
    assert database_of(None) is None


@pytest.mark.parametrize("words", ["run", "backup b.backup", "restore b.backup", "upgrade", "rekey"])
def test_without_its_extra_a_broker_says_what_to_install(
    hospital: Party, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr("strongroom.cli._extra.find_spec", lambda name: None)
    refused = hospital.run("broker", *words.split(), code=2)
    assert "[extra-missing]" in refused.stderr
    assert "strongroom[broker]" in refused.stderr


def test_without_its_extra_run_says_what_to_install(hospital: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strongroom.cli._extra.find_spec", lambda name: None)
    refused = hospital.run("run", "risk", code=2)
    assert "[extra-missing]" in refused.stderr
    assert "strongroom[serve]" in refused.stderr


@pytest.mark.parametrize("words", [("upgrade",), ("backup", "b.backup"), ("rekey",)])
def test_nothing_is_made_where_no_broker_is(hospital: Party, words: tuple[str, ...]) -> None:
    empty = hospital.path("empty.sqlite")
    empty.touch()
    for path in (empty, hospital.path("none.sqlite")):
        refused = hospital.run("broker", *words, "--database", f"sqlite:///{path}", code=3)
        assert "[database-missing]" in refused.stderr
        assert "broker restore" in refused.stderr or "--database" in refused.stderr
    with closing(sqlite3.connect(empty)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert not hospital.path("none.sqlite").exists()
    assert not hospital.path("b.backup").exists()


def test_a_key_is_not_changed_past_the_broker(hospital: Party, broker: Path) -> None:
    home = Home.open(hospital.home)
    before = home.keys.key_provider().key_id
    authority = make_authority("hospital", hosts=["127.0.0.1"], now=datetime.now(UTC)).certificate
    address = BrokerAddress(url="https://127.0.0.1:8443", ca=authority.decode())
    home.brokers.keep(home.vault.verify_owner_id(), address)
    broker.rename(broker.with_name("elsewhere.sqlite"))
    assert "[database-needed]" in hospital.run("broker", "rekey", code=2).stderr
    assert Home.open(hospital.home).keys.key_provider().key_id == before


def test_a_password_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_of(None) is None
    monkeypatch.setenv("STRONGROOM_DATABASE", "postgresql://broker:hunter2@db/broker")
    assert database_of(None) == "postgresql://broker:hunter2@db/broker"
    assert database_of("postgresql://db/other") == "postgresql://db/other"
    assert database_of("postgresql://[") == "postgresql://["


def test_only_an_owner_has_a_broker(clinic: Party) -> None:
    assert "not-an-owner" in clinic.run("broker", "run", "--listen", "127.0.0.1:0", code=2).stderr


def test_a_backup_comes_back(hospital: Party, broker: Path) -> None:
    file = hospital.path("b.backup")
    hospital.run("broker", "backup", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "database-not-empty" in hospital.run("broker", "restore", file, code=2).stderr
    broker.rename(hospital.path("old"))
    outcome = hospital.run("broker", "restore", file)
    assert b"0 leases" in outcome.stdout
    home = Home.open(hospital.home)
    with assemble(home, HttpSettings(url="https://127.0.0.1:8443"), Settings()) as again:
        assert not admit_owner(again, home)


def test_a_backup_never_replaces_a_file(hospital: Party, broker: Path) -> None:
    assert broker.exists()
    file = hospital.path("b.backup")
    file.write_bytes(b"precious")
    assert "already-exists" in hospital.run("broker", "backup", file, code=2).stderr
    assert file.read_bytes() == b"precious"


def test_upgrade(hospital: Party, broker: Path) -> None:
    assert broker.exists()
    assert b"this version" in hospital.run("broker", "upgrade").stdout


def test_the_openapi_document_needs_no_broker_and_no_home(party: Callable[[str], Party]) -> None:
    stranger = party("stranger")
    document = json.loads(stranger.run("broker", "openapi").stdout)
    assert document == json.loads(stranger.run("broker", "openapi", "--json").stdout)
    assert document["openapi"].startswith("3.1.")
    assert "/v1/leases" in document["paths"]


def test_the_database_is_in_the_home(hospital: Party, broker: Path) -> None:
    assert default_database(Home.open(hospital.home)).endswith("/broker/broker.sqlite")
    assert broker.stat().st_mode & 0o777 == 0o600
