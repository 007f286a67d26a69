"""Everything that must hold before anything is decrypted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from strongroom.accepting import accept, read_offer
from strongroom.errors import Error, LicenseDenied, ObjectNotFound, VerificationError
from strongroom.founding import rotate
from strongroom.home.home import Home
from strongroom.keys.owner import Role
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import Period
from strongroom.license.request import Level, Right
from strongroom.license.terms import Expires, Levels, Predictions, Purpose
from strongroom.opening import open_model
from strongroom.sealing import seal
from tests.parties import (
    accept_at,
    enroll,
    found_owner,
    found_partner,
    grant_to,
    right_now,
    seal_model,
    trained_pipeline,
)


@pytest.fixture
def hospital(tmp_path: Path) -> Home:
    home = found_owner(tmp_path, "hospital")
    seal_model(home)
    return home


@pytest.fixture
def clinic(tmp_path: Path, hospital: Home) -> Home:
    home = found_partner(tmp_path, "clinic")
    enroll(hospital, home)
    return home


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(Error) as caught:
        attempt()
    assert str(caught.value)
    return caught.value.code


def test_a_licensed_model_opens_by_name_version_owner_and_path(hospital: Home, clinic: Home) -> None:
    granted = grant_to(hospital, "clinic")
    accept_at(clinic, granted)
    owner_id = hospital.vault.verify_owner_id()
    for reference in (
        "risk",
        "risk@1.0.0",
        "hospital/risk",
        f"{owner_id}/risk@1.0.0",
        str(granted.package_path),
    ):
        opening = open_model(clinic, reference, now=right_now())
        assert opening.chain.id == granted.license_id
        assert opening.statement.package_digest == opening.request.package_digest


def test_nothing_opens_without_an_acceptance(hospital: Home, clinic: Home) -> None:
    granted = grant_to(hospital, "clinic")
    accept_at(clinic, granted)
    (
        clinic.path / "licenses" / hospital.vault.verify_owner_id() / f"{granted.license_id}.acceptance"
    ).unlink()
    assert refusal(lambda: open_model(clinic, "risk", now=right_now())) == "not-accepted"


def test_a_license_without_its_package_says_so(hospital: Home, clinic: Home) -> None:
    accept(clinic, read_offer(clinic, grant_to(hospital, "clinic").file), now=right_now())
    assert refusal(lambda: open_model(clinic, "risk", now=right_now())) == "unknown-package"


def test_a_model_that_nobody_licensed_says_so(clinic: Home) -> None:
    with pytest.raises(ObjectNotFound) as caught:
        open_model(clinic, "risk", now=right_now())
    assert caught.value.code == "unknown-model"


def test_a_license_ends_at_its_instant(hospital: Home, clinic: Home) -> None:
    end = right_now() + timedelta(hours=1)
    accept_at(clinic, grant_to(hospital, "clinic", terms=[Expires(at=end)]))
    open_model(clinic, "risk", now=end - timedelta(seconds=1))
    assert refusal(lambda: open_model(clinic, "risk", now=end)) == "expired"


def test_the_newer_of_two_licenses_does_not_hide_that_both_fit(hospital: Home, clinic: Home) -> None:
    first, second = grant_to(hospital, "clinic"), grant_to(hospital, "clinic")
    accept_at(clinic, first)
    accept_at(clinic, second)
    assert refusal(lambda: open_model(clinic, "risk", now=right_now())) == "ambiguous-model"
    opening = open_model(clinic, "risk", now=right_now(), license_id=first.license_id)
    assert opening.chain.id == first.license_id


def test_a_spent_license_does_not_stand_in_the_way_of_a_good_one(hospital: Home, clinic: Home) -> None:
    small = grant_to(hospital, "clinic", terms=[Predictions(limit=5, per=Period.DAY)])
    large = grant_to(hospital, "clinic", terms=[Predictions(limit=500, per=Period.DAY)])
    accept_at(clinic, small)
    accept_at(clinic, large)
    opening = open_model(clinic, "risk", now=right_now(), license_id=small.license_id)
    spent = replace(opening.request, predictions=5)
    clinic.marks.reserve(opening.chain, spent, opening.facts, right_now())
    assert open_model(clinic, "risk", now=right_now()).chain.id == large.license_id


def test_a_license_that_is_not_here_or_covers_another_model_is_called_so(
    hospital: Home, clinic: Home
) -> None:
    accept_at(clinic, grant_to(hospital, "clinic"))
    seal_model(hospital, name="other")
    other = grant_to(hospital, "clinic", "other")
    accept_at(clinic, other)

    def open_by(license_id: str) -> str:
        return refusal(lambda: open_model(clinic, "risk", now=right_now(), license_id=license_id))

    assert open_by("lic-nope") == "unknown-license"
    assert open_by(other.license_id) == "unknown-model"


def test_an_expired_license_does_not_stand_in_the_way_of_a_good_one(hospital: Home, clinic: Home) -> None:
    short = grant_to(hospital, "clinic", terms=[Expires(at=right_now() + timedelta(minutes=1))])
    long = grant_to(hospital, "clinic")
    accept_at(clinic, short)
    accept_at(clinic, long)
    opening = open_model(clinic, "risk", now=right_now() + timedelta(hours=1))
    assert opening.chain.id == long.license_id


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"right": Right.EXPORT, "level": Level.SEALED, "purpose": "triage"}, "right-not-granted"),
        ({"level": Level.LOCAL}, "level-too-low"),
        ({"level": Level.SEALED}, "purpose-missing"),
        ({"level": Level.SEALED, "purpose": "marketing"}, "purpose-not-allowed"),
    ],
)
def test_what_the_license_does_not_allow_is_refused(
    hospital: Home, clinic: Home, keywords: dict[str, str], code: str
) -> None:
    terms = [Levels(at_least=Level.SEALED), Purpose(purposes=("triage",))]
    accept_at(clinic, grant_to(hospital, "clinic", terms=terms))
    assert refusal(lambda: open_model(clinic, "risk", now=right_now(), **keywords)) == code  # type: ignore[arg-type] # mixed values
    open_model(clinic, "risk", now=right_now(), level=Level.SEALED, purpose="triage")


def test_an_owner_that_is_pending_again_opens_nothing(hospital: Home, clinic: Home) -> None:
    accept_at(clinic, grant_to(hospital, "clinic"))
    record = clinic.path / "trust" / f"{hospital.vault.verify_owner_id()}.json"
    record.write_bytes(record.read_bytes().replace(b'"confirmed"', b'"pending"'))
    with pytest.raises(VerificationError) as caught:
        open_model(clinic, "risk", now=right_now())
    assert caught.value.code == "owner-pending"


def test_a_clock_that_was_set_back_opens_nothing(hospital: Home, clinic: Home) -> None:
    accept_at(clinic, grant_to(hospital, "clinic"))
    later = right_now() + timedelta(days=2)
    opening = open_model(clinic, "risk", now=later)
    clinic.marks.reserve(opening.chain, opening.request, opening.facts, later)
    with pytest.raises(LicenseDenied) as caught:
        open_model(clinic, "risk", now=later - timedelta(days=1))
    assert caught.value.code == "clock-set-back"


def test_a_license_from_before_a_rotation_goes_on_after_it(hospital: Home, clinic: Home) -> None:
    accept_at(clinic, grant_to(hospital, "clinic"))
    rotate(hospital, now=right_now() + timedelta(seconds=1), renew=[Role.LICENSE, Role.PACKAGE])
    later = right_now() + timedelta(seconds=2)
    seal(trained_pipeline(), name="other", home=hospital, now=later)
    second = grant_to(hospital, "clinic", "other", now=later)
    accept(clinic, read_offer(clinic, second.file), now=later)
    assert clinic.trust.get(hospital.vault.verify_owner_id()).owner.version == 2
    assert open_model(clinic, "risk", now=later).owner.version == 2


def test_another_history_of_the_owner_in_a_license_file_is_noticed(hospital: Home, clinic: Home) -> None:
    granted = grant_to(hospital, "clinic")
    accept_at(clinic, granted)
    # The owner's root signs a second version 2, as a thief of the root key would.
    before = hospital.trust.get(hospital.vault.verify_owner_id()).owner.chain
    record = hospital.path / "trust" / f"{hospital.vault.verify_owner_id()}.json"
    kept = record.read_bytes()
    rotate(hospital, now=right_now(), renew=[Role.LICENSE])
    clinic.trust.update(hospital.trust.get(hospital.vault.verify_owner_id()).owner.chain)
    record.write_bytes(kept)
    rotate(hospital, now=right_now(), renew=[Role.PACKAGE])
    forked = hospital.trust.get(hospital.vault.verify_owner_id()).owner.chain
    assert len(forked.payloads) == len(before.payloads) + 1
    file = msgspec.structs.replace(LicenseFile.from_bytes(granted.file), owner=tuple(forked.to_json()))
    with pytest.raises(VerificationError) as caught:
        read_offer(clinic, file.to_bytes())
    assert caught.value.code == "owner-fork"
