"""Backups: from either kind of database into either, while a broker runs, and what the way back does."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.broker.backup import backup, restore
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.records import LeaseEnd
from strongroom.broker.repository import Reading, Store
from strongroom.broker.sql import copying
from strongroom.broker.sql.store import open_store
from strongroom.broker.sql.tables import METADATA
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable, UsageError
from strongroom.log.checkpoint import verify_checkpoint
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind
from strongroom.log.note import Note
from strongroom.log.offer import Offer
from strongroom.log.witness import succeed
from tests.contract import broker_rows as rows
from tests.servers.postgresql import PostgreSql
from tests.simulators.clocks import HeldClock
from tests.simulators.log_owner import NOW, LogOwner

ORGANIZATION = "org-cccccccccccccccccccccccc"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that is not there yet, or has no tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def owner() -> LogOwner:
    return LogOwner.found()


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(NOW)


@pytest.fixture
def ledger(store: Store, owner: LogOwner, clock: HeldClock) -> Iterator[Ledger]:
    opened = Ledger(store, owner, clock)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.backup"


def _fill(act: Act) -> int:
    kept = act.kept
    kept.add_partner(rows.partner("org-a"))
    kept.add_runtime(rows.runtime("run-a"))
    kept.add_member(rows.member("mem-a", expires_at=NOW))
    kept.add_package(rows.package("digest"))
    kept.add_withdrawal(rows.withdrawal("wdr-a"))
    # The order of ids is not that of descent.
    kept.add_license(rows.license_row("lic-z"))
    kept.add_license(rows.license_row("sub-b", "lic-z", root="lic-z"))
    kept.add_license(rows.license_row("sub-a", "sub-b", root="lic-z"))
    kept.add_license_request(rows.license_request("ask-a"))
    kept.add_derivation(rows.derivation("drv-a"))
    kept.add_revocation("rev-a", "sub-a", "token", NOW)
    kept.add_lease(rows.lease("lea-a", "lic-z"), [rows.hold("lea-a")], [rows.seat("lea-a")])
    kept.add_lease(rows.lease("lea-b", "lic-z"), [], [])
    kept.end_lease("lea-a", LeaseEnd.SUPERSEDED)
    kept.add_offline(rows.offline("off-a", "lic-z"), [rows.hold("off-a")], [rows.seat("off-a")])
    kept.add_usage(rows.usage("use-a"))
    kept.add_used({rows.key("lic-z"): 1 << 40})
    kept.set_cosignature(1, "cosigned")
    kept.remember_answer(rows.answer("one"))
    return act.record(Kind.GRANT, [ORGANIZATION])


def _ask(kept: Reading) -> list[object]:
    return [
        kept.partners(limit=9),
        kept.runtimes_of("org-a"),
        kept.members_of("org-a", limit=9),
        kept.packages(limit=9),
        kept.withdrawals("risk"),
        kept.licenses(limit=9),
        kept.chain("sub-a"),
        kept.license_requests(limit=9),
        kept.derivations(limit=9),
        kept.revocations(limit=9),
        kept.lease("lea-a"),
        kept.newest_usage("run-a", "lic-a"),
        kept.offline_file("off-a"),
        kept.counts(limit=9),
        sorted(kept.holds(["lic-a", "lic-z"]), key=str),
    ]


def _copied(store: Store) -> list[object]:
    with store.read() as kept:
        return _ask(kept)


def test_a_backup_goes_into_either_kind_of_database(
    ledger: Ledger, store: Store, database_url: str, new_url: str, path: Path, owner: LogOwner
) -> None:
    ledger.act(_fill)
    before = _copied(store)
    backup(database_url, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [row.lease for row in restore(path, new_url, owner, HeldClock(NOW))] == ["lea-b"]
    restored = open_store(new_url)
    assert _copied(restored) == before
    with restored.read() as kept:
        ended = kept.lease("lea-b")
        assert ended == replace(rows.lease("lea-b", "lic-z"), ended=LeaseEnd.VOIDED)
        assert kept.answered("run-a", "one") is None
        newest = kept.newest_lease("run-a", "lic-z", "digest")
        assert newest == ended, "in the order of arrival, as before"
    restored.close()


def test_a_new_log_follows_and_partners_go_over(
    ledger: Ledger, store: Store, database_url: str, new_url: str, path: Path, owner: LogOwner
) -> None:
    ledger.act(_fill)
    with store.read() as kept:
        last = kept.head()
    seen = verify_checkpoint(Note.from_bytes(last.checkpoint.encode()), owner.verifiers())
    backup(database_url, path)
    restore(path, new_url, owner, HeldClock(NOW))
    restored = open_store(new_url)
    with restored.read() as kept:
        past = kept.past_log(last.origin)
        assert past is not None
        assert past[0] == last, "not one entry was added to it"
        records = [
            Disclosure.from_bytes(row.disclosure).record for row in kept.entries(0, 9) if row.disclosure
        ]
        assert [record.kind for record in records] == [Kind.RESTORE, Kind.OWNER_DOCUMENT]
    new = Ledger(restored, owner, HeldClock(NOW))
    new.start()
    old_offer, offer = Offer.from_bytes(new.offer(seen.size, 1)), Offer.from_bytes(new.offer(0))
    gone_over = succeed(
        seen,
        old_offer.note,
        old_offer.hashes,
        offer.note,
        old_keys=owner.verifiers(1),
        new_keys=owner.verifiers(2),
    )
    assert gone_over.predecessor == seen.digest
    new.act(lambda act: act.record(Kind.GRANT, [ORGANIZATION]))
    new.close()
    restored.close()


def test_a_version_of_the_owner_document_that_came_later_is_not_added_to_the_old_log(
    ledger: Ledger, store: Store, database_url: str, tmp_path: Path, path: Path, owner: LogOwner
) -> None:
    ledger.act(_fill)
    with store.read() as kept:
        last = kept.head()
    backup(database_url, path)
    owner.rotate()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    restore(path, url, owner, HeldClock(NOW))
    restored = open_store(url)
    with restored.read() as kept:
        past = kept.past_log(last.origin)
        assert past is not None
        assert past[0] == last
        assert kept.head().owner_version == 2
    restored.close()


def test_a_backup_of_a_broker_that_goes_on_is_one_state(
    ledger: Ledger, database_url: str, tmp_path: Path, owner: LogOwner
) -> None:
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            ledger.act(lambda act, name=f"org-{number}": act.kept.add_partner(rows.partner(name)))  # type: ignore[misc] # bound
            ledger.act(lambda act: act.record(Kind.GRANT, [ORGANIZATION]))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(3):
            path = tmp_path / f"{number}.backup"
            backup(database_url, path)
            with copying.loaded(path, f"sqlite:///{tmp_path / f'{number}.db'}") as copy, copy.read() as kept:
                assert len(kept.entries(0, 99_999)) == kept.head().size
    finally:
        stop.set()
        thread.join()


def test_a_backup_overwrites_nothing(database_url: str, store: Store, path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(UsageError) as refused:
        backup(database_url, path)
    assert refused.value.code == "already-exists"
    assert path.read_text() == "precious"
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


def test_a_restore_overwrites_nothing(
    ledger: Ledger, store: Store, database_url: str, path: Path, owner: LogOwner
) -> None:
    ledger.act(_fill)
    backup(database_url, path)
    before = _copied(store)
    with pytest.raises(UsageError) as refused:
        restore(path, database_url, owner, HeldClock(NOW))
    assert refused.value.code == "database-not-empty"
    assert _copied(store) == before


def test_a_restore_that_stops_half_way_leaves_nothing_to_open(
    ledger: Ledger, database_url: str, new_url: str, path: Path, owner: LogOwner
) -> None:
    ledger.act(_fill)
    backup(database_url, path)
    with pytest.raises(StorageUnavailable) as refused:
        restore(path, new_url, LogOwner.found(), HeldClock(NOW))
    assert refused.value.code == "other-owner"
    with pytest.raises((UsageError, ObjectNotFound)) as closed:
        open_store(new_url)
    assert closed.value.code in ("database-incomplete", "database-missing")
    assert closed.value.hint


def _not_ours(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")


def _cut(path: Path, url: str) -> None:
    backup(url, path)
    path.write_bytes(path.read_bytes()[:-5000])


def _overwritten(path: Path, url: str) -> None:
    backup(url, path)
    data = bytearray(path.read_bytes())
    data[20_000:40_000] = bytes(20_000)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda path, url: path.write_bytes(b""),
        lambda path, url: path.write_bytes(b"nothing of the kind" * 1000),
        lambda path, url: _not_ours(path),
        _cut,
        _overwritten,
    ],
)
def test_what_is_no_backup(
    ledger: Ledger,
    database_url: str,
    tmp_path: Path,
    path: Path,
    owner: LogOwner,
    make: Callable[[Path, str], None],
) -> None:
    ledger.act(_fill)
    make(path, database_url)
    with pytest.raises(FormatError) as refused:
        restore(path, f"sqlite:///{tmp_path / 'new.db'}", owner, HeldClock(NOW))
    assert refused.value.code == "backup-format"
    assert not (tmp_path / "new.db").exists()


def test_what_is_not_there(tmp_path: Path, path: Path, owner: LogOwner) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with pytest.raises(ObjectNotFound):
        restore(path, url, owner, HeldClock(NOW))
    with pytest.raises(ObjectNotFound) as refused:
        backup(url, path)
    assert refused.value.code == "database-missing"
    with pytest.raises(StorageUnavailable):
        backup(url, tmp_path / "nowhere" / "broker.backup")
    assert list(tmp_path.iterdir()) == []


def test_every_table_is_in_a_backup(ledger: Ledger, database_url: str, path: Path) -> None:
    ledger.act(_fill)
    backup(database_url, path)
    with closing(sqlite3.connect(path)) as connection:
        counts = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - ours
            for name in METADATA.tables
        }
    assert {name for name, count in counts.items() if not count} == {"answer", "past_log"}
