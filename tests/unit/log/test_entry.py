from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom._encoding import canonical_json, parse_canonical_json, to_hex
from strongroom.crypto import labels
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, IntegrityError
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Entry, Kind, Record, commit, generate_salt, verify_record
from tests.unit.log.memory_log import CLINIC, LICENSE, disclosure, record

SALT = bytes(range(32))
GOOD = record(7)
ENTRY = commit(GOOD, SALT)


def members(data: bytes) -> dict[str, Any]:
    parsed = parse_canonical_json(data)
    assert isinstance(parsed, dict)
    return parsed


def test_bytes_and_back() -> None:
    assert Record.from_bytes(GOOD.to_bytes()) == GOOD
    assert Entry.from_bytes(ENTRY.to_bytes()) == ENTRY


def test_wire_names_never_change() -> None:
    assert [kind.value for kind in Kind] == [
        "owner-document",
        "restore",
        "enrollment",
        "approval",
        "suspension",
        "publication",
        "grant",
        "sublicense",
        "acceptance",
        "lease",
        "checkout",
        "usage",
        "revocation",
        "withdrawal",
        "break-glass",
        "clone-alarm",
        "derivation",
        "refusals",
    ]


def test_wire_bytes_never_change() -> None:
    assert GOOD.to_bytes() == (
        b'{"at":"2026-11-24T03:00:00Z","details":{"predictions":7,"reason":"an agreement of both sides"},'
        b'"document":"0000000000000000000000000000000000000000000000000000000000000007",'
        b'"format":"log-record/v1","kind":"grant","subjects":["lic-bbbbbbbbbbbbbbbbbbbbbbbb",'
        b'"org-cccccccccccccccccccccccc"]}'
    )
    assert ENTRY.to_bytes() == (
        b'{"at":"2026-11-24T03:00:00Z","commitment":"%s","format":"log-entry/v1","kind":"grant"}'
        % to_hex(sha256(labels.bind(b"strongroom/log-commitment/v1", SALT, GOOD.to_bytes()))).encode()
    )


def test_a_record_is_that_of_its_entry() -> None:
    assert verify_record(GOOD.to_bytes(), SALT, ENTRY.to_bytes()) == GOOD


def test_another_record_salt_or_entry_is_refused() -> None:
    later = msgspec.structs.replace(ENTRY, at="2026-11-24T03:00:01Z")
    other = msgspec.structs.replace(ENTRY, kind=Kind.LEASE)
    for wrong in [
        (record(8).to_bytes(), SALT, ENTRY.to_bytes()),
        (record(7, Kind.LEASE).to_bytes(), SALT, ENTRY.to_bytes()),
        (GOOD.to_bytes(), bytes(32), ENTRY.to_bytes()),
        (GOOD.to_bytes(), SALT, later.to_bytes()),
        (GOOD.to_bytes(), SALT, other.to_bytes()),
    ]:
        with pytest.raises(IntegrityError) as caught:
            verify_record(*wrong)
        assert caught.value.code == "log-record"


def test_salt_is_fresh() -> None:
    assert len(generate_salt()) == 32
    assert generate_salt() != generate_salt()


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_salt_of_another_size_is_refused(salt: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        commit(GOOD, salt)
    assert caught.value.code == "log-salt"
    with pytest.raises(FormatError):
        Disclosure(GOOD, salt).to_bytes()


RECORDS: list[dict[str, Any]] = [
    {"format": "log-record/v2"},
    {"kind": "gift"},
    {"kind": 7},
    {"at": "2026-11-24 03:00:00"},
    {"at": "2026-11-24T03:00:00.5Z"},
    {"subjects": []},
    {"subjects": [LICENSE, LICENSE]},
    {"subjects": [CLINIC, LICENSE]},
    {"subjects": ["clinic"]},
    {"subjects": [CLINIC + "\n"]},
    {"subjects": [f"lic-{'a' * 23}{each}" for each in "abcdefghijklmnopq"]},
    {"subjects": CLINIC},
    {"document": "00"},
    {"document": "AA" * 32},
    {"details": []},
    {"details": {"Reason": "x"}},
    {"details": {"": "x"}},
    {"details": {"x" * 33: "x"}},
    {"details": {"reason": None}},
    {"details": {"reason": True}},
    {"details": {"reason": ["x"]}},
    {"details": {"reason": "x" * 1025}},
    {"details": {f"n{number}": number for number in range(33)}},
    {"details": {f"n{number}": "é" * 1024 for number in range(8)}},
    {"more": 1},
]


@pytest.mark.parametrize("change", RECORDS)
def test_other_records_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Record.from_bytes(canonical_json(members(GOOD.to_bytes()) | change))


def test_a_record_is_complete_and_canonical() -> None:
    whole = members(GOOD.to_bytes())
    for name in whole:
        with pytest.raises(FormatError):
            Record.from_bytes(canonical_json({key: value for key, value in whole.items() if key != name}))
    with pytest.raises(FormatError):
        Record.from_bytes(GOOD.to_bytes() + b"\n")


AT = "2026-11-24T03:00:00Z"


@pytest.mark.parametrize(
    "wrong",
    [
        Record(kind=Kind.LEASE, at=AT, subjects=()),
        Record(kind=Kind.LEASE, at="today", subjects=(CLINIC,)),
        Record(kind=Kind.LEASE, at=AT, subjects=(CLINIC,), details={"sealed": True}),
        Record(kind=Kind.LEASE, at=AT, subjects=(CLINIC,), details={f"n{n}": "x" * 1024 for n in range(20)}),
    ],
)
def test_nothing_is_written_that_nobody_could_read(wrong: Record) -> None:
    with pytest.raises(FormatError):
        wrong.to_bytes()
    with pytest.raises(FormatError):
        Disclosure(wrong, SALT).to_bytes()
    with pytest.raises(FormatError):
        commit(wrong, SALT)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "log-entry/v2"},
        {"kind": "gift"},
        {"at": "today"},
        {"commitment": "00"},
        {"commitment": "AA" * 32},
        {"more": 1},
    ],
)
def test_other_entries_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Entry.from_bytes(canonical_json(members(ENTRY.to_bytes()) | change))


def test_a_disclosure_and_back() -> None:
    given = disclosure(7)
    assert Disclosure.from_bytes(given.to_bytes()) == given
    assert given.entry == commit(given.record, given.salt)
    assert repr(given) == "Disclosure(kind='grant')"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "log-disclosure/v2"},
        {"salt": "00"},
        {"salt": 7},
        {"record": {}},
        {"record": "x"},
        {"record": {"kind": "grant"}},
        {"more": 1},
    ],
)
def test_other_disclosures_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Disclosure.from_bytes(canonical_json(members(disclosure().to_bytes()) | change))


def test_no_refusal_shows_a_record() -> None:
    changed = members(GOOD.to_bytes()) | {"details": {"diagnosis": "x" * 1025}}
    with pytest.raises(FormatError) as caught:
        Record.from_bytes(canonical_json(changed))
    assert "diagnosis" not in str(caught.value)
