"""Attacks on checkouts: lost answers, a kill in between, the same license again, another file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from strongroom._limits import LIMITS
from strongroom.accepting import accept, keep, read_offer
from strongroom.errors import BrokerUnavailable, Error
from strongroom.home.checkouts import Question
from strongroom.home.licenses import Licenses
from strongroom.leasing import check_out
from strongroom.license.documents import OfflineFile
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import Period
from strongroom.license.signing import Signed, read_unverified
from strongroom.license.terms import Offline, Predictions
from strongroom.protocol.broker import CheckoutAsk
from tests.lease_world import LeaseWorld

HOUR = timedelta(hours=1)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)

Make = Callable[..., LeaseWorld]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[LeaseWorld] = []

    def make(files: int = 1) -> LeaseWorld:
        made.append(LeaseWorld.make(tmp_path, terms=[HUNDRED, Offline(hours=24, files=files)]))
        return made[-1]

    yield make
    for world in made:
        world.close()


def take(world: LeaseWorld, *, hours: int | None = None) -> Signed[OfflineFile]:
    return check_out(
        world.clinic,
        world.client(),
        world.owner_id,
        license=world.granted.license_id,
        package=world.opening().statement.package_digest,
        until=None if hours is None else world.machine.wall() + hours * HOUR,
    )


def files_here(world: LeaseWorld) -> list[str]:
    return list(world.clinic.catalog.licenses.get(world.owner_id, world.granted.license_id).file.offline)


def release_here(world: LeaseWorld) -> str | None:
    tokens = files_here(world)
    return read_unverified(tokens[0], OfflineFile).id if tokens else None


def questions(world: LeaseWorld) -> list[Question]:
    return list(world.clinic.checkouts.read(world.owner_id).questions)


def test_an_answer_that_is_lost_is_asked_for_again(make: Make) -> None:
    world = make()
    world.wire.lose_answers(3, of="/checkouts")
    with pytest.raises(BrokerUnavailable):
        take(world)
    held = world.held_at_broker()
    assert held > 0
    offline = take(world)
    assert (release_here(world), world.held_at_broker()) == (offline.id, held)
    assert questions(world) == []


def test_a_question_that_never_arrived_is_no_checkout(make: Make) -> None:
    world = make()
    world.wire.is_cut = True
    with pytest.raises(BrokerUnavailable):
        take(world, hours=20)
    world.wire.is_cut = False
    offline = take(world, hours=2)
    assert offline.document.not_after - world.broker_clock.now() <= 2 * HOUR


def test_a_kill_before_the_file_is_stored_loses_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(Licenses, "renew", killed)
    with pytest.raises(SystemExit):
        take(world)
    monkeypatch.undo()
    assert release_here(world) is None
    assert take(world).id == release_here(world)


def test_a_kill_after_the_file_is_stored_makes_no_second_of_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(files=2)

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr("strongroom.leasing.checkout._answered", killed)
    with pytest.raises(SystemExit):
        take(world)
    monkeypatch.undo()
    first = release_here(world)
    assert first is not None
    assert take(world).id == first
    assert len(files_here(world)) == 1
    assert questions(world) == []


def test_another_file_than_was_asked_for_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(files=2)
    client = world.client()
    first = client.check_out(
        CheckoutAsk(
            license=world.granted.license_id,
            package=world.opening().statement.package_digest,
            nonce="00" * 16,
        )
    )
    monkeypatch.setattr(type(client), "check_out", lambda *_: first)
    with pytest.raises(Error) as caught:
        take(world)
    assert caught.value.code == "wrong-license"
    assert files_here(world) == []


def test_the_same_license_again_deletes_no_checkout(make: Make) -> None:
    world = make()
    offline = take(world)
    data = world.client().license(world.granted.license_id).file.encode("utf-8")
    offer = read_offer(world.clinic, data)
    assert offer.license.offline == ()
    accept(world.clinic, offer, now=world.machine.wall(), to_broker=True)
    assert release_here(world) == offline.id


def test_the_same_license_again_mends_one_that_somebody_wrote_to(make: Make) -> None:
    world = make()
    take(world)
    path = world.clinic.path / "licenses" / world.owner_id / f"{world.granted.license_id}.license"
    good = LicenseFile.from_bytes(path.read_bytes())
    data = world.client().license(world.granted.license_id).file.encode("utf-8")
    for broken in (
        msgspec.structs.replace(good, offline=("x.y.z",)).to_bytes(),
        msgspec.structs.replace(good, offline=(good.license,)).to_bytes(),
        b"{}",
    ):
        path.write_bytes(broken)
        keep(world.clinic, read_offer(world.clinic, data))
        assert files_here(world) == []
        assert release_here(world) is None


def test_files_of_long_ago_give_their_place(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(files=9)
    monkeypatch.setattr("strongroom.accepting.LIMITS", replace(LIMITS, max_license_files=3))
    taken = [take(world).token for _ in range(5)]
    assert files_here(world) == taken[:1:-1]
