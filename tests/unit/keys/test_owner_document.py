from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from strongroom._encoding import canonical_json, parse_canonical_json
from strongroom.errors import FormatError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.owner_document import OwnerDocument, Role
from strongroom.keys.text import KeyKind, public_to_text
from tests.unit.keys.parties import Hospital, keys

HOSPITAL = Hospital(roots=keys(KeyKind.OWNER_ROOT, 2))
OWNER = HOSPITAL.owner()
PAYLOAD = OWNER.chain.payloads[0]
LOG_ENTRY = {"key": LogKey.generate().public_text, "retired_at": None}
JSON = dict[str, Any]


def changed(change: Callable[[JSON], object]) -> bytes:
    members = parse_canonical_json(PAYLOAD)
    change(members)
    return canonical_json(members)


def cut_off(key_id: str | None = None, **members: Any) -> JSON:
    return {"key_id": key_id or HOSPITAL.license.key_id, "log_position": None, "reason": "stolen", **members}


def test_a_document_round_trips() -> None:
    assert OwnerDocument.from_bytes(PAYLOAD).to_bytes() == PAYLOAD


def test_the_wire_form_is_pinned() -> None:
    roots = sorted(root.public_text for root in HOSPITAL.roots)
    assert PAYLOAD.decode() == (
        '{"cut_off":[],"format":"owner/v1","issued_at":"2026-11-24T03:00:00Z","name":"hospital","owner":null,'
        f'"roles":{{"broker":[{{"key":"{HOSPITAL.broker.public_text}","retired_at":null}}],'
        f'"license":[{{"key":"{HOSPITAL.license.public_text}","retired_at":null}}],"log":[],'
        f'"package":[{{"key":"{HOSPITAL.package.public_text}","retired_at":null}}]}},'
        f'"roots":{{"keys":["{roots[0]}","{roots[1]}"],"threshold":1}},"version":1}}'
    )


def test_the_roles_can_be_asked_for() -> None:
    document = OwnerDocument.from_bytes(PAYLOAD)
    assert [entry.key for entry in document.roles.of(Role.PACKAGE)] == [HOSPITAL.package.public_text]
    assert document.roles.of(Role.LOG) == ()


def test_a_cut_off_key_stays_in_its_role() -> None:
    for position in (None, 0, 12):
        payload = changed(lambda d, position=position: d["cut_off"].append(cut_off(log_position=position)))  # type: ignore[misc] # mypy does not infer the default of a lambda
        assert OwnerDocument.from_bytes(payload).to_bytes() == payload


def test_a_log_key_stands_in_its_role() -> None:
    payload = changed(lambda d: d["roles"].update(log=[LOG_ENTRY]))
    document = OwnerDocument.from_bytes(payload)
    assert document.to_bytes() == payload
    assert [entry.key for entry in document.roles.of(Role.LOG)] == [LOG_ENTRY["key"]]


def root(document: JSON, position: int = 0) -> str:
    text: str = document["roots"]["keys"][position]
    return text


BAD: dict[str, Callable[[JSON], object]] = {
    "another format": lambda d: d.update(format="owner/v2"),
    "an unknown member": lambda d: d.update(extra=1),
    "a missing member": lambda d: d.pop("cut_off"),
    "a missing null": lambda d: d.pop("owner"),
    "a name with capitals": lambda d: d.update(name="Hospital"),
    "version 0": lambda d: d.update(version=0, owner=OWNER.id),
    "a version beyond the limit": lambda d: d.update(version=257, owner=OWNER.id),
    "a version as text": lambda d: d.update(version="1"),
    "a version as a truth value": lambda d: d.update(version=True),
    "an owner in version 1": lambda d: d.update(owner=OWNER.id),
    "no owner in version 2": lambda d: d.update(version=2),
    "an owner that is no id": lambda d: d.update(version=2, owner="hospital"),
    "a date of another form": lambda d: d.update(issued_at="2026-11-24 03:00"),
    "no roots": lambda d: d.update(roots={"keys": [], "threshold": 0}),
    "a threshold of 0": lambda d: d["roots"].update(threshold=0),
    "a threshold below 0": lambda d: d["roots"].update(threshold=-1),
    "a threshold beyond the roots": lambda d: d["roots"].update(threshold=3),
    "a root twice": lambda d: d["roots"].update(keys=[root(d), root(d)]),
    "roots out of order": lambda d: d["roots"]["keys"].reverse(),
    "a root that is a license key": lambda d: d["roots"]["keys"].insert(0, HOSPITAL.license.public_text),
    "too many roots": lambda d: d["roots"].update(
        keys=sorted(key.public_text for key in keys(KeyKind.OWNER_ROOT, 17))
    ),
    "a license key as package key": lambda d: d["roles"].update(package=d["roles"]["license"]),
    "a key in two roles": lambda d: d["roles"].update(
        package=[
            {
                "key": public_to_text(KeyKind.OWNER_PACKAGE, HOSPITAL.license.public.to_bytes()),
                "retired_at": None,
            }
        ]
    ),
    "a root as role key": lambda d: d["roles"].update(
        package=[
            {
                "key": public_to_text(KeyKind.OWNER_PACKAGE, HOSPITAL.roots[0].public.to_bytes()),
                "retired_at": None,
            }
        ]
    ),
    "a role key twice": lambda d: d["roles"].update(license=d["roles"]["license"] * 2),
    "too many role keys": lambda d: d["roles"].update(license=d["roles"]["license"] * 65),
    "a log key of small order": lambda d: d["roles"].update(
        log=[{"key": public_to_text(KeyKind.OWNER_LOG, bytes(32)), "retired_at": None}]
    ),
    "a license key as log key": lambda d: d["roles"].update(log=d["roles"]["license"]),
    "a log key twice": lambda d: d["roles"].update(log=[LOG_ENTRY, LOG_ENTRY]),
    "a log key as broker key": lambda d: d["roles"].update(broker=[LOG_ENTRY]),
    "a role too many": lambda d: d["roles"].update(admin=[]),
    "a role missing": lambda d: d["roles"].pop("log"),
    "a retirement of another form": lambda d: d["roles"]["license"][0].update(retired_at="soon"),
    "no retirement": lambda d: d["roles"]["license"][0].pop("retired_at"),
    "a cut-off key of no role": lambda d: d["cut_off"].append(cut_off("0" * 32)),
    "a cut-off root": lambda d: d["cut_off"].append(cut_off(HOSPITAL.roots[0].key_id)),
    "a cut-off key twice": lambda d: d["cut_off"].extend([cut_off(), cut_off()]),
    "a negative log position": lambda d: d["cut_off"].append(cut_off(log_position=-1)),
    "no reason": lambda d: d["cut_off"].append(cut_off(reason="")),
    "a reason of two lines": lambda d: d["cut_off"].append(cut_off(reason="a\nb")),
    "a reason that repaints": lambda d: d["cut_off"].append(cut_off(reason="\x1b[31m")),
    "a long reason": lambda d: d["cut_off"].append(cut_off(reason="a" * 201)),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_document_is_refused(fault: str) -> None:
    with pytest.raises(FormatError):
        OwnerDocument.from_bytes(changed(BAD[fault]))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("a root twice", "owner-key-twice"),
        ("a key in two roles", "owner-key-twice"),
        ("a root as role key", "owner-key-twice"),
        ("a license key as package key", "wrong-kind"),
        ("a root that is a license key", "wrong-kind"),
        ("a threshold beyond the roots", "threshold"),
        ("a log key of small order", "small-order"),
        ("a log key twice", "owner-key-twice"),
        ("a log key as broker key", "wrong-kind"),
        ("a name with capitals", "name"),
    ],
)
def test_the_fault_is_named(fault: str, code: str) -> None:
    payload = changed(BAD[fault])
    with pytest.raises(FormatError) as caught:
        OwnerDocument.from_bytes(payload)
    assert caught.value.code == code


def test_cut_off_keys_are_sorted() -> None:
    ids = sorted([HOSPITAL.license.key_id, HOSPITAL.package.key_id])
    good = changed(lambda d: d["cut_off"].extend([cut_off(ids[0]), cut_off(ids[1])]))
    assert OwnerDocument.from_bytes(good).to_bytes() == good
    with pytest.raises(FormatError):
        OwnerDocument.from_bytes(changed(lambda d: d["cut_off"].extend([cut_off(ids[1]), cut_off(ids[0])])))


def test_white_space_is_another_document() -> None:
    with pytest.raises(FormatError):
        OwnerDocument.from_bytes(PAYLOAD + b"\n")


def test_a_key_is_one_key_in_both_halves_of_the_curve() -> None:
    """A key has one encoding: neither the uncompressed point nor another sign passes for it."""
    key = SigningKey.generate(KeyKind.OWNER_ROOT).public.to_bytes()
    other = bytes([key[0] ^ 1]) + key[1:]
    assert public_to_text(KeyKind.OWNER_ROOT, key) != public_to_text(KeyKind.OWNER_ROOT, other)
