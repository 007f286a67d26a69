from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from strongroom.broker.records import LeaseEnd
from strongroom.license.documents import BreakGlassReport, Count
from strongroom.license.fields import new_serial
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.terms import Offline, Predictions, Runtimes, Tokens
from strongroom.log.entry import Kind
from strongroom.protocol.broker import AcceptanceAsk, CheckoutAsk, ReasonAsk, SublicenseAsk, UsageAsk
from tests.unit.broker.services.hospital import DAY, NOW, World, refused
from tests.unit.broker.services.machine import Machine

DAILY = Predictions(limit=90, per=Period.DAY)
OFFLINE = Offline(hours=48, files=3)


def used(machine: Machine, period: str = "2026-11-24") -> int:
    key = CounterKey(machine.license, CounterName.PREDICTIONS, period)
    with machine.world.ledger.view() as kept:
        return kept.used([key])[key]


def held(machine: Machine) -> int:
    with machine.world.ledger.view() as kept:
        return sum(hold.amount for hold in kept.holds([machine.license]))


def report(machine: Machine, token: str) -> int:
    return machine.desk.reporting.report(machine.principal, UsageAsk(usage=token)).entry


@pytest.fixture
def machine(world: World) -> Machine:
    return Machine.enrolled(world, world.clinic(), [DAILY, OFFLINE, Runtimes(limit=2)])


class TestUnderALease:
    def test_a_report_is_charged_and_ends_the_lease(self, machine: Machine) -> None:
        machine.take()
        machine.use(12)
        signed = machine.report()
        entry = report(machine, signed.token)
        assert (used(machine), held(machine)) == (12, 0)
        with machine.world.ledger.view() as kept:
            row = kept.lease(machine.lease_id)
            assert row is not None
            assert (row.ended, row.reported) == (LeaseEnd.RETURNED, True)
            assert kept.seats([machine.license], NOW) == []
        record = machine.world.records()[entry]
        assert (record.kind, record.details) == (Kind.USAGE, {"final": 1, "predictions": 12})
        assert {signed.id, machine.lease_id, machine.runtime, machine.license} < set(record.subjects)

    def test_the_same_report_twice_changes_nothing(self, machine: Machine) -> None:
        machine.take()
        machine.use(12)
        token = machine.report().token
        entry = report(machine, token)
        before = len(machine.world.records())
        assert report(machine, token) == entry
        assert (used(machine), len(machine.world.records())) == (12, before)

    def test_a_second_report_about_one_lease_is_refused(self, machine: Machine) -> None:
        machine.take()
        machine.use(12)
        report(machine, machine.report().token)
        machine.use(1)
        assert refused(lambda: report(machine, machine.report().token)) == "usage-final"
        assert used(machine) == 12

    def test_a_report_after_the_renewal_that_brought_it_is_the_same(self, machine: Machine) -> None:
        machine.take()
        machine.use(12)
        token = machine.report().token
        machine.send(dataclasses.replace(machine.asking(), usage=token))
        report(machine, token)
        assert used(machine) == 12

    def test_more_than_was_handed_out_is_counted_and_noted(self, machine: Machine) -> None:
        machine.take()
        machine.use(100)
        entry = report(machine, machine.report().token)
        assert machine.world.records()[entry].details["excess"] == 70
        assert used(machine) == 100
        machine.lease = None
        assert refused(machine.take) == "predictions-used-up"

    def test_break_glass_has_entries_of_its_own(self, machine: Machine) -> None:
        machine.take()
        uses = tuple(
            BreakGlassReport(started_at=NOW + timedelta(hours=number), reason=f"fire {number}")
            for number in range(20)
        )
        signed = machine.report(break_glass=uses)
        report(machine, signed.token)
        records = machine.world.records(signed.id)
        assert [record.kind for record in records].count(Kind.BREAK_GLASS) == 16
        assert records[-1].details["break_glass"] == 20

    def test_two_successors_of_one_report_raise_an_alarm(self, machine: Machine) -> None:
        machine.take()
        first = machine.report()
        report(machine, first.token)
        machine.usage = first.id
        for number in (1, 2):
            machine.lease = None
            machine.take()
            machine.use(number)
            second = machine.report()
            report(machine, second.token)
        record = machine.world.records(second.id)[0]
        assert record.kind is Kind.CLONE_ALARM
        assert {first.id, second.id} < set(record.subjects)
        # Both are counted: somebody used them.
        assert used(machine) == 3


class TestUnderAnOfflineFile:
    def checked_out(self, machine: Machine) -> str:
        ask = CheckoutAsk(
            license=machine.license, package=machine.statement.package_digest, nonce=new_serial()
        )
        machine.desk.checking_out.check_out(machine.principal, ask)
        with machine.world.ledger.view() as kept:
            return kept.offline_files(NOW, [machine.license])[-1].offline

    def test_what_is_reported_before_its_end_changes_no_count(self, machine: Machine) -> None:
        file = self.checked_out(machine)
        before = held(machine)
        machine.used[CounterName.PREDICTIONS, "2026-11-24"] = 4
        early = machine.report(file)
        entry = report(machine, early.token)
        assert machine.world.records()[entry].details == {"final": 0, "predictions": 4}
        assert (used(machine), held(machine)) == (0, before)
        assert report(machine, early.token) == entry
        # After its end the very same report is final: nothing more was used.
        machine.world.watch.time += 2 * DAY
        report(machine, early.token)
        assert (used(machine), held(machine)) == (4, 0)
        report(machine, early.token)
        assert used(machine) == 4
        machine.used[CounterName.PREDICTIONS, "2026-11-24"] = 5
        assert refused(lambda: report(machine, machine.report(file).token)) == "usage-final"

    def test_nothing_is_held_where_nothing_counts(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
        file = self.checked_out(machine)
        world.watch.time += 2 * DAY
        report(machine, machine.report(file).token)
        world.watch.time += timedelta(seconds=1)
        report(machine, machine.report(file).token)


class TestWhoMayReport:
    def test_a_report_is_about_the_runtimes_own(self, machine: Machine) -> None:
        world = machine.world
        machine.take()
        other = Machine.enrolled(world, world.clinic("other"), [DAILY], statement=machine.statement)
        other.take()
        token = machine.report().token
        reporting = machine.desk.reporting
        for principal in (other.principal, machine.clinic.manager, world.admin):
            ask = UsageAsk(usage=token)
            assert refused(lambda who=principal, ask=ask: reporting.report(who, ask)) == "not-found"  # type: ignore[misc] # bound early
        for authority in (other.lease_id, "lea-" + "a" * 24, "off-" + "a" * 24):
            wrong = machine.report(authority).token
            assert refused(lambda wrong=wrong: report(machine, wrong)) == "not-found"  # type: ignore[misc] # bound early
        foreign = machine.report(license=other.license).token
        assert refused(lambda: report(machine, foreign)) == "not-found"

    def test_a_file_of_a_sibling_is_not_found(self, machine: Machine) -> None:
        file = TestUnderAnOfflineFile().checked_out(machine)
        sibling = machine.second()
        assert refused(lambda: report(sibling, sibling.report(file).token)) == "not-found"

    def test_a_report_is_signed_by_the_runtime_and_says_what_it_should(self, machine: Machine) -> None:
        machine.take()
        sibling = machine.second()
        forged = dataclasses.replace(sibling, device=machine.device)
        by_another = dataclasses.replace(machine, device=sibling.device).report(runtime=machine.runtime)
        assert refused(lambda: report(machine, by_another.token)) == "wrong-signer"
        assert forged.runtime == machine.runtime
        counts = (
            Count(document=machine.license, counter=CounterName.PREDICTIONS, period="2026-11-24", count=1),
        )
        assert refused(lambda: report(machine, machine.report(counts=counts).token)) == "usage-wrong"


class TestPages:
    def test_what_is_used_and_what_is_handed_out(self, machine: Machine) -> None:
        machine.take()
        page = machine.desk.reporting.page(machine.world.admin)
        (only,) = page.usage
        assert (only.document, only.counter, only.period) == (machine.license, "predictions", "2026-11-24")
        assert (only.used, only.reserved, only.limit) == (0, 30, 90)
        machine.use(8)
        machine.take()
        (only,) = machine.desk.reporting.page(machine.clinic.manager).usage
        assert (only.used, only.reserved) == (8, machine.budget["predictions/day"])
        assert page.next is None

    def test_pages_go_on_where_they_ended(self, world: World) -> None:
        terms = [DAILY, Predictions(limit=50, per=Period.DAY), Tokens(limit=70, per=Period.TOTAL)]
        machine = Machine.enrolled(world, world.clinic(), terms)
        machine.take()
        first = machine.desk.reporting.page(world.admin, limit=1)
        assert first.next is not None
        second = machine.desk.reporting.page(world.admin, after=first.next, limit=1)
        assert [(each.counter, each.limit) for each in first.usage + second.usage] == [
            ("predictions", 50),
            ("tokens", 70),
        ]

    def test_a_partner_sees_its_own(self, machine: Machine) -> None:
        world = machine.world
        other = Machine.enrolled(world, world.clinic("other"), [DAILY], statement=machine.statement)
        machine.take()
        other.take()
        page = machine.desk.reporting.page
        assert [each.document for each in page(other.clinic.manager).usage] == [other.license]
        assert [each.document for each in page(world.admin, license=machine.license).usage] == [
            machine.license
        ]
        assert len(page(world.admin).usage) == 2
        assert refused(lambda: page(other.clinic.manager, license=machine.license)) == "not-found"
        assert refused(lambda: page(world.admin, limit=0)) == "page-limit"

    def test_a_report_after_a_release_is_counted(self, machine: Machine) -> None:
        machine.take()
        machine.use(3)
        machine.desk.leasing.release(machine.world.admin, machine.lease_id, ReasonAsk(reason="lost"))
        report(machine, machine.report().token)
        assert (used(machine), held(machine)) == (3, 0)

    def test_a_sub_license_is_shown_with_its_own_limits(self, machine: Machine) -> None:
        world = machine.world
        site = world.clinic("site")
        token = machine.clinic.narrow(machine.license, site.party, [Predictions(limit=7, per=Period.DAY)])
        license = world.licensing.narrow(machine.clinic.manager, SublicenseAsk(sublicense=token)).license
        world.licensing.accept(site.manager, AcceptanceAsk(acceptance=site.accept(license)))
        below = Machine.enrolled(world, site, license=license, statement=machine.statement)
        below.take()
        shown = below.desk.reporting.page(machine.clinic.manager).usage
        assert {each.document: each.limit for each in shown} == {machine.license: 90, license: 7}
        assert [each.document for each in below.desk.reporting.page(site.manager).usage] == [license]
