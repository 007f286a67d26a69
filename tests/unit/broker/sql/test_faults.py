"""A database that is full, locked, damaged or gone: what is said, and that it goes on afterwards."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from strongroom.broker.repository import Store
from strongroom.broker.sql import engine as engine_module
from strongroom.broker.sql.driver import command
from strongroom.broker.sql.engine import make_engine
from strongroom.broker.sql.session import translate
from strongroom.broker.sql.store import SqlStore, open_store
from strongroom.errors import ObjectNotFound, StorageUnavailable, UnsupportedError, UsageError
from tests.contract import broker_rows as rows
from tests.servers.postgresql import PostgreSql

CODE = "database-unavailable"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


@pytest.fixture
def sqlite_store(path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{path}", create=True)
    yield store
    store.close()


@pytest.fixture
def postgresql_store(postgresql_url: str) -> Iterator[SqlStore]:
    store = open_store(postgresql_url)
    yield store
    store.close()


def _add(store: Store, letter: str, text: str = "") -> None:
    with store.write() as kept:
        kept.add_partner(rows.partner(f"org-{letter}", name=letter + text))


def _names(store: Store) -> list[str]:
    with store.read() as kept:
        return [row.organization for row in kept.partners(limit=9)]


def test_a_full_disk_takes_back_the_act_and_nothing_else(sqlite_store: SqlStore, path: Path) -> None:
    _add(sqlite_store, "a")
    with sqlite_store.read() as kept:
        ((pages,),) = kept._driver.rows(command("PRAGMA page_count"), {})
        # What SQLite itself offers to play a full disk; it holds for this one connection.
        kept.command(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageUnavailable) as refused:
        _add(sqlite_store, "b", "x" * 1_000_000)
    assert refused.value.code == CODE
    assert "full" in str(refused.value)
    assert _names(sqlite_store) == ["org-a"]
    with sqlite_store.read() as kept:
        kept.command("PRAGMA max_page_count = 100000")
    _add(sqlite_store, "b", "x" * 1_000_000)
    assert _names(sqlite_store) == ["org-a", "org-b"]


def test_a_file_that_is_gone_is_missed_and_found_again(sqlite_store: SqlStore, path: Path) -> None:
    _add(sqlite_store, "a")
    sqlite_store.close()
    away = path.with_name("away.db")
    path.rename(away)
    for _ in range(2):
        with pytest.raises(StorageUnavailable) as refused:
            _add(sqlite_store, "b")
        assert refused.value.code == CODE
        with pytest.raises(StorageUnavailable):
            _names(sqlite_store)
    assert not path.exists(), "an empty one in its place would hide the loss"
    away.rename(path)
    _add(sqlite_store, "c")
    assert _names(sqlite_store) == ["org-a", "org-c"]


def test_a_file_that_was_exchanged_is_looked_at_first(sqlite_store: SqlStore, path: Path) -> None:
    _add(sqlite_store, "a")
    sqlite_store.close()
    path.rename(path.with_name("away.db"))
    path.touch()
    with pytest.raises(ObjectNotFound) as refused:
        _add(sqlite_store, "b")
    assert refused.value.code == "database-missing"
    path.unlink()
    other = open_store(f"sqlite:///{path}", create=True)
    _add(other, "z")
    other.close()
    assert _names(sqlite_store) == ["org-z"]


def test_another_program_that_holds_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(f"sqlite:///{path}", create=True).close()
    monkeypatch.setattr(engine_module, "WAIT_SECONDS", 0)
    monkeypatch.setattr(engine_module, "_PRAGMAS", engine_module._PRAGMAS[:-1])
    store = open_store(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable) as refused:
            _add(store, "a")
        assert refused.value.code == CODE
        assert "holds" in str(refused.value)
        assert _names(store) == []
        other.execute("ROLLBACK")
    _add(store, "a")
    store.close()


def test_a_damaged_file(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(StorageUnavailable) as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.code == CODE
    assert "damaged" in str(refused.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        open_store(f"sqlite:///{tmp_path / 'nowhere' / 'broker.db'}", create=True)
    assert refused.value.code == CODE


def test_a_server_that_goes_and_comes_back(postgresql: PostgreSql, postgresql_store: SqlStore) -> None:
    _add(postgresql_store, "a")
    for end in (postgresql.stop, postgresql.crash):
        end()
        try:
            for _ in range(2):
                with pytest.raises(StorageUnavailable) as refused:
                    _add(postgresql_store, "b")
                assert refused.value.code == CODE
                with pytest.raises(StorageUnavailable):
                    _names(postgresql_store)
        finally:
            postgresql.start()
        assert _names(postgresql_store) == ["org-a"]
    _add(postgresql_store, "c")
    assert _names(postgresql_store) == ["org-a", "org-c"]


def test_a_server_that_goes_in_the_middle_of_an_act(
    postgresql: PostgreSql, postgresql_store: SqlStore
) -> None:
    def act() -> None:
        with postgresql_store.write() as kept:
            kept.add_partner(rows.partner("org-a"))
            postgresql.crash()
            kept.add_partner(rows.partner("org-b"))

    try:
        with pytest.raises(StorageUnavailable) as refused:
            act()
        assert refused.value.code == CODE
    finally:
        postgresql.start()
    assert _names(postgresql_store) == []
    _add(postgresql_store, "c")


def test_a_session_that_the_server_ended(postgresql: PostgreSql, postgresql_store: SqlStore) -> None:
    _add(postgresql_store, "a")
    postgresql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname LIKE 'test%' AND pid <> pg_backend_pid()"
    )
    _add(postgresql_store, "b")
    assert _names(postgresql_store) == ["org-a", "org-b"]


def test_a_writer_that_waits_for_too_long(
    postgresql_url: str, postgresql_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_SETTINGS", ("SET lock_timeout = '100ms'",))
    impatient = open_store(postgresql_url)
    with postgresql_store.write() as kept:
        kept.add_partner(rows.partner("org-a"))
        with pytest.raises(StorageUnavailable) as refused:
            _add(impatient, "b")
        assert refused.value.code == CODE
        assert "holds" in str(refused.value)
        assert _names(impatient) == []
    _add(impatient, "c")
    assert _names(postgresql_store) == ["org-a", "org-c"]
    impatient.close()


def test_more_work_than_connections(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_CONNECTIONS", 1)
    monkeypatch.setattr(engine_module, "_KEPT_ON_SERVER", 1)
    monkeypatch.setattr(engine_module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(engine_module, "_PRAGMAS", engine_module._PRAGMAS[:-1])
    store = open_store(f"sqlite:///{path}", create=True)
    refused: list[BaseException] = []

    def read() -> None:
        try:
            _names(store)
        except StorageUnavailable as error:
            refused.append(error)

    with store.read():
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert [getattr(error, "code", None) for error in refused] == [CODE]
    assert _names(store) == []
    store.close()


def test_a_server_that_is_not_there_keeps_its_password(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        open_store(f"postgresql://broker:planted-password@/broker?host={tmp_path}")
    assert refused.value.code == CODE
    error: BaseException | None = refused.value
    while error is not None:
        assert "planted" not in f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as refused:
        open_store("postgresql://broker@db.example.com/broker")
    assert refused.value.code == "postgresql-missing"
    assert "strongroom[postgresql]" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (psycopg.errors.DiskFull(), "full"),
        (psycopg.errors.ConfigurationLimitExceeded(), "full"),
        (psycopg.errors.LockNotAvailable(), "holds"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), "holds"),
        (psycopg.errors.DataCorrupted(), "damaged"),
        (psycopg.errors.AdminShutdown(), "answer"),
        (psycopg.OperationalError("planted"), "answer"),
    ],
)
def test_what_a_server_reports(error: psycopg.Error, word: str) -> None:
    dialect = make_engine("postgresql://broker@db.example.com/broker").dialect
    said = translate(error, dialect)
    assert isinstance(said, StorageUnavailable)
    assert said.code == CODE
    assert word in str(said)
    assert "planted" not in str(said)


def test_a_text_that_postgresql_cannot_hold(postgresql_store: SqlStore) -> None:
    with pytest.raises(UsageError) as refused:
        _add(postgresql_store, "a", "\x00")
    assert refused.value.code == "value-not-storable"
    _add(postgresql_store, "a")


def test_a_defect_is_not_taken_for_a_database_that_is_gone(postgresql_store: SqlStore) -> None:
    with pytest.raises(psycopg.ProgrammingError), postgresql_store.read() as kept:
        kept.command("SELECT nothing FROM nowhere")
    assert _names(postgresql_store) == []


class TestRefusalsOfPostgreSql:
    """A server that answers and says no: each tells what a person can do, and none shows what was refused."""

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"database": "nosuch"}, "no database of that name"),
            ({"username": "nobody", "password": "planted"}, "refuses the user or the password"),
        ],
    )
    def test_a_connection(self, postgresql_url: str, wrong: dict[str, Any], words: str) -> None:
        address = make_url(postgresql_url).set(**wrong)
        with pytest.raises(StorageUnavailable) as refused:
            open_store(address.render_as_string(hide_password=False))
        assert refused.value.code == "database-refused"
        assert words in str(refused.value)
        assert refused.value.hint
        assert not any(each in str(refused.value) for each in ("planted", "nobody", "nosuch"))

    def test_a_user_without_rights(self, postgresql: PostgreSql, empty_postgresql_url: str) -> None:
        postgresql.execute("DROP ROLE IF EXISTS guest")
        postgresql.execute("CREATE ROLE guest LOGIN PASSWORD 'planted'")
        address = make_url(empty_postgresql_url).set(username="guest", password="planted")
        with pytest.raises(StorageUnavailable) as refused:
            open_store(address.render_as_string(hide_password=False), create=True)
        assert refused.value.code == "database-refused"
        assert "ALTER DATABASE" in (refused.value.hint or "")

    def test_one_that_is_not_there_is_silent(self, postgresql_url: str) -> None:
        with pytest.raises(StorageUnavailable) as silent:
            open_store(str(make_url(postgresql_url).set(port=1)))
        assert silent.value.code == CODE
