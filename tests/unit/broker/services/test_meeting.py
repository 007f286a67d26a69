from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.broker.ledger import Act
from strongroom.broker.records import PartyStatus, RuntimeRow
from strongroom.broker.services.meeting import Meeting
from strongroom.broker.settings import Settings
from strongroom.enrolling import join
from strongroom.keys.identity import member_id
from strongroom.keys.intake import verify_intake_certificate
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import OwnerChain, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.log.entry import Kind
from strongroom.protocol.broker import EnrollmentAsk, ReasonAsk
from tests.unit.broker.services.hospital import DAY, NOW, Clinic, Overtaken, World, refused
from tests.unit.broker.services.machine import Machine

REASON = ReasonAsk(reason="laptop stolen")


def test_a_broker_says_whom_it_works_for(world: World) -> None:
    said = world.meeting.owner()
    owner = verify_owner_chain(OwnerChain.from_json(list(said.owner)))
    assert owner == world.owner
    intake = verify_intake_certificate(said.intake, owner, NOW)
    assert intake.public == world.keys.intake().public
    assert said.lease_seconds == 900
    assert said.time == to_instant(NOW)
    assert said.checkpoint.startswith("strongroom/log/") or owner.id in said.checkpoint


def test_a_stranger_stays_pending(world: World) -> None:
    clinic = world.joined("clinic")
    answer = world.enroll(clinic)
    assert (answer.partner, answer.organization, answer.runtime, answer.status) == (
        "clinic",
        clinic.organization,
        clinic.runtime,
        "pending",
    )
    (record,) = world.records(clinic.organization)
    assert record.kind is Kind.ENROLLMENT
    assert set(record.subjects) == {clinic.organization, clinic.runtime, clinic.manager.id}


def test_the_same_enrollment_twice_changes_nothing(world: World) -> None:
    clinic = world.joined("clinic")
    first = world.enroll(clinic)
    before = len(world.records())
    world.watch.time = NOW + 30 * DAY
    assert world.enroll(clinic) == first
    assert len(world.records()) == before


def test_the_same_enrollment_at_two_brokers_at_once_is_taken_once(world: World) -> None:
    clinic = world.joined("clinic")
    overtaken: Any = Overtaken(world.ledger, lambda: world.enroll(clinic))
    ask = EnrollmentAsk(enrollment=clinic.token, member=clinic.certify())
    answer = Meeting(overtaken, world.keys, Settings()).enroll(ask)
    assert answer == world.enroll(clinic)
    assert len(world.records(clinic.organization)) == 1


def test_a_further_runtime_of_an_approved_partner_needs_no_approval(world: World) -> None:
    clinic = world.clinic()
    laptop = world.joined("laptop", world.invite("clinic"))
    # The same organization on another machine.
    token = laptop.home.path / "keys" / "organization.key"
    token.write_bytes((clinic.home.path / "keys" / "organization.key").read_bytes())
    laptop = replace(laptop, home=type(laptop.home).open(laptop.home.path))
    laptop.home.trust.save_enrollment(laptop.owner_id, b"")
    (laptop.home.path / "trust" / f"{laptop.owner_id}.enrollment").unlink()
    join(laptop.home, world.invite("clinic"), now=world.watch.time)
    answer = world.enroll(laptop, member=False)
    assert answer.status == "approved"
    assert answer.organization == clinic.organization
    assert len(world.partners.get(world.admin, clinic.organization).runtimes) == 2


def test_an_invite_that_ended_lets_nobody_in(world: World) -> None:
    clinic = world.joined("clinic")
    world.watch.time = NOW + 7 * DAY
    assert refused(lambda: world.enroll(clinic)) == "invite-expired"


def test_an_approved_name_is_taken(world: World) -> None:
    data = world.invite("clinic")
    world.clinic()
    thief = world.joined("thief", data)
    assert refused(lambda: world.enroll(thief)) == "partner-key-changed"


def test_one_organization_has_one_name(world: World) -> None:
    clinic = world.clinic()
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("north"), now=world.watch.time)
    assert refused(lambda: world.enroll(clinic)) == "partner-name"


def test_a_suspended_partner_adds_no_runtime(world: World) -> None:
    clinic = world.clinic()
    world.partners.suspend(world.admin, clinic.organization, REASON)
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("clinic"), now=world.watch.time)
    assert refused(lambda: world.enroll(clinic)) == "partner-suspended"


def test_enrolling_again_lifts_no_suspension(world: World) -> None:
    clinic = world.clinic()
    world.partners.suspend_runtime(world.admin, clinic.runtime, REASON)
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("clinic"), now=world.watch.time)
    assert world.enroll(clinic).status == "suspended"
    (runtime,) = world.partners.get(world.admin, clinic.organization).runtimes
    assert runtime.enrollment == clinic.token
    assert runtime.enrolled_at == to_instant(NOW)


def test_an_older_enrollment_is_not_played_back(world: World) -> None:
    clinic = world.clinic()
    older, certificate = clinic.token, clinic.certify()
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("clinic"), now=world.watch.time)
    world.enroll(clinic, member=False)
    world.members.remove(clinic.manager, clinic.manager.id)
    ask = EnrollmentAsk(enrollment=older, member=certificate)
    assert refused(lambda: world.meeting.enroll(ask)) == "enrollment-outdated"
    # Nor does the newest one bring a removed member back.
    world.meeting.enroll(EnrollmentAsk(enrollment=clinic.token, member=certificate))
    assert world.members.page(clinic.manager).members == ()


def test_a_runtime_works_for_one_organization(world: World) -> None:
    clinic = world.clinic()
    other = world.joined("other")
    keys = f"keys/{other.owner_id}"
    for name in ("device.key", "sealing.key"):
        (other.home.path / keys / name).write_bytes((clinic.home.path / keys / name).read_bytes())
    moved = replace(other, home=type(other.home).open(other.home.path))
    (moved.home.path / "trust" / f"{moved.owner_id}.enrollment").unlink()
    join(moved.home, world.invite("other"), now=world.watch.time)
    assert refused(lambda: world.enroll(moved)) == "runtime-key-used"


def test_answers_to_one_invite_are_bounded(world: World) -> None:
    invite = world.invite("clinic")
    clinic = world.joined("clinic", invite)
    world.enroll(clinic)
    _fill(world, _row(world, clinic), LIMITS.max_partner_runtimes - 1)
    thief = world.joined("thief", invite)
    assert refused(lambda: world.enroll(thief)) == "too-many-runtimes"
    with world.ledger.view() as kept:
        assert kept.partner(thief.organization) is None
    # Another invite for that name has room of its own.
    again = world.joined("clinic", world.invite("clinic"), folder="again")
    assert world.enroll(again).status == "pending"


def test_an_organization_that_nobody_approved_has_few_runtimes(world: World) -> None:
    clinic = world.joined("clinic")
    world.enroll(clinic)
    machine = Machine.enrolled(world, clinic, license="lic-x", statement=world.statement())
    for _ in range(LIMITS.max_pending_runtimes - 1):
        machine.second()
    assert refused(machine.second) == "too-many-runtimes"
    world.approve(clinic)
    machine.second()


def _row(world: World, clinic: Clinic) -> RuntimeRow:
    with world.ledger.view() as kept:
        row = kept.runtime(clinic.runtime)
    assert row is not None
    return row


def _fill(world: World, row: RuntimeRow, count: int) -> None:
    digits = str.maketrans("0189", "xyzw")

    def add(act: Act) -> None:
        for number in range(count):
            name = f"run-{'a' * 20}{number:04d}".translate(digits)
            act.kept.add_runtime(replace(row, runtime=name))

    world.ledger.act(add)


def test_the_first_member_comes_with_the_enrollment(world: World) -> None:
    clinic = world.joined("clinic")
    world.enroll(clinic, member=False)
    assert world.members.page(clinic.manager).members == ()
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("clinic"), now=world.watch.time)
    world.enroll(clinic)
    (member,) = world.members.page(clinic.manager).members
    assert (member.member, member.role, member.name) == (clinic.manager.id, "manager", "j.doe")
    # A second person by a later enrollment: a manager adds people, the door does not.
    world.watch.time += timedelta(seconds=1)
    join(clinic.home, world.invite("clinic"), now=world.watch.time)
    other = SigningKey.generate(KeyKind.MEMBER)
    world.meeting.enroll(EnrollmentAsk(enrollment=clinic.token, member=clinic.certify(other)))
    assert [each.member for each in world.members.page(clinic.manager).members] == [clinic.manager.id]


def test_a_member_key_of_another_organization_is_refused_without_saying_whose(world: World) -> None:
    clinic, other = world.clinic(), world.joined("other")
    ask = EnrollmentAsk(enrollment=other.token, member=other.certify(clinic.home.keys.member()))
    assert refused(lambda: world.meeting.enroll(ask)) == "member-key-used"
    with world.ledger.view() as kept:
        assert kept.partner(other.organization) is None
        assert kept.runtime(other.runtime) is None
        member = kept.member(member_id(clinic.home.keys.member().public))
    assert member is not None
    assert member.organization == clinic.organization


def test_status_is_what_the_row_says(world: World) -> None:
    clinic = world.clinic()
    assert world.enroll(clinic).status == PartyStatus.APPROVED
