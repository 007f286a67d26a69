"""Deriving at a partner and countersigning at the owner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from strongroom.accepting import accept, narrow, pull, read_offer
from strongroom.deriving import countersigning, derive, take_in
from strongroom.errors import LicenseDenied, ObjectNotFound, StorageUnavailable, UsageError, VerificationError
from strongroom.founding import own_owner
from strongroom.keys.owner import Role
from strongroom.license.documents import Derivation, Party
from strongroom.license.request import Right
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Derivations, Rights
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.reader import PackageReader
from strongroom.package.tail import read_signed_statement
from strongroom.provenance.openssf import digest_file, verify_bundle
from strongroom.revoking import revoke, withdraw_version
from strongroom.storage.local import LocalSource
from strongroom.worker.session import load_model
from tests.derivations import EVERY_VERSION, MODIFY, DerivingScene, skops_bytes
from tests.parties import (
    accept_at,
    enroll,
    found_partner,
    grant_to,
    right_now,
    sample,
    seal_model,
    trained_pipeline,
)


@pytest.fixture
def scene(tmp_path: Path) -> DerivingScene:
    return DerivingScene(tmp_path)


def test_a_person_sees_which_files_are_those_of_the_parent(scene: DerivingScene) -> None:
    seen: list[countersigning.Proposal] = []
    model = scene.folder / "tuned.skops"
    model.write_bytes(skops_bytes())
    path = scene.derive(model=model, sample=None)
    done = scene.countersign(path, agree=seen.append)
    with LocalSource(done.path) as source:
        take_in(scene.clinic, path, read_signed_statement(source))
    scene.countersign(scene.derive(model=model, sample=None, parent="risk@1.1.0"), agree=seen.append)
    done.path.unlink()
    again = scene.derive(model=model, sample=None, parent="risk@1.1.0", name="risk-again")
    scene.countersign(again, agree=seen.append)
    names = frozenset(each.name for each in seen[1].files)
    assert [one.unchanged for one in seen] == [frozenset(), names, None]
    assert seen[0].package == done.package


def test_a_derived_model_becomes_the_next_version_of_its_parent(scene: DerivingScene) -> None:
    seen: list[countersigning.Proposal] = []
    done = scene.countersign(scene.derive(), agree=seen.append)
    assert (done.name, done.version, done.parent, done.holder) == ("risk", "1.1.0", "risk 1.0.0", "clinic")
    assert [(each.name, each.loader, each.files[0].name) for each in seen] == [
        ("risk", "skops", "risk.skops")
    ]
    owner = own_owner(scene.hospital)
    keys = owner.keys_for(Role.PACKAGE, right_now())
    with LocalSource(done.path) as source:
        statement = verify_package(source, keys, owner=owner.id)
        verify_bundle(Path(f"{done.path}.sig").read_bytes(), digest_file(source), keys)
        seal_record = scene.hospital.vault.seals.find("risk")
        key = scene.hospital.vault.content_keys.load(statement.package_id, scene.hospital.keys.key_provider())
        model = load_model(PackageReader.open(source, keys, owner=owner.id).unlock(key))
    assert statement.package_digest == seal_record.package_digest == done.package
    assert statement.parent == statement.previous == scene.sealed.package_digest
    answers = model.predict({"input": sample()}, "predict")["predict"]
    assert answers.tolist() == trained_pipeline().predict(sample()).tolist()
    (token,) = scene.hospital.vault.derivations.all()
    assert read_unverified(token, Derivation).id == done.derivation


def test_what_derive_says_is_what_the_owner_countersigns(scene: DerivingScene) -> None:
    told: list[tuple[int, int]] = []
    path = scene.folder / "mine.derived"
    made = derive(
        scene.clinic,
        trained_pipeline(),
        parent="hospital/risk",
        output=path,
        name="risk-north",
        version="2.0.0",
        now=right_now(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert (made.name, made.version, made.parent, made.owner) == (
        "risk-north",
        "2.0.0",
        "risk 1.0.0",
        "hospital",
    )
    assert made.difference is None
    assert told[-1][0] == told[-1][1]
    assert made.size == path.stat().st_size
    done = scene.countersign(path)
    assert (done.package, done.license) == (made.package, made.license)
    statement = _statement_of(done.path)
    assert (statement.previous, statement.parent) == (None, scene.sealed.package_digest)


def _statement_of(path: Path) -> Any:
    with LocalSource(path) as source:
        return inspect(source).unverified


def test_the_file_is_called_after_the_model_unless_it_is_said(
    scene: DerivingScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene.folder)
    assert scene.derive(output=None) == Path("risk-1.1.0.derived")
    with pytest.raises(UsageError) as caught:
        scene.derive(output=None)
    assert caught.value.code == "already-exists"


def test_a_derived_model_can_be_derived_from_again(scene: DerivingScene) -> None:
    first = scene.countersign(scene.derive())
    accept_at(scene.clinic, grant_to(scene.hospital, "clinic", terms=(MODIFY, EVERY_VERSION)))
    second = scene.countersign(scene.derive(parent="risk", license_id=scene.granted.license_id))
    assert second.version == "1.2.0"
    assert _statement_of(second.path).parent == first.package


def test_an_onnx_model_is_derived_too(scene: DerivingScene) -> None:
    done = scene.countersign(scene.derive(convert="onnx"))
    statement = _statement_of(done.path)
    assert statement.version.minor == 1


def test_countersigning_twice_signs_nothing_new(scene: DerivingScene) -> None:
    path = scene.derive()
    first = scene.countersign(path)
    data = first.path.read_bytes()
    assert scene.countersign(path, agree=lambda _: pytest.fail("nobody is asked again")) == first
    assert first.path.read_bytes() == data


@pytest.mark.parametrize("step", ["derivations.add", "record_seal"])
def test_countersigning_that_was_interrupted_is_finished(
    scene: DerivingScene, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = scene.derive()
    with monkeypatch.context() as patch:
        if step == "record_seal":
            patch.setattr(countersigning, "record_seal", _stop)
        else:
            patch.setattr(type(scene.hospital.vault.derivations), "add", _stop)
        with pytest.raises(StorageUnavailable):
            scene.countersign(path)
    done = scene.countersign(path)
    assert scene.hospital.vault.seals.find("risk").package_digest == done.package
    assert Path(f"{done.path}.sig").exists()


def _stop(*_: object) -> None:
    raise StorageUnavailable("the machine stops here")


def test_a_content_key_under_the_id_of_another_is_refused(scene: DerivingScene) -> None:
    identity = "ab" * 16
    provider = scene.hospital.keys.key_provider()
    scene.hospital.vault.content_keys.save(identity, os.urandom(32), provider)
    with pytest.raises(UsageError) as caught:
        scene.countersign(scene.forge(statement={"package_id": identity}))
    assert caught.value.code == "key-exists"


def test_derive_needs_a_license_with_the_right(tmp_path: Path) -> None:
    scene = DerivingScene(tmp_path, Rights(rights=(Right.PREDICT,)))
    with pytest.raises(LicenseDenied) as caught:
        scene.derive()
    assert caught.value.code == "right-not-granted"
    with pytest.raises(ObjectNotFound):
        scene.derive(parent="other")


def test_a_license_that_does_not_say_where_derived_models_go_takes_none(
    scene: DerivingScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.granting._with_way_back", lambda _home, terms, _now: terms)
    granted = grant_to(scene.hospital, "clinic", terms=(MODIFY, EVERY_VERSION))
    accept_at(scene.clinic, granted)
    with pytest.raises(LicenseDenied) as caught:
        scene.derive(license_id=granted.license_id)
    assert caught.value.code == "no-derivations"
    with pytest.raises(LicenseDenied) as caught:
        scene.countersign(scene.forge(granted=granted))
    assert caught.value.code == "no-derivations"


def test_granting_says_where_derived_models_go_only_with_the_right(scene: DerivingScene) -> None:
    def ways(*terms: Any) -> list[Any]:
        chain = grant_to(scene.hospital, "clinic", terms=terms).chain
        return [term for _, term in chain.terms() if isinstance(term, Derivations)]

    own = Derivations(to=scene.hospital.keys.ensure_derivation(right_now()).public_text)
    assert ways(MODIFY) == ways(MODIFY, own) == [own]
    assert ways() == ways(Rights(rights=(Right.EXPORT, Right.PREDICT))) == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": "Risk"}, "model-name"),
        ({"version": "1.0.0"}, "version-not-higher"),
        ({"version": "0.9.0"}, "version-not-higher"),
    ],
)
def test_names_and_versions_are_checked_at_the_partner(
    scene: DerivingScene, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        scene.derive(**options)
    assert caught.value.code == code


def test_a_new_version_derives_from_the_newest(scene: DerivingScene) -> None:
    seal_model(scene.hospital, version="2.0.0")
    accept_at(scene.clinic, grant_to(scene.hospital, "clinic", "risk@2.0.0"))
    with pytest.raises(UsageError) as caught:
        scene.derive(parent="risk@1.0.0")
    assert caught.value.code == "parent-not-newest"
    assert scene.derive(parent="risk@1.0.0", name="risk-north").exists()


def test_nothing_goes_to_an_owner_that_nobody_confirmed(scene: DerivingScene) -> None:
    record = scene.clinic.path / "trust" / f"{scene.owner_id}.json"
    record.write_bytes(record.read_bytes().replace(b'"confirmed"', b'"pending"'))
    with pytest.raises(VerificationError) as caught:
        scene.derive()
    assert caught.value.code == "owner-pending"


def test_a_partner_under_another_key_hands_in_nothing(
    scene: DerivingScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scene.derive()
    record = scene.hospital.path / "vault" / "partners" / "clinic.json"
    ward = found_partner(scene.folder, "ward")
    own, other = (home.keys.organization().public_text.encode() for home in (scene.clinic, ward))
    record.write_bytes(record.read_bytes().replace(own, other))
    with pytest.raises(VerificationError) as caught:
        scene.countersign(path)
    assert caught.value.code == "partner-key-changed"


def test_a_site_with_a_sublicense_derives_and_a_suspended_one_does_not(tmp_path: Path) -> None:
    rights = Rights(rights=(Right.MODIFY, Right.PREDICT, Right.SUBLICENSE))
    scene = DerivingScene(tmp_path, rights, EVERY_VERSION)
    ward = found_partner(tmp_path, "ward")
    enroll(scene.hospital, ward)
    (enrollment,) = scene.hospital.vault.partners.enrollments("ward", own_owner(scene.hospital))
    holder = Party(name="ward", organization=enrollment.document.organization)
    narrowed = narrow(scene.clinic, scene.granted.license_id, holder=holder, terms=[], now=right_now())
    accept(ward, read_offer(ward, narrowed.to_bytes()), now=right_now())
    pull(ward, scene.granted.package_path)
    path = scene.derive(ward)
    scene.hospital.vault.partners.suspend("ward")
    with pytest.raises(VerificationError) as caught:
        scene.countersign(path)
    assert caught.value.code == "partner-suspended"
    scene.hospital.vault.partners.resume("ward")
    done = scene.countersign(path)
    assert (done.holder, done.license[:4]) == ("ward", "sub-")


def test_what_the_broker_announced_stops_a_derivation(scene: DerivingScene) -> None:
    signed = revoke(scene.hospital, scene.granted.license_id, reason="over", now=right_now())
    scene.clinic.leases.add_notices(scene.owner_id, revocations=[signed.token])
    with pytest.raises(LicenseDenied) as caught:
        scene.derive()
    assert caught.value.code == "revoked"


def test_a_withdrawn_parent_is_derived_from_by_nobody(scene: DerivingScene) -> None:
    path = scene.derive()
    signed = withdraw_version(scene.hospital, "risk@1.0.0", permits=None, reason="wrong", now=right_now())
    with pytest.raises(LicenseDenied) as caught:
        scene.countersign(path)
    assert caught.value.code == "version-withdrawn"
    scene.clinic.leases.add_notices(scene.owner_id, withdrawals=[signed.token])
    with pytest.raises(LicenseDenied) as caught:
        scene.derive()
    assert caught.value.code == "version-withdrawn"
