"""What every database of a broker must keep and find again: one suite, run over each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from strongroom.broker.records import (
    BelowRow,
    LeaseEnd,
    LicenseRow,
    LicenseStatus,
    PartyStatus,
    RevocationRow,
)
from strongroom.broker.repository import Store, Writing
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.license.period import CounterName, Period
from strongroom.log.tile import Tile
from tests.contract import broker_rows as rows
from tests.contract.broker_rows import MINUTE, NOW


def test_partners(store: Store) -> None:
    known = [rows.partner(f"org-{letter}", name=f"clinic {letter}") for letter in "bca"]
    with store.write() as kept:
        for row in known:
            kept.add_partner(row)
        kept.set_partner_status("org-b", PartyStatus.APPROVED)
    approved = replace(known[0], status=PartyStatus.APPROVED)
    with store.read() as kept:
        assert kept.partner("org-b") == approved
        assert kept.partner("org-x") is None
        assert kept.partners_called("clinic b") == [approved]
        assert [row.organization for row in kept.partners(limit=10)] == ["org-a", "org-b", "org-c"]
        assert [row.organization for row in kept.partners(after="org-a", limit=1)] == ["org-b"]


def test_several_may_claim_a_name_and_one_has_it(store: Store) -> None:
    with store.write() as kept:
        for organization in ("org-a", "org-b"):
            kept.add_partner(rows.partner(organization, name="clinic"))
        kept.set_partner_status("org-a", PartyStatus.SUSPENDED)
        with pytest.raises(UsageError) as refused, kept.savepoint():
            kept.set_partner_status("org-b", PartyStatus.APPROVED)
        assert refused.value.code == "exists-already"
        assert [row.status for row in kept.partners_called("clinic")] == ["suspended", "pending"]


def test_pages_are_in_the_order_of_bytes(store: Store) -> None:
    """A server's own order of letters passes over dashes and case."""
    ids = ["org-B", "org-a", "org-a-b", "org-ab", "org-b", "org-ä"]
    with store.write() as kept:
        for organization in reversed(ids):
            kept.add_partner(rows.partner(organization, name=organization))
    with store.read() as kept:
        assert [row.organization for row in kept.partners(limit=10)] == ids
        assert [row.organization for row in kept.partners(after="org-a-b", limit=2)] == ["org-ab", "org-b"]


def test_runtimes(store: Store) -> None:
    with store.write() as kept:
        kept.add_runtime(rows.runtime("run-b"))
        kept.add_runtime(rows.runtime("run-a"))
        kept.add_runtime(rows.runtime("run-c", "org-c"))
        kept.set_runtime_status("run-b", PartyStatus.SUSPENDED)
        assert kept.runtime("run-a") == rows.runtime("run-a")
        assert [row.runtime for row in kept.runtimes_of("org-a")] == ["run-a", "run-b"]
        again = replace(rows.runtime("run-b"), sealing="other", enrolled_at=NOW + MINUTE)
        kept.add_runtime(again)
        assert kept.runtime("run-b") == again
        assert kept.runtime("run-x") is None


def test_members(store: Store) -> None:
    with store.write() as kept:
        for name in ("mem-c", "mem-a", "mem-b"):
            kept.add_member(rows.member(name, expires_at=NOW))
        kept.add_member(rows.member("mem-d", "own-a"))
    with store.read() as kept:
        assert kept.member("mem-a") == rows.member("mem-a", expires_at=NOW)
        assert kept.member("mem-d") == rows.member("mem-d", "own-a")
        assert [row.member for row in kept.members_of("org-a", limit=2)] == ["mem-a", "mem-b"]
        assert [row.member for row in kept.members_of("org-a", after="mem-b", limit=2)] == ["mem-c"]
    with store.write() as kept:
        kept.remove_member("mem-a")
        assert kept.member("mem-a") is None


def test_a_pending_partner_is_forgotten_whole(store: Store) -> None:
    with store.write() as kept:
        for organization in ("org-a", "org-b"):
            kept.add_partner(rows.partner(organization))
            kept.add_runtime(rows.runtime(f"run-{organization}", organization))
            kept.add_member(rows.member(f"mem-{organization}", organization))
        kept.remove_partner("org-a")
        assert kept.partner("org-a") is None
        assert not kept.runtimes_of("org-a")
        assert not kept.members_of("org-a", limit=5)
        assert kept.runtimes_of("org-b")
        assert kept.members_of("org-b", limit=5)
        kept.set_partner_status("org-b", PartyStatus.APPROVED)
        with pytest.raises(ObjectNotFound):
            kept.remove_partner("org-b")
        assert kept.runtimes_of("org-b")


def test_packages(store: Store) -> None:
    known = [rows.package(letter * 4, key_id=f"kek-{letter}") for letter in "cab"]
    with store.write() as kept:
        for row in known:
            kept.add_package(row)
        kept.add_package(rows.package("dddd", name="fraud", key_id="kek-b"))
    with store.read() as kept:
        assert kept.package("cccc") == known[0]
        assert kept.package("xxxx") is None
        assert [row.package for row in kept.packages(limit=2)] == ["aaaa", "bbbb"]
        assert [row.package for row in kept.packages(after="bbbb", limit=9)] == ["cccc", "dddd"]
        assert [row.package for row in kept.packages_called("risk")] == ["aaaa", "bbbb", "cccc"]
        assert {row.package for row in kept.packages_not_under("kek-b", limit=9)} == {"aaaa", "cccc"}
        assert len(kept.packages_not_under("kek-x", limit=3)) == 3
    with store.write() as kept:
        kept.set_wrapped_key("aaaa", b"other", "kek-new")
        assert kept.package("aaaa") == replace(known[1], wrapped_key=b"other", key_id="kek-new")


def test_withdrawals(store: Store) -> None:
    with store.write() as kept:
        for name in ("wdr-b", "wdr-a"):
            kept.add_withdrawal(rows.withdrawal(name))
        kept.add_withdrawal(rows.withdrawal("wdr-c", name="fraud"))
        assert kept.withdrawals("risk") == [rows.withdrawal("wdr-a"), rows.withdrawal("wdr-b")]
        assert kept.withdrawals("other") == []


def _add_tree(kept: Writing) -> dict[str, LicenseRow]:
    """Two licenses; under the first, four documents deep, with a branch at each depth."""
    tree = {
        "lic-a": None,
        "sub-b": "lic-a",
        "sub-c": "lic-a",
        "sub-d": "sub-b",
        "sub-e": "sub-b",
        "sub-f": "sub-d",
        "lic-z": None,
    }
    known = {
        name: rows.license_row(name, parent, root="lic-a" if parent else None)
        for name, parent in tree.items()
    }
    for row in known.values():
        kept.add_license(row)
    return known


def test_chains_and_what_hangs_from_a_license(store: Store) -> None:
    with store.write() as written:
        known = _add_tree(written)
    with store.read() as kept:
        assert kept.license("sub-f") == known["sub-f"]
        assert kept.license("lic-x") is None
        for names in (["lic-a"], ["lic-a", "sub-b"], ["lic-a", "sub-b", "sub-d", "sub-f"]):
            assert kept.chain(names[-1]) == [known[name] for name in names]
        assert kept.chain("lic-x") == []
        assert [row.license for row in kept.licenses_under("lic-a")] == [
            "sub-b",
            "sub-c",
            "sub-d",
            "sub-e",
            "sub-f",
        ]
        assert kept.licenses_under("sub-d") == [
            BelowRow(
                license="sub-f", parent=str(known["sub-f"].parent), organization=known["sub-f"].organization
            )
        ]
        assert kept.licenses_under("lic-z") == []


def test_pages_of_licenses(store: Store) -> None:
    with store.write() as written:
        written.add_license(rows.license_row("lic-c", organization="org-b", expires_at=NOW))
        written.add_license(rows.license_row("lic-a", expires_at=NOW + MINUTE))
        written.add_license(rows.license_row("lic-b", status=LicenseStatus.REQUESTED, expires_at=NOW))
        written.add_license(rows.license_row("lic-d", status=LicenseStatus.REQUESTED))
    with store.read() as kept:

        def page(**which: object) -> str:
            found = kept.licenses(limit=which.pop("limit", 9), **which)  # type: ignore[arg-type]  # by name
            return "".join(row.license[-1] for row in found)

        assert page() == "abcd"
        assert page(after="lic-b", limit=1) == "c"
        assert page(organization="org-a") == "abd"
        assert page(status=LicenseStatus.REQUESTED) == "bd"
        assert page(expires_before=NOW + MINUTE) == "bc"
        assert page(organization="org-a", expires_before=NOW + 2 * MINUTE) == "ab"
        assert page(organization="org-a", status=LicenseStatus.REQUESTED, expires_before=NOW + MINUTE) == "b"
        assert page(organization="org-x") == ""


def test_the_life_of_a_license(store: Store) -> None:
    granted = rows.license_row("lic-a", status=LicenseStatus.REQUESTED)
    with store.write() as kept:
        kept.add_license(granted)
        kept.set_license_status("lic-a", LicenseStatus.GRANTED, approved_by="mem-b")
        kept.set_license_status("lic-a", LicenseStatus.SUSPENDED)
        kept.set_acceptance("lic-a", "accepted", NOW + MINUTE)
        assert kept.license("lic-a") == replace(
            granted,
            status=LicenseStatus.SUSPENDED,
            approved_by="mem-b",
            acceptance="accepted",
            accepted_at=NOW + MINUTE,
        )


def test_a_license_hangs_from_one_that_is_there(store: Store) -> None:
    with pytest.raises(UsageError) as refused, store.write() as kept:
        kept.add_license(rows.license_row("sub-a", "lic-x", root="lic-x"))
    assert refused.value.code == "row-missing"
    with pytest.raises(UsageError) as refused, store.write() as kept:
        kept.add_lease(rows.lease("lea-a", "lic-x"), [], [])
    assert refused.value.code == "row-missing"


def test_revocations(store: Store) -> None:
    with store.write() as kept:
        assert kept.add_revocation("rev-b", "lic-a", "token b", NOW) == 1
        assert kept.add_revocation("rev-a", "sub-b", "token a", NOW) == 2
    with store.write() as kept:
        assert kept.add_revocation("rev-c", "lic-a", "token c", NOW) == 3
        assert kept.revoked(["lic-a", "sub-b", "lic-x"]) == {"lic-a", "sub-b"}
        assert kept.revoked([]) == frozenset()
        many = [f"lic-{number}" for number in range(200)]
        assert kept.revoked([*many, "sub-b"]) == {"sub-b"}
        first = RevocationRow(
            position=1, revocation="rev-b", target="lic-a", token="token b", received_at=NOW
        )
        assert kept.revocations(limit=1) == [first]
        assert [row.revocation for row in kept.revocations(after=1, limit=5)] == ["rev-a", "rev-c"]
        assert [row.revocation for row in kept.revocations_of(["lic-a", "x"])] == ["rev-b", "rev-c"]
        assert not kept.any_lease_revoked()
        kept.add_revocation("rev-d", "lea-a", "token d", NOW)
        assert kept.any_lease_revoked()


def test_leases(store: Store) -> None:
    given = rows.lease("lea-b")
    with store.write() as kept:
        _add_tree(kept)
        kept.add_lease(given, [], [])
        kept.add_lease(rows.lease("lea-a", previous="lea-b"), [], [])
        kept.add_lease(rows.lease("lea-c", runtime="run-b"), [], [])
    with store.read() as kept:
        assert kept.lease("lea-b") == given
        assert kept.lease("lea-x") is None
        newest = kept.newest_lease("run-a", "lic-a", "digest")
        assert newest == rows.lease("lea-a", previous="lea-b"), "the last that was added, in the same second"
        assert kept.newest_lease("run-a", "lic-a", "other") is None
        assert kept.newest_lease("run-a", "lic-z", "digest") is None
    with store.write() as kept:
        kept.end_lease("lea-b", LeaseEnd.SUPERSEDED)
        assert kept.lease("lea-b") == replace(given, ended=LeaseEnd.SUPERSEDED)


def test_pages_of_leases_in_use(store: Store) -> None:
    with store.write() as written:
        _add_tree(written)
        for name, license in (("lea-c", "lic-a"), ("lea-a", "sub-f"), ("lea-b", "lic-z"), ("lea-d", "sub-c")):
            written.add_lease(rows.lease(name, license), [], [])
        written.add_lease(rows.lease("lea-e", last_use_at=NOW), [], [])
        written.end_lease("lea-d", LeaseEnd.RETURNED)
    with store.read() as kept:

        def names(**which: object) -> list[str]:
            found = kept.leases(NOW, limit=which.pop("limit", 9), **which)  # type: ignore[arg-type]  # by name
            return [row.lease for row in found]

        assert names() == ["lea-a", "lea-b", "lea-c"]
        assert names(after="lea-a", limit=1) == ["lea-b"]
        assert names(license="lic-a") == ["lea-a", "lea-c"]
        assert names(license="sub-d") == ["lea-a"]
        assert names(license="sub-c") == []
        assert kept.leases(NOW + timedelta(days=9), limit=9) == []


def test_seats_and_holds(store: Store) -> None:
    with store.write() as kept:
        _add_tree(kept)
        kept.add_lease(
            rows.lease("lea-a", "sub-b"),
            [
                rows.hold("lea-a", "lic-a"),
                rows.hold("lea-a", "lic-a", Period.MONTH, 1 << 40),
                rows.hold("lea-a", "sub-b"),
            ],
            [rows.seat("lea-a", "lic-a"), rows.seat("lea-a", "sub-b")],
        )
        kept.add_lease(rows.lease("lea-b"), [rows.hold("lea-b")], [rows.seat("lea-b", until=NOW)])
        assert kept.lease("lea-b") is not None
        assert sorted(kept.holds(["lic-a"]), key=str) == sorted(
            [rows.hold("lea-a"), rows.hold("lea-a", per=Period.MONTH, amount=1 << 40), rows.hold("lea-b")],
            key=str,
        )
        assert kept.holds(["sub-b"]) == [rows.hold("lea-a", "sub-b")]
        assert kept.holds([]) == []
        assert kept.seats(["lic-a"], NOW) == [rows.seat("lea-a")]
        assert len(kept.seats(["lic-a", "sub-b"], NOW - MINUTE)) == 3
        kept.end_lease("lea-a", LeaseEnd.RETURNED)
        assert kept.seats(["lic-a", "sub-b"], NOW) == []
        assert len(kept.holds(["lic-a", "sub-b"])) == 4, "what was used under it is not known yet"
        kept.mark_reported("lea-a")
        assert kept.holds(["lic-a", "sub-b"]) == [rows.hold("lea-b")]
        assert kept.lease("lea-a") == replace(
            rows.lease("lea-a", "sub-b"), ended=LeaseEnd.RETURNED, reported=True
        )
        kept.add_lease(rows.lease("lea-c"), [rows.hold("lea-c")], [rows.seat("lea-c")])
        kept.mark_reported("lea-c", LeaseEnd.SUPERSEDED)
        assert kept.lease("lea-c") == replace(rows.lease("lea-c"), ended=LeaseEnd.SUPERSEDED, reported=True)
        assert (kept.holds(["lic-a"]), kept.seats(["lic-a"], NOW)) == ([rows.hold("lea-b")], [])


def test_offline_files(store: Store) -> None:
    with store.write() as kept:
        _add_tree(kept)
        kept.add_offline(rows.offline("off-b", "sub-d"), [rows.hold("off-b")], [rows.seat("off-b")])
        kept.add_offline(rows.offline("off-a"), [])
        kept.add_offline(rows.offline("off-c", not_after=NOW), [])
        assert kept.offline_file("off-c") == rows.offline("off-c", not_after=NOW)
        assert kept.offline_file("off-x") is None
        assert kept.offline_files(NOW, ["lic-a"]) == [rows.offline("off-a"), rows.offline("off-b", "sub-d")]
        assert kept.offline_files(NOW, ["sub-b"]) == [rows.offline("off-b", "sub-d")]
        assert kept.offline_files(NOW, ["sub-c", "lic-z"]) == []
        assert kept.offline_files(NOW, []) == []
        both = [rows.offline("off-a"), rows.offline("off-b", "sub-d")]
        assert kept.offline_page(NOW, limit=9) == both
        assert kept.offline_page(NOW, limit=1) == both[:1]
        assert kept.offline_page(NOW, after="off-a", limit=9) == both[1:]
        assert kept.offline_page(NOW, limit=9, license="sub-b") == both[1:]
        assert kept.seats(["lic-a"], NOW) == [rows.seat("off-b")]
        kept.mark_reported("off-b")
        assert kept.holds(["lic-a"]) == []


def test_usage_reports(store: Store) -> None:
    with store.write() as kept:
        kept.add_usage(rows.usage("use-b"))
        kept.add_usage(rows.usage("use-a", "use-b"))
        kept.add_usage(rows.usage("use-c", license="lic-b"))
        assert kept.usage("use-b") == rows.usage("use-b")
        assert kept.usage("use-x") is None
        assert kept.newest_usage("run-a", "lic-a") == rows.usage("use-a", "use-b")
        assert kept.newest_usage("run-a", "lic-x") is None
        for number, authority in enumerate(["off-a", "off-a", "off-b"]):
            kept.add_usage(rows.usage(f"use-{number}", authority=authority))
        kept.drop_usage("off-a")
        # Under a lease there is one report, and it stays.
        kept.drop_usage("lea-a")
        found = [kept.usage(f"use-{name}") is not None for name in "abc012"]
        assert found == [True, True, True, False, False, True]


def test_counts(store: Store) -> None:
    day, month = rows.key("lic-a", "2026-11-24"), rows.key("lic-a")
    grace = rows.key("lic-a", "lea-a", CounterName.GRACE_PREDICTIONS)
    other = rows.key("lic-b")
    with store.write() as kept:
        kept.add_used({day: 5, month: 5, other: 1, grace: 1 << 40})
        kept.add_used({day: 2, month: 0})
        kept.add_used({})
    with store.read() as kept:
        wanted = [day, month, rows.key("lic-a", "2026-12"), rows.key("lic-x")]
        assert kept.used(wanted) == {day: 7, month: 5, wanted[2]: 0, wanted[3]: 0}
        assert kept.used([]) == {}
        many = [rows.key(f"lic-{number}") for number in range(200)]
        assert kept.used([*many, grace])[grace] == 1 << 40
        everything = [(grace, 1 << 40), (month, 5), (day, 7), (other, 1)]
        assert kept.counts(limit=9) == everything
        texts = [each.to_text() for each, _ in everything]
        assert texts == sorted(texts)
        assert kept.counts(after=texts[1], limit=1) == [(day, 7)]
        assert kept.counts(limit=9, documents=["lic-b", "lic-x"]) == [(other, 1)]
        assert kept.counts(limit=9, documents=[*(each.document for each in many), "lic-b"]) == [(other, 1)]
        assert kept.counts(limit=9, documents=[]) == []


def test_voiding_leases(store: Store) -> None:
    with store.write() as kept:
        _add_tree(kept)
        kept.add_lease(rows.lease("lea-a"), [rows.hold("lea-a")], [rows.seat("lea-a")])
        kept.add_lease(rows.lease("lea-b", last_use_at=NOW), [], [])
        kept.add_lease(rows.lease("lea-c"), [], [])
        kept.end_lease("lea-c", LeaseEnd.RETURNED)
        kept.add_offline(rows.offline("off-a"), [], [rows.seat("off-a")])
        assert kept.void_leases(NOW) == [rows.lease("lea-a")]
        ended = {name: kept.lease(f"lea-{name}") for name in "abc"}
        assert {name: row.ended for name, row in ended.items() if row} == {
            "a": LeaseEnd.VOIDED,
            "b": LeaseEnd.VOIDED,
            "c": LeaseEnd.RETURNED,
        }
        assert kept.leases(NOW, limit=9) == []
        assert kept.holds(["lic-a"]) == [rows.hold("lea-a")]
        assert kept.seats(["lic-a"], NOW) == [rows.seat("off-a")], "nobody can take an offline file back"


def test_answers(store: Store) -> None:
    with store.write() as kept:
        kept.remember_answer(rows.answer("one"))
        kept.remember_answer(rows.answer("two", NOW + MINUTE))
        assert kept.answered("run-a", "one") == rows.answer("one")
        assert kept.answered("run-b", "one") is None
        kept.forget_answers(NOW + MINUTE)
        assert kept.answered("run-a", "one") is None
        assert kept.answered("run-a", "two") == rows.answer("two", NOW + MINUTE)


_ADDS: list[Callable[[Writing], object]] = [
    lambda kept: kept.add_partner(rows.partner("org-a")),
    lambda kept: kept.add_member(rows.member("mem-a")),
    lambda kept: kept.add_package(rows.package("digest")),
    lambda kept: kept.add_withdrawal(rows.withdrawal("wdr-a")),
    lambda kept: kept.add_license(rows.license_row("lic-a")),
    lambda kept: kept.add_revocation("rev-a", "lic-a", "token", NOW),
    lambda kept: kept.add_lease(rows.lease("lea-a"), [], []),
    lambda kept: kept.add_offline(rows.offline("off-a"), []),
    lambda kept: kept.add_usage(rows.usage("use-a")),
    lambda kept: kept.remember_answer(rows.answer("one")),
]


def test_nothing_is_added_twice(store: Store) -> None:
    with store.write() as kept:
        for add in _ADDS:
            add(kept)
        for add in _ADDS:
            with pytest.raises(UsageError) as refused:
                add(kept)
            assert refused.value.code == "exists-already"
        # The transaction goes on, in both kinds of database.
        assert kept.partner("org-a") == rows.partner("org-a")


def test_what_a_lease_holds_is_not_held_twice(store: Store) -> None:
    with store.write() as kept:
        kept.add_license(rows.license_row("lic-a"))
        for number, held in enumerate(
            [([rows.hold("x"), rows.hold("x")], []), ([], [rows.seat("y"), rows.seat("y")])]
        ):
            with pytest.raises(UsageError) as refused:
                kept.add_lease(rows.lease(f"lea-{number}"), *held)
            assert refused.value.code == "exists-already"


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.set_partner_status("org-x", PartyStatus.APPROVED),
        lambda kept: kept.remove_partner("org-x"),
        lambda kept: kept.set_runtime_status("run-x", PartyStatus.APPROVED),
        lambda kept: kept.remove_member("mem-x"),
        lambda kept: kept.set_wrapped_key("digest", b"key", "kek"),
        lambda kept: kept.set_license_status("lic-x", LicenseStatus.REVOKED),
        lambda kept: kept.set_acceptance("lic-x", "token", NOW),
        lambda kept: kept.end_lease("lea-x", LeaseEnd.RETURNED),
        lambda kept: kept.erase_disclosure(0),
    ],
)
def test_only_what_is_there_is_changed(store: Store, change: Callable[[Writing], None]) -> None:
    with store.write() as kept, pytest.raises(ObjectNotFound):
        change(kept)


def test_tiles(store: Store) -> None:
    full = bytes(range(256)) * 32
    with store.write() as kept:
        kept.append_entries([], {(0, 0): full[:96], (1, 7): full})
        kept.append_entries([], {(0, 0): full[:128]})
        assert kept.read_tile(Tile(0, 0, 4)) == full[:128]
        assert kept.read_tile(Tile(0, 0, 2)) == full[:64], "the first hashes of a fuller one"
        assert kept.read_tile(Tile(1, 7, 256)) == full
        for missing in (Tile(0, 0, 5), Tile(0, 1, 1), Tile(2, 0, 1)):
            with pytest.raises(ObjectNotFound) as refused:
                kept.read_tile(missing)
            assert refused.value.code == "log-tile-missing"
