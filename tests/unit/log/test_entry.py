from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import msgspec
import pytest

from strongroom._encoding import canonical_json, parse_canonical_json
from strongroom._limits import LIMITS
from strongroom.crypto import labels
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, IntegrityError
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Entry, Kind, Record, commit, generate_salt, verify_record
from tests.unit.log.memory_log import CLINIC, LICENSE, disclosure, record

SALT = bytes(range(32))


def changed(**members: Any) -> Record:
    return msgspec.structs.replace(record(), **members)


def test_records_and_back() -> None:
    assert Record.from_bytes(record().to_bytes()) == record()
    assert record().to_bytes() == (
        b'{"at":"2026-11-24T03:00:00Z","details":{"predictions":0,"reason":"an agreement of both sides"},'
        b'"document":"' + b"0" * 64 + b'","format":"log-record/v1","kind":"grant",'
        b'"subjects":["lic-bbbbbbbbbbbbbbbbbbbbbbbb","org-cccccccccccccccccccccccc"]}'
    )
    bare = changed(document=None, details={})
    assert Record.from_bytes(bare.to_bytes()) == bare


def test_the_wire_names_of_kinds_are_pinned() -> None:
    assert " ".join(Kind) == (
        "owner-document restore enrollment approval suspension membership publication grant sublicense "
        "acceptance lease return checkout usage revocation withdrawal break-glass clone-alarm "
        "derivation refusals request"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": "2026-11-24"},
        {"at": "2026-11-24T03:00:00+00:00"},
        {"subjects": ()},
        {"subjects": (CLINIC, LICENSE)},
        {"subjects": (CLINIC, CLINIC)},
        {"subjects": ("clinic",)},
        {"subjects": (f"{CLINIC}\n",)},
        {"subjects": tuple(f"org-{'c' * 22}a{end}" for end in "abcdefghijklmnopq")},
        {"document": ""},
        {"document": "A" * 64},
        {"details": {f"name{number}": number for number in range(LIMITS.max_log_details_length + 1)}},
        {"details": {"Name": 1}},
        {"details": {"": 1}},
        {"details": {"on": True}},
        {"details": {"reason": "x" * 1025}},
        {"details": {"reason": "\x1b[2J"}},
        {"details": {"reason": "one\ntwo"}},
        {"details": {"reason": "\u202eesrever"}},
    ],
)
def test_records_that_break_a_rule_are_neither_written_nor_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        changed(**wrong).to_bytes()
    with pytest.raises(FormatError):
        Record.from_bytes(canonical_json(msgspec.to_builtins(changed(**wrong))))


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "party"}, {"format": "log-record/v2"}, {"more": 1}, {"details": {"on": True}}, {"details": []}],
)
def test_records_of_another_form_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Record.from_bytes(canonical_json({**parse_canonical_json(record().to_bytes()), **wrong}))


def test_a_record_that_is_too_large_is_refused() -> None:
    large = changed(details={f"name{number}": "x" * 1000 for number in range(20)})
    with pytest.raises(FormatError, match="too large"):
        large.to_bytes()


def test_an_entry_says_nothing_but_that_something_happened() -> None:
    entries = {commit(record(number, kind), SALT).to_bytes() for number in (0, 10**6) for kind in Kind}
    assert len(entries) == 2 * len(Kind)
    assert {len(entry) for entry in entries} == {len(commit(record(), SALT).to_bytes())}
    assert Entry.from_bytes(entries.pop()).format == "log-entry/v1"


def test_what_a_commitment_covers() -> None:
    digest = sha256(labels.bind(labels.LOG_COMMITMENT, SALT, record().to_bytes())).hex()
    data = commit(record(), SALT).to_bytes()
    assert data == f'{{"commitment":"{digest}","format":"log-entry/v1"}}'.encode()
    assert Entry.from_bytes(data).to_bytes() == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"commitment":"00","format":"log-entry/v1"}',
        b'{"commitment":"' + b"A" * 64 + b'","format":"log-entry/v1"}',
        b'{"commitment":"' + b"0" * 64 + b'","format":"log-entry/v2"}',
        b'{"commitment":"' + b"0" * 64 + b'","format":"log-entry/v1"}\n',
        b'{"commitment":"' + b"0" * 64 + b'","format":"log-entry/v1","kind":"grant"}',
        b"x" * 70_000,
    ],
)
def test_other_entries_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        Entry.from_bytes(data)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_salt_has_one_size(size: int) -> None:
    with pytest.raises(FormatError) as caught:
        commit(record(), bytes(size))
    assert caught.value.code == "log-salt"


def test_salt_is_fresh() -> None:
    assert len(generate_salt()) == 32
    assert generate_salt() != generate_salt()


def test_a_record_is_verified_against_its_entry() -> None:
    entry = commit(record(), SALT).to_bytes()
    assert verify_record(record().to_bytes(), SALT, entry) == record()
    for other, salt in ((record(1), SALT), (record(0, Kind.REVOCATION), SALT), (record(), bytes(32))):
        with pytest.raises(IntegrityError) as caught:
            verify_record(other.to_bytes(), salt, entry)
        assert caught.value.code == "log-record"


def test_disclosures_and_back() -> None:
    data = disclosure(5).to_bytes()
    assert Disclosure.from_bytes(data) == disclosure(5)
    assert Disclosure.from_bytes(data).to_bytes() == data
    assert disclosure(5).entry == commit(record(5), (5).to_bytes(32, "big"))


def test_a_disclosure_shows_itself_only_on_request() -> None:
    assert repr(disclosure()) == "Disclosure(kind='grant')"
    with pytest.raises(FrozenInstanceError):
        disclosure().salt = SALT  # type: ignore[misc]  # that it cannot be set is the point


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "log-disclosure/v2"},
        {"salt": "00"},
        {"record": {}},
        {"record": []},
        {"more": None},
    ],
)
def test_other_disclosures_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        Disclosure.from_bytes(canonical_json({**parse_canonical_json(disclosure().to_bytes()), **wrong}))
    with pytest.raises(FormatError):
        Disclosure(record(), b"").to_bytes()
