"""Every key of an owner is replaced while its broker serves. Nothing stops, nothing is encrypted again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.broker.clock import SystemClock
from strongroom.broker.services.rekeying import Rekeying
from strongroom.crypto import jws
from strongroom.errors import VerificationError
from strongroom.founding import own_owner, rotate
from strongroom.keys.owner import OwnerChain, Role, verify_newer
from strongroom.license.documents import Lease
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import Period
from strongroom.license.signing import Signed, verify_by_owner
from strongroom.license.terms import Predictions
from strongroom.log.note import Verifier
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.verifiers import verifiers_for_log
from strongroom.log.witness import advance_offer
from tests.broker_scene import CONTENT_KEY, Partner, Scene, note
from tests.integration.broker_audit import audit
from tests.simulators.clocks import HeldClock

ROLES = (Role.PACKAGE, Role.LICENSE, Role.BROKER, Role.LOG)


@pytest.fixture
def scene(database_url: str, tmp_path: Path) -> Iterator[Scene]:
    clock = HeldClock(SystemClock().now())
    opened = Scene.build(tmp_path, database_url, clock=clock)
    yield opened
    opened.close()


def later(scene: Scene, seconds: int = 2) -> None:
    """Let a retired key's last second pass."""
    assert isinstance(scene.clock, HeldClock)
    scene.clock.move(timedelta(seconds=seconds))


def renew(scene: Scene, partner: Partner, license_id: str, package: str) -> Signed[Lease]:
    """Renew the lease of the first machine; the owner is the newest that the partner can know."""
    ask = scene.request(partner.machines[0], license_id, package)
    answer = scene.services.leasing.take(partner.machines[0].principal, ask)
    note(partner.machines[0], ask, answer)
    return verify_by_owner(answer.lease, Lease, own_owner(scene.home))


def signer_of(lease: Signed[Lease]) -> str:
    """Return the id of the broker key that signed a lease."""
    return jws.read_unverified(lease.token).key_id


@pytest.mark.parametrize("role", ROLES)
def test_a_role_key_is_replaced_and_what_it_signed_stays_good(scene: Scene, role: Role) -> None:
    package, clinic = scene.publish(), scene.add_partner("clinic")
    license_id = scene.grant(clinic, Predictions(limit=1000, per=Period.DAY))
    before = renew(scene, clinic, license_id, package)
    pinned = own_owner(scene.home)
    later(scene)
    rotate(scene.home, now=scene.now, renew=[role])
    later(scene)
    newest = own_owner(scene.home)
    after = renew(scene, clinic, license_id, package)
    # The old lease is good under both documents; the new one needs the new document.
    for owner in (pinned, newest):
        assert verify_by_owner(before.token, Lease, owner).id == before.id
    assert verify_by_owner(after.token, Lease, newest).document.owner_version == newest.version
    assert (signer_of(after) != signer_of(before)) is (role is Role.BROKER)
    with pytest.raises(VerificationError) as outdated:
        verify_by_owner(after.token, Lease, pinned)
    assert outdated.value.code == "owner-outdated"
    # New things of every kind go on, by the new keys.
    assert scene.publish("1.1.0") != package
    assert scene.grant(clinic) != license_id
    audit(scene)


def test_partners_get_the_newer_document_with_the_answers(scene: Scene) -> None:
    package, clinic = scene.publish(), scene.add_partner("clinic")
    license_id = scene.grant(clinic)
    pinned = own_owner(scene.home)
    renew(scene, clinic, license_id, package)
    later(scene)
    rotate(scene.home, now=scene.now, renew=ROLES)
    chain = OwnerChain.from_json(list(scene.services.meeting.owner().owner))
    assert verify_newer(pinned, chain).version == pinned.version + 1
    answer = scene.services.licensing.get(clinic.machines[0].principal, license_id)
    file = LicenseFile.from_bytes(answer.file.encode())
    assert verify_newer(pinned, OwnerChain.from_json(list(file.owner))).version == pinned.version + 1


def test_the_log_goes_on_under_the_new_key(scene: Scene) -> None:
    package, clinic = scene.publish(), scene.add_partner("clinic")
    license_id = scene.grant(clinic)
    renew(scene, clinic, license_id, package)

    def verifiers() -> list[Verifier]:
        with scene.ledger.view() as kept:
            origin = Origin.from_text(kept.head().origin)
        return verifiers_for_log(origin, own_owner(scene.home).log_keys(scene.now))

    first = advance_offer(None, Offer.from_bytes(scene.ledger.offer(0)), verifiers())
    later(scene)
    rotate(scene.home, now=scene.now, renew=[Role.LOG])
    later(scene)
    # Only the new key counts now, and the log that it signs continues the one that the old key signed.
    second = advance_offer(first, Offer.from_bytes(scene.ledger.offer(first.size)), verifiers())
    assert second.size > first.size
    renew(scene, clinic, license_id, package)
    audit(scene)


def test_everything_is_replaced_under_load(tmp_path: Path, database_url: str) -> None:
    """Each role key by itself, and the key-encryption key after each, while four machines renew."""
    scene = Scene.build(tmp_path, database_url)
    package = scene.publish()
    clinic = scene.add_partner("clinic", machines=4)
    license_id = scene.grant(clinic, Predictions(limit=100_000, per=Period.YEAR))
    done = threading.Event()
    counts = [0] * 4

    def renewals(number: int) -> None:
        machine = clinic.machines[number]
        while not done.is_set():
            ask = scene.request(machine, license_id, package)
            answer = scene.services.leasing.take(machine.principal, ask)
            note(machine, ask, answer)
            lease = verify_by_owner(answer.lease, Lease, own_owner(scene.home))
            key = scene.open_lease(machine, lease.document)
            assert key == CONTENT_KEY
            counts[number] += 1

    def let_all_renew() -> None:
        before = list(counts)
        while any(now == then for now, then in zip(counts, before, strict=True)):
            if any(player.done() for player in players):
                return
            time.sleep(0.01)

    with ThreadPoolExecutor(4) as pool:
        players = [pool.submit(renewals, number) for number in range(4)]
        try:
            for role in ROLES:
                rotate(scene.home, now=scene.now, renew=[role])
                scene.home.keys.renew_key_encryption_key(scene.now)
                Rekeying(scene.store, scene.keys).run()
                scene.home.vault.content_keys.rewrap(scene.home.keys.key_provider())
                # Whoever was in the middle of it is through, and has renewed under what is new.
                let_all_renew()
        finally:
            done.set()
        for player in players:
            player.result()
    with scene.ledger.view() as kept:
        row = kept.package(package)
        assert row is not None
        assert row.key_id == scene.keys.key_id
    audit(scene)
    scene.close()
