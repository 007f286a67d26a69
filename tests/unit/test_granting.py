"""Granting licenses and their key files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.accepting import accept, narrow, pull, read_offer
from strongroom.enrolling import invite, join, receive
from strongroom.errors import LicenseDenied, ObjectNotFound, UsageError, VerificationError
from strongroom.founding import own_owner
from strongroom.granting import grant, release_for_site
from strongroom.home.home import Home
from strongroom.keys.owner import Role
from strongroom.license.documents import OfflineFile, Party
from strongroom.license.license_file import LicenseFile
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Right
from strongroom.license.signing import read_unverified
from strongroom.license.terms import Expires, Offline, Predictions, Rights
from strongroom.opening import open_model
from strongroom.revoking import renewed_files, withdraw_version
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

PHRASE = "seven lamps over a quiet harbour"


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
    return [
        entry.limit for each in offline for entry in each.budget if entry.counter is CounterName.PREDICTIONS
    ]


def second_runtime(tmp_path: Path, hospital: Home, clinic: Home) -> Home:
    """Another machine of the clinic: the same organization key, other runtime keys."""
    other = Home.create("clinic", tmp_path / "second")
    for name in ("organization.key", "member.key"):
        target = other.path / "keys" / name
        target.write_bytes((clinic.path / "keys" / name).read_bytes())
        target.chmod(0o600)
    now = right_now()
    joined = join(other, invite(hospital, "clinic", expires_at=now + timedelta(days=1), now=now), now=now)
    receive(hospital, joined.file, now=now)
    other.trust.confirm(joined.owner.id)
    return other


def test_a_license_says_what_was_left_out(hospital: Home, clinic: Home) -> None:
    granted = grant_to(hospital, "clinic")
    tags = sorted(str(term.tag) for term in granted.chain.license.terms)
    assert tags == ["expires", "levels", "offline", "packages", "rights"]
    assert granted.not_after <= right_now() + timedelta(days=366)
    assert hospital.vault.grants.license_file(granted.license_id) == granted.file


def test_a_pending_partner_gets_nothing(tmp_path: Path, hospital: Home) -> None:
    other = found_partner(tmp_path, "other")
    now = right_now()
    joined = join(other, invite(hospital, "other", expires_at=now + timedelta(days=1), now=now), now=now)
    receive(hospital, joined.file, now=now)
    with pytest.raises(VerificationError) as caught:
        grant_to(hospital, "other")
    assert caught.value.code == "partner-pending"


def test_a_suspended_partner_gets_nothing(hospital: Home, clinic: Home) -> None:
    hospital.vault.partners.suspend("clinic")
    with pytest.raises(VerificationError) as caught:
        grant_to(hospital, "clinic")
    assert caught.value.code == "partner-suspended"


@pytest.mark.parametrize("model", ["other", "risk@9.0.0"])
def test_what_was_never_sealed_cannot_be_granted(hospital: Home, clinic: Home, model: str) -> None:
    with pytest.raises(ObjectNotFound):
        grant_to(hospital, "clinic", model)


def test_the_shares_of_all_runtimes_are_the_whole_limit(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    second_runtime(tmp_path, hospital, clinic)
    granted = grant_to(hospital, "clinic", terms=[Predictions(limit=101, per=Period.MONTH)])
    assert len(granted.runtimes) == 2
    assert sorted(budgets(granted.file)) == [50, 51]


def test_a_limit_smaller_than_the_number_of_runtimes_is_refused(
    tmp_path: Path, hospital: Home, clinic: Home
) -> None:
    second_runtime(tmp_path, hospital, clinic)
    with pytest.raises(LicenseDenied):
        grant_to(hospital, "clinic", terms=[Predictions(limit=1, per=Period.TOTAL)])
    assert hospital.vault.grants.all() == []


def _release_of(home: Home) -> str:
    release = open_model(home, "risk", now=right_now()).release
    assert release is not None
    return release.id


def test_each_runtime_opens_with_its_own_file(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    second = second_runtime(tmp_path, hospital, clinic)
    granted = grant_to(hospital, "clinic")
    releases = set()
    for home in (clinic, second):
        accept_at(home, granted)
        releases.add(_release_of(home))
    assert len(releases) == 2


def test_a_passphrase_file_is_for_whoever_knows_it(hospital: Home, clinic: Home) -> None:
    granted = grant(hospital, "clinic", "risk", passphrase=lambda: PHRASE, now=right_now())
    assert granted.runtimes == ()
    accept_at(clinic, granted)
    assert _release_of(clinic).startswith("pwd-")


def test_a_weak_passphrase_is_refused(hospital: Home, clinic: Home) -> None:
    with pytest.raises(UsageError) as caught:
        grant(hospital, "clinic", "risk", passphrase=lambda: "hospital1", now=right_now())
    assert caught.value.code == "passphrase-weak"


def test_nothing_counted_goes_under_a_passphrase(hospital: Home, clinic: Home) -> None:
    with pytest.raises(LicenseDenied) as caught:
        grant(
            hospital,
            "clinic",
            "risk",
            terms=[Predictions(limit=5, per=Period.DAY)],
            passphrase=lambda: PHRASE,
            now=right_now(),
        )
    assert caught.value.code == "passphrase-counted"


def test_an_offline_file_never_outlives_its_license(hospital: Home, clinic: Home) -> None:
    end = right_now() + timedelta(days=3, minutes=1)
    granted = grant_to(hospital, "clinic", terms=[Expires(at=end)])
    assert granted.not_after == end


def test_the_agreement_of_the_package_is_used_unless_another_is_given(
    tmp_path: Path, clinic: Home, hospital: Home
) -> None:
    from strongroom.sealing import seal

    seal(trained_pipeline(), name="careful", home=hospital, agreement="Be careful.\n")
    assert LicenseFile.from_bytes(grant_to(hospital, "clinic", "careful").file).agreement == "Be careful.\n"
    other = grant_to(hospital, "clinic", "careful", agreement="Be very careful.\n")
    assert LicenseFile.from_bytes(other.file).agreement == "Be very careful.\n"


def test_a_site_opens_a_narrowed_license_with_a_key_from_the_owner(
    tmp_path: Path, hospital: Home, clinic: Home
) -> None:
    terms = [
        Rights(rights=(Right.PREDICT, Right.SUBLICENSE)),
        Offline(hours=100, files=3),
        Predictions(limit=100, per=Period.TOTAL),
    ]
    granted = grant_to(hospital, "clinic", terms=[*terms])
    accept_at(clinic, granted)
    site = found_partner(tmp_path, "site")
    enroll(hospital, site)
    holder = Party(name="site", organization=site.keys.organization().public_text)
    narrowed = narrow(
        clinic,
        granted.license_id,
        holder=holder,
        terms=[Predictions(limit=10, per=Period.DAY)],
        now=right_now(),
    )
    (enrollment,) = hospital.vault.partners.enrollments("site", own_owner(hospital))
    # The clinic's own file has a third of the 100, because three may be made.
    assert budgets(granted.file) == [33]
    complete = release_for_site(hospital, narrowed.to_bytes(), enrollment, "risk", now=right_now())
    assert sorted(budgets(complete)) == [10, 33]


def test_a_site_finds_nothing_where_everything_was_carved_out(
    tmp_path: Path, hospital: Home, clinic: Home
) -> None:
    terms = [
        Rights(rights=(Right.PREDICT, Right.SUBLICENSE)),
        Offline(hours=100, files=2),
        Predictions(limit=1, per=Period.TOTAL),
    ]
    with pytest.raises(LicenseDenied) as caught:
        grant_to(hospital, "clinic", terms=terms)
    assert caught.value.code == "predictions-used-up"


def test_a_site_gets_keys_for_itself_only(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    terms = [Rights(rights=(Right.PREDICT, Right.SUBLICENSE)), Offline(hours=100, files=3)]
    granted = grant_to(hospital, "clinic", terms=terms)
    accept_at(clinic, granted)
    site = found_partner(tmp_path, "site")
    enroll(hospital, site)
    holder = Party(name="site", organization=site.keys.organization().public_text)
    narrowed = narrow(
        clinic,
        granted.license_id,
        holder=holder,
        terms=[Predictions(limit=10, per=Period.DAY)],
        agreement="For the site.\n",
        now=right_now(),
    ).to_bytes()
    owner = own_owner(hospital)
    (foreign,) = hospital.vault.partners.enrollments("clinic", owner)
    with pytest.raises(UsageError) as caught:
        release_for_site(hospital, narrowed, foreign, "risk", now=right_now())
    assert caught.value.code == "wrong-holder"

    (enrollment,) = hospital.vault.partners.enrollments("site", owner)
    complete = release_for_site(hospital, narrowed, enrollment, "risk", now=right_now())
    accept(site, read_offer(site, complete), now=right_now())
    pull(site, granted.package_path)
    opening = open_model(site, "risk", now=right_now())
    assert len(opening.chain.documents) == 2
    assert min(opening.allowed.remaining.values()) == 10
    # A second one replaces the note in the ledger, and counts what is out.
    with pytest.raises(LicenseDenied):
        release_for_site(hospital, complete, enrollment, "risk", now=right_now())


def test_what_is_out_counts_for_the_next_file(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    terms = [Rights(rights=(Right.PREDICT, Right.SUBLICENSE)), Offline(hours=100, files=2)]
    granted = grant_to(hospital, "clinic", terms=terms)
    accept_at(clinic, granted)
    site = found_partner(tmp_path, "site")
    enroll(hospital, site)
    holder = Party(name="site", organization=site.keys.organization().public_text)
    narrowed = narrow(clinic, granted.license_id, holder=holder, terms=[], now=right_now()).to_bytes()
    (enrollment,) = hospital.vault.partners.enrollments("site", own_owner(hospital))
    complete = release_for_site(hospital, narrowed, enrollment, "risk", now=right_now())
    with pytest.raises(LicenseDenied) as caught:
        release_for_site(hospital, complete, enrollment, "risk", now=right_now())
    assert caught.value.code == "offline-files"


def test_a_withdrawal_is_signed_by_the_license_key(hospital: Home) -> None:
    seal_model(hospital)
    signed = withdraw_version(hospital, "risk", permits="1.0.0", reason="wrong unit", now=right_now())
    assert (signed.document.version, signed.document.permits) == ("1.1.0", "1.0.0")
    owner = own_owner(hospital)
    owner.verify_token(signed.token, signed.document.typ(), Role.LICENSE, signed.document.issued_at)


def test_a_withdrawn_version_is_not_granted_and_the_next_file_says_so(hospital: Home, clinic: Home) -> None:
    before = grant_to(hospital, "clinic")
    seal_model(hospital)
    signed = withdraw_version(hospital, "risk@1.1.0", permits="1.0.0", reason="wrong unit", now=right_now())
    with pytest.raises(UsageError) as caught:
        grant_to(hospital, "clinic", "risk@1.1.0")
    assert caught.value.code == "version-withdrawn"
    assert LicenseFile.from_bytes(grant_to(hospital, "clinic", "risk@1.0.0").file).withdrawals == (
        signed.token,
    )
    ((noted, data),) = renewed_files(hospital, signed)
    assert noted.license == before.license_id
    assert LicenseFile.from_bytes(data).withdrawals == (signed.token,)
    assert renewed_files(hospital, signed) == []


def test_a_runtime_goes_back_after_a_withdrawal_and_not_before(hospital: Home, clinic: Home) -> None:
    old = grant_to(hospital, "clinic")
    accept_at(clinic, old)
    seal_model(hospital)
    new = grant_to(hospital, "clinic")
    accept_at(clinic, new)
    opening = open_model(clinic, "risk@1.1.0", now=right_now())
    clinic.marks.reserve(opening.chain, opening.request, opening.facts, right_now())
    with pytest.raises(LicenseDenied) as caught:
        open_model(clinic, "risk@1.0.0", now=right_now())
    assert caught.value.code == "version-rollback"

    signed = withdraw_version(hospital, "risk@1.1.0", permits="1.0.0", reason="wrong unit", now=right_now())
    for _, data in renewed_files(hospital, signed):
        accept(clinic, read_offer(clinic, data), now=right_now())
    assert str(open_model(clinic, "risk@1.0.0", now=right_now()).statement.version) == "1.0.0"
    with pytest.raises(LicenseDenied) as caught:
        open_model(clinic, "risk@1.1.0", now=right_now())
    assert caught.value.code == "version-withdrawn"


def test_only_a_sealed_version_is_permitted_again(hospital: Home) -> None:
    with pytest.raises(ObjectNotFound):
        withdraw_version(hospital, "risk", permits="0.9.0", reason="wrong unit", now=right_now())
