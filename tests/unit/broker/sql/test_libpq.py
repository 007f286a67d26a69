"""What the driver of PostgreSQL does by itself: batches, texts, and a statement that was interrupted."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from strongroom.broker.sql.driver import Compiled, command
from strongroom.broker.sql.libpq import Pipelined
from strongroom.broker.sql.store import SqlStore, open_store
from strongroom.errors import StorageUnavailable
from tests.contract import broker_rows as rows


@pytest.fixture
def driver(postgresql_url: str) -> Iterator[Pipelined]:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        yield Pipelined(connection, {})


@pytest.fixture
def store(postgresql_url: str) -> Iterator[SqlStore]:
    opened = open_store(postgresql_url)
    yield opened
    opened.close()


def _echo(kind: str) -> Compiled:
    return Compiled(f"SELECT $1::{kind}", ("value",), {})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("BIGINT", 0),
        ("BIGINT", -(1 << 63)),
        ("BIGINT", (1 << 63) - 1),
        ("INTEGER", -1),
        ("SMALLINT", 7),
        ("TEXT", ""),
        ("TEXT", "straße 病院 \\ ' % $1"),
        ("VARCHAR", "x" * 100_000),
        ("BYTEA", b""),
        ("BYTEA", bytes(range(256)) * 100),
        ("BOOLEAN", True),
        ("BOOLEAN", False),
        ("TEXT", None),
        ("BYTEA", None),
    ],
)
def test_values_come_back_as_they_went(driver: Pipelined, kind: str, value: str | int | bytes | None) -> None:
    assert driver.rows(_echo(kind), {"value": value}) == [(value,)]


def test_a_text_that_would_be_cut_short(driver: Pipelined) -> None:
    with pytest.raises(psycopg.DataError):
        driver.rows(_echo("TEXT"), {"value": "a\x00b"})


def test_what_waits_comes_before_what_does_not(driver: Pipelined) -> None:
    driver.rows(command("CREATE TEMPORARY TABLE seen (id BIGINT)"), {})
    add = Compiled("INSERT INTO seen VALUES ($1::BIGINT)", ("id",), {})
    driver.later(add, [{"id": 1}, {"id": 2}])
    driver.later(add, [{"id": 3}])
    assert driver.rows(command("SELECT id FROM seen ORDER BY id"), {}) == [(1,), (2,), (3,)]
    assert driver.counts([(add, {"id": 4}), (command("DELETE FROM seen"), {})]) == [1, 4]
    assert driver.counts([(command("DELETE FROM seen"), {})]) == [0]


def test_an_error_is_that_of_the_statement_that_failed(driver: Pipelined) -> None:
    driver.later(command("SELECT 1/0"), [{}])
    with pytest.raises(psycopg.errors.DivisionByZero) as refused:
        driver.rows(command("SELECT 1"), {})
    assert refused.value.sqlstate == "22012"
    assert driver.rows(command("SELECT 1"), {}) == [(1,)]


def test_nothing_is_forgotten_that_was_sent(driver: Pipelined) -> None:
    driver.later(command("SELECT 1"), [{}])
    mark = driver.mark()
    driver.later(command("SELECT 1/0"), [{}])
    assert driver.drop(mark), "nothing since then was sent"
    driver.rows(command("SELECT 1"), {})
    driver.later(command("SELECT 1/0"), [{}])
    assert not driver.drop(mark)
    assert driver.rows(command("SELECT 2"), {}) == [(2,)]


def test_more_than_fits_between_client_and_server(store: SqlStore) -> None:
    """Both sides have much to say at once: neither may wait until the other has listened."""
    many = [rows.entry(index, f"org-{index % 7}", "own-a") for index in range(20_000)]
    with store.write() as kept:
        kept.append_entries(many, {(0, number): b"h" * 8192 for number in range(79)})
        assert len(kept.entries(0, 99_999)) == len(many)


def test_other_threads_run_while_one_waits(store: SqlStore, postgresql_url: str) -> None:
    """A writer that holds all threads up while it waits for the writer before would wait for ever."""
    other = open_store(postgresql_url)
    waiting = threading.Event()

    def write() -> None:
        waiting.set()
        with other.write() as kept:
            kept.add_partner(rows.partner("org-b"))

    thread = threading.Thread(target=write)
    with store.write() as kept:
        thread.start()
        waiting.wait()
        for _ in range(20):
            time.sleep(0.01)
        kept.add_partner(rows.partner("org-a"))
    thread.join()
    other.close()
    with store.read() as read:
        assert [row.organization for row in read.partners(limit=9)] == ["org-a", "org-b"]


def test_a_statement_that_was_interrupted(store: SqlStore) -> None:
    """A signal in the middle: nothing is done, and nobody gets that connection again."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def act() -> None:
        with store.write() as kept:
            kept.add_partner(rows.partner("org-a"))
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            kept._driver.later(command("SELECT pg_sleep(5)"), [{}])
            kept.command("SELECT 1")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            act()
    finally:
        signal.signal(signal.SIGALRM, before)
    with store.write() as kept:
        assert kept.partners(limit=9) == []
        kept.add_partner(rows.partner("org-b"))


def test_a_server_without_an_error_code(driver: Pipelined, store: SqlStore) -> None:
    with pytest.raises(StorageUnavailable), store.write() as kept:
        kept.command("SELECT pg_terminate_backend(pg_backend_pid())")
