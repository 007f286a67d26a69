"""How an owner and a partner meet."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.enrolling import approve, confirm, invite, join, own_fingerprint, receive
from strongroom.errors import FormatError, ObjectNotFound, UsageError, VerificationError
from strongroom.home.home import Home
from strongroom.home.partners import PartnerStatus
from strongroom.home.trust import TrustStatus
from strongroom.keys.invite import BrokerAddress, verify_invite
from tests.parties import found_owner, found_partner, right_now

WEEK = timedelta(days=7)


@pytest.fixture
def hospital(tmp_path: Path) -> Home:
    return found_owner(tmp_path, "hospital")


@pytest.fixture
def clinic(tmp_path: Path) -> Home:
    return found_partner(tmp_path, "clinic")


def make_invite(owner: Home, partner: str = "clinic") -> bytes:
    return invite(owner, partner, expires_at=right_now() + WEEK, now=right_now())


def test_both_sides_stay_pending_until_they_compared(hospital: Home, clinic: Home) -> None:
    joined = join(clinic, make_invite(hospital), now=right_now())
    assert joined.owner.status is TrustStatus.PENDING
    enrollment = receive(hospital, joined.file, now=right_now())
    assert hospital.vault.partners.get("clinic").status is PartnerStatus.PENDING
    assert joined.fingerprint == enrollment.fingerprint == own_fingerprint(clinic, joined.owner)

    assert approve(hospital, enrollment, joined.fingerprint.lower()).status is PartnerStatus.APPROVED
    assert confirm(clinic, joined.owner, enrollment.fingerprint).status is TrustStatus.CONFIRMED


def test_an_invite_says_where_the_broker_is(hospital: Home, clinic: Home) -> None:
    authority = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    address = BrokerAddress(url="https://broker.hospital.example:8443", ca=authority)
    data = invite(hospital, "clinic", expires_at=right_now() + WEEK, now=right_now(), broker=address)
    assert verify_invite(data, right_now()).document.broker == address
    assert verify_invite(make_invite(hospital), right_now()).document.broker is None
    assert join(clinic, data, now=right_now()).partner == "clinic"


def test_a_wrong_fingerprint_approves_and_confirms_nothing(hospital: Home, clinic: Home) -> None:
    joined = join(clinic, make_invite(hospital), now=right_now())
    enrollment = receive(hospital, joined.file, now=right_now())
    for attempt in (
        lambda: approve(hospital, enrollment, "0000-0000-0000-0000-0000"),
        lambda: confirm(clinic, joined.owner, "0000-0000-0000-0000-0000"),
    ):
        with pytest.raises(VerificationError) as caught:
            attempt()
        assert caught.value.code == "fingerprint-mismatch"
    with pytest.raises(FormatError):
        approve(hospital, enrollment, "yes")
    assert hospital.vault.partners.get("clinic").status is PartnerStatus.PENDING
    assert clinic.trust.get(joined.owner.id).status is TrustStatus.PENDING


def test_joining_again_keeps_the_keys_and_the_confirmation(hospital: Home, clinic: Home) -> None:
    data = make_invite(hospital)
    first = join(clinic, data, now=right_now())
    confirm(clinic, first.owner, first.fingerprint)
    second = join(clinic, data, now=right_now(), alias="st-georg")
    assert second.owner.status is TrustStatus.CONFIRMED
    assert second.owner.alias == "st-georg"
    assert (second.file, second.fingerprint) == (first.file, first.fingerprint)
    other = join(clinic, make_invite(hospital), now=right_now())
    assert other.fingerprint != first.fingerprint
    runtimes = {receive(hospital, each.file, now=right_now()).document.runtime for each in (first, other)}
    assert len(runtimes) == 1


def test_an_owner_does_not_join_itself(hospital: Home) -> None:
    with pytest.raises(UsageError) as caught:
        join(hospital, make_invite(hospital), now=right_now())
    assert caught.value.code == "own-invite"


def test_only_an_owner_invites(clinic: Home) -> None:
    with pytest.raises(UsageError) as caught:
        make_invite(clinic, "north")
    assert caught.value.code == "not-an-owner"


def test_an_expired_invite_is_refused(hospital: Home, clinic: Home) -> None:
    with pytest.raises(VerificationError) as caught:
        join(clinic, make_invite(hospital), now=right_now() + WEEK)
    assert caught.value.code == "invite-expired"
    assert clinic.trust.all() == []


def test_an_enrollment_toward_another_owner_is_refused(tmp_path: Path, hospital: Home, clinic: Home) -> None:
    joined = join(clinic, make_invite(hospital), now=right_now())
    with pytest.raises(VerificationError):
        receive(found_owner(tmp_path, "other"), joined.file, now=right_now())


def test_there_is_no_fingerprint_before_joining(hospital: Home, clinic: Home) -> None:
    owner_id = hospital.vault.verify_owner_id()
    pinned = clinic.trust.pin(hospital.trust.get(owner_id).owner.chain)
    with pytest.raises(ObjectNotFound):
        own_fingerprint(clinic, pinned)
