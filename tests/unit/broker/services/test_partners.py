from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.ledger import Act
from strongroom.broker.records import PartyStatus
from strongroom.keys.fingerprint import fingerprint
from strongroom.log.entry import Kind
from strongroom.protocol.broker import ApprovalAsk, ReasonAsk
from tests.unit.broker.services.hospital import NOW, Clinic, World, refused

REASON = ReasonAsk(reason="the contract is disputed")


def said(clinic: Clinic) -> ApprovalAsk:
    return ApprovalAsk(fingerprint=fingerprint(clinic.token))


def test_approval_takes_the_compared_fingerprint(world: World) -> None:
    clinic, other = world.joined("clinic"), world.joined("other")
    world.enroll(clinic)
    world.enroll(other)
    wrong = ApprovalAsk(fingerprint=fingerprint(other.token))
    approve: Callable[[ApprovalAsk], object] = lambda ask: world.partners.approve(  # noqa: E731 - short
        world.admin, clinic.organization, ask
    )
    assert refused(lambda: approve(wrong)) == "fingerprint-mismatch"
    assert refused(lambda: approve(ApprovalAsk(fingerprint="hello"))) == "fingerprint-form"
    answer = world.partners.approve(world.admin, clinic.organization, said(clinic))
    assert (answer.name, answer.status) == ("clinic", "approved")
    (runtime,) = answer.runtimes
    assert (runtime.runtime, runtime.status) == (clinic.runtime, "approved")
    assert (runtime.fingerprint, runtime.enrollment) == (fingerprint(clinic.token), clinic.token)
    assert runtime.enrolled_at == answer.enrolled_at == to_instant(NOW)
    assert world.partners.get(world.admin, other.organization).status == "pending"


def test_whoever_was_never_approved_can_be_dropped(world: World) -> None:
    thief = world.joined("thief", world.invite("clinic"))
    world.enroll(thief)
    done = world.partners.refuse(world.admin, thief.organization, REASON)
    record = world.records()[done.entry]
    assert record.kind is Kind.SUSPENSION
    assert record.details == {
        "partner": "clinic",
        "reason": REASON.reason,
        "status": "refused",
        "by": world.admin.id,
    }
    again = lambda: world.partners.refuse(world.admin, thief.organization, REASON)  # noqa: E731 - short
    assert refused(again) == "not-found"
    with world.ledger.view() as kept:
        assert kept.runtime(thief.runtime) is None
        assert kept.member(thief.manager.id) is None
    # Whoever has an invite may ask again.
    assert world.enroll(thief).status == "pending"
    world.approve(thief)
    assert refused(again) == "partner-approved"
    assert (
        refused(lambda: world.partners.refuse(thief.manager, thief.organization, REASON)) == "not-permitted"
    )


def test_approval_picks_one_organization_and_drops_the_others_of_the_name(world: World) -> None:
    clinic = world.joined("clinic")
    thief = world.joined("thief", world.invite("clinic"))
    bystander = world.joined("bystander")
    for each in (clinic, thief, bystander):
        world.enroll(each)
    assert len(world.partners.page(world.admin).partners) == 3
    world.approve(clinic)
    assert refused(lambda: world.partners.get(world.admin, thief.organization)) == "not-found"
    assert {each.organization for each in world.partners.page(world.admin).partners} == {
        clinic.organization,
        bystander.organization,
    }
    with world.ledger.view() as kept:
        assert kept.runtime(thief.runtime) is None
        assert kept.member(thief.manager.id) is None
    record = world.records(clinic.organization)[-1]
    assert record.kind is Kind.APPROVAL
    assert thief.organization not in record.subjects
    assert record.details == {"partner": "clinic", "by": world.admin.id}


def test_a_name_has_one_approved_organization(world: World) -> None:
    clinic, thief = world.joined("clinic"), world.joined("thief", world.invite("clinic"))
    for each in (clinic, thief):
        world.enroll(each)

    def approve_thief(act: Act) -> None:
        act.kept.set_partner_status(thief.organization, PartyStatus.APPROVED)

    world.ledger.act(approve_thief)
    assert refused(lambda: world.approve(clinic)) == "partner-key-changed"


def test_approving_twice_changes_nothing(world: World) -> None:
    clinic = world.clinic()
    before = len(world.records())
    assert world.partners.approve(world.admin, clinic.organization, said(clinic)).status == "approved"
    assert len(world.records()) == before


def test_what_is_not_there_cannot_be_approved(world: World) -> None:
    clinic = world.joined("clinic")
    assert (
        refused(lambda: world.partners.approve(world.admin, clinic.organization, said(clinic))) == "not-found"
    )


def test_suspension_can_be_taken_back(world: World) -> None:
    clinic = world.clinic()
    for _ in range(2):
        assert world.partners.suspend(world.admin, clinic.organization, REASON).status == "suspended"
    suspend = world.records(clinic.organization)[-1]
    assert (suspend.kind, suspend.details["reason"]) == (Kind.SUSPENSION, REASON.reason)
    approve = lambda: world.partners.approve(world.admin, clinic.organization, said(clinic))  # noqa: E731 - short
    assert refused(approve) == "partner-suspended"
    for _ in range(2):
        assert world.partners.resume(world.admin, clinic.organization).status == "approved"
    kinds = [record.kind for record in world.records(clinic.organization)]
    assert kinds == [Kind.ENROLLMENT, Kind.APPROVAL, Kind.SUSPENSION, Kind.APPROVAL]


def test_one_runtime_can_be_shut_out(world: World) -> None:
    clinic = world.clinic()
    answer = world.partners.suspend_runtime(world.admin, clinic.runtime, REASON)
    assert answer.status == "approved"
    assert [each.status for each in answer.runtimes] == ["suspended"]
    answer = world.partners.resume_runtime(world.admin, clinic.runtime)
    assert [each.status for each in answer.runtimes] == ["approved"]
    assert world.partners.resume_runtime(world.admin, clinic.runtime) == answer
    kinds = [record.kind for record in world.records(clinic.runtime)]
    assert kinds == [Kind.ENROLLMENT, Kind.APPROVAL, Kind.SUSPENSION, Kind.APPROVAL]


def test_what_is_pending_can_be_neither_suspended_nor_resumed(world: World) -> None:
    clinic = world.joined("clinic")
    world.enroll(clinic)
    partners, admin = world.partners, world.admin
    for do in (
        lambda: partners.suspend(admin, clinic.organization, REASON),
        lambda: partners.resume(admin, clinic.organization),
        lambda: partners.suspend_runtime(admin, clinic.runtime, REASON),
        lambda: partners.resume_runtime(admin, clinic.runtime),
    ):
        assert refused(do) == "partner-pending"


@pytest.mark.parametrize("reason", ["", "two\nlines", " space", "x" * 501])
def test_a_reason_is_one_line_of_text(world: World, reason: str) -> None:
    ask = ReasonAsk(reason=reason)
    assert refused(lambda: world.partners.suspend(world.admin, "org-" + "a" * 24, ask)) == "malformed"
    assert refused(lambda: world.partners.suspend_runtime(world.admin, "run-" + "a" * 24, ask)) == "malformed"


def test_partners_come_in_pages(world: World) -> None:
    clinics = [world.joined(f"clinic-{number}") for number in range(3)]
    for clinic in clinics:
        world.enroll(clinic)
    first = world.partners.page(world.admin, limit=2)
    assert first.next is not None
    second = world.partners.page(world.admin, after=first.next, limit=2)
    assert second.next is None
    listed = [each.organization for each in (*first.partners, *second.partners)]
    assert listed == sorted(clinic.organization for clinic in clinics)
    assert refused(lambda: world.partners.page(world.admin, limit=0)) == "page-limit"


def test_a_partner_sees_itself_only(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    (seen,) = world.partners.page(clinic.manager).partners
    assert seen == world.partners.get(clinic.manager, clinic.organization)
    assert world.partners.page(clinic.manager, after=clinic.organization).partners == ()
    assert refused(lambda: world.partners.get(clinic.manager, other.organization)) == "not-found"


def test_a_partner_decides_about_nobody(world: World) -> None:
    clinic = world.clinic()
    partners, manager, own = world.partners, clinic.manager, clinic.organization
    for do in (
        lambda: partners.approve(manager, own, said(clinic)),
        lambda: partners.suspend(manager, own, REASON),
        lambda: partners.resume(manager, own),
        lambda: partners.suspend_runtime(manager, clinic.runtime, REASON),
        lambda: partners.resume_runtime(manager, clinic.runtime),
    ):
        assert refused(do) == "not-permitted"
