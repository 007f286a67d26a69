from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.principal import PrincipalKind, Role
from strongroom.broker.services.admission import find_candidate
from strongroom.broker.services.members import add_first_admin
from strongroom.keys.identity import member_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.member import MemberRole
from strongroom.keys.text import KeyKind
from strongroom.license.period import Period
from strongroom.license.terms import Predictions
from strongroom.log.entry import Kind
from strongroom.protocol.broker import AcceptanceAsk, LicenseAsk, MemberAsk
from tests.unit.broker.services.hospital import DAY, NOW, Clinic, World, refused
from tests.unit.broker.services.machine import Machine, used

KEY = SigningKey.generate(KeyKind.MEMBER)
ID = member_id(KEY.public)


def ask(**changes: Any) -> MemberAsk:
    return MemberAsk(**({"key": KEY.public_text, "name": "j.doe", "role": "publisher"} | changes))


def names(world: World) -> list[str]:
    return sorted(each.name for each in world.members.page(world.admin).members)


def test_the_first_admin_is_made_once(world: World) -> None:
    assert names(world) == ["a.admin"]
    again = add_first_admin(world.ledger, owner_id=world.owner.id, key=KEY.public_text, name="thief")
    assert again is None
    assert names(world) == ["a.admin"]
    (record,) = world.records(world.admin.id)
    assert (record.kind, record.details) == (Kind.MEMBERSHIP, {"role": "admin"})


def test_an_admin_adds_people(world: World) -> None:
    answer = world.members.add(world.admin, ask(expires_at=to_instant(NOW + DAY)))
    assert (answer.member, answer.name, answer.role) == (ID, "j.doe", "publisher")
    assert (answer.added_at, answer.expires_at) == (to_instant(NOW), to_instant(NOW + DAY))
    assert names(world) == ["a.admin", "j.doe"]
    before = len(world.records())
    world.watch.time += timedelta(hours=1)
    assert world.members.add(world.admin, ask(expires_at=to_instant(NOW + DAY))) == answer
    assert len(world.records()) == before


def test_a_role_or_an_end_can_be_changed(world: World) -> None:
    world.members.add(world.admin, ask())
    assert world.members.add(world.admin, ask(role="auditor")).role == "auditor"
    assert world.members.add(world.admin, ask(role="admin")).role == "admin"
    assert world.members.add(world.admin, ask(role="admin", name="j.roe")).name == "j.roe"
    assert [record.details["role"] for record in world.records(ID)] == [
        "publisher",
        "auditor",
        "admin",
        "admin",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": None}, "member-ask"),
        ({"name": None}, "member-ask"),
        ({"role": None}, "member-ask"),
        ({"member": "a.b.c"}, "member-ask"),
        ({"name": "J. Doe"}, "name"),
        ({"role": "manager"}, "member-role"),
        ({"role": "runtime"}, "member-role"),
        ({"role": "king"}, "member-role"),
        ({"expires_at": to_instant(NOW)}, "expiry"),
        ({"expires_at": "tomorrow"}, "malformed"),
        ({"key": SigningKey.generate(KeyKind.DEVICE).public_text}, "wrong-kind"),
    ],
)
def test_what_makes_no_member_of_the_owner(world: World, changes: dict[str, Any], code: str) -> None:
    assert refused(lambda: world.members.add(world.admin, ask(**changes))) == code


def test_there_is_always_an_admin_left(world: World) -> None:
    own = world.home.keys.member().public_text
    members, admin = world.members, world.admin
    assert refused(lambda: members.remove(admin, admin.id)) == "last-admin"
    assert refused(lambda: members.add(admin, ask(key=own, role="auditor"))) == "last-admin"
    ending = ask(key=own, role="admin", expires_at=to_instant(NOW + DAY))
    assert refused(lambda: members.add(admin, ending)) == "last-admin"
    # One whose access ends by itself does not count: nobody would be left then.
    members.add(admin, ask(role="admin", expires_at=to_instant(NOW + DAY)))
    assert refused(lambda: members.remove(admin, admin.id)) == "last-admin"
    second = world.add_admin()
    members.remove(second, admin.id)
    assert names(world) == ["b.second", "j.doe"]
    members.remove(second, ID)
    assert refused(lambda: members.remove(second, second.id)) == "last-admin"


def test_removing_ends_access(world: World) -> None:
    world.members.add(world.admin, ask())
    entry = world.members.remove(world.admin, ID).entry
    assert names(world) == ["a.admin"]
    record = world.records(ID)[-1]
    assert (record.kind, record.details["role"]) == (Kind.MEMBERSHIP, "none")
    assert entry == len(world.records()) - 1
    assert refused(lambda: world.members.remove(world.admin, ID)) == "not-found"


class TestAtAPartner:
    def listed(self, world: World, clinic: Clinic) -> list[str]:
        return [each.member for each in world.members.page(clinic.manager).members]

    def test_people_are_certified_by_the_organization(self, world: World) -> None:
        clinic = world.clinic()
        token = clinic.certify(KEY, MemberRole.OPERATOR, name="op", expires_at=NOW + DAY)
        answer = world.members.add(clinic.manager, MemberAsk(member=token))
        assert (answer.member, answer.role, answer.name) == (ID, "operator", "op")
        assert answer.expires_at == to_instant(NOW + DAY)
        assert self.listed(world, clinic) == sorted([clinic.manager.id, ID])
        world.members.remove(clinic.manager, ID)
        assert self.listed(world, clinic) == [clinic.manager.id]

    def test_a_certificate_and_nothing_else(self, world: World) -> None:
        clinic = world.clinic()
        token = clinic.certify(KEY)
        for wrong in (ask(), MemberAsk(), MemberAsk(member=token, role="manager")):
            assert refused(lambda wrong=wrong: world.members.add(clinic.manager, wrong)) == "member-ask"  # type: ignore[misc] # bound here

    def test_it_sees_and_removes_its_own_only(self, world: World) -> None:
        clinic, other = world.clinic(), world.clinic("other")
        members = world.members
        assert refused(lambda: members.remove(clinic.manager, other.manager.id)) == "not-found"
        assert refused(lambda: members.remove(clinic.manager, world.admin.id)) == "not-found"
        assert refused(lambda: members.remove(world.admin, clinic.manager.id)) == "not-found"
        stolen = clinic.certify(other.home.keys.member())
        assert refused(lambda: members.add(clinic.manager, MemberAsk(member=stolen))) == "member-key-used"
        assert self.listed(world, other) == [other.manager.id]

    def test_its_last_manager_may_leave(self, world: World) -> None:
        clinic = world.clinic()
        world.members.remove(clinic.manager, clinic.manager.id)
        assert self.listed(world, clinic) == []

    def test_its_access_outlives_the_people_of_both_sides(self, world: World) -> None:
        clinic = world.clinic()
        leaving = world.add_admin()
        signed = LicenseAsk(license=world.sign_license(clinic.party, [Predictions(limit=9, per=Period.DAY)]))
        license = world.licensing.grant(leaving, signed).license
        world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
        machine = Machine.enrolled(world, clinic, license=license)
        machine.take()
        machine.use(2)
        # Who granted, and who accepted and enrolled.
        world.members.remove(world.admin, leaving.id)
        world.members.remove(clinic.manager, clinic.manager.id)
        with world.ledger.view() as kept:
            for member in (leaving.id, clinic.manager.id):
                assert kept.member(member) is None
            candidate = find_candidate(
                kept, PrincipalKind.RUNTIME, machine.runtime, owner_id=world.keys.owner_id
            )
        assert candidate.admit(NOW) == machine.principal
        machine.take()
        assert used(machine) == 2
        world.watch.time += DAY
        fresh = machine.second()
        fresh.take()
        assert world.licensing.get(fresh.principal, license).status == "granted"


def test_members_come_in_pages(world: World) -> None:
    world.add_admin(Role.AUDITOR, "c")
    world.add_admin(Role.PUBLISHER, "d")
    first = world.members.page(world.admin, limit=2)
    assert first.next is not None
    second = world.members.page(world.admin, after=first.next, limit=2)
    assert second.next is None
    assert len({each.member for each in (*first.members, *second.members)}) == 3
