from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.introduction import (
    Enrollment,
    EnrollmentFile,
    InviteFile,
    SealingCertificate,
    fingerprint,
    make_enrollment,
    organization_id,
    runtime_id,
    verify_enrollment,
    verify_fingerprint,
    verify_invite,
    verify_stored_enrollment,
)
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.owner import CutOff, Owner, Role, rotate_owner, verify_newer
from strongroom.keys.text import KeyKind, public_to_text
from tests.unit.keys.parties import DAY, NOW, Clinic, Hospital, resign

HOSPITAL, CLINIC = Hospital(), Clinic()
OWNER = HOSPITAL.owner()
INVITE = HOSPITAL.invite(OWNER)
DATA = CLINIC.enroll(INVITE)
TOKEN = EnrollmentFile.from_bytes(DATA).enrollment
DOCUMENT = Enrollment.from_bytes(jws.read_unverified(TOKEN).payload)
SKEW = timedelta(seconds=LIMITS.max_clock_skew_seconds)


def wrap(token: str) -> bytes:
    return EnrollmentFile(format="enrollment-file/v1", enrollment=token).to_bytes()


def resigned(change: Callable[[dict[str, Any]], None]) -> bytes:
    return wrap(resign(TOKEN, CLINIC.organization, change))


def changed(**members: Any) -> bytes:
    return resigned(lambda payload: payload.update(members))


def certificate(key: SigningKey = CLINIC.device, **members: Any) -> str:
    return resign(DOCUMENT.sealing_certificate, key, lambda payload: payload.update(members))


def refused(data: bytes, owner: Owner = OWNER, now: datetime = NOW) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_enrollment(data, owner, now)
    return caught.value.code


def rotated(**changes: Any) -> Owner:
    return verify_newer(OWNER, rotate_owner(OWNER, signers=HOSPITAL.roots, now=NOW, **changes))


def test_an_enrollment_verifies() -> None:
    enrollment = verify_enrollment(DATA, OWNER, NOW)
    assert enrollment.document.partner == enrollment.invite.partner == "clinic"
    assert enrollment.organization == CLINIC.organization.public
    assert enrollment.organization_id == organization_id(CLINIC.organization.public)
    assert enrollment.device == CLINIC.device.public
    assert enrollment.sealing == CLINIC.sealing.public
    assert enrollment.document.runtime == runtime_id(CLINIC.device.public)
    assert enrollment.certificate.sealing == CLINIC.sealing.public_text
    assert enrollment.token == TOKEN
    verify_fingerprint(enrollment.fingerprint, TOKEN)


def test_files_and_documents_round_trip() -> None:
    assert EnrollmentFile.from_bytes(DATA).to_bytes() == DATA
    payload = jws.read_unverified(TOKEN).payload
    assert Enrollment.from_bytes(payload).to_bytes() == payload
    payload = jws.read_unverified(DOCUMENT.sealing_certificate).payload
    assert SealingCertificate.from_bytes(payload).to_bytes() == payload


def test_the_wire_form_is_pinned() -> None:
    invite = InviteFile.from_bytes(INVITE).invite
    assert jws.read_unverified(TOKEN).typ == "strongroom-enrollment+jws"
    assert jws.read_unverified(TOKEN).payload.decode() == (
        f'{{"device":"{CLINIC.device.public_text}","format":"enrollment/v1","invite":"{invite}",'
        f'"issued_at":"2026-11-24T03:00:00Z","organization":"{CLINIC.organization.public_text}",'
        f'"owner":"{OWNER.id}","owner_digest":"{OWNER.digest}","partner":"clinic",'
        f'"runtime":"{DOCUMENT.runtime}","sealing_certificate":"{DOCUMENT.sealing_certificate}"}}'
    )
    certified = jws.read_unverified(DOCUMENT.sealing_certificate)
    assert certified.typ == "strongroom-sealing-key+jws"
    assert certified.payload.decode() == (
        f'{{"device":"{CLINIC.device.public_text}","format":"sealing-key/v1",'
        f'"issued_at":"2026-11-24T03:00:00Z","organization":"{organization_id(CLINIC.organization.public)}",'
        f'"owner":"{OWNER.id}","sealing":"{CLINIC.sealing.public_text}"}}'
    )


class TestBinding:
    def test_an_enrollment_toward_another_owner_is_refused(self) -> None:
        assert refused(DATA, Hospital().owner()) == "owner-other"

    def test_a_forged_owner_document_is_noticed(self) -> None:
        """The partner was shown a branch of the hospital's history that the hospital never made."""
        fork = rotated(add={Role.LICENSE: [SigningKey.generate(KeyKind.OWNER_LICENSE).public_text]})
        data = CLINIC.enroll(HOSPITAL.invite(fork))
        assert refused(data) == "owner-fork"

    def test_a_partner_may_have_seen_an_older_version(self) -> None:
        assert verify_enrollment(DATA, rotated(), NOW).document.owner_digest == OWNER.digest

    def test_a_changed_document_is_refused(self) -> None:
        forged = resign(TOKEN, SigningKey.generate(KeyKind.ORGANIZATION), lambda payload: None)
        assert refused(wrap(forged)) == "wrong-signer"
        head, _, signature = TOKEN.split(".")
        payload = resign(TOKEN, CLINIC.organization, lambda p: p.update(partner="clinic2")).split(".")[1]
        assert refused(wrap(f"{head}.{payload}.{signature}")) == "signature"

    def test_the_name_is_the_invited_one(self) -> None:
        assert refused(changed(partner="other")) == "partner-name"

    def test_an_invite_that_another_owner_signed_is_refused(self) -> None:
        thief = Hospital()
        other = InviteFile.from_bytes(thief.invite(thief.owner())).invite
        assert refused(changed(invite=other)) == "owner-other"
        forged = resign(DOCUMENT.invite, thief.license, lambda payload: None)
        assert refused(changed(invite=forged)) == "wrong-signer"

    def test_a_key_that_was_cut_off_lets_nobody_new_in(self) -> None:
        cut = rotated(cut_off=[CutOff(key_id=HOSPITAL.license.key_id, log_position=None, reason="stolen")])
        assert refused(DATA, cut) == "key-cut-off"
        retired = rotated(retire={HOSPITAL.license.key_id: NOW})
        assert refused(DATA, retired) == "key-retired"

    def test_who_was_let_in_before_stays(self) -> None:
        cut = rotated(cut_off=[CutOff(key_id=HOSPITAL.license.key_id, log_position=None, reason="stolen")])
        assert verify_stored_enrollment(DATA, cut) == verify_enrollment(DATA, OWNER, NOW)


class TestTime:
    def test_the_invite_must_be_in_force_on_the_owners_clock(self) -> None:
        assert refused(DATA, now=NOW + 7 * DAY) == "invite-expired"
        assert verify_stored_enrollment(DATA, OWNER).token == TOKEN

    def test_an_enrollment_is_not_from_the_future(self) -> None:
        later = CLINIC.enroll(INVITE, NOW + SKEW + timedelta(seconds=1))
        assert refused(later) == "enrollment-not-yet"
        verify_enrollment(CLINIC.enroll(INVITE, NOW + SKEW), OWNER, NOW)

    @pytest.mark.parametrize("issued_at", ["2026-12-01T03:00:00Z", "2026-11-24T02:54:59Z"])
    def test_an_enrollment_is_dated_within_its_invite(self, issued_at: str) -> None:
        certified = certificate(issued_at="2026-11-24T00:00:00Z")
        assert refused(changed(issued_at=issued_at, sealing_certificate=certified)) == "invite-expired"

    def test_an_invite_that_ended_is_not_answered(self) -> None:
        invite = CLINIC.accept(INVITE)
        with pytest.raises(VerificationError) as caught:
            make_enrollment(
                invite,
                organization=CLINIC.organization,
                device=CLINIC.device,
                sealing=CLINIC.sealing,
                now=NOW + 7 * DAY,
            )
        assert caught.value.code == "invite-expired"


class TestSealingCertificate:
    def test_another_device_does_not_certify(self) -> None:
        other = SigningKey.generate(KeyKind.DEVICE)
        by_other = certificate(other, device=other.public_text)
        assert refused(changed(sealing_certificate=by_other)) == "sealing-certificate"
        assert refused(changed(sealing_certificate=certificate(other))) == "wrong-signer"

    def test_it_is_for_this_owner_and_organization(self) -> None:
        assert refused(changed(sealing_certificate=certificate(owner=Hospital().owner().id))) == (
            "sealing-certificate"
        )
        other = organization_id(SigningKey.generate(KeyKind.ORGANIZATION).public)
        assert refused(changed(sealing_certificate=certificate(organization=other))) == "sealing-certificate"

    def test_it_is_not_newer_than_the_enrollment(self) -> None:
        newer = certificate(issued_at="2026-11-24T03:00:01Z")
        assert refused(changed(sealing_certificate=newer)) == "sealing-certificate"

    def test_a_stranger_cannot_enroll_the_runtime_of_another(self) -> None:
        """The competitor copies the clinic's device and sealing key into an enrollment of its own."""
        competitor = SigningKey.generate(KeyKind.ORGANIZATION)
        stolen = resign(
            TOKEN, competitor, lambda payload: payload.update(organization=competitor.public_text)
        )
        assert refused(wrap(stolen)) == "sealing-certificate"

    def test_an_altered_one_is_refused(self) -> None:
        head, _, signature = DOCUMENT.sealing_certificate.split(".")
        payload = certificate(sealing=SealingKey.generate().public_text).split(".")[1]
        assert refused(changed(sealing_certificate=f"{head}.{payload}.{signature}")) == "signature"


BAD: dict[str, Callable[[dict[str, Any]], None]] = {
    "another format": lambda p: p.update(format="enrollment/v2"),
    "no owner id": lambda p: p.update(owner="hospital"),
    "a short digest": lambda p: p.update(owner_digest="00"),
    "a name that is none": lambda p: p.update(partner="Clinic!"),
    "a member key as organization": lambda p: p.update(
        organization=SigningKey.generate(KeyKind.MEMBER).public_text
    ),
    "an organization key as device": lambda p: p.update(device=CLINIC.organization.public_text),
    "one key twice": lambda p: p.update(
        device=public_to_text(KeyKind.DEVICE, CLINIC.organization.public.to_bytes()),
        runtime=runtime_id(CLINIC.organization.public),
    ),
    "a runtime of another device": lambda p: p.update(
        runtime=runtime_id(SigningKey.generate(KeyKind.DEVICE).public)
    ),
    "a date of another form": lambda p: p.update(issued_at="today"),
    "an unknown member": lambda p: p.update(note=1),
    "a missing member": lambda p: p.__delitem__("runtime"),
    "an invite that is no token": lambda p: p.update(invite=""),
    "an enrollment as invite": lambda p: p.update(invite=TOKEN),
    "an invite as certificate": lambda p: p.update(sealing_certificate=DOCUMENT.invite),
    "a certificate of another format": lambda p: p.update(sealing_certificate=certificate(format="x")),
    "a certificate of no device key": lambda p: p.update(sealing_certificate=certificate(device="x")),
    "a certificate of no sealing key": lambda p: p.update(
        sealing_certificate=certificate(sealing=CLINIC.device.public_text)
    ),
    "a certificate of a sealing key that cannot be": lambda p: p.update(
        sealing_certificate=certificate(
            sealing=public_to_text(KeyKind.SEALING, CLINIC.sealing.public.to_bytes()[:1184] + bytes(32))
        )
    ),
    "a certificate for no owner": lambda p: p.update(sealing_certificate=certificate(owner="x")),
    "a certificate for no organization": lambda p: p.update(
        sealing_certificate=certificate(organization="x")
    ),
    "a certificate without a date": lambda p: p.update(sealing_certificate=certificate(issued_at="x")),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_document_is_refused_whoever_signed(fault: str) -> None:
    with pytest.raises(FormatError):
        verify_enrollment(resigned(BAD[fault]), OWNER, NOW)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", DATA[:-1], DATA + b"\n", INVITE, DATA.replace(b"file/v1", b"file/v2")]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        verify_enrollment(data, OWNER, NOW)


def test_keys_of_other_kinds_do_not_enroll() -> None:
    invite = CLINIC.accept(INVITE)
    member = SigningKey.generate(KeyKind.MEMBER)
    for organization, device in ((member, CLINIC.device), (CLINIC.organization, member)):
        with pytest.raises(UsageError) as caught:
            make_enrollment(invite, organization=organization, device=device, sealing=CLINIC.sealing, now=NOW)
        assert caught.value.code == "wrong-kind"
    twin = replace(CLINIC.device, secret=CLINIC.organization.secret)
    with pytest.raises(FormatError) as one:
        make_enrollment(
            invite, organization=CLINIC.organization, device=twin, sealing=CLINIC.sealing, now=NOW
        )
    assert one.value.code == "one-key-twice"


def test_every_answer_has_a_fingerprint_of_its_own() -> None:
    again = make_enrollment(
        verify_invite(INVITE, NOW),
        organization=CLINIC.organization,
        device=CLINIC.device,
        sealing=CLINIC.sealing,
        now=NOW,
    )
    assert fingerprint(EnrollmentFile.from_bytes(again).enrollment) != fingerprint(TOKEN)
