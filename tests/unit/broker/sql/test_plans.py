"""Every statement finds what it wants by an index: none gets slower as the tables grow."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from strongroom.broker.sql import (
    answers,
    counts,
    derivations,
    leases,
    licenses,
    log_rows,
    packages,
    parties,
    requests,
)
from strongroom.broker.sql.engine import make_engine
from strongroom.broker.sql.statement import Several, Statement
from strongroom.broker.sql.store import open_store
from tests.servers.postgresql import PostgreSql

_MODULES: tuple[ModuleType, ...] = (
    answers,
    counts,
    derivations,
    leases,
    licenses,
    log_rows,
    packages,
    parties,
    requests,
)

_WALKS = {
    "leases._VOIDED",
    "leases._VOID",
    "leases._FREE_VOIDED_SEATS",
}
"""What a restore does once, to all that there is."""

_SMALL = ("log_head", "above", "under", "about_", "anon_", "CONSTANT ROW", "-ROW VALUES", "(subquery")
"""One row, or what was found before."""

_VALUES: dict[str, object] = {"VARCHAR": "x", "BIGINT": 1, "INTEGER": 1, "BYTEA": b"x", "BOOLEAN": True}


def _statements() -> Iterator[tuple[str, Statement]]:
    for module in _MODULES:
        for name, value in vars(module).items():
            known = f"{module.__name__.rpartition('.')[2]}.{name}"
            if isinstance(value, Statement):
                yield known, value
            if isinstance(value, Several):
                yield from ((f"{known}.of({size})", value.of(size)) for size in (1, 2, 8, 64))
    for which in itertools.product([False, True], repeat=3):
        yield f"licenses._page{which}", licenses._page(*which)
    for documents in (None, 1, 4):
        yield f"counts._page({documents})", counts._page(documents)


class _Nothing(dict[str, None]):
    def __missing__(self, name: str) -> None:
        return None


def test_sqlite_scans_no_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'broker.db'}"
    store = open_store(url, create=True)
    store.close()
    engine = make_engine(url)
    scans: dict[str, list[str]] = {}
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        for name, statement in _statements():
            cursor.execute(f"EXPLAIN QUERY PLAN {statement.compiled('sqlite').text}", _Nothing())
            steps = [str(row[3]) for row in cursor.fetchall()]
            found = [step for step in steps if "SCAN" in step and not any(small in step for small in _SMALL)]
            if found:
                scans[name] = found
    engine.dispose()
    assert set(scans) <= _WALKS, scans


def test_holds_that_are_over_are_not_even_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'broker.db'}"
    open_store(url, create=True).close()
    engine = make_engine(url)
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        text = counts._OPEN_HOLDS.of(2).compiled("sqlite").text
        cursor.execute(f"EXPLAIN QUERY PLAN {text}", _Nothing())
        (step,) = (str(row[3]) for row in cursor.fetchall())
    engine.dispose()
    assert "hold_open (document=? AND <expr>>?)" in step


def test_postgresql_scans_no_table(postgresql: PostgreSql, postgresql_url: str) -> None:
    engine = make_engine(postgresql_url)
    scans: dict[str, list[str]] = {}
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        # Of empty tables it would read all: what is asked is whether there is an index at all.
        cursor.execute("SET enable_seqscan = off")
        for name, statement in _statements():
            text, order, fixed = statement.compiled("postgresql")
            values: dict[str, object] = {}
            for number, parameter in enumerate(order, 1):
                cast = re.search(rf"\${number}::(\w+)", text)
                # Bytes have no cast, nor have a truth value and the number of a LIMIT.
                limit = re.search(rf"LIMIT \${number}\b", text)
                values[parameter] = _VALUES[cast[1]] if cast else 1 if limit else b"x"
            values |= {"reported": True} if "reported" in values else {}
            values |= fixed
            cursor.execute(
                f"EXPLAIN {re.sub(r'[$][0-9]+', '%s', text)}",
                [values[order[int(found) - 1]] for found in re.findall(r"[$]([0-9]+)", text)],
            )
            plan = [str(row[0]) for row in cursor.fetchall()]
            found = [step for step in plan if "Seq Scan" in step and "log_head" not in step]
            if found:
                scans[name] = plan
    engine.dispose()
    assert set(scans) <= _WALKS, scans


def test_the_statements_are_all_looked_at() -> None:
    names = [name for name, _ in _statements()]
    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("name", sorted(_WALKS))
def test_the_exceptions_are_statements(name: str) -> None:
    assert name in dict(_statements())
