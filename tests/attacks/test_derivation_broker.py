"""Over a broker, too, nobody gets a countersignature that the owner did not give for this very model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from strongroom.crypto import dsse
from strongroom.deriving import take_in
from strongroom.errors import Error, IntegrityError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.request import Right
from strongroom.package.statement import PAYLOAD_TYPE
from strongroom.package.tail import read_signed_statement
from strongroom.protocol.broker import RevocationAsk
from strongroom.storage.local import LocalSource
from tests.derivations import DerivingScene
from tests.unit.broker.services.hospital import World, refused
from tests.unit.broker.services.maker import Maker, signature


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_the_broker_takes_nothing_without_the_right(world: World) -> None:
    assert Maker.make(world, rights=(Right.EXPORT, Right.PREDICT)).refusal() == "right-not-granted"


def test_the_broker_takes_nothing_of_another_partner(world: World) -> None:
    maker, other = Maker.make(world), Maker.make(world, "other", version="2.0.0")
    assert refused(lambda: world.deriving.hand_in(other.clinic.manager, maker.ask())) == "not-found"
    assert other.refusal(license=maker.license) == "not-found"
    assert other.refusal(key=maker.clinic.key) == "wrong-signer"


def test_the_broker_takes_no_swapped_parent(world: World) -> None:
    maker, newer = Maker.make(world), world.statement(version="1.0.1")
    world.publishing.publish(world.admin, world.package(newer))
    assert maker.refusal(parent=newer.package_digest) == "wrong-statement"


def test_a_countersignature_is_not_replayed_on_another_model(world: World) -> None:
    maker = Maker.make(world)
    first, second = maker.said(), maker.said()
    maker.hand_in(first)
    answer = maker.hand_in(second)
    replay = partial(world.deriving.countersign, world.admin, answer.derivation, signature(world, first))
    assert refused(replay) == "wrong-package"


def test_a_revoked_license_gets_no_countersignature(world: World) -> None:
    maker = Maker.make(world)
    said = maker.said()
    answer = maker.hand_in(said)
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(maker.license)))
    late = partial(world.deriving.countersign, world.admin, answer.derivation, signature(world, said))
    assert (maker.refusal(), refused(late)) == ("revoked", "revoked")


def test_a_partner_makes_a_package_of_its_own_file_and_its_owners_signature_alone(tmp_path: Path) -> None:
    scene = DerivingScene(tmp_path)
    path, other = scene.derive(), scene.derive(name="risk-north")
    with LocalSource(scene.countersign(path).path) as source:
        signed = read_signed_statement(source)

    def makes_nothing(file: Path, statement: bytes, kind: type[Error]) -> None:
        before = scene.clinic.catalog.packages.all(scene.owner_id)
        with pytest.raises(kind):
            take_in(scene.clinic, file, statement)
        assert scene.clinic.catalog.packages.all(scene.owner_id) == before

    makes_nothing(other, signed, VerificationError)
    payload = dsse.Envelope.from_bytes(signed).unverified_payload
    stranger = SigningKey.generate(KeyKind.OWNER_PACKAGE).secret
    makes_nothing(path, dsse.sign(payload, PAYLOAD_TYPE, [stranger]).to_bytes(), VerificationError)
    changed = bytearray(path.read_bytes())
    changed[64] ^= 1
    (damaged := tmp_path / "damaged.derived").write_bytes(changed)
    makes_nothing(damaged, signed, IntegrityError)
    assert take_in(scene.clinic, path, signed) == take_in(scene.clinic, path, signed)


def test_another_package_of_that_name_stays(tmp_path: Path) -> None:
    scene = DerivingScene(tmp_path)
    path = scene.derive()
    done = scene.countersign(path)
    with LocalSource(done.path) as source:
        signed = read_signed_statement(source)
    parent = scene.clinic.catalog.packages.find(scene.owner_id, "risk", "1.0.0").path
    place = scene.clinic.catalog.packages.path(scene.owner_id, "risk", "1.1.0")
    place.write_bytes(parent.read_bytes())
    with pytest.raises(Error) as caught:
        take_in(scene.clinic, path, signed)
    assert caught.value.code == "version-exists"
    assert place.read_bytes() == parent.read_bytes()
