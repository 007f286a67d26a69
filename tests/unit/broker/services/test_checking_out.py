from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from strongroom._encoding import to_instant
from strongroom.broker.services.checking_out import CheckingOut
from strongroom.broker.services.giving import RuntimeChangedError
from strongroom.errors import StorageUnavailable
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import unwrap_offline
from strongroom.license.license_file import LicenseFile, VerifiedLicense, verify_license_file
from strongroom.license.period import Period
from strongroom.license.request import Level
from strongroom.license.terms import Expires, Levels, Offline, Predictions, Runtimes
from strongroom.log.entry import Kind
from strongroom.protocol.broker import CheckoutAsk, ReasonAsk, RevocationAsk
from tests.unit.broker.services.hospital import CONTENT_KEY, DAY, NOW, World, refused
from tests.unit.broker.services.machine import Machine

DAILY = Predictions(limit=90, per=Period.DAY)
OFFLINE = Offline(hours=48, files=2)
REASON = ReasonAsk(reason="stolen")


def asked(machine: Machine, until: str | None = None) -> CheckoutAsk:
    digest = machine.statement.package_digest
    return CheckoutAsk(license=machine.license, package=digest, nonce=new_serial(), until=until)


def check_out(machine: Machine, until: str | None = None) -> VerifiedLicense:
    return sent(machine, asked(machine, until))


def sent(machine: Machine, ask: CheckoutAsk) -> VerifiedLicense:
    answer = machine.desk.checking_out.check_out(machine.principal, ask)
    return verify_license_file(LicenseFile.from_bytes(answer.file.encode()), machine.world.owner)


def test_the_file_opens_at_its_runtime(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, OFFLINE])
    verified = check_out(machine)
    signed = verified.offline_for(machine.runtime, machine.statement.package_digest)
    assert signed is not None
    assert unwrap_offline(signed.document, machine.sealing.secret, machine.binding) == CONTENT_KEY
    assert signed.document.not_after == NOW + 2 * DAY
    assert [entry.limit for entry in signed.document.budget] == [30]
    record = world.records(signed.id)[-1]
    assert record.kind is Kind.CHECKOUT
    assert record.details == {
        "package": machine.statement.package_digest,
        "not_after": to_instant(NOW + 2 * DAY),
        "predictions_day": 30,
    }
    (shown,) = machine.desk.reporting.page(world.admin).usage
    assert (shown.used, shown.reserved) == (0, 30)


def test_a_lost_answer_asked_for_again_takes_nothing_out_twice(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, OFFLINE])
    ask = asked(machine)
    first, again = sent(machine, ask), sent(machine, ask)
    digest = machine.statement.package_digest
    assert first.offline_for(machine.runtime, digest) == again.offline_for(machine.runtime, digest)
    (shown,) = machine.desk.reporting.page(world.admin).usage
    assert shown.reserved == 30
    assert check_out(machine).offline_for(machine.runtime, digest) != first.offline_for(
        machine.runtime, digest
    )


def test_a_lost_answer_is_not_given_again_after_a_revocation(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    ask = asked(machine)
    sent(machine, ask)
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.license)))
    assert refused(lambda: sent(machine, ask)) == "revoked"


def test_a_nonce_of_another_form_is_refused(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    assert refused(lambda: sent(machine, replace(asked(machine), nonce="ab"))) == "malformed"


def test_what_a_file_holds_is_not_leased(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, OFFLINE, Runtimes(limit=1)])
    check_out(machine)
    assert refused(machine.take) == "predictions-used-up"
    world.watch.time += 3 * DAY
    machine.take()


def test_it_takes_a_seat_until_it_ends(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE, Runtimes(limit=1)])
    other = machine.second()
    check_out(machine)
    assert refused(other.take) == "too-many-runtimes"
    # Its own runtime has that seat already.
    machine.take()
    world.watch.time += 2 * DAY
    other.take()
    assert refused(lambda: check_out(machine)) == "too-many-runtimes"


def test_no_more_files_are_out_than_the_license_allows(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    for _ in range(2):
        check_out(machine)
    assert refused(lambda: check_out(machine)) == "offline-files"
    world.watch.time += 2 * DAY
    check_out(machine)


def test_it_ends_when_it_should(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    until = to_instant(NOW + timedelta(hours=5))
    (signed,) = check_out(machine, until).offline
    assert signed.document.not_after == NOW + timedelta(hours=5)
    assert refused(lambda: check_out(machine, to_instant(NOW + 3 * DAY))) == "offline-too-long"
    assert refused(lambda: check_out(machine, "tomorrow")) == "malformed"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ([], "offline-not-allowed"),
        ([OFFLINE, Levels(at_least=Level.ATTESTED)], "level-too-low"),
        ([OFFLINE, Expires(at=NOW)], "expired"),
    ],
)
def test_when_the_license_says_no(world: World, terms: list[Offline], code: str) -> None:
    machine = Machine.enrolled(world, world.clinic(), terms)
    assert refused(lambda: check_out(machine)) == code


def test_who_is_shut_out_takes_nothing_along(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    world.partners.suspend_runtime(world.admin, machine.runtime, REASON)
    assert refused(lambda: check_out(machine)) == "runtime-suspended"
    world.partners.resume_runtime(world.admin, machine.runtime)
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(machine.license)))
    assert refused(lambda: check_out(machine)) == "revoked"


def test_a_license_of_another_is_not_found(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    other = Machine.enrolled(world, world.clinic("other"), [OFFLINE], statement=machine.statement)
    other.license = machine.license
    assert refused(lambda: check_out(other)) == "not-found"
    machine.statement = world.statement(version="9.0.0")
    assert refused(lambda: check_out(machine)) == "not-found"


def test_only_a_runtime_checks_out(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])
    ask = asked(machine)
    desk = machine.desk.checking_out
    for principal in (machine.clinic.manager, world.admin):
        assert refused(lambda who=principal: desk.check_out(who, ask)) == "not-found"  # type: ignore[misc] # bound early


def test_a_runtime_that_enrolls_again_and_again_is_told_to_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine.enrolled(world, world.clinic(), [OFFLINE])

    def changed(*arguments: object) -> str:
        raise RuntimeChangedError

    monkeypatch.setattr(CheckingOut, "_write", changed)
    with pytest.raises(StorageUnavailable) as caught:
        check_out(machine)
    assert caught.value.code == "broker-busy"


def test_a_file_takes_its_part_of_each_day(world: World) -> None:
    machine = Machine.enrolled(world, world.clinic(), [DAILY, OFFLINE])
    machine.take()
    machine.use(30)
    machine.take()
    signed = check_out(machine).offline_for(machine.runtime, machine.statement.package_digest)
    assert signed is not None
    (entry,) = signed.document.budget
    assert entry.later is not None
    assert entry.limit < entry.later
    details = world.records(signed.id)[-1].details
    assert (details["predictions_day"], details["predictions_day_later"]) == (entry.limit, entry.later)
