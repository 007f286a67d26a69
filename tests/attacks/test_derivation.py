"""A derived model is nobody's until its owner countersigned it, and no owner signs what it should not."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom._encoding import from_base64, to_base64
from strongroom.crypto import dsse
from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    LicenseDenied,
    UnsupportedError,
    UsageError,
    VerificationError,
)
from strongroom.founding import own_owner
from strongroom.keys.owner import Role
from strongroom.license.derivation import DerivationRecord
from strongroom.license.documents import Derivation
from strongroom.license.request import Right
from strongroom.license.signing import read_unverified
from strongroom.license.terms import PackageChoice, Packages, Rights
from strongroom.opening import open_model
from strongroom.package import tail
from strongroom.package.contents import Loader
from strongroom.package.layout import FileKind, trailer_to_bytes
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import PAYLOAD_TYPE, Statement
from strongroom.revoking import revoke
from strongroom.storage.local import LocalSource
from strongroom.storage.memory import MemorySource
from tests.derivations import EVERY_VERSION, MODIFY, DerivingScene, skops_bytes
from tests.parties import accept_at, enroll, found_owner, found_partner, grant_to, right_now, seal_model


@pytest.fixture
def scene(tmp_path: Path) -> DerivingScene:
    return DerivingScene(tmp_path)


def refused(scene: DerivingScene, path: Path, *kinds: type[Error], **options: Any) -> Error:
    """Hand a file in; the owner refuses, and nothing of it is left in its home."""
    before = _everything(scene.hospital.path)
    with pytest.raises(kinds) as caught:
        scene.countersign(path, **options)
    assert _everything(scene.hospital.path) == before
    return caught.value


def _everything(folder: Path) -> dict[str, bytes]:
    kept = ("packages", "vault")
    return {
        str(path): path.read_bytes() for each in kept for path in (folder / each).rglob("*") if path.is_file()
    }


def read(path: Path) -> tuple[bytes, DerivationRecord]:
    """Return the bytes before the record of a derivation file, and the record."""
    with LocalSource(path) as source:
        record = tail.read_derivation_record(source)
    return path.read_bytes()[: -len(record) - 32], DerivationRecord.from_bytes(record)


def opens_nowhere(scene: DerivingScene, data: bytes) -> None:
    """Try a file where a package of the clinic's lies, and with the owner's keys."""
    owner = own_owner(scene.hospital)
    with pytest.raises((FormatError, VerificationError)):
        PackageReader.open(MemorySource(data), owner.keys_for(Role.PACKAGE, right_now()), owner=owner.id)
    place = scene.clinic.catalog.packages.find(scene.owner_id, "risk").path
    place.write_bytes(data)
    with pytest.raises((FormatError, VerificationError)):
        open_model(scene.clinic, "risk", now=right_now())


def test_an_honest_derivation_is_countersigned_and_opens(scene: DerivingScene) -> None:
    done = scene.countersign(scene.forge())
    accept_at(scene.clinic, grant_to(scene.hospital, "clinic", "risk@1.1.0"))
    statement = open_model(scene.clinic, "risk@1.1.0", license_id=_newest(scene), now=right_now()).statement
    assert statement.package_digest == done.package
    assert statement.parent == scene.seal.package_digest


def _newest(scene: DerivingScene) -> str:
    licenses = {each.license for each in scene.hospital.vault.grants.all()} - {scene.granted.license_id}
    return licenses.pop()


def test_a_derived_model_does_not_open_before_it_is_countersigned(scene: DerivingScene) -> None:
    opens_nowhere(scene, scene.derive().read_bytes())


def test_a_derived_model_in_the_clothes_of_a_package_does_not_open(scene: DerivingScene) -> None:
    body, record = read(scene.derive())
    for end in (record.to_bytes(), b'{"payload":"","payloadType":"","signatures":[]}'):
        opens_nowhere(scene, FileKind.PACKAGE.header + body[32:] + end + trailer_to_bytes(len(end)))


def test_a_derived_model_that_its_partner_signed_as_a_package_does_not_open(scene: DerivingScene) -> None:
    path = scene.derive()
    body, record = read(path)
    statement = Statement.from_bytes(_statement(record))
    secret = scene.clinic.keys.organization().secret
    signed = dsse.sign(statement.to_bytes(), PAYLOAD_TYPE, [secret]).to_bytes()
    opens_nowhere(scene, FileKind.PACKAGE.header + body[32:] + signed + trailer_to_bytes(len(signed)))


def _statement(record: DerivationRecord) -> bytes:
    return from_base64(record.statement)


@pytest.mark.parametrize(
    "rights", [(Right.PREDICT,), (Right.EXPORT, Right.PREDICT)], ids=["predict", "export"]
)
def test_nobody_derives_without_the_right(tmp_path: Path, rights: tuple[Right, ...]) -> None:
    scene = DerivingScene(tmp_path, Rights(rights=rights), EVERY_VERSION)
    with pytest.raises(LicenseDenied):
        scene.derive()
    assert refused(scene, scene.forge(), LicenseDenied).code == "right-not-granted"


def test_nobody_derives_under_a_license_that_has_ended_or_was_revoked(scene: DerivingScene) -> None:
    late = right_now() + timedelta(days=3660)
    path = scene.forge(statement={"created_at": late})
    assert refused(scene, path, LicenseDenied, now=late).code == "expired"
    ready = scene.derive()
    revoke(scene.hospital, scene.granted.license_id, reason="the contract ended", now=right_now())
    assert refused(scene, ready, LicenseDenied).code == "revoked"


def test_a_derivation_dated_before_the_license_or_in_the_future_is_refused(scene: DerivingScene) -> None:
    early = right_now() - timedelta(days=30)
    path = scene.forge(statement={"created_at": early})
    assert refused(scene, path, LicenseDenied).code == "clock-set-back"
    soon = right_now() + timedelta(hours=1)
    path = scene.forge(statement={"created_at": soon})
    assert refused(scene, path, VerificationError).code == "derivation-not-yet"


def test_another_organization_derives_nothing_under_a_license(scene: DerivingScene) -> None:
    competitor = found_partner(scene.folder, "competitor")
    enroll(scene.hospital, competitor)
    path = scene.forge(signer=competitor.keys.organization())
    assert refused(scene, path, VerificationError).code == "wrong-signer"
    for folder in ("licenses", "packages"):
        shutil.copytree(scene.clinic.path / folder, competitor.path / folder, dirs_exist_ok=True)
    with pytest.raises(UsageError) as stolen:
        scene.derive(competitor)
    assert stolen.value.code == "wrong-holder"


def test_a_suspended_partner_hands_in_nothing(scene: DerivingScene) -> None:
    path = scene.derive()
    scene.hospital.vault.partners.suspend("clinic")
    assert refused(scene, path, VerificationError).code == "partner-suspended"


def test_a_derivation_without_acceptance_is_refused(scene: DerivingScene) -> None:
    path = scene.forge(record={"acceptances": ()})
    assert refused(scene, path, LicenseDenied).code == "not-accepted"


def test_another_parent_is_refused(tmp_path: Path) -> None:
    only = Packages(packages=(PackageChoice(name="risk"),))
    scene = DerivingScene(tmp_path, MODIFY, only)
    fraud = seal_model(scene.hospital, "fraud")
    path = scene.forge(
        statement={"parent": fraud.package_digest, "previous": fraud.package_digest, "name": "fraud"}
    )
    assert refused(scene, path, LicenseDenied).code == "package-not-licensed"
    path = scene.forge(statement={"parent": "00" * 32})
    assert refused(scene, path, VerificationError).code == "unknown-parent"


def test_a_parent_edited_after_signing_is_refused(scene: DerivingScene) -> None:
    body, record = read(scene.forge())
    edited = dataclasses.replace(Statement.from_bytes(_statement(record)), parent="00" * 32)
    other = msgspec.structs.replace(record, statement=to_base64(edited.to_bytes())).to_bytes()
    path = scene.folder / "edited.derived"
    path.write_bytes(body + other + trailer_to_bytes(len(other), FileKind.DERIVED))
    assert refused(scene, path, VerificationError).code == "wrong-package"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"version": "1.2.0"}, "wrong-statement"),
        ({"name": "other"}, "wrong-statement"),
        ({"package_id": "00" * 16}, "wrong-statement"),
    ],
)
def test_a_statement_that_says_something_else_than_was_signed_is_refused(
    scene: DerivingScene, document: dict[str, str], code: str
) -> None:
    assert refused(scene, scene.forge(document=document), VerificationError).code == code


def test_who_derives_cannot_change_the_agreement(scene: DerivingScene) -> None:
    path = scene.forge(statement={"agreement": "11" * 32})
    assert refused(scene, path, VerificationError).code == "wrong-statement"


@pytest.mark.parametrize(
    ("version", "code"),
    [((1, 0, 0), "derivation-outdated"), ((0, 9, 0), "derivation-outdated")],
)
def test_a_version_cannot_go_back(scene: DerivingScene, version: tuple[int, int, int], code: str) -> None:
    path = scene.forge(statement={"version": Version(*version)})
    assert refused(scene, path, UsageError).code == code


def test_a_derivation_of_an_old_version_does_not_take_back_a_newer_one(scene: DerivingScene) -> None:
    path = scene.forge(statement={"version": Version(3, 0, 0)})
    seal_model(scene.hospital, version="2.0.0")
    assert refused(scene, path, UsageError).code == "derivation-outdated"


def test_a_derivation_does_not_take_the_name_or_the_id_of_another_model(scene: DerivingScene) -> None:
    seal_model(scene.hospital, "fraud")
    path = scene.forge(statement={"name": "fraud", "version": Version(9, 0, 0), "previous": None})
    assert refused(scene, path, UsageError).code == "name-taken"
    path = scene.forge(statement={"package_id": scene.seal.package_id})
    assert refused(scene, path, VerificationError).code == "package-id-taken"
    path = scene.forge(statement={"name": "new"})
    assert refused(scene, path, UsageError).code == "derivation-outdated"


class _Runs:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch /tmp/strongroom-was-here",)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"risk.skops": skops_bytes(), "setup.py": b"print(1)"}, "runs-code-on-load"),
        ({"risk.skops": skops_bytes(), "weights.bin": pickle.dumps(_Runs())}, "runs-code-on-load"),
        ({"risk.pkl": pickle.dumps(_Runs())}, "unknown-model"),
        ({"a.skops": skops_bytes(), "b.skops": skops_bytes()}, "unknown-model"),
        ({"risk.skops": pickle.dumps(_Runs())}, "runs-code-on-load"),
    ],
    ids=["python", "pickle", "pickle alone", "two models", "pickle as skops"],
)
def test_contents_that_run_code_are_refused(scene: DerivingScene, files: dict[str, bytes], code: str) -> None:
    assert refused(scene, scene.forge(files=files), UnsupportedError).code == code


def test_types_that_could_run_code_are_refused(scene: DerivingScene) -> None:
    loader = Loader(name="skops", entry="risk.skops", options={"trust": ["os.system"]})
    assert refused(scene, scene.forge(loader=loader), FormatError).code == "derived-contents"
    other = Loader(name="python", entry="risk.skops")
    assert refused(scene, scene.forge(loader=other), UnsupportedError).code == "unknown-model"


def test_one_flipped_byte_anywhere_is_refused(scene: DerivingScene) -> None:
    path = scene.derive()
    data = path.read_bytes()
    damaged = scene.folder / "damaged.derived"
    for position in {0, 31, 40, len(data) // 2, len(data) - 1, len(data) - 40, *range(32, len(data), 997)}:
        changed = bytearray(data)
        changed[position] ^= 1
        damaged.write_bytes(changed)
        refused(scene, damaged, FormatError, VerificationError, IntegrityError, UnsupportedError)
    damaged.write_bytes(data)
    scene.countersign(damaged)


def test_a_file_that_changes_after_it_was_looked_at_is_not_signed(scene: DerivingScene) -> None:
    path = scene.derive()

    def change(_: object) -> None:
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        with path.open("r+b") as file:
            file.write(data)

    assert refused(scene, path, IntegrityError, agree=change).code == "segment-digest"


def test_a_derivation_cannot_be_replayed_under_another_license(scene: DerivingScene) -> None:
    other = grant_to(scene.hospital, "clinic", terms=(MODIFY, EVERY_VERSION))
    accept_at(scene.clinic, other)
    path = scene.forge(granted=other, document={"license": scene.granted.license_id})
    assert refused(scene, path, VerificationError).code == "wrong-license"
    body, record = read(scene.forge())
    theirs = read(scene.forge(granted=other))[1]
    moved = msgspec.structs.replace(record, license=theirs.license, acceptances=theirs.acceptances).to_bytes()
    replayed = scene.folder / "replayed.derived"
    replayed.write_bytes(body + moved + trailer_to_bytes(len(moved), FileKind.DERIVED))
    assert refused(scene, replayed, VerificationError).code == "wrong-license"


def test_a_key_wrapped_for_something_else_is_refused(scene: DerivingScene) -> None:
    theirs = read(scene.forge())[1]
    wrapped = read_unverified(theirs.derivation, Derivation).wrapped_key
    refused(scene, scene.forge(document={"wrapped_key": wrapped}), IntegrityError)


def test_an_owner_never_signs_a_statement_that_names_another_owner(scene: DerivingScene) -> None:
    other = found_owner(scene.folder, "other")
    theirs = own_owner(other).id
    path = scene.forge(statement={"owner": theirs})
    assert refused(scene, path, VerificationError).code == "wrong-owner"
    path = scene.forge(statement={"owner": theirs}, document={"owner": scene.owner_id})
    assert refused(scene, path, VerificationError).code == "wrong-owner"


def test_a_refusal_by_a_person_signs_nothing(scene: DerivingScene) -> None:
    def no(_: object) -> None:
        raise UsageError("no", code="declined")

    assert refused(scene, scene.derive(), UsageError, agree=no).code == "declined"


def test_a_stranger_cannot_read_a_derived_model(scene: DerivingScene) -> None:
    marker = b"a line of text that only the owner may read"
    data = scene.forge(files={"risk.skops": skops_bytes(), "notes.txt": marker}).read_bytes()
    assert marker not in data
    assert b"notes.txt" not in data
    assert b"risk.skops" not in data
