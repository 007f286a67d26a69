"""Attacks on leases: requests replayed, edited and crossed, answers of others, copies, lost replies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from strongroom._encoding import from_base64url, to_base64url
from strongroom.broker.records import LeaseEnd
from strongroom.crypto.hpke import SealingSecret
from strongroom.errors import Error, IntegrityError, ObjectNotFound, VerificationError
from strongroom.keys.key_pair import sealing_public_to_text
from strongroom.license.key_binding import unwrap_lease, unwrap_restart
from strongroom.license.period import CounterKey, CounterName, Period
from strongroom.license.request import Level
from strongroom.license.terms import Levels, Offline, PackageChoice, Packages, Predictions, Runtimes
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    CheckoutAsk,
    LeaseAsk,
    ReasonAsk,
    ReturnAsk,
    RevocationAsk,
    UsageAsk,
    WithdrawalAsk,
)
from tests.unit.broker.services.hospital import CONTENT_KEY, World, refused
from tests.unit.broker.services.machine import Machine

DAILY = Predictions(limit=90, per=Period.DAY)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def machine(world: World) -> Machine:
    return Machine.enrolled(world, world.clinic(), [DAILY])


def used(machine: Machine) -> int:
    key = CounterKey(machine.license, CounterName.PREDICTIONS, "2026-11-24")
    with machine.world.ledger.view() as kept:
        return kept.used([key])[key]


# --- requests --------------------------------------------------------------------------------


def test_a_request_of_another_runtime_is_of_no_use(machine: Machine) -> None:
    thief = Machine.enrolled(machine.world, machine.world.clinic("thief"), statement=machine.statement)
    sibling = machine.second()
    ask = machine.asking()
    for other in (thief, sibling):
        assert refused(partial(other.send, ask)) == "wrong-signer"
    # Nor does it help to sign for somebody else with one's own key.
    for other in (thief, sibling):
        forged = other.asking(runtime=machine.runtime)
        assert refused(partial(other.send, forged)) == "not-found"
    assert refused(lambda: thief.take(license=machine.license)) == "not-found"
    assert refused(lambda: machine.desk.leasing.take(machine.clinic.manager, ask)) == "not-found"
    assert refused(lambda: machine.desk.leasing.take(machine.world.admin, ask)) == "not-found"


def test_a_request_signed_by_another_device_is_refused(machine: Machine) -> None:
    sibling = machine.second()
    forged = dataclasses.replace(machine, device=sibling.device).asking(runtime=machine.runtime)
    assert refused(partial(machine.send, forged)) == "wrong-signer"


def test_an_edited_request_is_refused(machine: Machine) -> None:
    ask = machine.asking(level=Level.LOCAL)
    head, payload, signature = ask.request.split(".")
    edited = from_base64url(payload).replace(b'"level":"local"', b'"level":"sealed"')
    assert edited != from_base64url(payload)
    better = dataclasses.replace(ask, request=f"{head}.{to_base64url(edited)}.{signature}")
    assert refused(partial(machine.send, better)) == "signature"


def test_a_document_of_another_kind_is_no_request_and_no_report(machine: Machine) -> None:
    machine.take()
    ask = machine.asking()
    usage = ask.usage
    assert usage is not None
    assert refused(partial(machine.send, dataclasses.replace(ask, request=usage))) == "wrong-kind"
    assert refused(partial(machine.send, dataclasses.replace(ask, usage=ask.request))) == "wrong-kind"
    lease = machine.answer
    assert lease is not None
    assert refused(partial(machine.send, dataclasses.replace(ask, request=lease.lease))) == "wrong-kind"


def test_a_request_for_one_license_gets_nothing_of_another(machine: Machine) -> None:
    # The same runtime, two licenses: the narrower one does not open by way of the wider one's report.
    world = machine.world
    other = Machine.enrolled(world, machine.clinic, [DAILY], statement=machine.statement)
    machine.take()
    other.take()
    machine.use(30)
    report = machine.report().token
    crossed = dataclasses.replace(other.asking(), usage=report)
    assert refused(partial(other.send, crossed)) == "usage-wrong"
    # Nor are the holds of one freed by a report that says it is of the other.
    named = other.asking(previous=machine.lease_id, usage=False)
    lying = other.report(machine.lease_id).token
    assert refused(partial(other.send, dataclasses.replace(named, usage=lying))) == "clone-suspected"
    with world.ledger.view() as kept:
        assert {hold.authority for hold in kept.holds([machine.license])} == {machine.lease_id}


def test_the_lease_of_a_sibling_cannot_be_named_away(machine: Machine) -> None:
    """A first request that names another runtime's lease as its own frees nothing of it."""
    machine.take()
    sibling = machine.second()
    ask = sibling.asking(previous=machine.lease_id)
    usage = sibling.report(machine.lease_id).token
    sibling.send(dataclasses.replace(ask, usage=usage))
    with machine.world.ledger.view() as kept:
        row = kept.lease(machine.lease_id)
        assert row is not None
        assert (row.ended, row.reported) == (None, False)
        assert {hold.authority for hold in kept.holds([machine.license])} == {
            machine.lease_id,
            sibling.lease_id,
        }


def test_a_lease_for_another_package_cannot_be_named_away(machine: Machine) -> None:
    """A request for another package of the same license frees nothing of a lease that goes on."""
    world = machine.world
    newer = world.statement(version="1.1.0")
    world.publishing.publish(world.admin, world.package(newer))
    machine.take()
    other = dataclasses.replace(machine, statement=newer)
    other.take(previous=machine.lease_id)
    with world.ledger.view() as kept:
        row = kept.lease(machine.lease_id)
        assert row is not None
        assert (row.ended, row.reported) == (None, False)
        assert {hold.authority for hold in kept.holds([machine.license])} == {
            machine.lease_id,
            other.lease_id,
        }
    # It goes on, and what is used under it later can be reported.
    machine.use(5)
    machine.take()
    assert used(machine) == 5


def test_a_key_that_the_device_key_did_not_sign_for_gets_nothing(machine: Machine) -> None:
    ask = machine.asking()
    mine = SealingSecret.generate()
    swapped = dataclasses.replace(ask, worker_key=sealing_public_to_text(mine.public))
    assert refused(partial(machine.send, swapped)) == "wrong-worker-key"


def test_a_request_for_another_owner_is_refused(machine: Machine) -> None:
    assert refused(lambda: machine.take(owner="own-" + "a" * 24)) == "wrong-owner"


def test_an_old_request_is_refused(machine: Machine) -> None:
    ask = machine.asking()
    machine.world.watch.time += timedelta(seconds=301)
    assert refused(partial(machine.send, ask)) == "request-stale"


def test_an_old_request_that_was_answered_renews_nothing(machine: Machine) -> None:
    first = machine.asking()
    machine.send(first)
    machine.take()
    # Not the newest any more: whoever replays it has an older state than the broker.
    assert refused(partial(machine.send, first)) == "clone-suspected"


def test_a_lease_that_was_ended_is_not_given_again_for_its_own_request(machine: Machine) -> None:
    old = machine.take()
    ask = machine.ask
    assert ask is not None
    machine.desk.leasing.release(machine.world.admin, machine.lease_id, ReasonAsk(reason="lost"))
    assert machine.send(ask).serial != old.serial


def test_a_package_that_the_license_does_not_name_is_as_if_it_were_not_there(world: World) -> None:
    choice = Packages(packages=(PackageChoice(name="another"),))
    machine = Machine.enrolled(world, world.clinic(), [choice])
    digests = (machine.statement.package_digest, "ab" * 32)
    answers = [answered(partial(machine.take, package=digest)) for digest in digests]
    assert answers[0] == answers[1]
    assert "not-found" in answers[0]


def test_no_level_is_believed_that_has_to_be_shown(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [Levels(at_least=Level.ATTESTED)])
    for level in Level:
        assert refused(partial(machine.take, level=level)) == "level-too-low"


def answered(ask: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ObjectNotFound) as caught:
        ask()
    return caught.value.code, str(caught.value)


# --- answers ---------------------------------------------------------------------------------


def test_a_lease_opens_with_the_workers_key_and_nothing_else(machine: Machine) -> None:
    lease = machine.take()
    assert machine.open() == CONTENT_KEY
    for other in (SealingSecret.generate(), machine.sealing.secret, machine.second().sealing.secret):
        with pytest.raises(IntegrityError):
            unwrap_lease(lease, other, machine.binding, nonce=lease.nonce)
    assert machine.worker is not None
    with pytest.raises(IntegrityError):
        unwrap_restart(lease, machine.worker, machine.binding)


def test_an_answer_to_another_request_is_refused(machine: Machine) -> None:
    machine.take()
    old, worker = machine.lease, machine.worker
    assert old is not None
    assert worker is not None
    machine.take()
    assert machine.lease is not None
    with pytest.raises(VerificationError) as caught:
        unwrap_lease(old.document, worker, machine.binding, nonce=machine.lease.document.nonce)
    assert caught.value.code == "wrong-nonce"


def test_a_lease_for_another_package_or_license_does_not_open(machine: Machine) -> None:
    lease = machine.take()
    assert machine.worker is not None
    for changes in ({"package": "ab" * 32}, {"license": "lic-" + "a" * 24}, {"runtime": "run-" + "a" * 24}):
        binding = dataclasses.replace(machine.binding, **changes)
        with pytest.raises(VerificationError):
            unwrap_lease(lease, machine.worker, binding, nonce=lease.nonce)


def test_no_key_is_in_any_error_or_row(machine: Machine, tmp_path: Path) -> None:
    machine.take()
    machine.use(99)
    said = []
    for wrong in (partial(machine.take, usage=False), partial(machine.take, level=Level.LOCAL)):
        with pytest.raises(Error) as caught:
            wrong()
        said.append(f"{caught.value!r} {caught.value.hint} {caught.value.__notes__}")
    machine.world.ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("broker.db*"))
    for planted in (CONTENT_KEY, CONTENT_KEY.hex().encode(), machine.device.to_text().encode()):
        assert planted not in stored
        assert planted not in " ".join(said).encode()
    machine.world.ledger.start()


# --- copies and lost replies -----------------------------------------------------------------


def test_a_snapshot_that_is_run_twice_is_noticed(machine: Machine) -> None:
    machine.take()
    clone = machine.copy()
    machine.take()
    assert refused(clone.take) == "clone-suspected"
    # The alarm outlives the refusal.
    assert Kind.CLONE_ALARM in [record.kind for record in machine.world.records(machine.license)]
    # Whoever comes second is refused, also if it is the first one that is the copy.
    machine.take()


def test_a_lost_reply_raises_no_alarm_and_costs_nothing(machine: Machine) -> None:
    machine.take()
    machine.use(7)
    ask = machine.asking()
    machine.desk.leasing.take(machine.principal, ask)
    machine.send(ask)
    machine.use(1)
    machine.take()
    assert used(machine) == 8
    assert Kind.CLONE_ALARM not in [record.kind for record in machine.world.records(machine.license)]


def test_what_is_used_while_an_answer_is_lost_has_room_in_the_next_lease(machine: Machine) -> None:
    world = machine.world
    others = [machine.second() for _ in range(3)]
    machine.take()
    before = machine.budget["predictions/day"]
    for other in others:
        other.take()
    ask = machine.asking()
    machine.desk.leasing.take(machine.principal, ask)
    # In the outage it used up its old slice; the new one, which it now gets, covers that.
    machine.send(ask)
    assert machine.budget["predictions/day"] >= before
    with world.ledger.view() as kept:
        assert sum(hold.amount for hold in kept.holds([machine.license])) <= 90


def test_a_report_that_is_sent_again_is_counted_once(machine: Machine) -> None:
    machine.take()
    machine.use(20)
    report = UsageAsk(usage=machine.report().token)
    for _ in range(3):
        machine.desk.reporting.report(machine.principal, report)
    machine.desk.leasing.give_back(machine.principal, machine.lease_id, ReturnAsk(usage=report.usage))
    assert used(machine) == 20


def test_giving_back_and_taking_again_gains_nothing(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, Runtimes(limit=1)])
    given = 0
    for _ in range(3):
        machine.take(predictions=30)
        given += machine.budget["predictions/day"]
        # It says nothing of what it used, and the owner lets it start again.
        give_back = partial(machine.desk.leasing.give_back, machine.principal, machine.lease_id, ReturnAsk())
        assert refused(give_back) == "usage-missing"
        machine.desk.leasing.release(world.admin, machine.lease_id, ReasonAsk(reason="lost"))
        machine.lease = None
    assert given == 90
    assert refused(machine.take) == "predictions-used-up"


def test_enrolling_again_gains_nothing(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [Predictions(limit=9, per=Period.DAY)])
    given, answer = 0, "given"
    while answer == "given":
        other = machine.second()
        answer = _take((other, other.asking()))
        given += other.budget["predictions/day"] if answer == "given" else 0
    assert (given, answer) == (9, "predictions-used-up")


# --- races -----------------------------------------------------------------------------------


def test_the_last_seat_and_the_last_slice_are_given_once(world: World) -> None:
    machine = Machine.enrolled(
        world, world.clinic(), [Predictions(limit=3, per=Period.TOTAL), Runtimes(limit=5)]
    )
    asks: list[tuple[Machine, LeaseAsk]] = []
    for _ in range(12):
        other = machine.second()
        asks.append((other, other.asking(predictions=1)))

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(_take, asks))
    assert sorted(answers) == ["given"] * 3 + ["predictions-used-up"] * 9


def _take(pair: tuple[Machine, LeaseAsk]) -> str:
    machine, ask = pair
    try:
        machine.send(ask)
    except Error as error:
        return error.code
    return "given"


def given(machine: Machine) -> str:
    """Return the token of the lease in hand."""
    assert machine.lease is not None
    return machine.lease.token


class TestAsksAgain:
    """What nothing would be given for now is not given again to whoever says that it lost the answer."""

    def test_a_lease_or_file_for_a_version_that_was_withdrawn(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic(), [Offline(hours=24, files=1)])
        newer = world.statement(version="2.0.0")
        world.publishing.publish(world.admin, world.package(newer))
        machine.take()
        lease = machine.ask
        assert lease is not None
        file = CheckoutAsk(license=machine.license, package=machine.statement.package_digest, nonce="ab" * 16)
        desk = machine.desk
        desk.checking_out.check_out(machine.principal, file)
        other = WithdrawalAsk(withdrawal=world.withdrawal(newer))
        world.publishing.withdraw(world.admin, other)
        # Another version is no reason.
        assert desk.leasing.take(machine.principal, lease).lease == given(machine)
        desk.checking_out.check_out(machine.principal, file)
        world.publishing.withdraw(world.admin, WithdrawalAsk(withdrawal=world.withdrawal(machine.statement)))
        assert refused(lambda: desk.leasing.take(machine.principal, lease)) == "version-withdrawn"
        assert refused(lambda: desk.checking_out.check_out(machine.principal, file)) == "version-withdrawn"

    def test_a_lease_that_was_revoked(self, world: World, machine: Machine) -> None:
        machine.take()
        ask, lost = machine.ask, machine.lease_id
        assert ask is not None
        revocation = world.revocation(lost)
        world.licensing.revoke(world.admin, RevocationAsk(revocation=revocation))
        answer = machine.desk.leasing.take(machine.principal, ask)
        machine.send(ask)
        assert machine.lease_id != lost
        assert answer.revocations == (revocation,)
        assert answer.lease == given(machine)
        # The one that was revoked goes on holding what nobody has reported, and is no use to anybody.
        with world.ledger.view() as kept:
            row = kept.lease(lost)
            assert row is not None
            assert row.ended is LeaseEnd.SUPERSEDED
            assert {hold.authority for hold in kept.holds([machine.license])} == {lost, machine.lease_id}
        # As old as any: it is a request like another.
        world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.lease_id)))
        world.watch.time += timedelta(hours=1)
        assert refused(lambda: machine.desk.leasing.take(machine.principal, ask)) == "request-stale"

    def test_whoever_goes_on_from_a_revoked_lease_hears_of_it(self, world: World, machine: Machine) -> None:
        machine.take()
        machine.use(3)
        revocation = world.revocation(machine.lease_id)
        world.licensing.revoke(world.admin, RevocationAsk(revocation=revocation))
        machine.take()
        assert machine.answer is not None
        assert machine.answer.revocations == (revocation,)
