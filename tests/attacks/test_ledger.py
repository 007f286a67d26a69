"""Attacks by a partner on what the owner remembers of the key files that are out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from strongroom.accepting import narrow
from strongroom.errors import LicenseDenied
from strongroom.founding import own_owner
from strongroom.granting import release_for_site
from strongroom.home.home import Home
from strongroom.license.documents import OfflineFile, Party
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Offline, Predictions, Rights
from tests.parties import accept_at, enroll, found_owner, found_partner, grant_to, right_now, seal_model


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


def budgets(file: bytes) -> list[int]:
    offline = [read_unverified(token, OfflineFile) for token in LicenseFile.from_bytes(file).offline]
    return [entry.limit for each in offline for entry in each.budget]


def _narrowed(tmp_path: Path, hospital: Home, clinic: Home, files: int) -> tuple[Home, LicenseFile]:
    terms = [
        Rights(rights=(Right.PREDICT, Right.SUBLICENSE)),
        Offline(hours=100, files=files),
        Predictions(limit=99, per=Period.TOTAL),
    ]
    granted = grant_to(hospital, "clinic", terms=terms)
    accept_at(clinic, granted)
    site = found_partner(tmp_path, "site")
    enroll(hospital, site)
    holder = Party(name="site", organization=site.keys.organization().public_text)
    return site, narrow(clinic, granted.license_id, holder=holder, terms=[], now=right_now())


def test_what_a_partner_sends_does_not_change_what_is_out(
    tmp_path: Path, hospital: Home, clinic: Home
) -> None:
    """The same narrowed file again, without the key files made before, gives no share a second time."""
    _, narrowed = _narrowed(tmp_path, hospital, clinic, files=3)
    (enrollment,) = hospital.vault.partners.enrollments("site", own_owner(hospital))
    out = [33]
    for _ in range(2):
        complete = release_for_site(hospital, narrowed.to_bytes(), enrollment, "risk", now=right_now())
        out.append(budgets(complete)[-1])
    assert sum(out) <= 99
    with pytest.raises(LicenseDenied) as caught:
        release_for_site(hospital, narrowed.to_bytes(), enrollment, "risk", now=right_now())
    assert caught.value.code == "offline-files"


def test_a_partner_cannot_spoil_the_ledger(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    _, narrowed = _narrowed(tmp_path, hospital, clinic, files=3)
    (enrollment,) = hospital.vault.partners.enrollments("site", own_owner(hospital))
    poisoned = msgspec.structs.replace(narrowed, offline=("garbage.token.x",))
    first = release_for_site(hospital, poisoned.to_bytes(), enrollment, "risk", now=right_now())
    assert len(LicenseFile.from_bytes(first).offline) == 1
    second = release_for_site(hospital, narrowed.to_bytes(), enrollment, "risk", now=right_now())
    assert len(LicenseFile.from_bytes(second).offline) == 2
