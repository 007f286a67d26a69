from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.broker import knowledge as module
from strongroom.broker.act import Act
from strongroom.broker.knowledge import Holding, Knowledge, Remembered, Stamp
from strongroom.broker.records import LicenseStatus
from strongroom.license.period import Period
from strongroom.license.terms import Predictions, Runtimes
from strongroom.protocol.broker import ReasonAsk, RevocationAsk, WithdrawalAsk
from tests.unit.broker.services.hospital import World
from tests.unit.broker.services.machine import Machine

REASON = ReasonAsk(reason="the bill is open")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def holding(knowledge: Knowledge, machine: Machine) -> Holding:
    with machine.world.ledger.view() as kept:
        found = knowledge.look(kept).holding(machine.license)
    assert found is not None
    return found


class TestRemembered:
    def test_what_was_found_under_other_rules_is_nothing(self) -> None:
        kept: Remembered[int] = Remembered()
        kept.put("a", Stamp(1, 1), 7)
        assert kept.get("a", Stamp(1, 1)) == 7
        assert kept.get("a", Stamp(2, 1)) is None
        assert kept.get("a", Stamp(1, 2)) is None
        assert kept.get("b", Stamp(1, 1)) is None

    def test_it_is_bounded_and_keeps_what_is_used(self) -> None:
        kept: Remembered[int] = Remembered(most=2)
        stamp = Stamp(1, 1)
        for number, name in enumerate("ab"):
            kept.put(name, stamp, number)
        kept.get("a", stamp)
        kept.put("c", stamp, 2)
        assert len(kept) == 2
        assert kept.get("b", stamp) is None
        assert kept.get("a", stamp) == 0


class TestKnowledge:
    def test_what_is_known_of_a_license(self, world: World) -> None:
        terms = [Predictions(limit=5, per=Period.DAY), Runtimes(limit=1)]
        machine = Machine.enrolled(world, world.clinic(), terms)
        found = holding(Knowledge(world.keys), machine)
        assert found.chain.ids == (machine.license,)
        assert found.organization == machine.clinic.organization
        assert found.subjects == (machine.license, machine.clinic.organization)
        assert (found.is_counted, found.has_seats) == (True, True)
        assert (found.hindrances, found.revoked) == ((), frozenset())
        assert found.accepted == {machine.license: None}

    def test_a_second_look_verifies_nothing_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = Machine.enrolled(world, world.clinic())
        knowledge = Knowledge(world.keys)
        found = holding(knowledge, machine)
        # A lease changes no rules.
        machine.take()

        def read(*_: object) -> None:
            raise AssertionError("it was read again")

        monkeypatch.setattr(module, "_read_holding", read)
        assert holding(knowledge, machine) is found

    def test_every_change_of_rules_is_seen(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        knowledge = Knowledge(world.keys)
        holding(knowledge, machine)
        world.partners.suspend(world.admin, machine.clinic.organization, REASON)
        assert [each.code.value for each in holding(knowledge, machine).hindrances] == ["suspended"]
        world.partners.resume(world.admin, machine.clinic.organization)
        assert holding(knowledge, machine).hindrances == ()
        world.licensing.suspend(world.admin, machine.license, REASON)
        assert [each.document for each in holding(knowledge, machine).hindrances] == [machine.license]
        world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.license)))
        assert holding(knowledge, machine).revoked == {machine.license}

    def test_what_waits_for_approval_is_a_hindrance(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        with world.store.write() as kept:
            kept.set_license_status(machine.license, LicenseStatus.REQUESTED)
        codes = [each.code.value for each in holding(Knowledge(world.keys), machine).hindrances]
        assert codes == ["not-approved"]

    def test_a_holder_that_is_gone_is_a_hindrance(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = Machine.enrolled(world, world.clinic())
        with world.ledger.view() as kept:
            monkeypatch.setattr(kept, "partner", lambda organization: None)
            found = Knowledge(world.keys).look(kept).holding(machine.license)
        assert found is not None
        assert [each.code.value for each in found.hindrances] == ["not-approved"]

    def test_withdrawals_belong_to_a_package(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        token = world.withdrawal(machine.statement)
        world.publishing.withdraw(world.admin, WithdrawalAsk(withdrawal=token))
        with world.ledger.view() as kept:
            look = Knowledge(world.keys).look(kept)
            found = look.catalogued(machine.statement.package_digest)
            assert look.catalogued("00" * 32) is None
            assert look.machine("run-" + "a" * 24) is None
            assert look.holding("lic-" + "a" * 24) is None
        assert found is not None
        assert [each.version for each in found.withdrawals] == ["1.0.0"]
        assert found.tokens == (token,)

    def test_what_an_act_saw_is_not_kept(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        knowledge = Knowledge(world.keys)

        def do(act: Act) -> Holding | None:
            look = knowledge.look_within(act)
            return look.holding(machine.license)

        first = world.ledger.act(do)
        assert world.ledger.act(do) is not first
        committed = holding(knowledge, machine)
        assert world.ledger.act(do) is committed

    def test_an_act_sees_what_an_act_before_it_changed(self, world: World) -> None:
        machine = Machine.enrolled(world, world.clinic())
        knowledge = Knowledge(world.keys)
        holding(knowledge, machine)

        def do(act: Act) -> object:
            act.kept.set_license_status(machine.license, LicenseStatus.SUSPENDED)
            act.changes_rules()
            return knowledge.look_within(act).holding(machine.license)

        found = world.ledger.act(do)
        assert isinstance(found, Holding)
        assert [each.code.value for each in found.hindrances] == ["suspended"]
