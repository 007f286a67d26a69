from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from strongroom._encoding import canonical_json, parse_canonical_json
from strongroom.errors import FormatError
from strongroom.keys.key_pair import sealing_public_to_text
from strongroom.license.documents import KINDS, Document, Lease, License
from strongroom.license.payload import from_payload, to_payload
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Budget
from strongroom.license.terms import Agreement, Derivations, Expires, Predictions
from tests.unit.license.samples import DOCUMENTS, END
from tests.unit.license.world import (
    BASE,
    NOW,
    OTHER_SEALING,
    SEALING,
    SIGNED,
    lease_of,
    license_of,
    offline_of,
    sublicense_of,
)

Edit = Callable[[dict[str, Any]], None]


def edited(name: str, edit: Edit) -> bytes:
    """Return the payload of a sample after an edit of its members."""
    members = parse_canonical_json(to_payload(DOCUMENTS[name]))
    edit(members)
    return canonical_json(members)


def put(member: str, value: object) -> Edit:
    def edit(members: dict[str, Any]) -> None:
        members[member] = value

    edit.__name__ = member  # names the test, alike in every process
    return edit


def put_in(outer: str, member: str, value: object) -> Edit:
    def edit(members: dict[str, Any]) -> None:
        target = members[outer][0] if isinstance(members[outer], list) else members[outer]
        target[member] = value

    edit.__name__ = f"{outer}.{member}"
    return edit


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.NAME))
def test_no_member_may_be_missing_or_added(kind: type[Document]) -> None:
    for member in parse_canonical_json(to_payload(DOCUMENTS[kind.NAME])):
        with pytest.raises(FormatError):
            from_payload(edited(kind.NAME, lambda members, gone=member: members.pop(gone)), kind)  # type: ignore[misc]  # bound early
    with pytest.raises(FormatError):
        from_payload(edited(kind.NAME, put("more", 1)), kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.NAME))
def test_every_member_has_a_type(kind: type[Document]) -> None:
    for member in parse_canonical_json(to_payload(DOCUMENTS[kind.NAME])):
        for value in (1.5, [1], {"a": 1}, True, "\n", -1):
            try:
                data = edited(kind.NAME, put(member, value))
            except FormatError:
                continue
            with pytest.raises(FormatError):
                from_payload(data, kind)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("license", put("format", "license/v2")),
        ("license", put("owner", "own-" + "1" * 24)),
        ("license", put("owner", "org-" + "a" * 24)),
        ("license", put("owner_version", 0)),
        ("license", put("owner_version", 10**6)),
        ("license", put("serial", "00" * 15)),
        ("license", put("serial", "FF" * 16)),
        ("license", put("issued_at", "2026-11-23T04:00:00+01:00")),
        ("license", put("issued_at", "2026-11-23T03:00:00.500000Z")),
        ("license", put("issued_at", "2026-11-23 03:00:00Z")),
        ("license", put_in("partner", "name", "St. Mary\n")),
        ("license", put_in("partner", "organization", "strongroom-device-public.AAAA")),
        ("license", put("terms", [])),
        ("sublicense", put("parent", "acc-" + "a" * 24)),
        ("sublicense", put("parent", "lic-" + "a" * 23)),
        ("sublicense", put("parent", "lic-" + "A" * 24)),
        ("sublicense", put("serial", "")),
        ("acceptance", put("license", "off-" + "a" * 24)),
        ("acceptance", put("agreement", "cd" * 31)),
        ("acceptance", put("organization", "strongroom-organization-public.AAAA")),
        ("offline", put("license", "acc-" + "a" * 24)),
        ("offline", put("package", "zz" * 32)),
        ("offline", put("package_id", "00" * 15)),
        ("offline", put("serial", "00")),
        ("offline", put("runtime", "own-" + "a" * 24)),
        ("offline", put("wrapped_key", "")),
        ("offline", put("wrapped_key", "AAA")),
        ("offline", put("wrapped_key", "A" * 8000)),
        ("offline", put("not_after", "2026-11-23T03:00:00Z")),
        ("offline", put_in("budget", "counter", "grace-predictions")),
        ("offline", put_in("budget", "limit", 0)),
        ("offline", put("budget", [{"counter": "tokens", "limit": 1, "per": "day"}] * 2)),
        (
            "offline",
            put(
                "budget",
                [
                    {"counter": "tokens", "limit": 1, "per": "day"},
                    {"counter": "predictions", "limit": 1, "per": "day"},
                ],
            ),
        ),
        ("lease", put("runtime", "run-")),
        ("lease", put("nonce", "00")),
        ("lease", put("previous", "off-" + "a" * 24)),
        ("lease", put("restart_key", "")),
        ("derivation", put("owner", "org-" + "a" * 24)),
        ("derivation", put("license", "off-" + "a" * 24)),
        ("derivation", put("parent", "cd" * 31)),
        ("derivation", put("package", "")),
        ("derivation", put("package_id", "00" * 15)),
        ("derivation", put("name", "../risk")),
        ("derivation", put("version", "1.3")),
        ("derivation", put("serial", "00")),
        ("derivation", put("wrapped_key", "")),
        ("withdrawal", put("name", "../risk")),
        ("withdrawal", put("version", "1.3")),
        ("withdrawal", put("package", "")),
        ("withdrawal", put("permits", "1.3.0")),
        ("withdrawal", put("permits", "2.0.0")),
        ("withdrawal", put("reason", "")),
        ("revocation", put("target", "acc-" + "a" * 24)),
        ("revocation", put("reason", "a\x1b[2Jb")),
        ("usage", put("license", "run-" + "a" * 24)),
        ("usage", put("runtime", "x")),
        ("usage", put("authority", "lic-" + "a" * 24)),
        ("usage", put("previous", "lea-" + "a" * 24)),
        ("usage", put_in("counts", "count", -1)),
        ("usage", put_in("counts", "period", "a/b")),
        ("usage", put_in("counts", "document", "")),
        ("usage", put_in("break_glass", "reason", "")),
        ("receipt", put("license", "")),
        ("receipt", put("runtime", "")),
        ("receipt", put("input", "11")),
        ("receipt", put("part", "11")),
        ("receipt", put("right", "fly")),
        ("receipt-batch", put("license", "off-" + "a" * 24)),
        ("receipt-batch", put("authority", "lic-" + "a" * 24)),
        ("receipt-batch", put("runtime", "x")),
        ("receipt-batch", put("package", "ab" * 31)),
        ("receipt-batch", put("part", "11")),
        ("receipt-batch", put("level", "vault")),
        ("receipt-batch", put("right", "fly")),
        ("receipt-batch", put("method", "")),
        ("receipt-batch", put("method", "m" * 65)),
        ("receipt-batch", put("method", "a\x1b[2Jb")),
        ("receipt-batch", put("session", "00" * 15)),
        ("receipt-batch", put("first", -1)),
        ("receipt-batch", put("first", 1 << 53)),
        ("receipt-batch", put("predictions", 0)),
        ("receipt-batch", put("predictions", 4)),
        ("receipt-batch", put("size", 0)),
        ("receipt-batch", put("size", 2)),
        ("receipt-batch", put("root", "44" * 31)),
        ("runtime-certificate", put("owner", "org-" + "a" * 24)),
        ("runtime-certificate", put("device", "x")),
        ("runtime-certificate", put("runtime", "run-" + "a" * 24)),
        ("lease-request", put("owner", "org-" + "a" * 24)),
        ("lease-request", put("license", "lea-" + "a" * 24)),
        ("lease-request", put("runtime", "org-" + "a" * 24)),
        ("lease-request", put("package", "ab" * 31)),
        ("lease-request", put("level", "vault")),
        ("lease-request", put("worker_key", "33" * 31)),
        ("lease-request", put("nonce", "ff" * 15)),
        ("lease-request", put("previous", "off-" + "a" * 24)),
        ("lease-request", put("predictions", 0)),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_what_a_document_may_not_say(name: str, edit: Edit) -> None:
    kind = type(DOCUMENTS[name])
    with pytest.raises(FormatError):
        from_payload(edited(name, edit), kind)


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("acceptance", "agreement"),
        ("lease", "previous"),
        ("lease", "restart_key"),
        ("withdrawal", "permits"),
        ("lease-request", "previous"),
        ("lease-request", "predictions"),
    ],
)
def test_what_may_be_null(name: str, member: str) -> None:
    kind = type(DOCUMENTS[name])
    assert from_payload(edited(name, put(member, None)), kind) != DOCUMENTS[name]


@pytest.mark.parametrize("missing", range(len(BASE)))
def test_a_license_says_which_packages_rights_and_levels(missing: int) -> None:
    with pytest.raises(FormatError, match="has no term") as caught:
        license_of(base=[term for place, term in enumerate(BASE) if place != missing])
    assert caught.value.code == "missing-term"


def test_a_license_says_once_where_derived_models_go_and_a_sublicense_does_not() -> None:
    here, there = (
        Derivations(to=sealing_public_to_text(secret.public)) for secret in (SEALING, OTHER_SEALING)
    )
    license_of(here)
    with pytest.raises(FormatError) as caught:
        license_of(here, there)
    assert caught.value.code == "duplicate-term"
    with pytest.raises(FormatError) as caught:
        sublicense_of("lic-" + "a" * 24, here)
    assert caught.value.code == "derivations-in-sublicense"


def test_no_term_stands_twice_and_one_agreement_at_most() -> None:
    day, month = Predictions(limit=1, per=Period.DAY), Predictions(limit=1, per=Period.MONTH)
    license_of(day, month)
    for terms in ([day, day], [Agreement(digest="ab" * 32), Agreement(digest="cd" * 32)]):
        with pytest.raises(FormatError) as caught:
            license_of(*terms)
        assert caught.value.code == "duplicate-term"
    with pytest.raises(FormatError):
        sublicense_of("lic-" + "a" * 24, day, day)


def test_a_license_has_a_bounded_number_of_terms() -> None:
    terms = [Predictions(limit=limit, per=Period.DAY) for limit in range(1, 62)]
    assert len(license_of(*terms).terms) == 64
    with pytest.raises(FormatError):
        license_of(*terms, Predictions(limit=100, per=Period.DAY))


def test_members_twice_and_other_spellings_are_refused() -> None:
    data = to_payload(DOCUMENTS["license"])
    for altered in (
        data.replace(b'"owner_version":1', b'"owner_version":1,"owner_version":1'),
        data.replace(b":1,", b": 1,", 1),
        data.replace(b'"owner_version":1', b'"owner_version":1.0'),
        data + b"\n",
        b"[" + data + b"]",
        b"",
    ):
        assert altered != data
        with pytest.raises(FormatError):
            from_payload(altered, License)


def test_an_id_is_made_of_the_payload() -> None:
    one = license_of(Expires(at=END))
    assert one.id == license_of(Expires(at=END)).id
    assert one.id != license_of(Expires(at=END + timedelta(seconds=1))).id
    assert len({document.id[4:] for document in DOCUMENTS.values()}) == len(DOCUMENTS)


def test_instants_are_kept_in_whole_seconds() -> None:
    assert license_of(issued_at=SIGNED + timedelta(microseconds=999_999)) == license_of()


def test_a_release_says_what_decisions_need() -> None:
    budget = (Budget(counter=CounterName.PREDICTIONS, limit=5, per=Period.DAY),)
    offline = offline_of("lic-" + "a" * 24, budget=budget)
    assert offline.authority.kind == "offline"
    assert offline.authority.id == offline.id
    assert offline.authority.budget == budget
    lease = lease_of("lic-" + "a" * 24, budget=budget)
    assert (lease.authority.kind, lease.authority.budget) == ("lease", budget)


def daily(limit: int, later: int | None, per: Period = Period.DAY) -> Budget:
    return Budget(counter=CounterName.PREDICTIONS, limit=limit, per=per, later=later)


@pytest.mark.parametrize(
    ("limit", "later", "per"),
    [
        (0, None, Period.DAY),
        (0, 0, Period.DAY),
        (5, 5, Period.DAY),
        (5, -1, Period.DAY),
        (-1, 5, Period.DAY),
        (5, 1 << 53, Period.DAY),
        (1 << 53, 5, Period.DAY),
        (5, 6, Period.TOTAL),
    ],
)
def test_a_budget_has_one_spelling_for_each_meaning(limit: int, later: int | None, per: Period) -> None:
    with pytest.raises(FormatError):
        daily(limit, later, per)


def test_a_budget_of_later_periods_holds_after_the_one_in_which_it_was_made() -> None:
    lease = lease_of("lic-" + "a" * 24, budget=(daily(2, 40),))
    assert from_payload(to_payload(lease), Lease) == lease
    for hours, limit in ((-48, 2), (0, 2), (20, 2), (21, 40), (96, 40)):
        (entry,) = lease.authority.budget_at(NOW + timedelta(hours=hours))
        assert (entry.limit, entry.later) == (limit, None)
    old = lease_of("lic-" + "a" * 24, budget=(daily(2, None),))
    assert b"later" not in to_payload(old)
    assert old.authority.budget_at(NOW + timedelta(days=9)) == old.budget


def test_what_is_left_of_the_hour_is_nothing_on_a_day_that_is_used_up() -> None:
    hourly = daily(3, None, Period.HOUR)
    today = lease_of("lic-" + "a" * 24, budget=(daily(0, 40), hourly)).authority
    assert today.budget_at(NOW) == ()
    assert today.budget_at(NOW + timedelta(days=1)) == (daily(40, None), hourly)
    tomorrow = lease_of("lic-" + "a" * 24, budget=(daily(40, 0), hourly)).authority
    assert tomorrow.budget_at(NOW) == (daily(40, None), hourly)
    assert tomorrow.budget_at(NOW + timedelta(days=1)) == ()
