from __future__ import annotations

from datetime import datetime

from strongroom.broker.ledger import Act
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.records import PartyStatus
from strongroom.broker.services.admission import Candidate, find_candidate
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.protocol.broker import MemberAsk, ReasonAsk
from tests.unit.broker.services.hospital import DAY, NOW, Clinic, World, refused

REASON = ReasonAsk(reason="laptop stolen")


def found(world: World, kind: PrincipalKind, id: str) -> Candidate:
    with world.ledger.view() as kept:
        return find_candidate(kept, kind, id, owner_id=world.owner.id)


def runtime(world: World, clinic: Clinic, now: datetime = NOW) -> Principal:
    return found(world, PrincipalKind.RUNTIME, clinic.runtime).admit(now)


def member(world: World, id: str, now: datetime = NOW) -> Principal:
    return found(world, PrincipalKind.MEMBER, id).admit(now)


def test_who_is_approved_comes_in(world: World) -> None:
    clinic = world.clinic()
    assert runtime(world, clinic) == Principal(
        organization=clinic.organization, id=clinic.runtime, kind=PrincipalKind.RUNTIME, role=Role.RUNTIME
    )
    assert member(world, clinic.manager.id) == clinic.manager
    assert member(world, world.admin.id) == world.admin
    device = clinic.home.keys.device(clinic.owner_id).public
    assert found(world, PrincipalKind.RUNTIME, clinic.runtime).key == device
    key = found(world, PrincipalKind.MEMBER, clinic.manager.id).key
    assert key == clinic.home.keys.member().public


def test_strangers_are_told_one_thing(world: World) -> None:
    clinic = world.clinic()
    for kind, id in (
        (PrincipalKind.RUNTIME, "run-" + "a" * 24),
        (PrincipalKind.MEMBER, "mem-" + "a" * 24),
        (PrincipalKind.MEMBER, clinic.runtime),
        (PrincipalKind.RUNTIME, world.admin.id),
    ):
        assert refused(lambda kind=kind, id=id: found(world, kind, id)) == "unknown-principal"  # type: ignore[misc] # bound here


def test_a_runtime_whose_partner_is_gone_is_a_stranger(world: World) -> None:
    clinic = world.clinic()
    with world.ledger.view() as kept:
        row = kept.runtime(clinic.runtime)
    assert row is not None

    class Without:
        def runtime(self, _: str) -> object:
            return row

        def partner(self, _: str) -> None:
            return None

    look = lambda: find_candidate(Without(), PrincipalKind.RUNTIME, row.runtime, owner_id="own-")  # type: ignore[arg-type] # noqa: E731 - two methods are enough
    assert refused(look) == "unknown-principal"


def test_who_is_pending_waits(world: World) -> None:
    clinic = world.joined("clinic")
    world.enroll(clinic)
    assert refused(lambda: runtime(world, clinic)) == "partner-pending"
    assert refused(lambda: member(world, clinic.manager.id)) == "partner-pending"


def test_who_is_suspended_stays_out(world: World) -> None:
    clinic = world.clinic()
    world.partners.suspend_runtime(world.admin, clinic.runtime, REASON)
    assert refused(lambda: runtime(world, clinic)) == "runtime-suspended"
    assert member(world, clinic.manager.id) == clinic.manager
    world.partners.resume_runtime(world.admin, clinic.runtime)
    world.partners.suspend(world.admin, clinic.organization, REASON)
    assert refused(lambda: runtime(world, clinic)) == "partner-suspended"
    assert refused(lambda: member(world, clinic.manager.id)) == "partner-suspended"


def test_a_runtime_that_was_never_approved_waits(world: World) -> None:
    clinic = world.clinic()

    def pend(act: Act) -> None:
        act.kept.set_runtime_status(clinic.runtime, PartyStatus.PENDING)

    world.ledger.act(pend)
    assert refused(lambda: runtime(world, clinic)) == "partner-pending"


def test_access_ends(world: World) -> None:
    clinic = world.clinic()
    key = SigningKey.generate(KeyKind.MEMBER)
    token = clinic.certify(key, expires_at=NOW + DAY)
    added = world.members.add(clinic.manager, MemberAsk(member=token))
    assert member(world, added.member, NOW).id == added.member
    assert refused(lambda: member(world, added.member, NOW + DAY)) == "member-expired"
