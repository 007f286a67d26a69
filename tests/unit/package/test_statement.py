from __future__ import annotations

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from strongroom._encoding import canonical_json
from strongroom.crypto import dsse
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, VerificationError
from strongroom.package.names import Version
from strongroom.package.statement import (
    PAYLOAD_TYPE,
    Statement,
    read_unverified,
    sign_statement,
    signer,
    verify_statement,
)
from tests.unit.package.making import KEYS, NOW, OTHER_OWNER, OTHER_SECRET, OWNER, OWNER_SECRET, PACKAGE_ID

STATEMENT = Statement(
    package_id=PACKAGE_ID,
    name="risk",
    version=Version(1, 2, 3),
    owner=OWNER,
    payload_bytes=100,
    contents_bytes=442,
    index_sha256="ab" * 32,
    created_at=NOW,
    previous="cd" * 32,
    parent="dc" * 32,
    agreement="ef" * 32,
)
SIGNED = sign_statement(STATEMENT, signer(OWNER_SECRET))


def _value() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(STATEMENT.to_bytes())
    return value


def _refuse(value: Any, code: str | None = None) -> None:
    with pytest.raises(FormatError) as refused:
        Statement.from_bytes(canonical_json(value))
    if code is not None:
        assert refused.value.code == code


def test_round_trip() -> None:
    data = STATEMENT.to_bytes()
    assert Statement.from_bytes(data) == STATEMENT
    assert Statement.from_bytes(data).to_bytes() == data


def test_the_bytes_are_those_of_the_specification() -> None:
    assert STATEMENT.to_bytes() == (
        b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"agreement":"' + b"ef" * 32 + b'",'
        b'"contents_bytes":442,"created_at":"2026-11-24T03:00:00Z","format":"v1-draft","marked":[],'
        b'"name":"risk","owner":"own-aaaaaaaaaaaaaaaaaaaaaaaa",'
        b'"package_id":"9272b7abaed1bbf3266bf3a241e7fdff","parent":"' + b"dc" * 32 + b'",'
        b'"payload_bytes":100,"previous":"' + b"cd" * 32 + b'",'
        b'"version":"1.2.3"},"predicateType":"urn:strongroom:package:v1-draft","subject":[{"digest":'
        b'{"sha256":"' + b"ab" * 32 + b'"},"name":"risk-1.2.3.sealed"}]}'
    )


def test_package_digest_is_that_of_the_signed_bytes() -> None:
    assert STATEMENT.package_digest == sha256(STATEMENT.to_bytes()).hex()
    assert STATEMENT.file_name == "risk-1.2.3.sealed"


@pytest.mark.parametrize(
    "change",
    [
        {"package_id": "ab" * 15},
        {"package_id": "AB" * 16},
        {"name": "Risk"},
        {"owner": "hospital"},
        {"owner": "own-" + "a" * 23},
        {"owner": "own-" + "1" * 24},
        {"index_sha256": ""},
        {"previous": "cd" * 31},
        {"agreement": "x" * 64},
        {"payload_bytes": -1},
        {"contents_bytes": 0},
        {"created_at": NOW + timedelta(microseconds=1)},
        {"created_at": datetime(2026, 1, 1)},  # a time without a zone
        {"marked": (1,)},
        {"marked": (-1,)},
        {"marked": (0, 0)},
    ],
)
def test_a_statement_that_breaks_a_rule_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        dataclasses.replace(STATEMENT, **change)


def test_marked_segments_are_reserved_and_have_a_form() -> None:
    marked = dataclasses.replace(STATEMENT, payload_bytes=3 << 20, marked=(0, 2))
    assert Statement.from_bytes(marked.to_bytes()) == marked


def test_the_time_may_be_given_in_any_zone() -> None:
    zoned = dataclasses.replace(STATEMENT, created_at=NOW.astimezone(timezone(timedelta(hours=5))))
    assert zoned.to_bytes() == STATEMENT.to_bytes()
    assert Statement.from_bytes(zoned.to_bytes()).created_at.tzinfo is UTC


@pytest.mark.parametrize(
    "member",
    ["agreement", "contents_bytes", "created_at", "format", "marked", "name", "owner", "package_id",
     "payload_bytes", "previous", "version"],
)  # fmt: skip
def test_every_member_is_required(member: str) -> None:
    value = _value()
    del value["predicate"][member]
    _refuse(value)


@pytest.mark.parametrize("member", ["_type", "predicate", "predicateType", "subject"])
def test_every_outer_member_is_required(member: str) -> None:
    value = _value()
    del value[member]
    _refuse(value)


def test_unknown_members_are_refused() -> None:
    _refuse(_value() | {"x": 1})
    value = _value()
    value["predicate"]["x"] = 1
    _refuse(value)


def test_another_format_is_refused() -> None:
    _refuse(_value() | {"_type": "https://in-toto.io/Statement/v0.1"}, "unknown-format")
    _refuse(_value() | {"predicateType": "urn:strongroom:part:v1-draft"}, "unknown-format")
    value = _value()
    value["predicate"]["format"] = "v1"
    _refuse(value, "unknown-format")


def test_a_subject_that_is_not_the_package_is_refused() -> None:
    value = _value()
    subject = value["subject"][0]
    _refuse(value | {"subject": []})
    _refuse(value | {"subject": [subject, subject]})
    _refuse(value | {"subject": [subject | {"name": "risk-1.2.4.sealed"}]})


def test_sign_and_verify() -> None:
    assert verify_statement(SIGNED, KEYS, owner=OWNER) == STATEMENT
    assert read_unverified(SIGNED) == STATEMENT


def test_another_key_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        verify_statement(SIGNED, [OTHER_SECRET.public], owner=OWNER)
    assert refused.value.code == "wrong-signer"
    with pytest.raises(VerificationError):
        verify_statement(SIGNED, [], owner=OWNER)


def test_another_owner_is_refused() -> None:
    with pytest.raises(VerificationError) as refused:
        verify_statement(SIGNED, KEYS, owner=OTHER_OWNER)
    assert refused.value.code == "wrong-owner"


def test_two_signatures_are_refused_even_if_both_are_right() -> None:
    twice = dsse.sign(STATEMENT.to_bytes(), PAYLOAD_TYPE, [OWNER_SECRET, OTHER_SECRET]).to_bytes()
    with pytest.raises(FormatError):
        read_unverified(twice)
    with pytest.raises(FormatError):
        verify_statement(twice, KEYS, owner=OWNER)


def test_another_payload_type_is_refused() -> None:
    other = dsse.sign(STATEMENT.to_bytes(), "application/json", [OWNER_SECRET]).to_bytes()
    with pytest.raises(FormatError):
        verify_statement(other, KEYS, owner=OWNER)


def test_a_statement_above_the_limit_is_not_parsed() -> None:
    with pytest.raises(FormatError) as refused:
        read_unverified(b"{" * (64 << 10) + b"{")
    assert refused.value.code == "statement-size"


def test_a_signer_that_signs_something_else_is_noticed() -> None:
    other = dataclasses.replace(STATEMENT, name="other")
    with pytest.raises(VerificationError) as refused:
        sign_statement(STATEMENT, lambda _: dsse.sign(other.to_bytes(), PAYLOAD_TYPE, [OWNER_SECRET]))
    assert refused.value.code == "signer"


def test_a_signer_that_does_not_sign_is_noticed() -> None:
    with pytest.raises(FormatError):
        sign_statement(STATEMENT, lambda payload: dsse.Envelope(PAYLOAD_TYPE, payload, ()))


def test_the_envelope_is_plain_dsse() -> None:
    envelope = json.loads(SIGNED)
    assert sorted(envelope) == ["payload", "payloadType", "signatures"]
    assert base64.b64decode(envelope["payload"]) == STATEMENT.to_bytes()
    assert envelope["signatures"][0]["keyid"] == OWNER_SECRET.public.key_id
