from __future__ import annotations

import dataclasses

from strongroom._encoding import to_instant
from strongroom.license.documents import BreakGlassReport
from strongroom.license.period import Period
from strongroom.license.terms import Predictions, Runtimes
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    ReasonAsk,
)
from tests.unit.broker.services.hospital import DAY, NOW, World, refused
from tests.unit.broker.services.machine import Machine, kinds, running, used

DAILY = Predictions(limit=90, per=Period.DAY)
REASON = ReasonAsk(reason="the laptop is lost")


class TestCopies:
    def test_two_successors_of_one_lease_raise_an_alarm(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        clone = machine.copy()
        machine.take()
        newest = machine.lease_id
        assert refused(clone.take) == "clone-suspected"
        record = world.records(newest)[-1]
        assert record.kind is Kind.CLONE_ALARM
        assert record.details == {"newest": newest, "previous": clone.lease_id}
        # The other one goes on.
        machine.take()

    def test_the_next_lease_has_an_alarm_of_its_own(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        fresh = dataclasses.replace(machine, lease=None)
        for _ in range(2):
            assert refused(fresh.take) == "clone-suspected"
            machine.take()
        assert kinds(world, machine.license).count(Kind.CLONE_ALARM) == 2

    def test_the_owner_lets_a_machine_start_again(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
        machine.take()
        lost = machine.lease_id
        done = machine.desk.leasing.release(world.admin, lost, REASON)
        record = world.records(lost)[-1]
        assert (record.kind, record.details["reason"]) == (Kind.RETURN, REASON.reason)
        assert done.entry == len(world.records()) - 1
        assert running(machine) == set()
        fresh = dataclasses.replace(machine, lease=None)
        # Nobody knows what was used: it stays held.
        assert refused(fresh.take) == "predictions-used-up"
        world.watch.time += DAY
        fresh.take()
        machine.desk.leasing.release(world.admin, lost, REASON)

    def test_after_a_release_an_older_state_may_go_on_and_report(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        machine.use(3)
        clone = machine.copy()
        machine.take()
        machine.desk.leasing.release(world.admin, machine.lease_id, REASON)
        # What it reports is counted already.
        clone.take()
        assert used(clone) == 3

    def test_only_the_owner_releases(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        leasing = machine.desk.leasing
        assert (
            refused(lambda: leasing.release(machine.principal, machine.lease_id, REASON)) == "not-permitted"
        )
        assert refused(lambda: leasing.release(world.admin, "lea-" + "a" * 24, REASON)) == "not-found"
        assert (
            refused(lambda: leasing.release(world.admin, machine.lease_id, ReasonAsk(reason="")))
            == "malformed"
        )


class TestAfterARestore:
    def test_a_lease_that_the_database_does_not_know_is_gone_on_from(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        with world.store.write() as kept:
            kept.void_leases(NOW)
        machine.use(5)
        machine.lease = dataclasses.replace(machine.lease, id="lea-" + "q" * 24)  # type: ignore[type-var] # it has one
        report = machine.report()
        machine.take()
        # Its use is counted; there is nothing that it held.
        assert used(machine) == 5
        assert world.records(report.id)[-1].details["excess"] == 5

    def test_without_a_report_there_is_nothing_to_count(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        with world.store.write() as kept:
            kept.void_leases(NOW)
        machine.lease = dataclasses.replace(machine.lease, id="lea-" + "q" * 24)  # type: ignore[type-var] # it has one
        machine.take(usage=False)
        assert used(machine) == 0

    def test_its_use_is_counted_once(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [DAILY])
        machine.take()
        unknown = dataclasses.replace(machine.lease, id="lea-" + "q" * 24)  # type: ignore[type-var] # it has one
        for _ in range(2):
            with world.store.write() as kept:
                kept.void_leases(NOW)
            machine.lease = unknown
            machine.used.clear()
            machine.use(5)
            machine.take()
        assert used(machine) == 5

    def test_a_break_glass_is_logged_loudly(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        machine.take()
        use = BreakGlassReport(started_at=NOW, reason="the network of the ward is down")
        ask = machine.asking()
        usage = machine.report(break_glass=(use,))
        machine.send(dataclasses.replace(ask, usage=usage.token))
        loud = [record for record in world.records(usage.id) if record.kind is Kind.BREAK_GLASS]
        assert [record.details for record in loud] == [{"reason": use.reason, "started_at": to_instant(NOW)}]
        assert world.records(usage.id)[-1].details == {"final": 1, "break_glass": 1}
