from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.records import LeaseRow, OfflineRow
from strongroom.keys.owner import CutOff, Role, rotate_owner
from strongroom.license.agreement import agreement_digest
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.package_choice import PackageChoice
from strongroom.license.request import Right
from strongroom.license.terms import Agreement, BreakGlass, Expires, Grace, Packages
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    AcceptanceAsk,
    LicenseAsk,
    ReasonAsk,
    RevocationAsk,
    SublicenseAsk,
    WithdrawalAsk,
)
from tests.unit.broker.services.hospital import DAY, NOW, Clinic, World, refused

REASON = ReasonAsk(reason="the bill is open")
TEXT = "Use it kindly.\n"
AGREEMENT = Agreement(digest=agreement_digest(TEXT))


def accept(world: World, clinic: Clinic, license: str, **changes: Any) -> None:
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license, **changes)))


def narrowed(world: World, clinic: Clinic, site: Clinic, *terms: Any, parent: str | None = None) -> str:
    """A sub-license for a site; returns its id."""
    if parent is None:
        parent = world.license(clinic)
        accept(world, clinic, parent)
    ask = SublicenseAsk(sublicense=clinic.narrow(parent, site.party, terms))
    return world.licensing.narrow(clinic.manager, ask).license


class TestGranting:
    def test_a_license_takes_effect(self, world: World) -> None:
        clinic = world.clinic()
        terms = [Expires(at=NOW + 90 * DAY), Grace(hours=72, predictions=100), AGREEMENT]
        answer = world.granted(clinic, terms, TEXT)
        assert (answer.status, answer.parent, answer.holder) == ("granted", None, "clinic")
        assert answer.organization == clinic.organization
        assert (answer.granted_at, answer.accepted_at) == (to_instant(NOW), None)
        assert answer.expires_at == to_instant(NOW + 90 * DAY)
        assert answer.worst_case_seconds == 900 + 72 * 3600
        file = LicenseFile.from_bytes(answer.file.encode())
        verified = verify_license_file(file, world.owner)
        assert verified.chain.id == answer.license
        assert verified.agreement == TEXT
        record = world.records(answer.license)[-1]
        assert record.kind is Kind.GRANT
        assert set(record.subjects) == {answer.license, clinic.organization, world.owner.id}

    def test_the_same_license_twice_changes_nothing(self, world: World) -> None:
        clinic = world.clinic()
        ask = LicenseAsk(license=world.sign_license(clinic.party))
        answer = world.licensing.grant(world.admin, ask)
        before = len(world.records())
        assert world.licensing.grant(world.admin, ask) == answer
        assert len(world.records()) == before

    def test_only_the_owner_grants(self, world: World) -> None:
        clinic = world.clinic()
        ask = LicenseAsk(license=world.sign_license(clinic.party))
        assert refused(lambda: world.licensing.grant(clinic.manager, ask)) == "not-permitted"

    def test_only_to_an_approved_partner(self, world: World) -> None:
        clinic = world.joined("clinic")
        ask = LicenseAsk(license=world.sign_license(clinic.party))
        assert refused(lambda: world.licensing.grant(world.admin, ask)) == "unknown-partner"
        world.enroll(clinic)
        assert refused(lambda: world.licensing.grant(world.admin, ask)) == "partner-pending"
        world.approve(clinic)
        world.partners.suspend(world.admin, clinic.organization, REASON)
        assert refused(lambda: world.licensing.grant(world.admin, ask)) == "partner-suspended"

    def test_with_the_agreement_that_it_names(self, world: World) -> None:
        clinic = world.clinic()
        named = LicenseAsk(license=world.sign_license(clinic.party, [AGREEMENT]))
        for text in (None, TEXT + "\n"):
            ask = replace(named, agreement=text)
            assert refused(lambda ask=ask: world.licensing.grant(world.admin, ask)) == "wrong-agreement"  # type: ignore[misc] # bound here
        bare = LicenseAsk(license=world.sign_license(clinic.party), agreement=TEXT)
        assert refused(lambda: world.licensing.grant(world.admin, bare)) == "wrong-agreement"

    def test_worst_case_ends_with_the_license(self, world: World) -> None:
        terms = [
            Expires(at=NOW + timedelta(hours=30)),
            Grace(hours=20, predictions=1),
            BreakGlass(hours=10, uses=2),
        ]
        answer = world.granted(world.clinic(), terms)
        assert answer.worst_case_seconds == 30 * 3600
        world.watch.time = NOW + 2 * DAY
        assert world.licensing.get(world.admin, answer.license).worst_case_seconds == 0

    def test_worst_case_counts_offline_files(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic)
        row = OfflineRow(
            offline="off-" + "a" * 24,
            license=license,
            runtime=clinic.runtime,
            package="ab" * 32,
            token="a.b.c",
            issued_at=NOW,
            not_after=NOW + 5 * DAY,
        )
        world.ledger.act(lambda act: act.kept.add_offline(row, []))
        assert world.licensing.get(world.admin, license).worst_case_seconds == 5 * 86_400

    def test_withdrawals_come_along(self, world: World) -> None:
        risk, fraud = world.statement(), world.statement("fraud")
        for each in (risk, fraud):
            world.publishing.publish(world.admin, world.package(each))
            ask = WithdrawalAsk(withdrawal=world.withdrawal(each))
            world.publishing.withdraw(world.admin, ask)
        clinic = world.clinic()
        (withdrawal,) = LicenseFile.from_bytes(world.granted(clinic).file.encode()).withdrawals
        by_digest = Packages(packages=(PackageChoice(digest=fraud.package_digest),))
        file = LicenseFile.from_bytes(world.granted(clinic, [by_digest]).file.encode())
        assert withdrawal in file.withdrawals
        assert len(file.withdrawals) == 2
        unknown = Packages(packages=(PackageChoice(digest="ab" * 32),))
        assert len(LicenseFile.from_bytes(world.granted(clinic, [unknown]).file.encode()).withdrawals) == 1


class TestTwoPeople:
    def test_a_second_person_approves(self, careful: World) -> None:
        clinic = careful.clinic()
        answer = careful.granted(clinic)
        assert answer.status == "requested"
        licensing, license = careful.licensing, answer.license
        assert refused(lambda: licensing.approve(careful.admin, license)) == "same-person"
        second = careful.add_admin()
        assert licensing.approve(second, license).status == "granted"
        assert licensing.approve(careful.admin, license).status == "granted"
        grant, approval = careful.records(license)
        assert clinic.organization not in grant.subjects
        assert (approval.kind, approval.details["by"]) == (Kind.APPROVAL, second.id)
        assert clinic.organization in approval.subjects

    def test_two_people_are_two_keys_and_the_log_tells_who_added_the_second(self, careful: World) -> None:
        # What docs/broker.md says of it: nobody can tell whose hand holds a key.
        license = careful.granted(careful.clinic()).license
        second = careful.add_admin()
        assert careful.licensing.approve(second, license).status == "granted"
        added, approved = careful.records(second.id)[-1], careful.records(license)[-1]
        assert (added.kind, added.details["by"]) == (Kind.MEMBERSHIP, careful.admin.id)
        assert (approved.kind, approved.details["by"]) == (Kind.APPROVAL, second.id)

    def test_a_request_is_nothing_to_the_partner(self, careful: World) -> None:
        clinic = careful.clinic()
        license = careful.granted(clinic).license
        licensing = careful.licensing
        assert licensing.page(clinic.manager).licenses == ()
        assert len(licensing.page(careful.admin).licenses) == 1
        assert refused(lambda: licensing.get(clinic.manager, license)) == "not-found"
        assert refused(lambda: accept(careful, clinic, license)) == "not-found"
        assert refused(lambda: licensing.suspend(careful.admin, license, REASON)) == "license-requested"
        assert refused(lambda: licensing.resume(careful.admin, license)) == "license-requested"

    def test_a_request_can_be_revoked(self, careful: World) -> None:
        license = careful.granted(careful.clinic()).license
        careful.licensing.revoke(careful.admin, RevocationAsk(revocation=careful.revocation(license)))
        second = careful.add_admin()
        assert refused(lambda: careful.licensing.approve(second, license)) == "license-revoked"
        assert refused(lambda: careful.licensing.resume(careful.admin, license)) == "license-revoked"
        assert careful.licensing.get(careful.admin, license).status == "refused"
        # Signed once more, it is still one that never was.
        again = RevocationAsk(revocation=careful.revocation(license))
        careful.licensing.revoke(careful.admin, again)
        assert careful.licensing.get(careful.admin, license).status == "refused"


class TestSuspending:
    def test_a_suspension_can_be_taken_back(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic)
        for _ in range(2):
            assert world.licensing.suspend(world.admin, license, REASON).status == "suspended"
        for _ in range(2):
            assert world.licensing.resume(world.admin, license).status == "granted"
        kinds = [record.kind for record in world.records(license)]
        assert kinds == [Kind.GRANT, Kind.SUSPENSION, Kind.APPROVAL]

    def test_what_hangs_from_it_rests_too(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        sub = narrowed(world, clinic, site)
        parent = world.licensing.get(site.manager, sub).parent
        assert parent is not None
        world.licensing.suspend(world.admin, parent, REASON)
        assert world.licensing.get(site.manager, sub).status == "suspended"
        # The site can be stopped alone as well.
        world.licensing.resume(world.admin, parent)
        assert world.licensing.suspend(world.admin, sub, REASON).status == "suspended"
        assert world.licensing.get(clinic.manager, parent).status == "granted"

    def test_only_the_owner_suspends(self, world: World) -> None:
        clinic = world.clinic()
        license, licensing = world.license(clinic), world.licensing
        for do in (
            lambda: licensing.suspend(clinic.manager, license, REASON),
            lambda: licensing.resume(clinic.manager, license),
            lambda: licensing.approve(clinic.manager, license),
        ):
            assert refused(do) == "not-permitted"
        assert refused(lambda: licensing.suspend(world.admin, "lic-" + "a" * 24, REASON)) == "not-found"


class TestRevoking:
    def test_a_revocation_ends_what_hangs_from_it(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        sub = narrowed(world, clinic, site)
        parent = world.licensing.get(site.manager, sub).parent
        assert parent is not None
        ask = RevocationAsk(revocation=world.revocation(parent))
        done = world.licensing.revoke(world.admin, ask)
        for license in (parent, sub):
            assert world.licensing.get(world.admin, license).status == "revoked"
        record = world.records()[done.entry]
        assert (record.kind, record.details["reason"]) == (Kind.REVOCATION, "the contract ended")
        assert site.organization not in record.subjects
        assert world.records(site.organization)[-1].kind is Kind.REVOCATION
        before = len(world.records())
        assert world.licensing.revoke(world.admin, ask) == done
        assert len(world.records()) == before
        assert refused(lambda: world.licensing.suspend(world.admin, parent, REASON)) == "license-revoked"
        assert refused(lambda: accept(world, clinic, parent)) == "license-revoked"

    def test_only_what_is_here_can_be_revoked(self, world: World) -> None:
        ask = RevocationAsk(revocation=world.revocation("lic-" + "a" * 24))
        assert refused(lambda: world.licensing.revoke(world.admin, ask)) == "not-found"

    def test_a_lease_can_be_revoked(self, world: World) -> None:
        clinic, other = world.clinic(), world.clinic("other")
        license = world.license(clinic)
        row = LeaseRow(
            lease="lea-" + "a" * 24,
            license=license,
            runtime=clinic.runtime,
            package="ab" * 32,
            token="a.b.c",
            nonce="00" * 16,
            previous=None,
            issued_at=NOW,
            not_after=NOW + DAY,
            last_use_at=NOW + DAY,
            ended=None,
            reported=False,
            entry=0,
        )
        world.ledger.act(lambda act: act.kept.add_lease(row, [], []))
        token = world.revocation(row.lease)
        done = world.licensing.revoke(world.admin, RevocationAsk(revocation=token))
        assert world.records(row.lease)[-1] == world.records()[done.entry]
        assert world.licensing.get(world.admin, license).status == "granted"
        assert world.licensing.revocations(clinic.manager).revocations == (token,)
        assert world.licensing.revocations(other.manager).revocations == ()

    def test_everybody_concerned_hears_of_it(self, world: World) -> None:
        clinic, site, other = world.clinic(), world.clinic("site"), world.clinic("other")
        sub = narrowed(world, clinic, site)
        parent = world.licensing.get(site.manager, sub).parent
        elsewhere = world.license(other)
        assert parent is not None
        tokens = [world.revocation(each) for each in (elsewhere, sub, parent)]
        for token in tokens:
            world.licensing.revoke(world.admin, RevocationAsk(revocation=token))
        heard = world.licensing.revocations
        assert heard(world.admin).revocations == tuple(tokens)
        assert heard(clinic.manager).revocations == (tokens[1], tokens[2])
        assert heard(site.manager).revocations == (tokens[1], tokens[2])
        page = heard(other.manager)
        assert page.revocations == (tokens[0],)
        assert page.next is not None
        assert heard(other.manager, after=page.next) == replace(page, revocations=())

    def test_revocations_come_in_pages(self, world: World) -> None:
        clinic, other = world.clinic(), world.clinic("other")
        tokens = []
        for holder in (clinic, other, clinic, other, clinic):
            tokens.append(world.revocation(world.license(holder)))
            world.licensing.revoke(world.admin, RevocationAsk(revocation=tokens[-1]))
        seen: list[str] = []
        after = ""
        for _ in range(3):
            page = world.licensing.revocations(clinic.manager, after=after, limit=1)
            assert page.next is not None
            seen += page.revocations
            after = page.next
        assert seen == tokens[::2]
        assert world.licensing.revocations(clinic.manager, after=after, limit=1).revocations == ()


class TestNarrowing:
    def test_a_holder_narrows_for_a_site(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        parent = world.license(clinic, [Expires(at=NOW + 30 * DAY)])
        accept(world, clinic, parent)
        terms = [Expires(at=NOW + 20 * DAY), AGREEMENT]
        ask = SublicenseAsk(sublicense=clinic.narrow(parent, site.party, terms), agreement=TEXT)
        answer = world.licensing.narrow(clinic.manager, ask)
        assert (answer.parent, answer.organization) == (parent, site.organization)
        assert (answer.holder, answer.status) == ("site", "granted")
        assert answer.expires_at == to_instant(NOW + 20 * DAY)
        verified = verify_license_file(LicenseFile.from_bytes(answer.file.encode()), world.owner)
        assert verified.chain.ids == (parent, answer.license)
        assert verified.accepted == {parent: None}
        assert world.licensing.narrow(clinic.manager, ask) == answer
        record = world.records(answer.license)[-1]
        assert record.kind is Kind.SUBLICENSE
        assert {parent, site.organization, clinic.organization} < set(record.subjects)

    def test_the_site_accepts_and_narrows_on(self, world: World) -> None:
        clinic, site, ward = world.clinic(), world.clinic("site"), world.clinic("ward")
        sub = narrowed(world, clinic, site)
        token = site.narrow(sub, ward.party)
        again = SublicenseAsk(sublicense=token)
        assert refused(lambda: world.licensing.narrow(site.manager, again)) == "not-accepted"
        accept(world, site, sub)
        deep = world.licensing.narrow(site.manager, again)
        file = LicenseFile.from_bytes(deep.file.encode())
        assert len(verify_license_file(file, world.owner).accepted) == 2
        # Everybody above sees it, and nobody beside it.
        for each in (clinic, site, ward):
            assert world.licensing.get(each.manager, deep.license).license == deep.license
        assert refused(lambda: world.licensing.get(ward.manager, sub)) == "not-found"

    def test_what_is_not_in_force_is_not_narrowed(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        parent = world.license(clinic)
        ask = SublicenseAsk(sublicense=clinic.narrow(parent, site.party))
        narrow = lambda: world.licensing.narrow(clinic.manager, ask)  # noqa: E731 - short
        assert refused(narrow) == "not-accepted"
        accept(world, clinic, parent)
        world.licensing.suspend(world.admin, parent, REASON)
        assert refused(narrow) == "license-suspended"
        world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(parent)))
        assert refused(narrow) == "license-revoked"

    def test_it_takes_the_right(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        token = world.sign_license(clinic.party, rights=[Right.PREDICT])
        license = world.licensing.grant(world.admin, LicenseAsk(license=token)).license
        accept(world, clinic, license)
        ask = SublicenseAsk(sublicense=clinic.narrow(license, site.party))
        assert refused(lambda: world.licensing.narrow(clinic.manager, ask)) == "sublicense-not-permitted"

    def test_the_holder_does_it_and_not_the_owner(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        license = world.license(clinic)
        accept(world, clinic, license)
        ask = SublicenseAsk(sublicense=clinic.narrow(license, site.party))
        assert refused(lambda: world.licensing.narrow(world.admin, ask)) == "wrong-holder"
        unknown = SublicenseAsk(sublicense=clinic.narrow("lic-" + "a" * 24, site.party))
        assert refused(lambda: world.licensing.narrow(clinic.manager, unknown)) == "not-found"

    def test_a_site_that_never_enrolled_is_not_looked_up(self, world: World) -> None:
        clinic, stranger = world.clinic(), world.joined("stranger")
        sub = narrowed(world, clinic, stranger)
        assert world.licensing.get(clinic.manager, sub).status == "granted"


class TestPassingOn:
    def test_what_was_passed_on_comes_in_pages(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        parent = world.license(clinic)
        accept(world, clinic, parent)
        # Of another license too, and of a partner that has nothing to do with it.
        parents = (parent, parent, None)
        made = sorted(narrowed(world, clinic, site, parent=each) for each in parents)
        narrowed(world, site, world.clinic("ward"))
        for who, mine in ((clinic.manager, made), (world.admin, None)):
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                page = world.licensing.sublicenses(who, after=after, limit=1)
                found += [each.license.license for each in page.sublicenses]
                after = page.next
            assert found == sorted(found)
            assert set(made) <= set(found)
            assert len(found) == (4 if mine is None else 3)

    def test_the_end_needs_a_reason(self, world: World) -> None:
        clinic, site = world.clinic(), world.clinic("site")
        sub = narrowed(world, clinic, site)
        for reason in ("", "two\nlines", "x" * 501):
            ask = ReasonAsk(reason=reason)
            assert refused(lambda ask=ask: world.licensing.end(clinic.manager, sub, ask)) == "malformed"  # type: ignore[misc] # bound here
        assert world.licensing.get(site.manager, sub).status == "granted"


class TestAccepting:
    def test_an_acceptance_is_noted_once(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic, [AGREEMENT], TEXT)
        accept(world, clinic, license, agreement=AGREEMENT.digest)
        world.watch.time += DAY
        ask = AcceptanceAsk(acceptance=clinic.accept(license, AGREEMENT.digest))
        answer = world.licensing.accept(clinic.manager, ask)
        assert answer.accepted_at == to_instant(NOW)
        acceptances = [r for r in world.records(license) if r.kind is Kind.ACCEPTANCE]
        assert [record.details["agreement"] for record in acceptances] == [AGREEMENT.digest]

    def test_it_names_the_agreement(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic, [AGREEMENT], TEXT)
        assert refused(lambda: accept(world, clinic, license)) == "wrong-agreement"

    def test_the_holder_does_it_and_not_the_owner(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic)
        ask = AcceptanceAsk(acceptance=clinic.accept(license))
        assert refused(lambda: world.licensing.accept(world.admin, ask)) == "wrong-holder"


class TestLooking:
    def test_licenses_come_in_pages(self, world: World) -> None:
        clinic, other = world.clinic(), world.clinic("other")
        own = sorted(world.license(clinic) for _ in range(3))
        world.license(other)
        first = world.licensing.page(clinic.manager, limit=2)
        second = world.licensing.page(clinic.manager, after=str(first.next), limit=2)
        assert [each.license for each in (*first.licenses, *second.licenses)] == own
        assert second.next is None
        assert len(world.licensing.page(world.admin).licenses) == 4

    def test_what_ends_soon_is_found(self, world: World) -> None:
        clinic = world.clinic()
        ends = {days: world.license(clinic, [Expires(at=NOW + days * DAY)]) for days in (1, 10, 100)}
        world.license(clinic)
        world.watch.time = NOW + 2 * DAY
        page = world.licensing.page(world.admin, expires_within_days=30)
        assert [each.license for each in page.licenses] == [ends[10]]

    def test_a_license_of_a_key_that_was_cut_off_is_still_listed(self, world: World) -> None:
        clinic = world.clinic()
        license = world.license(clinic, [Grace(hours=10, predictions=1)])
        stolen = CutOff(key_id=world.role_key(Role.LICENSE).key_id, log_position=None, reason="stolen")
        chain = rotate_owner(world.owner, signers=[world.root()], now=NOW, cut_off=[stolen])
        world.home.trust.update(chain)
        (listed,) = world.licensing.page(world.admin).licenses
        assert listed.license == license
        assert listed.worst_case_seconds == 900 + 10 * 3600
        ask = AcceptanceAsk(acceptance=clinic.accept(license))
        assert refused(lambda: world.licensing.accept(clinic.manager, ask)) == "key-cut-off"


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_has_something(world: World, limit: int) -> None:
    assert refused(lambda: world.licensing.page(world.admin, limit=limit)) == "page-limit"
    assert refused(lambda: world.licensing.revocations(world.admin, limit=limit)) == "page-limit"
