"""Attacks on counts: reports that lie, about how much, about when, and at the cost of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from strongroom._encoding import parse_json
from strongroom.errors import Error
from strongroom.license.documents import OfflineFile
from strongroom.license.fields import MAX_COUNT, new_serial
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import CounterName, Period
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Grace, Offline, Predictions
from strongroom.log.entry import Kind
from strongroom.protocol.broker import CheckoutAsk, ReasonAsk, ReturnAsk, UsageAsk
from tests.unit.broker.http.wire import Wire, code_of
from tests.unit.broker.services.hospital import DAY, NOW, World, refused
from tests.unit.broker.services.machine import Machine, holds, kinds, narrowed, used

DAILY = Predictions(limit=90, per=Period.DAY)
TODAY = "2026-11-24"
REASON = ReasonAsk(reason="lost")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def give_back(machine: Machine) -> None:
    ask = ReturnAsk(usage=machine.report().token)
    machine.desk.leasing.give_back(machine.principal, machine.lease_id, ask)
    machine.lease = None
    machine.used.clear()


def check_out(machine: Machine) -> str:
    """Check out an offline file; returns its id."""
    ask = CheckoutAsk(license=machine.license, package=machine.statement.package_digest, nonce=new_serial())
    answer = machine.desk.checking_out.check_out(machine.principal, ask)
    (token,) = LicenseFile.from_bytes(answer.file.encode()).offline
    return read_unverified(token, OfflineFile).id


# --- how much --------------------------------------------------------------------------------


def test_no_report_uses_up_what_others_share(world: World) -> None:
    """A site that says it used far more than it had stops itself, and nobody else."""
    terms = [Predictions(limit=1000, per=Period.TOTAL)]
    site, clinic = narrowed(world, terms, [Predictions(limit=10, per=Period.TOTAL)])
    site.take()
    given = site.budget["predictions/total"]
    site.use(MAX_COUNT)
    give_back(site)
    assert (used(clinic, "total"), used(site, "total")) == (given, MAX_COUNT)
    record = next(each for each in world.records(site.license) if each.kind is Kind.USAGE)
    assert record.details["excess"] == MAX_COUNT - given
    assert refused(site.take) == "predictions-used-up"
    clinic.take()
    assert clinic.budget["predictions/total"] == (1000 - given) // 3


def test_what_is_given_for_tomorrow_is_not_used_today_and_never_twice(world: World) -> None:
    """A clock that is set ahead, or a report that lies about the day, takes from tomorrow or from nobody."""
    site, clinic = narrowed(world, [DAILY, Grace(hours=72, predictions=90)])
    tomorrow = "2026-11-25"
    while used(clinic) < 85:
        site.take()
        site.use(min(4, site.budget["predictions/day"]))
    (entry,) = site.take().budget
    assert entry.later is not None
    assert entry.limit < entry.later
    # Said to be of today: the license above is charged with what was given for today.
    before = used(clinic)
    site.used[CounterName.PREDICTIONS, TODAY] = entry.later
    give_back(site)
    assert used(clinic) == before + entry.limit
    # Counted in tomorrow, by a clock that is ahead, as often as there is something.
    for _ in range(4):
        # There is always something of today as well, for whoever says that nothing was used in it.
        if used(clinic) + sum(_held(clinic, TODAY)) >= 90:
            break
        (entry,) = clinic.take().budget
        clinic.used[CounterName.PREDICTIONS, tomorrow] = entry.limit if entry.later is None else entry.later
        give_back(clinic)
        assert used(clinic, tomorrow) + sum(_held(clinic, tomorrow)) <= 90
    spent = used(clinic, tomorrow)
    assert spent > 0
    world.watch.time += DAY
    (entry,) = clinic.take().budget
    assert entry.limit + spent <= 90


def _held(machine: Machine, period: str) -> list[int]:
    return [hold.amount for hold in holds(machine) if hold.first_period <= period <= hold.last_period]


def test_a_site_without_limits_of_its_own_uses_up_no_more_than_it_was_given(world: World) -> None:
    site, clinic = narrowed(world, [DAILY])
    for _ in range(3):
        site.take(predictions=5)
        site.use(MAX_COUNT)
        give_back(site)
    assert used(clinic) == 15
    clinic.take()


def test_an_invented_lease_uses_up_no_more_than_its_document_has(world: World) -> None:
    """A restored database does not know its last leases; anybody can say to have had one."""
    limit = Predictions(limit=10, per=Period.DAY)
    site, clinic = narrowed(world, [DAILY], [limit])
    for letter, said in (("b", 4), ("c", MAX_COUNT)):
        unknown = "lea-" + letter * 24
        site.used[CounterName.PREDICTIONS, TODAY] = said
        report = site.report(unknown).token
        ask = dataclasses.replace(site.asking(previous=unknown), usage=report)
        if said == 4:
            site.send(ask)
            give_back(site)
        else:
            # Its own document has nothing left then, so nothing at all is counted.
            assert refused(partial(site.send, ask)) == "predictions-used-up"
    assert (used(site), used(clinic)) == (4, 4)
    # Of a day that is over it can say what it likes: the document above is charged what was left.
    world.watch.time += DAY
    for letter in "de":
        unknown = "lea-" + letter * 24
        site.used[CounterName.PREDICTIONS, TODAY] = 50
        report = site.report(unknown).token
        site.send(dataclasses.replace(site.asking(previous=unknown), usage=report))
        give_back(site)
    assert (used(site), used(clinic)) == (104, 10)


def test_no_sum_of_reports_makes_the_counts_unreadable(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [Predictions(limit=MAX_COUNT, per=Period.DAY)])
    others = [machine.second() for _ in range(3)]
    for other in others:
        other.take(predictions=1)
        other.used[CounterName.PREDICTIONS, TODAY] = MAX_COUNT
    for other in others:
        give_back(other)
    assert used(machine) == MAX_COUNT
    answer = Wire(world).member(world.home).send("GET", "/usage")
    assert answer.status_code == 200
    page = parse_json(answer.content)
    assert isinstance(page, dict)
    assert [each["used"] for each in page["usage"]] == [MAX_COUNT]


# --- when ------------------------------------------------------------------------------------

FOREIGN = ["2026-11-23", "2026-11-25", "2030-01-01", "0001-01-01", "9999-12-31"]


@pytest.mark.parametrize("period", FOREIGN)
def test_a_lease_counts_in_no_period_that_it_does_not_touch(world: World, period: str) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY])
    machine.take()
    machine.used[CounterName.PREDICTIONS, period] = 1
    ask = ReturnAsk(usage=machine.report().token)
    leasing, reporting = machine.desk.leasing, machine.desk.reporting
    before = kinds(world)
    for send in (
        machine.take,
        lambda: leasing.give_back(machine.principal, machine.lease_id, ask),
        lambda: reporting.report(machine.principal, UsageAsk(usage=ask.usage or "")),
    ):
        assert refused(send) == "usage-wrong"
    assert (kinds(world), used(machine, period)) == (before, 0)
    assert [hold.authority for hold in holds(machine)] == [machine.lease_id]
    # It is refused, and the lease can be reported rightly all the same.
    machine.used.clear()
    machine.take()


@pytest.mark.parametrize("period", FOREIGN)
def test_an_offline_file_counts_in_no_period_that_it_does_not_touch(world: World, period: str) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, Offline(hours=2, files=3)])
    file = check_out(machine)
    machine.used[CounterName.PREDICTIONS, period] = 1
    ask = UsageAsk(usage=machine.report(file).token)
    report = partial(machine.desk.reporting.report, machine.principal, ask)
    assert refused(report) == "usage-wrong"
    world.watch.time += timedelta(hours=3)
    assert refused(report) == "usage-wrong"


def test_a_report_with_every_hour_of_a_century_is_a_refusal_and_no_defect(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [Predictions(limit=90, per=Period.HOUR)])
    runtime = Wire(world).runtime(machine.clinic.home)
    unknown = "lea-" + "b" * 24
    machine.take()
    for start in (NOW - timedelta(days=400), NOW + timedelta(days=400)):
        for number in range(3000):
            hour = Period.HOUR.key(start + timedelta(hours=number))
            machine.used[CounterName.PREDICTIONS, hour] = MAX_COUNT
        usage = {"usage": machine.report().token}
        answer = runtime.send("POST", f"/leases/{machine.lease_id}/return", json=usage)
        assert (answer.status_code, code_of(answer)) == (422, "usage-wrong")
        # Nor are there rows for hours before the license, or ahead, of a lease that nobody knows.
        other = machine.second()
        other.used = machine.used
        ask = dataclasses.replace(other.asking(previous=unknown), usage=other.report(unknown).token)
        assert refused(partial(other.send, ask)) == "usage-wrong"
        machine.used.clear()
    with world.ledger.view() as kept:
        assert len(kept.counts(limit=100)) == 1


# --- what stays ------------------------------------------------------------------------------


def test_slices_that_nobody_reports_slow_nobody_down(world: World) -> None:
    """What is held of hours that are over is looked at by no decision."""
    terms = [Predictions(limit=90, per=Period.HOUR)]
    machine = Machine.enrolled(world, world.clinic(), terms)
    for _ in range(5):
        machine.take(predictions=1)
        machine.desk.leasing.release(world.admin, machine.lease_id, REASON)
        machine.lease = None
    world.watch.time += timedelta(hours=1)
    with world.ledger.view() as kept:
        assert kept.holds([machine.license], world.watch.time) == []
    machine.take()
    # Whoever holds nothing any more leaves the whole hour to the others.
    assert machine.budget == {"predictions/hour": 30}


def test_reports_before_the_end_of_an_offline_file_fill_no_database(world: World, tmp_path: Path) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, Offline(hours=24, files=3)])
    file = check_out(machine)
    reporting, entries, reports = machine.desk.reporting, [], []
    for number in range(1, 6):
        machine.used[CounterName.PREDICTIONS, TODAY] = number
        reports.append(machine.report(file))
        entries.append(reporting.report(machine.principal, UsageAsk(usage=reports[-1].token)).entry)
        machine.usage = reports[-1].id
    with world.ledger.view() as kept:
        assert [kept.usage(each.id) is not None for each in reports] == [False] * 4 + [True]
    # An old one, played back, is answered as it was, and takes the place of none.
    before = kinds(world)
    again = [reporting.report(machine.principal, UsageAsk(usage=each.token)).entry for each in reports]
    assert (again, kinds(world)) == (entries, before)
    with world.ledger.view() as kept:
        assert kept.usage(reports[-1].id) is not None
    # The last one is final when the file has ended; nothing else is kept of it either.
    world.watch.time += DAY
    reporting.report(machine.principal, UsageAsk(usage=reports[-1].token))
    assert used(machine) == 5


# --- what a refusal tells --------------------------------------------------------------------


def told(machine: Machine) -> str:
    """Take leases until there is none; returns everything that the refusal says."""
    for _ in range(100):
        try:
            machine.take()
        except Error as error:
            return f"{error} {error.hint}"
        machine.use(machine.budget["predictions/day"])
    raise AssertionError("no end")


def test_a_refusal_tells_no_numbers_of_siblings(world: World) -> None:
    site, clinic = narrowed(world, [DAILY])
    clinic.take(predictions=20)
    said = told(site)
    assert not any(number in said for number in (" 20 ", " 70 ")), said
    assert "90 predictions per day of the license above are used or handed out" in said


def test_a_refusal_tells_the_numbers_of_ones_own_document(world: World) -> None:
    site, _ = narrowed(world, [DAILY], [Predictions(limit=10, per=Period.DAY)])
    assert "of 10 predictions per day, 10 are used and 0" in told(site)
