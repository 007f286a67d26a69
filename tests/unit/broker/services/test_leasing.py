from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.ledger import Ledger
from strongroom.broker.records import LeaseEnd
from strongroom.broker.services import giving as giving_module
from strongroom.broker.services.giving import Giving
from strongroom.broker.settings import Settings
from strongroom.errors import LicenseDenied, StorageUnavailable
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import CutOff, Role, rotate_owner
from strongroom.keys.text import KeyKind
from strongroom.license.period import Period
from strongroom.license.request import Level
from strongroom.license.terms import Expires, Grace, Predictions, Runtimes
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.entry import Kind
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifiers_for_log
from strongroom.protocol.broker import (
    ReasonAsk,
    ReturnAsk,
    RevocationAsk,
    WithdrawalAsk,
)
from tests.unit.broker.services.hospital import CONTENT_KEY, DAY, NOW, World, refused
from tests.unit.broker.services.machine import Desk, Machine, holds, kinds, narrowed, running, used

DAILY = Predictions(limit=90, per=Period.DAY)
REASON = ReasonAsk(reason="the laptop is lost")


class TestTaking:
    def test_a_lease_opens_for_the_worker_and_after_a_reboot(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Grace(hours=72, predictions=6)])
        lease = machine.take()
        assert machine.open() == machine.open_again() == CONTENT_KEY
        assert lease.issued_at == NOW
        assert lease.not_after == NOW + timedelta(minutes=15)
        assert (lease.runtime, lease.previous) == (machine.runtime, None)
        assert machine.budget == {"predictions/day": 36}
        assert [hold.amount for hold in holds(machine)] == [36]
        assert machine.answer is not None
        assert machine.answer.time == to_instant(NOW)

    def test_its_entry_is_proved_under_the_checkpoint_of_the_offer(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take(log_size=2)
        answer = machine.answer
        assert answer is not None
        proof, offer = Proof.from_bytes(answer.proof.encode()), Offer.from_bytes(answer.offer.encode())
        assert proof.note == offer.note
        assert offer.old_size == 2
        record = world.records(machine.lease_id)[-1]
        origin = Origin.from_text(Checkpoint.from_bytes(offer.note.unverified_text).origin)
        assert proof.verify_record(verifiers_for_log(origin, world.owner.log_keys())) == record
        assert record.kind is Kind.LEASE
        assert set(record.subjects) == {
            machine.lease_id,
            machine.runtime,
            machine.license,
            machine.clinic.organization,
        }
        assert record.details == {
            "package": machine.statement.package_digest,
            "level": "sealed",
            "previous": "none",
            "not_after": to_instant(NOW + timedelta(minutes=15)),
            "last_use_at": to_instant(NOW + timedelta(minutes=15)),
            "predictions_day": 30,
        }

    def test_a_renewal_counts_once_and_frees_what_was_held(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        first = machine.take()
        assert machine.budget == {"predictions/day": 90}
        machine.use(40)
        world.watch.time += timedelta(minutes=10)
        second = machine.take()
        assert second.previous == first.id
        assert (used(machine), machine.budget) == (40, {"predictions/day": 50})
        assert {hold.authority for hold in holds(machine)} == {second.id}
        with world.ledger.view() as kept:
            row = kept.lease(first.id)
            assert row is not None
            assert (row.ended, row.reported) == (LeaseEnd.SUPERSEDED, True)

    def test_a_counting_license_is_not_renewed_without_a_report(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        assert refused(lambda: machine.take(usage=False)) == "usage-missing"
        plain = Machine.enrolled(world, machine.clinic, statement=machine.statement)
        plain.take()
        plain.take(usage=False)

    def test_a_refusal_leaves_everything_as_it_was(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        first = machine.take()
        machine.use(90)
        before = kinds(world)
        assert refused(machine.take) == "predictions-used-up"
        assert (used(machine), [hold.authority for hold in holds(machine)]) == (0, [first.id])
        assert running(machine) == {machine.runtime}
        assert kinds(world) == before

    def test_another_period_begins_with_nothing_used(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        machine.take()
        machine.use(90)
        world.watch.time += DAY
        machine.take()
        assert machine.budget == {"predictions/day": 90}
        assert used(machine) == 90

    def test_a_lease_over_midnight_is_counted_in_both_days(self, world: World) -> None:
        wide = [DAILY, Grace(hours=72, predictions=90)]
        site, machine = narrowed(world, wide, [Predictions(limit=80, per=Period.DAY)])
        while used(machine) < 60:
            site.take()
            site.use(min(10, site.budget["predictions/day"]))
        world.watch.time += timedelta(minutes=1)
        lease = site.take()
        (entry,) = lease.budget
        assert entry.later is not None
        assert entry.limit <= 10 < entry.later
        assert {(hold.first_period, hold.amount) for hold in holds(machine)} == {
            ("2026-11-24", entry.limit),
            ("2026-11-25", entry.later),
        }
        details = world.records(site.lease_id)[-1].details
        assert (details["predictions_day"], details["predictions_day_later"]) == (entry.limit, entry.later)
        before = used(machine)
        site.use(entry.limit)
        world.watch.time += DAY
        (shown,) = machine.desk.leasing.page(world.admin).leases
        assert shown.budget == {"predictions/day": entry.later}
        site.use(entry.later)
        site.take()
        # Also in the license above, which is charged no more than was held in each day.
        for each in (site, machine):
            assert used(each) == before + entry.limit
            assert used(each, "2026-11-25") == entry.later
            assert "2026-11-24" not in {hold.first_period for hold in holds(each)}

    def test_the_end_of_the_license_ends_the_lease(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [Expires(at=NOW + timedelta(minutes=5))])
        assert machine.take().not_after == NOW + timedelta(minutes=5)
        world.watch.time += timedelta(minutes=5)
        assert refused(machine.take) == "expired"

    def test_two_runtimes_of_one_license_share_it(self, world: World) -> None:
        clinic = world.clinic()
        machine = Machine.enrolled(world, clinic, [DAILY, Runtimes(limit=2)])
        other = machine.second()
        machine.take()
        other.take()
        assert machine.budget["predictions/day"] + other.budget["predictions/day"] <= 90
        assert running(machine) == {machine.runtime, other.runtime}
        third = machine.second()
        assert refused(third.take) == "too-many-runtimes"
        other.desk.leasing.give_back(other.principal, other.lease_id, ReturnAsk(usage=other.report().token))
        third.take()

    def test_a_sub_license_is_held_and_counted_in_every_document(self, world: World) -> None:
        site, machine = narrowed(world, [DAILY], [Predictions(limit=5, per=Period.DAY)])
        site.take()
        assert [hold.amount for hold in holds(machine)] == [hold.amount for hold in holds(site)] == [1]
        site.use(1)
        site.take()
        assert used(machine) == used(site) == 1
        # The holder of the license above is told of it, and can read it.
        assert machine.clinic.organization in world.records(site.lease_id)[-1].subjects

    def test_a_suspension_reaches_what_hangs_below(self, world: World) -> None:
        site, machine = narrowed(world)
        site.take()
        world.partners.suspend(world.admin, machine.clinic.organization, REASON)
        assert refused(site.take) == "suspended"
        world.partners.resume(world.admin, machine.clinic.organization)
        world.licensing.suspend(world.admin, machine.license, REASON)
        assert refused(site.take) == "suspended"
        world.licensing.resume(world.admin, machine.license)
        site.take()

    def test_a_revocation_ends_it_at_the_next_renewal(self, world: World) -> None:
        site, machine = narrowed(world)
        site.take()
        ask = site.ask
        assert ask is not None
        world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.license)))
        with pytest.raises(LicenseDenied, match="is revoked: the contract ended") as caught:
            site.take()
        assert caught.value.code == "revoked"
        # The lost answer to the request before is not shown again either.
        assert refused(lambda: site.send(ask)) == "revoked"

    def test_a_lease_that_was_revoked_is_renewed_and_the_answer_says_so(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        token = world.revocation(machine.lease_id)
        world.licensing.revoke(world.admin, RevocationAsk(revocation=token))
        machine.take()
        assert machine.answer is not None
        assert machine.answer.revocations == (token,)
        machine.take()
        assert not machine.answer.revocations

    def test_who_is_suspended_asks_in_vain_with_a_token_that_still_lives(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        world.partners.suspend_runtime(world.admin, machine.runtime, REASON)
        assert refused(machine.take) == "runtime-suspended"
        world.partners.resume_runtime(world.admin, machine.runtime)
        world.partners.suspend(world.admin, machine.clinic.organization, REASON)
        assert refused(machine.take) == "partner-suspended"

    def test_a_license_that_waits_for_a_second_person_gives_nothing(self, careful: World) -> None:
        clinic = careful.clinic()
        license = careful.license(clinic)
        machine = Machine.enrolled(careful, clinic, license=license)
        assert refused(machine.take) == "not-found"

    def test_a_withdrawn_version_gets_no_lease_and_the_answer_says_so(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        newer = world.statement(version="2.0.0")
        world.publishing.publish(world.admin, world.package(newer))
        token = world.withdrawal(machine.statement)
        world.publishing.withdraw(world.admin, WithdrawalAsk(withdrawal=token))
        assert refused(machine.take) == "version-withdrawn"
        after = dataclasses.replace(machine, statement=newer)
        after.take()
        assert after.answer is not None
        assert after.answer.withdrawals == (token,)

    def test_a_level_below_the_license_is_refused(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        assert refused(lambda: machine.take(level=Level.LOCAL)) == "level-too-low"

    def test_a_wish_is_kept_to(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take(predictions=3)
        assert machine.budget == {"predictions/day": 3}

    def test_the_owner_chooses_how_long_a_lease_lasts(self, world: World) -> None:
        desk = Desk.at(world.ledger, world.keys, Settings(lease_seconds=60))
        machine = Machine.enrolled(world, world.clinic(), desk=desk)
        assert machine.take().not_after == NOW + timedelta(seconds=60)


class TestFreshness:
    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_a_request_of_another_time_is_refused(self, world: World, seconds: int) -> None:
        machine = Machine.enrolled(world, world.clinic())
        assert refused(lambda: machine.take(issued_at=NOW + timedelta(seconds=seconds))) == "request-stale"
        machine.take(issued_at=NOW + timedelta(seconds=seconds - seconds // 301))

    def test_the_same_request_gets_the_same_lease_however_late(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        machine.use(7)
        ask = machine.asking()
        given = machine.desk.leasing.take(machine.principal, ask)
        before = kinds(world)
        world.watch.time += timedelta(hours=1)
        again = machine.desk.leasing.take(machine.principal, ask)
        assert again.lease == given.lease
        assert (used(machine), kinds(world)) == (7, before)
        # The worker of that request is gone; its restart envelope is not.
        machine.send(ask)
        assert machine.open_again() == CONTENT_KEY


class TestGivingBack:
    def test_a_lease_that_is_given_back_frees_seat_and_slice(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        machine.take()
        machine.use(4)
        ask = ReturnAsk(usage=machine.report().token)
        done = machine.desk.leasing.give_back(machine.principal, machine.lease_id, ask)
        assert (used(machine), holds(machine), running(machine)) == (4, [], set())
        assert kinds(world)[done.entry] is Kind.RETURN
        before = kinds(world)
        machine.desk.leasing.give_back(machine.principal, machine.lease_id, ask)
        assert (used(machine), kinds(world)) == (4, before)

    def test_without_a_report_no_counted_lease_is_given_back(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        machine.take()
        leasing, lease = machine.desk.leasing, machine.lease_id
        give_back = partial(leasing.give_back, machine.principal, lease, ReturnAsk())
        assert refused(give_back) == "usage-missing"
        assert ([hold.authority for hold in holds(machine)], running(machine)) == ([lease], {machine.runtime})
        # Nor one that the owner has released: its usage may still come.
        leasing.release(world.admin, lease, ReasonAsk(reason="lost"))
        assert refused(give_back) == "usage-missing"
        machine.use(2)
        leasing.give_back(machine.principal, lease, ReturnAsk(usage=machine.report().token))
        assert (used(machine), holds(machine)) == (2, [])
        # Once it is known, nothing is missing any more.
        give_back()

    def test_where_nothing_counts_there_is_nothing_to_report(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [Runtimes(limit=1)])
        machine.take()
        machine.desk.leasing.give_back(machine.principal, machine.lease_id, ReturnAsk())
        assert running(machine) == set()

    def test_nobody_gives_back_the_lease_of_another(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        other = Machine.enrolled(world, world.clinic("other"), statement=machine.statement)
        leasing = machine.desk.leasing
        for lease in (machine.lease_id, "lea-" + "a" * 24):
            give_back = partial(leasing.give_back, other.principal, lease, ReturnAsk())
            assert refused(give_back) == "not-found"
        wrong = ReturnAsk(usage=machine.report("lea-" + "a" * 24).token)
        assert refused(lambda: leasing.give_back(machine.principal, machine.lease_id, wrong)) == "usage-wrong"


class TestPages:
    def test_the_owner_sees_all_and_a_partner_its_own(self, world: World) -> None:
        site, machine = narrowed(world)
        other = Machine.enrolled(world, world.clinic("other"), statement=machine.statement)
        for each in (site, machine, other):
            each.take()
        leasing = machine.desk.leasing
        everything = leasing.page(world.admin).leases
        assert {each.organization for each in everything} == {
            each.clinic.organization for each in (site, machine, other)
        }
        seen = {
            each.clinic.name: {row.lease for row in leasing.page(each.clinic.manager).leases}
            for each in (machine, other)
        }
        # Who narrowed a license sees what hangs from it.
        assert seen == {"clinic": {machine.lease_id, site.lease_id}, "other": {other.lease_id}}
        site_manager = dataclasses.replace(machine.clinic.manager, organization=site.clinic.organization)
        assert [row.lease for row in leasing.page(site_manager).leases] == [site.lease_id]
        one = leasing.page(world.admin, license=machine.license).leases
        assert {row.lease for row in one} == {machine.lease_id, site.lease_id}
        assert refused(lambda: leasing.page(other.clinic.manager, license=machine.license)) == "not-found"
        assert refused(lambda: leasing.page(world.admin, license="lic-" + "a" * 24)) == "not-found"

    def test_pages_go_on_where_they_ended(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        other = Machine.enrolled(world, world.clinic("other"), statement=machine.statement)
        machine.take()
        other.take()
        first = machine.desk.leasing.page(world.admin, limit=1)
        assert first.next is not None
        second = machine.desk.leasing.page(world.admin, after=first.next, limit=1)
        assert {row.lease for row in first.leases + second.leases} == {machine.lease_id, other.lease_id}
        summary = next(row for row in first.leases + second.leases if row.lease == machine.lease_id)
        assert summary.budget == {"predictions/day": 30}
        assert summary.ends_at == to_instant(NOW + timedelta(minutes=15))


class TestChangesOnTheWay:
    def test_a_runtime_that_enrolled_anew_gets_its_new_keys_used(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = Machine.enrolled(world, world.clinic())
        leasing = machine.desk.leasing
        prepare, calls = leasing._prepare, []

        def slow(*arguments: object, **more: object) -> object:
            case = prepare(*arguments, **more)  # type: ignore[arg-type] # passed on
            calls.append(case)
            if len(calls) == 1:
                with world.store.write() as kept:
                    row = kept.runtime(machine.runtime)
                    assert row is not None
                    kept.add_runtime(dataclasses.replace(row, enrolled_at=row.enrolled_at + DAY))
                    head = kept.head()
                    kept.set_head(dataclasses.replace(head, generation=head.generation + 1))
            return case

        monkeypatch.setattr(type(leasing), "_prepare", lambda _, *arguments, **more: slow(*arguments, **more))
        machine.take()
        assert len(calls) == 2

    def test_it_is_told_to_try_again_if_that_goes_on(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = Machine.enrolled(world, world.clinic())

        def changed(*arguments: object, **more: object) -> None:
            raise giving_module.RuntimeChangedError

        monkeypatch.setattr(Giving, "give", changed)
        with pytest.raises(StorageUnavailable) as caught:
            machine.take()
        assert caught.value.code == "broker-busy"


class TestAnotherBrokerOnTheSameDatabase:
    """What this one remembers was true a moment ago: it speeds up, and decides nothing."""

    @pytest.fixture
    def machine(self, world: World) -> Iterator[Machine]:
        ledger = Ledger(world.store, world.keys, world.watch)
        ledger.start()
        yield Machine.enrolled(world, world.clinic(), [DAILY], desk=Desk.at(ledger, world.keys))
        ledger.close()

    def test_what_it_suspends_is_refused_here_at_once(self, world: World, machine: Machine) -> None:
        machine.take()
        world.partners.suspend_runtime(world.admin, machine.runtime, REASON)
        assert refused(machine.take) == "runtime-suspended"

    def test_what_it_lets_go_on_is_served_here_at_once(self, world: World, machine: Machine) -> None:
        machine.take()
        world.partners.suspend_runtime(world.admin, machine.runtime, REASON)
        assert refused(machine.take) == "runtime-suspended"
        world.partners.resume_runtime(world.admin, machine.runtime)
        machine.take()

    def test_what_it_revokes_is_refused_here_at_once(self, world: World, machine: Machine) -> None:
        machine.take()
        world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.license)))
        assert refused(machine.take) == "revoked"

    def test_what_it_published_and_granted_is_had_here_at_once(self, world: World, machine: Machine) -> None:
        machine.take()
        new = world.statement(version="1.1.0")
        world.publishing.publish(world.admin, world.package(new))
        other = Machine.enrolled(world, world.clinic("other"), [DAILY], desk=machine.desk, statement=new)
        other.take()
        assert other.open() == CONTENT_KEY

    def test_who_is_not_enrolled_is_refused_as_ever(self, world: World, machine: Machine) -> None:
        machine.take()
        machine.device = SigningKey.generate(KeyKind.DEVICE)
        assert refused(machine.take) == "not-found"


class TestAStolenLicenseKey:
    """Once it is cut off, its licenses are void; what it withdrew stays withdrawn, and stops nothing else."""

    def test_other_versions_go_on_under_a_license_of_the_next_key(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clinic = world.clinic()
        old, new = world.statement(), world.statement(version="1.1.0")
        for statement in (old, new):
            world.publishing.publish(world.admin, world.package(statement))
        token = world.withdrawal(new, permits="1.0.0")
        world.publishing.withdraw(world.admin, WithdrawalAsk(withdrawal=token))
        successor = SigningKey.generate(KeyKind.OWNER_LICENSE)
        chain = rotate_owner(
            world.owner,
            signers=[world.root()],
            now=NOW,
            cut_off=[CutOff(key_id=world.role_key(Role.LICENSE).key_id, log_position=None, reason="stolen")],
            add={Role.LICENSE: [successor.public_text]},
        )
        world.home.trust.update(chain)
        role_key = world.role_key
        monkeypatch.setattr(
            world, "role_key", lambda role: successor if role is Role.LICENSE else role_key(role)
        )
        machine = Machine.enrolled(world, clinic, [DAILY], statement=old)
        machine.take()
        assert machine.answer is not None
        assert not machine.answer.withdrawals, "the partner would not believe it"
        again = Machine.enrolled(world, clinic, [DAILY], statement=new)
        assert refused(again.take) == "version-withdrawn"
