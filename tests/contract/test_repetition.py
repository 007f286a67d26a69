"""Writes that are asked again at another broker of one database, after the first died before it answered.

Each act is durable when its broker dies, and whoever asked does not know it. Meanwhile somebody else
undoes it: a repetition must not do it again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from strongroom.broker.faults import FaultPoint
from strongroom.broker.http.routing import GuardedRoute, Repeat
from strongroom.broker.ledger import Ledger
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.keys.fingerprint import fingerprint
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.terms import Derivations
from strongroom.protocol.broker import AcceptanceAsk, LicenseAsk, LicenseRequestAsk, ReasonAsk, SublicenseAsk
from tests.unit.broker.http.wire import Asker, Wire
from tests.unit.broker.services.hospital import Clinic, World
from tests.unit.broker.services.machine import Machine
from tests.unit.broker.services.maker import BACK, BOTH, Maker

WHY = {"reason": "the laptop is lost"}
REASON = ReasonAsk(reason="the laptop is lost")


class Power:
    """Goes off once, when everything is durable and nobody knows."""

    def __init__(self) -> None:
        self.fails = False

    def reach(self, point: str, /) -> None:
        if self.fails and point == FaultPoint.LEDGER_AFTER_COMMIT:
            self.fails = False
            raise SystemExit


@dataclass
class Write:
    """One write, and what undoes it."""

    path: str
    body: dict[str, Any] | None = None
    by_runtime: bool = False
    by_manager: bool = False
    undo: Callable[[], object] = field(default=lambda: None)


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    world = World(tmp_path, Settings(two_people=True), url=database_url)
    yield world
    world.close()


@contextmanager
def another(world: World, url: str, faults: Power) -> Iterator[Wire]:
    """Run another broker over the database of a world."""
    twin = copy.copy(world)
    twin.store = open_store(url)
    twin.ledger = Ledger(twin.store, world.keys, world.watch, faults)
    twin.ledger.start()
    try:
        yield Wire(twin)
    finally:
        twin.ledger.close()
        twin.store.close()


def add_member(world: World, clinic: Clinic) -> Write:
    """POST /members"""
    key = SigningKey.generate(KeyKind.MEMBER).public_text
    body = {"key": key, "name": "c.third", "role": "auditor"}

    def undo() -> None:
        found = world.members.page(world.admin).members
        world.members.remove(world.admin, next(each.member for each in found if each.name == "c.third"))

    return Write("/members", body, undo=undo)


def remove_member(world: World, clinic: Clinic) -> Write:
    """DELETE /members/{member}"""
    second = world.add_admin().id
    return Write(f"/members/{second}")


def approve_partner(world: World, clinic: Clinic) -> Write:
    """POST /partners/{organization}/approve"""
    late = world.joined("late")
    world.enroll(late)
    path = f"/partners/{late.organization}"
    return Write(
        f"{path}/approve",
        {"fingerprint": fingerprint(late.token)},
        undo=lambda: world.partners.suspend(world.admin, late.organization, REASON),
    )


def refuse_partner(world: World, clinic: Clinic) -> Write:
    """POST /partners/{organization}/refuse"""
    late = world.joined("late")
    world.enroll(late)
    return Write(f"/partners/{late.organization}/refuse", WHY, undo=lambda: world.enroll(late))


def suspend_partner(world: World, clinic: Clinic) -> Write:
    """POST /partners/{organization}/suspend"""
    return Write(
        f"/partners/{clinic.organization}/suspend",
        WHY,
        undo=lambda: world.partners.resume(world.admin, clinic.organization),
    )


def resume_partner(world: World, clinic: Clinic) -> Write:
    """POST /partners/{organization}/resume"""
    world.partners.suspend(world.admin, clinic.organization, REASON)
    return Write(
        f"/partners/{clinic.organization}/resume",
        undo=lambda: world.partners.suspend(world.admin, clinic.organization, REASON),
    )


def suspend_runtime(world: World, clinic: Clinic) -> Write:
    """POST /runtimes/{runtime}/suspend"""
    return Write(
        f"/runtimes/{clinic.runtime}/suspend",
        WHY,
        undo=lambda: world.partners.resume_runtime(world.admin, clinic.runtime),
    )


def resume_runtime(world: World, clinic: Clinic) -> Write:
    """POST /runtimes/{runtime}/resume"""
    world.partners.suspend_runtime(world.admin, clinic.runtime, REASON)
    return Write(
        f"/runtimes/{clinic.runtime}/resume",
        undo=lambda: world.partners.suspend_runtime(world.admin, clinic.runtime, REASON),
    )


def approve_license(world: World, clinic: Clinic) -> Write:
    """POST /licenses/{license}/approve"""
    # Somebody else asked for it.
    first, world.admin = world.admin, world.add_admin()
    license = world.license(clinic)
    world.admin = first
    return Write(
        f"/licenses/{license}/approve",
        undo=lambda: world.licensing.suspend(world.admin, license, REASON),
    )


def granted(world: World, clinic: Clinic) -> str:
    license = world.license(clinic)
    world.licensing.approve(world.add_admin(), license)
    return license


def suspend_license(world: World, clinic: Clinic) -> Write:
    """POST /licenses/{license}/suspend"""
    license = granted(world, clinic)
    return Write(
        f"/licenses/{license}/suspend",
        WHY,
        undo=lambda: world.licensing.resume(world.admin, license),
    )


def resume_license(world: World, clinic: Clinic) -> Write:
    """POST /licenses/{license}/resume"""
    license = granted(world, clinic)
    world.licensing.suspend(world.admin, license, REASON)
    return Write(
        f"/licenses/{license}/resume",
        undo=lambda: world.licensing.suspend(world.admin, license, REASON),
    )


def end_sublicense(world: World, clinic: Clinic) -> Write:
    """POST /sublicenses/{sublicense}/end"""
    license = granted(world, clinic)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
    ask = SublicenseAsk(sublicense=clinic.narrow(license, world.clinic("ward").party))
    path = f"/sublicenses/{world.licensing.narrow(clinic.manager, ask).license}/end"
    # Nothing undoes it.
    return Write(path, WHY, by_manager=True)


def leased(world: World, clinic: Clinic) -> Machine:
    license = granted(world, clinic)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
    machine = Machine.enrolled(world, clinic, license=license)
    machine.take()
    return machine


def return_lease(world: World, clinic: Clinic) -> Write:
    """POST /leases/{lease}/return"""
    machine = leased(world, clinic)
    path = f"/leases/{machine.lease_id}/return"
    return Write(path, {"usage": machine.report().token}, by_runtime=True)


def release_lease(world: World, clinic: Clinic) -> Write:
    """POST /leases/{lease}/release"""
    machine = leased(world, clinic)
    return Write(f"/leases/{machine.lease_id}/release", WHY)


WISH = {"model": "risk", "purpose": "triage at night"}


def request_license(world: World, clinic: Clinic) -> Write:
    """POST /license-requests"""

    def undo() -> None:
        (made,) = world.requesting.page(world.admin).requests
        world.requesting.refuse(world.admin, made.request, REASON)

    return Write("/license-requests", WISH, by_manager=True, undo=undo)


def requested(world: World, clinic: Clinic) -> str:
    return world.requesting.make(clinic.manager, LicenseRequestAsk(**WISH)).request


def grant_license_request(world: World, clinic: Clinic) -> Write:
    """POST /license-requests/{request}/grant"""
    path = f"/license-requests/{requested(world, clinic)}/grant"
    return Write(path, {"license": granted(world, clinic)})


def refuse_license_request(world: World, clinic: Clinic) -> Write:
    """POST /license-requests/{request}/refuse"""
    return Write(f"/license-requests/{requested(world, clinic)}/refuse", WHY)


def refuse_derivation(world: World, clinic: Clinic) -> Write:
    """POST /derivations/{derivation}/refuse"""
    parent = world.statement(version="1.0.0")
    world.publishing.publish(world.admin, world.package(parent))
    signed = world.sign_license(clinic.party, (Derivations(to=BACK),), rights=BOTH)
    license = world.licensing.grant(world.admin, LicenseAsk(license=signed)).license
    world.licensing.approve(world.add_admin(), license)
    world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
    handed_in = Maker(world, clinic, parent, license).hand_in()
    return Write(f"/derivations/{handed_in.derivation}/refuse", WHY)


WRITES = [
    refuse_derivation,
    request_license,
    grant_license_request,
    refuse_license_request,
    add_member,
    remove_member,
    approve_partner,
    refuse_partner,
    suspend_partner,
    resume_partner,
    suspend_runtime,
    resume_runtime,
    approve_license,
    suspend_license,
    resume_license,
    end_sublicense,
    return_lease,
    release_lease,
]


def asker(wire: Wire, clinic: Clinic, write: Write) -> Asker:
    if write.by_runtime:
        return wire.runtime(clinic.home)
    return wire.member(clinic.home if write.by_manager else wire.world.home)


def state(world: World, clinic: Clinic) -> list[Any]:
    """Return what the writes change, and how many entries the log has."""
    with world.ledger.view() as kept:
        return [
            kept.head().size,
            kept.members_of(world.keys.owner_id, limit=10),
            kept.partners(limit=10),
            kept.runtimes_of(clinic.organization),
            kept.licenses(limit=10),
            kept.license_requests(limit=10),
            kept.derivations(limit=10),
            kept.leases(world.watch.time, limit=10),
        ]


@pytest.mark.parametrize("make", WRITES)
def test_a_write_that_nobody_heard_of_is_answered_elsewhere_and_done_once(
    world: World, database_url: str, make: Callable[[World, Clinic], Write]
) -> None:
    clinic = world.clinic()
    write = make(world, clinic)
    method = str(make.__doc__).partition(" ")[0]
    options = {} if write.body is None else {"json": write.body}
    power = Power()
    with another(world, database_url, power) as dying, another(world, database_url, Power()) as second:
        who = asker(dying, clinic, write)
        _ = who.token
        before = state(world, clinic)
        power.fails = True
        assert who.send(method, write.path, key="k", **options).status_code == 503
        assert state(world, clinic) != before
        write.undo()
        then = state(world, clinic)
        answers = [
            asker(wire, clinic, write).send(method, write.path, key="k", **options)
            for wire in (second, dying, second)
        ]
        assert [each.status_code for each in answers] == [200] * 3, answers[0].text
        assert len({each.content for each in answers}) == 1
        assert state(world, clinic) == then


def test_these_are_all_writes_that_no_document_names(world: World) -> None:
    remembered = {
        f"{method} {route.path.removeprefix('/v1')}"
        for route in Wire(world).broker.app.routes
        if isinstance(route, GuardedRoute) and route.repeat is Repeat.REMEMBERED
        for method in route.methods or ()
    }
    assert {each.__doc__ for each in WRITES} == remembered
