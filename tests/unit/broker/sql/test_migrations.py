"""Migrations: up, down, what they make, and what is said of a database that has other tables."""

from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from strongroom.broker.migrations import configuration, migrate_down, migrate_up, verify_current
from strongroom.broker.records import LicenseStatus
from strongroom.broker.sql.engine import make_engine
from strongroom.broker.sql.store import open_store
from strongroom.broker.sql.tables import METADATA, REVISION
from strongroom.errors import ObjectNotFound, UsageError
from tests.contract import broker_rows as rows
from tests.servers.postgresql import PostgreSql

_DESCRIBE = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'",
    "postgresql": """
        SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
               || a.attnotnull || ' ' || coalesce(o.collname, '')
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          LEFT JOIN pg_collation o ON o.oid = a.attcollation
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'broker.db'}"
    return str(request.getfixturevalue("empty_postgresql_url"))


@pytest.fixture
def other_url(empty_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if empty_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'other.db'}"
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.new_database()


def _describe(url: str) -> list[str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(_DESCRIBE[engine.dialect.name]).scalars().all()
    engine.dispose()
    # White space, and an empty list of names, are all in which two writers of one statement differ.
    described = (re.sub(r"\s+", " ", str(row)).replace(" )", ")").replace("( ", "(") for row in rows)
    return sorted(row for row in described if "alembic_version" not in row)


def _set_revision(url: str, revision: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_statements_expect(empty_url: str, other_url: str) -> None:
    migrate_up(empty_url)
    if other_url.startswith("sqlite"):
        Path(other_url.removeprefix("sqlite:///")).touch()
    engine = make_engine(other_url)
    METADATA.create_all(engine)
    engine.dispose()
    assert _describe(empty_url) == _describe(other_url)
    assert len(_describe(empty_url)) > len(METADATA.tables)


def test_up_and_down_and_up_again(empty_url: str) -> None:
    migrate_up(empty_url)
    first = _describe(empty_url)
    migrate_up(empty_url)
    assert _describe(empty_url) == first
    migrate_down(empty_url)
    assert _describe(empty_url) == []
    migrate_up(empty_url)
    assert _describe(empty_url) == first
    verify_current(empty_url)


def test_a_refused_license_is_a_revoked_one_to_what_came_before(empty_url: str) -> None:
    store = open_store(empty_url, create=True)
    with store.write() as kept:
        for letter, status in zip("abc", ("refused", "granted", "revoked"), strict=True):
            kept.add_license(rows.license_row(f"lic-{letter}", status=LicenseStatus(status)))
    store.close()
    migrate_down(empty_url, "0002")
    assert _statuses(empty_url) == ["revoked", "granted", "revoked"]
    migrate_up(empty_url)
    assert _statuses(empty_url) == ["revoked", "granted", "revoked"]
    open_store(empty_url).close()


def _statuses(url: str) -> list[str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT status FROM license ORDER BY license")).scalars().all()
    engine.dispose()
    return list(found)


def test_the_newest_migration_is_the_one_that_the_tables_name() -> None:
    script = ScriptDirectory.from_config(configuration())
    assert script.get_current_head() == REVISION
    numbers = [revision.revision for revision in script.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True), "revisions are compared as text"


def test_an_empty_database_is_made_ready_only_on_request(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        with pytest.raises(ObjectNotFound) as missing:
            open_store(empty_url)
        assert missing.value.code == "database-missing"
        Path(empty_url.removeprefix("sqlite:///")).touch()
    for check in (open_store, verify_current):
        with pytest.raises(ObjectNotFound) as refused:
            check(empty_url)
        assert refused.value.code == "database-missing"
    open_store(empty_url, create=True).close()
    open_store(empty_url).close()


@pytest.mark.parametrize(("revision", "code"), [("0000", "database-outdated"), ("9999", "database-newer")])
def test_a_database_of_another_version_is_left_alone(empty_url: str, revision: str, code: str) -> None:
    migrate_up(empty_url)
    _set_revision(empty_url, revision)
    for check in (open_store, lambda url: open_store(url, create=True), verify_current):
        with pytest.raises(UsageError) as refused:
            check(empty_url)
        assert refused.value.code == code
        assert refused.value.hint


def test_a_step_that_fails_leaves_the_database_as_it_was(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[[Engine], None] = migrate_up.__globals__["command"].upgrade

    def upgrade_and_fail(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]  # whatever it is called with
        raise RuntimeError("power")

    monkeypatch.setattr("strongroom.broker.migrations.command.upgrade", upgrade_and_fail)
    with pytest.raises(RuntimeError):
        migrate_up(empty_url)
    assert _describe(empty_url) == []


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    store = open_store(f"sqlite:///{path}", create=True)
    with store.write():
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["broker.db", "broker.db-shm", "broker.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    store.close()


def test_what_sqlite_promises(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'broker.db'}", create=True)
    engine = make_engine(f"sqlite:///{tmp_path / 'broker.db'}")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    engine.dispose()
    store.close()


def test_what_postgresql_promises(postgresql: PostgreSql, postgresql_url: str) -> None:
    engine = make_engine(postgresql_url)
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in (
                "fsync",
                "synchronous_commit",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        }
    assert found == {
        "fsync": "on",
        "synchronous_commit": "on",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "1min",
    }
    engine.dispose()


def test_what_is_erased_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "broker.db"
    store = open_store(f"sqlite:///{path}", create=True)
    with store.write() as kept:
        kept.append_entries([replace(rows.entry(0, "org-a"), disclosure=b"planted" * 500)], {})
    store.close()
    assert b"planted" in path.read_bytes()
    with store.write() as kept:
        kept.erase_disclosure(0)
    store.close()
    assert [b"planted" in file.read_bytes() for file in tmp_path.iterdir()] == [False]


def test_a_database_that_is_none_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    with pytest.raises(ObjectNotFound) as refused:
        open_store(f"sqlite:///{path}")
    assert refused.value.code == "database-missing"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://root:planted-password@localhost/broker",
        "postgresql://planted-password:x@[::1/broker",
    ],
)
def test_an_address_that_names_no_database(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert refused.value.code == "database-url"
    assert refused.value.hint
    shown = f"{refused.value} {refused.value.hint} {refused.value.__cause__} {refused.value.__context__}"
    assert "planted" not in shown
