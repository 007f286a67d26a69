"""Attacks on a broker through what people hand in. Each test is named after the claim it tries to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom._encoding import to_base64
from strongroom._limits import LIMITS
from strongroom.broker.keys import content_key_purpose
from strongroom.broker.ledger import Act
from strongroom.broker.principal import PrincipalKind
from strongroom.broker.records import PackageRow
from strongroom.broker.services.admission import find_candidate
from strongroom.broker.services.logbook import Logbook
from strongroom.broker.settings import Settings
from strongroom.enrolling import join
from strongroom.errors import Error, IntegrityError, ObjectNotFound
from strongroom.keys.fingerprint import fingerprint
from strongroom.keys.intake import make_intake_certificate, verify_intake_certificate
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.member import MemberRole, make_member_certificate
from strongroom.keys.owner import Role
from strongroom.keys.text import KeyKind
from strongroom.license.documents import Acceptance, Revocation
from strongroom.license.signing import read_unverified, sign_document
from strongroom.protocol.broker import (
    AcceptanceAsk,
    ApprovalAsk,
    CheckoutAsk,
    EnrollmentAsk,
    LicenseAsk,
    MemberAsk,
    ReasonAsk,
    RevocationAsk,
    SublicenseAsk,
)
from tests.unit.broker.services.hospital import NOW, Clinic, World, refused
from tests.unit.broker.services.machine import Machine
from tests.unit.keys.parties import resign

MISSING = "a" * 24
REASON = ReasonAsk(reason="curiosity")


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[World]:
    """A hospital where two people decide."""
    world = World(tmp_path, Settings(two_people=True))
    yield world
    world.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hospital with a broker."""
    world = World(tmp_path)
    yield world
    world.close()


def accepted(world: World, clinic: Clinic) -> str:
    """A license that its holder accepted."""
    license = world.license(clinic)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
    return license


def test_nobody_but_the_organization_makes_members(world: World) -> None:
    clinic, thief = world.clinic(), world.clinic("thief")
    member = SigningKey.generate(KeyKind.MEMBER)
    forged = make_member_certificate(
        thief.key,
        member=member.public_text,
        name="j.doe",
        role=MemberRole.MANAGER,
        owner=world.owner.id,
        now=NOW,
    )
    # Handed in by a member of the attacked organization whose manager was careless.
    assert refused(lambda: world.members.add(clinic.manager, MemberAsk(member=forged))) == "wrong-signer"
    elsewhere = clinic.certify(member, owner="own-" + MISSING)
    assert refused(lambda: world.members.add(clinic.manager, MemberAsk(member=elsewhere))) == "owner-other"
    # With an enrollment of somebody else.
    other = world.joined("other")
    ask = EnrollmentAsk(enrollment=other.token, member=clinic.certify(member))
    assert refused(lambda: world.meeting.enroll(ask)) == "wrong-signer"
    with world.ledger.view() as kept:
        assert kept.members_of(clinic.organization, limit=9) == [kept.member(clinic.manager.id)]
        assert kept.partner(other.organization) is None


def test_a_removed_member_does_not_come_back_by_what_it_kept(world: World) -> None:
    clinic = world.clinic()
    enrollment, certificate = clinic.token, clinic.certify()
    world.members.remove(clinic.manager, clinic.manager.id)
    world.meeting.enroll(EnrollmentAsk(enrollment=enrollment, member=certificate))
    with world.ledger.view() as kept:
        assert kept.member(clinic.manager.id) is None


def test_another_organization_does_not_enroll_under_an_approved_name(world: World) -> None:
    invite = world.invite("clinic")
    clinic = world.clinic()
    thief = world.joined("thief", invite)
    assert refused(lambda: world.enroll(thief)) == "partner-key-changed"
    assert [each.organization for each in world.partners.page(world.admin).partners] == [clinic.organization]


def test_a_thief_of_an_invite_gets_nothing_and_does_not_keep_the_partner_out(world: World) -> None:
    invite = world.invite("clinic")
    thief, clinic = world.joined("thief", invite), world.joined("clinic", invite)
    world.enroll(thief)
    world.enroll(clinic)
    with world.ledger.view() as kept:
        candidate = find_candidate(kept, PrincipalKind.RUNTIME, thief.runtime, owner_id=world.owner.id)
    assert refused(lambda: candidate.admit(NOW)) == "partner-pending"
    assert (
        refused(
            lambda: world.licensing.grant(world.admin, LicenseAsk(license=world.sign_license(thief.party)))
        )
        == "partner-pending"
    )
    # The fingerprint that the real partner reads out does not approve the thief.
    ask = ApprovalAsk(fingerprint=fingerprint(clinic.token))
    assert (
        refused(lambda: world.partners.approve(world.admin, thief.organization, ask))
        == "fingerprint-mismatch"
    )
    world.approve(clinic)
    assert refused(lambda: world.partners.get(world.admin, thief.organization)) == "not-found"
    assert refused(lambda: world.enroll(thief)) == "partner-key-changed"


def test_a_thief_of_an_invite_cannot_use_up_the_name(world: World) -> None:
    invite = world.invite("clinic")
    thief = world.joined("thief", invite)
    world.enroll(thief)
    copies = Machine.enrolled(world, thief, license="lic-x", statement=world.statement())
    for _ in range(LIMITS.max_pending_runtimes - 1):
        copies.second(invite)
    assert refused(lambda: copies.second(invite)) == "too-many-runtimes"

    def fill(act: Act) -> None:
        row = act.kept.runtime(thief.runtime)
        partner = act.kept.partner(thief.organization)
        assert row is not None
        assert partner is not None
        for number in range(LIMITS.max_partner_runtimes):
            name = f"{number:024}"
            act.kept.add_partner(replace(partner, organization=f"org-{name}"))
            act.kept.add_runtime(replace(row, runtime=f"run-{name}", organization=f"org-{name}"))

    world.ledger.act(fill)
    late = world.joined("late", invite)
    assert refused(lambda: world.enroll(late)) == "too-many-runtimes"
    # The owner invites the partner anew.
    clinic = world.joined("clinic")
    world.enroll(clinic)
    world.partners.refuse(world.admin, thief.organization, REASON)
    world.approve(clinic)
    assert {each.organization for each in world.partners.page(world.admin).partners} == {clinic.organization}


def test_a_stolen_runtime_does_not_enroll_for_the_thief(world: World) -> None:
    clinic, thief = world.clinic(), world.joined("thief")
    keys = f"keys/{thief.owner_id}"
    for name in ("device.key", "sealing.key"):
        (thief.home.path / keys / name).write_bytes((clinic.home.path / keys / name).read_bytes())
    (thief.home.path / "trust" / f"{thief.owner_id}.enrollment").unlink()
    moved = replace(thief, home=type(thief.home).open(thief.home.path))
    join(moved.home, world.invite("thief"), now=NOW)
    assert refused(lambda: world.enroll(moved)) == "runtime-key-used"
    with world.ledger.view() as kept:
        row = kept.runtime(clinic.runtime)
    assert row is not None
    assert row.organization == clinic.organization


def test_a_sibling_does_not_narrow_what_it_does_not_hold(world: World) -> None:
    clinic, site, sibling = world.clinic(), world.clinic("site"), world.clinic("sibling")
    parent = accepted(world, clinic)
    subs = {}
    for each in (site, sibling):
        ask = SublicenseAsk(sublicense=clinic.narrow(parent, each.party))
        subs[each.name] = world.licensing.narrow(clinic.manager, ask).license
        acceptance = AcceptanceAsk(acceptance=each.accept(subs[each.name]))
        world.licensing.accept(each.manager, acceptance)
    # Under the sibling's sub-license, and under the license above both.
    for target in (subs["site"], parent):
        ask = SublicenseAsk(sublicense=sibling.narrow(target, sibling.party))
        assert refused(lambda ask=ask: world.licensing.narrow(sibling.manager, ask)) == "not-found"  # type: ignore[misc] # bound here
    # Signed by the sibling, handed in by the true holder.
    ask = SublicenseAsk(sublicense=sibling.narrow(subs["site"], sibling.party))
    assert refused(lambda: world.licensing.narrow(site.manager, ask)) == "wrong-signer"


def test_only_the_owners_license_key_revokes_a_license(world: World) -> None:
    clinic = world.clinic()
    license = world.license(clinic)
    stranger = SigningKey.generate(KeyKind.OWNER_LICENSE)
    for key in (stranger, world.role_key(Role.BROKER)):
        ask = RevocationAsk(revocation=world.revocation(license, key))
        assert refused(lambda ask=ask: world.licensing.revoke(world.admin, ask)) == "wrong-signer"  # type: ignore[misc] # bound here
    assert world.licensing.get(world.admin, license).status == "granted"
    assert world.licensing.revocations(clinic.manager).revocations == ()


def test_only_the_holder_accepts(world: World) -> None:
    clinic, thief = world.clinic(), world.clinic("thief")
    license = world.license(clinic)
    own = AcceptanceAsk(acceptance=thief.accept(license))
    assert refused(lambda: world.licensing.accept(thief.manager, own)) == "not-found"
    assert refused(lambda: world.licensing.accept(clinic.manager, own)) == "wrong-signer"
    # In the holder's name, by another key.
    lying = Acceptance(license=license, agreement=None, organization=clinic.key.public_text, accepted_at=NOW)
    forged = AcceptanceAsk(acceptance=sign_document(lying, thief.key).token)
    assert refused(lambda: world.licensing.accept(clinic.manager, forged)) == "wrong-signer"
    assert world.licensing.get(world.admin, license).accepted_at is None


def test_a_license_that_the_owner_did_not_sign_is_not_granted(world: World, tmp_path: Path) -> None:
    clinic = world.clinic()
    other = World(tmp_path / "other")
    try:
        ask = LicenseAsk(license=other.sign_license(clinic.party))
    finally:
        other.close()
    assert refused(lambda: world.licensing.grant(world.admin, ask)) == "wrong-owner"
    # A broker key signs no license: whoever takes the broker over cannot make one.
    by_broker = resign(world.sign_license(clinic.party), world.role_key(Role.BROKER), lambda payload: None)
    ask = LicenseAsk(license=by_broker)
    assert refused(lambda: world.licensing.grant(world.admin, ask)) == "wrong-signer"


def test_a_content_key_opens_no_other_package(world: World) -> None:
    first, second = world.statement(), world.statement("fraud")
    world.publishing.publish(world.admin, world.package(first))
    swapped = replace(world.package(second), content_key=world.package(first).content_key)
    assert refused(lambda: world.publishing.publish(world.admin, swapped)) == "wrapped-key"
    # A row that somebody moved within the database.
    with world.ledger.view() as kept:
        row = kept.package(first.package_digest)
    assert isinstance(row, PackageRow)
    with pytest.raises(IntegrityError):
        world.keys.provider().unwrap(row.wrapped_key, content_key_purpose(second.package_digest))


def test_a_content_key_goes_to_no_intake_key_of_a_stranger(world: World) -> None:
    stranger = SealingKey.generate()
    for key in (world.role_key(Role.LICENSE), SigningKey.generate(KeyKind.OWNER_BROKER)):
        with pytest.raises(Error):
            make_intake_certificate(world.owner, key, stranger.public_text, NOW)
    good = world.meeting.owner().intake
    assert verify_intake_certificate(good, world.owner, NOW).public != stranger.public
    ask = world.package(world.statement())
    broken = replace(ask, content_key=to_base64(bytes(1168)))
    assert refused(lambda: world.publishing.publish(world.admin, broken)) == "wrapped-key"


def test_a_partner_never_learns_of_another_by_asking(world: World) -> None:
    """Whatever is another's gets, word for word, the answer of what does not exist."""
    clinic, other = world.clinic(), world.clinic("other")
    license = accepted(world, other)
    asks: list[tuple[Callable[[str], object], str, str]] = [
        (lambda id: world.partners.get(clinic.manager, id), other.organization, "org-"),
        (lambda id: world.members.remove(clinic.manager, id), other.manager.id, "mem-"),
        (lambda id: world.licensing.get(clinic.manager, id), license, "lic-"),
        (
            lambda id: world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(id))),
            license,
            "lic-",
        ),
        (
            lambda id: world.licensing.narrow(
                clinic.manager, SublicenseAsk(sublicense=clinic.narrow(id, clinic.party))
            ),
            license,
            "lic-",
        ),
        (
            lambda id: world.licensing.revoke(clinic.manager, RevocationAsk(revocation=world.revocation(id))),
            license,
            "lic-",
        ),
    ]
    for ask, foreign, prefix in asks:
        assert told(lambda: ask(foreign)) == told(lambda: ask(prefix + MISSING))  # noqa: B023 - called at once


def told(do: Callable[[], object]) -> tuple[type[Error], str, str, str | None]:
    """Return everything that an answer says."""
    with pytest.raises(ObjectNotFound) as caught:
        do()
    return type(caught.value), str(caught.value), caught.value.code, caught.value.hint


def test_a_partner_never_sees_another_in_a_list(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    world.publishing.publish(world.admin, world.package(world.statement()))
    license = accepted(world, other)
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(license)))
    lists = [
        world.partners.page(clinic.manager),
        world.members.page(clinic.manager),
        world.publishing.page(clinic.manager),
        world.licensing.page(clinic.manager),
        world.licensing.page(clinic.manager, expires_within_days=9999),
        world.licensing.revocations(clinic.manager),
    ]
    for planted in (other.organization, other.runtime, other.manager.id, other.name, license):
        assert planted not in repr(lists)


def test_the_next_of_a_page_tells_of_nobody_else(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    own = [accepted(world, clinic) for _ in range(2)]
    foreign = [accepted(world, other) for _ in range(3)]
    told = []
    for license in (foreign[0], own[0], foreign[1], foreign[2], own[1]):
        token = world.revocation(license)
        world.licensing.revoke(world.admin, RevocationAsk(revocation=token))
        told.append((license, read_unverified(token, Revocation).id))
    after: str | None = ""
    seen = []
    for _ in own:
        page = world.licensing.revocations(clinic.manager, after=after or "", limit=1)
        seen.append(page.next)
        after = page.next
    assert seen == [name for license, name in told if license in own]


def test_sites_of_one_license_do_not_learn_of_one_another(world: World) -> None:
    clinic, site, sibling = world.clinic(), world.clinic("site"), world.clinic("sibling")
    parent = accepted(world, clinic)
    subs = [
        world.licensing.narrow(
            clinic.manager, SublicenseAsk(sublicense=clinic.narrow(parent, each.party))
        ).license
        for each in (site, sibling)
    ]
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(parent)))
    seen = [
        world.licensing.get(site.manager, subs[0]),
        world.licensing.page(site.manager),
        world.licensing.revocations(site.manager),
        world.records(site.organization, site.runtime, subs[0]),
    ]
    for planted in (sibling.organization, sibling.runtime, subs[1]):
        assert planted not in repr(seen)


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_license_that_nobody_approved_shows_in_nothing(careful: World, is_refused: bool) -> None:
    clinic = careful.clinic()
    license = careful.license(clinic)
    machine = Machine.enrolled(careful, clinic, license=license)
    revocation = RevocationAsk(revocation=careful.revocation(license))
    if is_refused:
        careful.licensing.revoke(careful.admin, revocation)
        assert careful.licensing.get(careful.admin, license).status == "refused"
    desk, logbook = machine.desk, Logbook(careful.ledger, careful.keys, Settings())
    pages = [
        careful.licensing.page(clinic.manager),
        careful.licensing.page(clinic.manager, expires_within_days=9999),
        careful.licensing.revocations(clinic.manager),
        desk.leasing.page(clinic.manager),
        desk.reporting.page(clinic.manager),
        careful.publishing.page(clinic.manager),
    ]
    assert license not in repr(pages)
    assert machine.statement.package_digest not in repr(pages)
    shown = {each.index for each in logbook.records(clinic.manager, limit=100).records}
    with careful.ledger.view() as kept:
        about = kept.entries_about([license], after=-1, limit=9)
    assert len(about) == 1 + is_refused
    assert shown.isdisjoint(each.index for each in about)
    # Whatever is asked about it is answered as for an id that nobody has.
    checkout = CheckoutAsk(license=license, package=machine.statement.package_digest, nonce="ab" * 16)
    asks: list[Callable[[str], object]] = [
        lambda license: careful.licensing.get(clinic.manager, license),
        lambda license: careful.licensing.accept(
            clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license))
        ),
        lambda license: careful.licensing.narrow(
            clinic.manager, SublicenseAsk(sublicense=clinic.narrow(license, clinic.party))
        ),
        lambda license: desk.leasing.page(clinic.manager, license=license),
        lambda license: desk.reporting.page(clinic.manager, license=license),
        lambda license: replace(machine, license=license).take(),
        lambda license: desk.checking_out.check_out(machine.principal, replace(checkout, license=license)),
    ]
    for ask in asks:
        assert told(lambda ask=ask: ask(license)) == told(lambda ask=ask: ask("lic-" + MISSING))  # type: ignore[misc] # bound early
    # Nor by handing in the revocation, which the partner of a granted license may do.
    assert refused(lambda: careful.licensing.revoke(clinic.manager, revocation)) == "not-found"


def test_an_acting_partner_changes_nothing_of_the_owners(world: World) -> None:
    clinic = world.clinic()
    license, statement = world.license(clinic), world.statement()
    package = world.package(statement)
    manager, own = clinic.manager, clinic.organization
    signed = LicenseAsk(license=world.sign_license(clinic.party))
    before = len(world.records())
    for do in (
        lambda: world.partners.approve(manager, own, ApprovalAsk(fingerprint=fingerprint(clinic.token))),
        lambda: world.partners.suspend(manager, own, REASON),
        lambda: world.partners.resume(manager, own),
        lambda: world.partners.suspend_runtime(manager, clinic.runtime, REASON),
        lambda: world.partners.resume_runtime(manager, clinic.runtime),
        lambda: world.publishing.publish(manager, package),
        lambda: world.licensing.grant(manager, signed),
        lambda: world.licensing.approve(manager, license),
        lambda: world.licensing.suspend(manager, license, REASON),
        lambda: world.licensing.resume(manager, license),
    ):
        assert refused(do) == "not-permitted"
    assert len(world.records()) == before
