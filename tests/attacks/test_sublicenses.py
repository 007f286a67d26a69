"""Attacks on the end of a sub-license. Each test is named after the claim it tries to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.errors import LicenseDenied
from strongroom.license.fields import new_serial
from strongroom.license.period import Period
from strongroom.license.terms import Offline, Predictions
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    AcceptanceAsk,
    CheckoutAsk,
    ReasonAsk,
    ReturnAsk,
    RevocationAsk,
    SublicenseAsk,
)
from tests.unit.broker.http.wire import Wire, code_of
from tests.unit.broker.services.hospital import DAY, Clinic, World, refused
from tests.unit.broker.services.machine import Machine, holds, narrowed, used

DAILY = Predictions(limit=90, per=Period.DAY)
WHY = ReasonAsk(reason="the ward has closed")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def passed_on(world: World, giver: Clinic, parent: str, site: Clinic) -> str:
    """Return a sub-license that its site accepted."""
    ask = SublicenseAsk(sublicense=giver.narrow(parent, site.party))
    license = world.licensing.narrow(giver.manager, ask).license
    world.licensing.accept(site.manager, AcceptanceAsk(acceptance=site.accept(license)))
    return license


def status(world: World, license: str) -> str:
    return world.licensing.get(world.admin, license).status


def denied(do: Callable[[], object]) -> LicenseDenied:
    with pytest.raises(LicenseDenied) as caught:
        do()
    return caught.value


def test_nobody_but_its_giver_ends_a_sublicense(world: World) -> None:
    site, clinic = narrowed(world)
    sibling, ward, stranger = (world.clinic(name) for name in ("sibling", "ward", "stranger"))
    beside = passed_on(world, clinic.clinic, clinic.license, sibling)
    deep = passed_on(world, site.clinic, site.license, ward)
    elsewhere = world.license(stranger)
    end = world.licensing.end
    tries = [
        # Those who must not know that it is there.
        (stranger.manager, site.license, "not-found"),
        (sibling.manager, site.license, "not-found"),
        (site.clinic.manager, beside, "not-found"),
        (ward.manager, site.license, "not-found"),
        (clinic.clinic.manager, elsewhere, "not-found"),
        (clinic.clinic.manager, "sub-" + "a" * 24, "not-found"),
        # Those who see it, and did not give it.
        (site.clinic.manager, site.license, "wrong-holder"),
        (ward.manager, deep, "wrong-holder"),
        (clinic.clinic.manager, deep, "wrong-holder"),
        (clinic.clinic.manager, clinic.license, "wrong-holder"),
        (world.admin, site.license, "wrong-holder"),
    ]
    before = len(world.records())
    for who, target, code in tries:
        assert refused(lambda who=who, target=target: end(who, target, WHY)) == code  # type: ignore[misc] # bound here
    for license in (clinic.license, site.license, beside, deep, elsewhere):
        assert status(world, license) == "granted"
    assert len(world.records()) == before
    assert end(clinic.clinic.manager, site.license, WHY).status == "revoked"
    assert (status(world, beside), status(world, deep)) == ("granted", "revoked")


def test_no_device_key_ends_a_sublicense(world: World) -> None:
    site, clinic = narrowed(world)
    wire, path = Wire(world), f"/sublicenses/{site.license}/end"
    for asker in (wire.runtime(clinic.clinic.home), wire.runtime(site.clinic.home)):
        answer = asker.send("POST", path, json={"reason": "because"})
        assert (answer.status_code, code_of(answer)) == (403, "not-permitted")
    assert status(world, site.license) == "granted"


def test_an_ended_sublicense_gives_nothing_more(world: World) -> None:
    site, clinic = narrowed(world, [DAILY, Offline(files=3, hours=100)])
    other = site.second()
    taken = CheckoutAsk(license=site.license, package=site.statement.package_digest, nonce=new_serial())
    site.desk.checking_out.check_out(site.principal, taken)
    site.take()
    ask = site.ask
    assert ask is not None
    token = site.clinic.narrow(site.license, world.clinic("ward").party)
    world.licensing.end(clinic.clinic.manager, site.license, WHY)
    fresh = replace(taken, nonce=new_serial())
    for do in (
        lambda: other.take(),
        lambda: site.copy().take(),
        # What was given once is not given again either.
        lambda: site.desk.leasing.take(site.principal, ask),
        lambda: site.desk.checking_out.check_out(site.principal, taken),
        lambda: site.desk.checking_out.check_out(site.principal, fresh),
    ):
        refusal = denied(do)
        assert refusal.code == "revoked"
        assert f"{site.license} is revoked: clinic ended it" in str(refusal)
        assert refusal.hint == "It does not come back: ask clinic for another sub-license."
    for refuse in (
        lambda: world.licensing.narrow(site.clinic.manager, SublicenseAsk(sublicense=token)),
        lambda: world.licensing.accept(
            site.clinic.manager, AcceptanceAsk(acceptance=site.clinic.accept(site.license))
        ),
        lambda: world.licensing.resume(world.admin, site.license),
        lambda: world.licensing.suspend(world.admin, site.license, WHY),
        lambda: world.licensing.approve(world.admin, site.license),
    ):
        assert refused(refuse) == "license-revoked"
    # The license above goes on.
    clinic.take()


def test_nothing_brings_an_ended_sublicense_back(world: World) -> None:
    clinic, site = world.clinic(), world.clinic("site")
    parent = world.license(clinic)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(parent)))
    ask = SublicenseAsk(sublicense=clinic.narrow(parent, site.party))
    sub = world.licensing.narrow(clinic.manager, ask).license
    world.licensing.suspend(world.admin, sub, WHY)
    world.licensing.end(clinic.manager, sub, WHY)
    # The same document again is the same sub-license, and that has ended.
    assert world.licensing.narrow(clinic.manager, ask).status == "revoked"
    before = len(world.records())
    assert world.licensing.end(clinic.manager, sub, ReasonAsk(reason="again")).status == "revoked"
    assert len(world.records()) == before
    # What its owner says of it afterwards is the owner's word.
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(sub)))
    machine = Machine.enrolled(world, site, license=sub)
    assert "is revoked: the contract ended" in str(denied(machine.take))


def test_what_is_out_under_an_ended_sublicense_stays_counted(world: World) -> None:
    """Ending one is no way to get its slice twice: once at the site, once for the license above."""
    site, clinic = narrowed(world, [DAILY])
    site.take()
    out = site.budget["predictions/day"]
    world.licensing.end(clinic.clinic.manager, site.license, WHY)
    assert sum(hold.amount for hold in holds(clinic)) == out
    (listed,) = world.licensing.sublicenses(clinic.clinic.manager).sublicenses
    assert listed.held == {"predictions/day": out}
    clinic.take(predictions=90)
    assert clinic.budget["predictions/day"] + out <= DAILY.limit
    # The site says what it used: that is charged, and the rest comes back.
    site.use(2)
    site.desk.leasing.give_back(site.principal, site.lease_id, ReturnAsk(usage=site.report().token))
    assert used(clinic) == 2
    (listed,) = world.licensing.sublicenses(clinic.clinic.manager).sublicenses
    assert (listed.held, listed.runtimes) == ({}, ())


def test_what_is_held_of_a_license_is_counted_once_at_any_depth(world: World) -> None:
    """What a site below a site holds is missing to all above, and to each of them once."""
    site, clinic = narrowed(world, [DAILY], [Predictions(limit=50, per=Period.DAY)])
    ward = world.clinic("ward")
    deep = Machine.enrolled(
        world,
        ward,
        license=passed_on(world, site.clinic, site.license, ward),
        statement=site.statement,
    )
    deep.take()
    out = deep.budget
    for giver in (clinic.clinic, site.clinic):
        (listed,) = world.licensing.sublicenses(giver.manager).sublicenses
        assert (listed.held, listed.runtimes) == (out, (deep.runtime,))
    world.licensing.end(clinic.clinic.manager, site.license, WHY)
    assert denied(deep.take).hint == "It does not come back: ask clinic for another sub-license."
    assert world.licensing.sublicenses(clinic.clinic.manager).sublicenses[0].held == out


def test_what_was_never_reported_comes_back_with_the_next_period(world: World) -> None:
    site, clinic = narrowed(world, [DAILY])
    site.take()
    world.licensing.end(clinic.clinic.manager, site.license, WHY)
    world.watch.time += DAY
    assert world.licensing.sublicenses(clinic.clinic.manager).sublicenses[0].held == {}
    clinic.take(predictions=90)
    assert clinic.budget["predictions/day"] == DAILY.limit


def test_the_end_of_a_sublicense_is_told_to_nobody_beside_it(world: World) -> None:
    site, clinic = narrowed(world)
    sibling, ward = world.clinic("sibling"), world.clinic("ward")
    passed_on(world, clinic.clinic, clinic.license, sibling)
    deep = passed_on(world, site.clinic, site.license, ward)
    world.licensing.end(clinic.clinic.manager, site.license, WHY)
    first, second = [each for each in world.records() if each.kind is Kind.REVOCATION]
    assert set(first.subjects) == {
        site.license, clinic.license, clinic.clinic.organization, site.clinic.organization,
    }  # fmt: skip
    assert (first.details["by"], first.details["reason"]) == (clinic.clinic.manager.id, WHY.reason)
    assert set(second.subjects) == {deep, ward.organization}
    assert "by" not in second.details
    assert world.records(sibling.organization)[-1].kind is Kind.ACCEPTANCE


def test_nobody_sees_the_sublicenses_that_another_gave(world: World) -> None:
    site, clinic = narrowed(world)
    ward = world.clinic("ward")
    deep = passed_on(world, site.clinic, site.license, ward)
    seen = {
        who: [each.license.license for each in world.licensing.sublicenses(manager).sublicenses]
        for who, manager in {
            "clinic": clinic.clinic.manager,
            "site": site.clinic.manager,
            "ward": ward.manager,
            "stranger": world.clinic("stranger").manager,
            "owner": world.admin,
        }.items()
    }
    both = sorted([site.license, deep])
    assert seen == {"clinic": [site.license], "site": [deep], "ward": [], "stranger": [], "owner": both}
