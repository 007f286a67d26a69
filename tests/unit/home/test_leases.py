from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from strongroom.crypto.certificate import make_authority
from strongroom.errors import FormatError, ObjectNotFound, StorageUnavailable
from strongroom.home import files
from strongroom.home.brokers import Brokers
from strongroom.home.leases import Anchor, LeasePlace, LeaseRecord, Leases, Pending
from strongroom.keys.invite import BrokerAddress
from tests.unit.keys.parties import NOW

OWNER = "own-" + "a" * 24
PLACE = LeasePlace(owner=OWNER, license="lic-" + "b" * 24, package="c" * 64)
ANCHOR = Anchor(time="2026-11-24T03:00:00Z", boot_id="boot", boot_milliseconds=5)
PENDING = Pending(request="token", worker_key="key", usage=None, sent=ANCHOR)


@pytest.fixture
def leases(tmp_path: Path) -> Leases:
    return Leases(tmp_path / "leases")


def test_what_is_written_is_read(leases: Leases) -> None:
    assert leases.read(PLACE) == LeaseRecord()
    with leases.locked(PLACE):
        record = LeaseRecord(lease="token", pending=PENDING, last_usage="use-x")
        leases.write(PLACE, record)
    assert leases.read(PLACE) == record
    assert leases.places(OWNER) == [PLACE]
    assert leases.places("own-" + "z" * 24) == []


def test_a_stamp_changes_with_every_writing(leases: Leases) -> None:
    stamps = [leases.stamp(PLACE)]
    for _ in range(3):
        with leases.locked(PLACE):
            leases.write(PLACE, LeaseRecord())
        stamps.append(leases.stamp(PLACE))
    assert all(one != two for one, two in pairwise(stamps))
    assert stamps[0] == (0, 0)


def test_a_folder_that_cannot_be_looked_into(leases: Leases, tmp_path: Path) -> None:
    (tmp_path / "leases").write_text("no folder", encoding="ascii")
    with pytest.raises(StorageUnavailable):
        leases.stamp(PLACE)


def test_two_threads_do_not_hold_one_lease(leases: Leases) -> None:
    inside: list[str] = []

    def hold() -> None:
        with leases.locked(PLACE):
            inside.append("second")

    with leases.locked(PLACE):
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join(0.1)
        inside.append("first")
    thread.join(10)
    assert inside == ["first", "second"]


def test_announcements_add_up_and_are_never_forgotten(leases: Leases) -> None:
    leases.add_notices(OWNER, revocations=["a"], position="1")
    leases.add_notices(OWNER, revocations=["b", "a"], withdrawals=["w"])
    leases.add_notices(OWNER)
    notices = leases.notices(OWNER)
    assert (notices.revocations, notices.withdrawals, notices.position) == (("a", "b"), ("w",), "1")
    assert leases.places(OWNER) == []


def test_records_are_private(leases: Leases, tmp_path: Path) -> None:
    with leases.locked(PLACE):
        leases.write(PLACE, LeaseRecord())
    leases.add_notices(OWNER, revocations=["a"])
    modes = [path.stat().st_mode & 0o077 for path in tmp_path.rglob("*") if path != tmp_path]
    assert set(modes) == {0}


def test_a_damaged_record_is_named(leases: Leases, tmp_path: Path) -> None:
    with leases.locked(PLACE):
        leases.write(PLACE, LeaseRecord())
    next((tmp_path / "leases").rglob("lic-*.json")).write_bytes(b"{}")
    with pytest.raises(FormatError) as caught:
        leases.read(PLACE)
    assert caught.value.code == "damaged-record"


def test_no_id_leads_out_of_the_folder(leases: Leases) -> None:
    for place in (
        LeasePlace(owner="../x", license="lic-a", package="p"),
        LeasePlace(owner=OWNER, license="../../x", package="p"),
        LeasePlace(owner=OWNER, license="lic-a", package="/etc"),
    ):
        with pytest.raises(FormatError):
            leases.read(place)


def test_where_a_broker_is(tmp_path: Path) -> None:
    brokers = Brokers(tmp_path / "brokers", tmp_path / "lock")
    hosts = ["broker.example"]
    ca = make_authority("hospital", hosts=hosts, now=NOW).certificate.decode("ascii")
    assert brokers.address(OWNER) is None
    with pytest.raises(ObjectNotFound) as caught:
        brokers.get(OWNER)
    assert caught.value.code == "no-broker"
    address = BrokerAddress(url="https://broker.example", ca=ca)
    brokers.keep(OWNER, address)
    assert brokers.get(OWNER) == address
    for wrong in (BrokerAddress(url="http://broker.example", ca=ca), BrokerAddress(url=address.url, ca="x")):
        with pytest.raises(FormatError):
            brokers.keep(OWNER, wrong)
    path = tmp_path / "brokers" / f"{OWNER}.json"
    files.write_atomic(path, path.read_bytes().replace(b"https", b"httpz"))
    with pytest.raises(FormatError):
        brokers.address(OWNER)
