"""What a partner does with a license file and a package."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.accepting import accept, narrow, pull, read_offer
from strongroom.enrolling import confirm, invite, join, receive
from strongroom.errors import (
    FormatError,
    IntegrityError,
    ObjectNotFound,
    UsageError,
    VerificationError,
)
from strongroom.home.home import Home
from strongroom.license.documents import Party
from strongroom.license.request import Right
from strongroom.license.term import Term
from strongroom.license.terms import Expires, NotBefore, Purpose, Rights
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


def test_an_offer_shows_the_agreement_before_anything_is_kept(hospital: Home, clinic: Home) -> None:
    offer = read_offer(clinic, grant_to(hospital, "clinic", agreement="Be careful.\n").file)
    assert offer.license.agreement == "Be careful.\n"
    assert offer.has_key_for_this_runtime
    assert clinic.catalog.licenses.all() == []
    signed = accept(clinic, offer, now=right_now())
    (stored,) = clinic.catalog.licenses.all()
    assert stored.acceptance == signed.token


def test_a_license_by_an_unknown_owner_is_refused(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    stranger = found_partner(tmp_path, "stranger")
    with pytest.raises(ObjectNotFound) as caught:
        read_offer(stranger, grant_to(hospital, "clinic").file)
    assert caught.value.code == "unknown-owner"


def test_a_license_for_another_organization_is_refused(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    other = found_partner(tmp_path, "other")
    enroll(hospital, other)
    with pytest.raises(VerificationError) as caught:
        read_offer(other, grant_to(hospital, "clinic").file)
    assert caught.value.code == "wrong-holder"


def test_a_pending_owner_is_not_accepted_from(tmp_path: Path, hospital: Home) -> None:
    home = found_partner(tmp_path, "ward")
    now = right_now()
    joined = join(home, invite(hospital, "ward", expires_at=now + timedelta(days=1), now=now), now=now)
    enrollment = receive(hospital, joined.file, now=now)
    hospital.vault.partners.approve("ward", enrollment)
    granted = grant_to(hospital, "ward")
    offer = read_offer(home, granted.file)
    for attempt in (
        lambda: accept(home, offer, now=right_now()),
        lambda: pull(home, granted.package_path),
    ):
        with pytest.raises(VerificationError) as caught:
            attempt()
        assert caught.value.code == "owner-pending"
    confirm(home, joined.owner, enrollment.fingerprint)
    accept(home, offer, now=right_now())


def test_a_license_for_another_machine_says_so(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    granted = grant_to(hospital, "clinic")
    (clinic.path / "keys" / hospital.vault.verify_owner_id() / "device.key").unlink()
    clinic.keys.ensure_runtime_keys(hospital.vault.verify_owner_id(), right_now())
    assert not read_offer(Home.open(clinic.path), granted.file).has_key_for_this_runtime


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04pickle", b"[" * 10_000])
def test_anything_else_is_no_license_file(clinic: Home, data: bytes) -> None:
    with pytest.raises(FormatError):
        read_offer(clinic, data)


def test_pulling_twice_keeps_one(hospital: Home, clinic: Home) -> None:
    path = grant_to(hospital, "clinic").package_path
    seen: list[int] = []
    first = pull(clinic, path, progress=seen.append)
    assert pull(clinic, path) == first
    assert sum(seen) > 0


def test_a_second_package_of_one_version_is_refused(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    pull(clinic, grant_to(hospital, "clinic").package_path)
    # The owner loses its records and seals 1.0.0 again: two packages, one name.
    for path in (hospital.path / "vault" / "seals").iterdir():
        path.unlink()
    for path in (hospital.path / "packages").rglob("*.seal*"):
        path.unlink()
    again = seal(trained_pipeline(), name="risk", home=hospital)
    with pytest.raises(UsageError) as caught:
        pull(clinic, again.path)
    assert caught.value.code == "version-exists"


def test_a_package_with_one_flipped_byte_is_not_kept(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    data = bytearray(grant_to(hospital, "clinic").package_path.read_bytes())
    data[len(data) // 2] ^= 1
    bad = tmp_path / "risk-1.0.0.sealed"
    bad.write_bytes(data)
    with pytest.raises(IntegrityError):
        pull(clinic, bad)
    assert [path for path in (clinic.path / "packages").rglob("*") if path.is_file()] == []


def test_narrowing_needs_the_right_and_an_acceptance(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    holder = Party(name="site", organization=found_partner(tmp_path, "site").keys.organization().public_text)
    granted = grant_to(hospital, "clinic")
    with pytest.raises(ObjectNotFound):
        narrow(clinic, granted.license_id, holder=holder, terms=[], now=right_now())
    accept_at(clinic, granted)
    with pytest.raises(VerificationError) as caught:
        narrow(clinic, granted.license_id, holder=holder, terms=[], now=right_now())
    assert caught.value.code == "sublicense-not-permitted"

    wide = grant_to(hospital, "clinic", terms=[Rights(rights=(Right.PREDICT, Right.SUBLICENSE))])
    clinic.catalog.licenses.add(hospital.vault.verify_owner_id(), wide.license_id, wide.file)
    with pytest.raises(UsageError) as refused:
        narrow(clinic, wide.license_id, holder=holder, terms=[], now=right_now())
    assert refused.value.code == "not-accepted"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ([Rights(rights=(Right.EXPORT,))], "widens"),
        ([Rights(rights=(Right.EXPORT, Right.PREDICT))], "widens"),
        ([Purpose(purposes=("audit", "research"))], "widens"),
        ([Expires(at=right_now() - timedelta(days=1))], "permits-nothing"),
        ([NotBefore(at=right_now() + timedelta(days=90))], "permits-nothing"),
    ],
)
def test_a_sub_license_that_gives_what_is_not_held_or_nothing_is_not_signed(
    tmp_path: Path, hospital: Home, clinic: Home, terms: list[Term], code: str
) -> None:
    holder = Party(name="site", organization=found_partner(tmp_path, "site").keys.organization().public_text)
    held: list[Term] = [
        Rights(rights=(Right.PREDICT, Right.SUBLICENSE)),
        Purpose(purposes=("audit", "triage")),
        Expires(at=right_now() + timedelta(days=30)),
    ]
    granted = grant_to(hospital, "clinic", terms=held)
    accept_at(clinic, granted)
    with pytest.raises(UsageError) as refused:
        narrow(clinic, granted.license_id, holder=holder, terms=terms, now=right_now(), to_broker=True)
    assert refused.value.code == code
    assert clinic.outbox.waiting() == []
    within = [Rights(rights=(Right.PREDICT,)), Purpose(purposes=("audit",))]
    narrow(clinic, granted.license_id, holder=holder, terms=within, now=right_now())
