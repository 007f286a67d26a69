"""Attacks on versions, with a broker: nobody goes back to an older one that no withdrawal permits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from strongroom.accepting import pull
from strongroom.errors import LicenseDenied
from strongroom.keys.intake import verify_intake_certificate
from strongroom.leasing import Leaseholder, LeaseSession, asker
from strongroom.license.license_file import LicenseFile
from strongroom.license.package_choice import PackageChoice
from strongroom.license.terms import Packages
from strongroom.metering.meter import Meter
from strongroom.opening import open_model
from strongroom.publishing import publish
from strongroom.revoking import withdraw_version
from strongroom.sending import send
from tests.lease_world import QUIET, LeaseWorld
from tests.parties import seal_model


@dataclass
class TwoVersions:
    """A clinic that has used 1.1.0, and whose license covers 1.0.0 as well."""

    world: LeaseWorld

    def use(self, reference: str, *, asks: bool = True) -> str:
        """Use the model as a supervisor does; returns its version."""
        world = self.world
        opening = open_model(
            world.clinic,
            reference,
            now=world.machine.wall(),
            boot=world.machine,
            ask_withdrawals=asker(lambda home, owner: world.connect(home, owner, world.machine.wall))
            if asks
            else None,
        )
        holder = Leaseholder(world.clinic, opening, world.client(), world.clock)
        session = LeaseSession.begin(holder, world.worker_key, world.clock, QUIET)
        with closing(Meter(world.clinic.marks, opening.chain, opening.request, session.facts)) as meter:
            meter.charge(1, session.now())
        return str(opening.statement.version)

    def refusal(self, reference: str, *, asks: bool = True) -> str:
        with pytest.raises(LicenseDenied) as caught:
            self.use(reference, asks=asks)
        return caught.value.code

    def withdraw(self, *, permits: str | None) -> None:
        world = self.world
        withdraw_version(
            world.hospital,
            "risk@1.1.0",
            permits=permits,
            reason="wrong unit",
            now=world.machine.wall(),
            to_broker=True,
        )
        assert [each.refusal for each in send(world.hospital, world.admin, owner_id=world.owner_id)] == [None]


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[TwoVersions]:
    choice = PackageChoice(name="risk", at_least="1.0.0")
    world = LeaseWorld.make(tmp_path, terms=[Packages(packages=(choice,))])
    newer = seal_model(world.hospital, "risk", "1.1.0")
    pinned, now = world.hospital.trust.get(world.owner_id).owner, world.machine.wall()
    publish(
        world.hospital, "risk", verify_intake_certificate(world.admin.owner().intake, pinned, now), now=now
    )
    send(world.hospital, world.admin, owner_id=world.owner_id)
    pull(world.clinic, newer.path)
    versions = TwoVersions(world)
    assert versions.use("risk@1.1.0") == "1.1.0"
    yield versions
    world.close()


def test_a_refused_lease_brings_what_the_withdrawal_permits(versions: TwoVersions) -> None:
    versions.withdraw(permits="1.0.0")
    assert versions.refusal("risk@1.1.0") == "version-withdrawn"
    assert versions.use("risk@1.0.0", asks=False) == "1.0.0"
    assert versions.refusal("risk@1.1.0") == "version-withdrawn"
    assert versions.use("risk") == "1.0.0"


def test_who_wants_the_permitted_version_hears_of_the_withdrawal_first(versions: TwoVersions) -> None:
    versions.withdraw(permits="1.0.0")
    assert versions.use("risk@1.0.0") == "1.0.0"


def test_without_a_withdrawal_that_permits_it_nobody_goes_back(versions: TwoVersions) -> None:
    assert versions.refusal("risk@1.0.0") == "version-rollback"
    versions.withdraw(permits=None)
    assert versions.refusal("risk@1.1.0") == "version-withdrawn"
    assert versions.refusal("risk@1.0.0") == "version-rollback"


def test_a_broker_that_is_silent_or_lies_lets_nobody_back(
    versions: TwoVersions, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = versions.world
    world.wire.is_cut = True
    assert versions.refusal("risk@1.0.0") == "version-rollback"
    world.wire.is_cut = False
    versions.withdraw(permits="1.0.0")
    forged = LicenseFileOf(world.client().license(world.granted.license_id).file)
    monkeypatch.setattr("strongroom.leasing.hearing.LicenseFile", forged)
    assert versions.refusal("risk@1.0.0") == "version-rollback"
    assert versions.refusal("risk@1.1.0") == "version-withdrawn"
    assert versions.refusal("risk@1.0.0", asks=False) == "version-rollback"


class LicenseFileOf:
    """Reads a license file whose withdrawal somebody has changed on its way."""

    def __init__(self, text: str) -> None:
        file = LicenseFile.from_bytes(text.encode())
        (token,) = file.withdrawals
        head, body, signature = token.split(".")
        changed = f"{head}.{body}.{signature[::-1]}"
        self.file = msgspec.structs.replace(file, withdrawals=(changed,))

    def from_bytes(self, data: bytes) -> object:
        return self.file
