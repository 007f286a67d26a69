"""Attacks on identities. Each test is named after the claim it tries to break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from strongroom._encoding import canonical_json, from_base64url, parse_canonical_json, to_base64url
from strongroom.crypto import dsse, jws
from strongroom.crypto.hpke import unwrap_key, wrap_key
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.keys import key_file
from strongroom.keys.introduction import (
    EnrollmentFile,
    InviteFile,
    make_enrollment,
    verify_enrollment,
    verify_fingerprint,
    verify_invite,
    verify_stored_enrollment,
)
from strongroom.keys.key_pair import SealingKey, SigningKey, from_secret_text
from strongroom.keys.owner import (
    CutOff,
    Owner,
    OwnerChain,
    Role,
    RoleKey,
    rotate_owner,
    verify_newer,
    verify_owner_chain,
)
from strongroom.keys.owner_document import Roots
from strongroom.keys.text import KeyKind, public_from_text, public_to_text
from tests.unit.keys.parties import DAY, NOW, Clinic, Hospital, forge, keys, resign

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TYP = "strongroom-license+jws"


@pytest.fixture
def hospital() -> Hospital:
    return Hospital(roots=keys(KeyKind.OWNER_ROOT, 3), threshold=2)


@pytest.fixture
def owner(hospital: Hospital) -> Owner:
    return hospital.owner()


def code(error: pytest.ExceptionInfo[FormatError] | pytest.ExceptionInfo[VerificationError]) -> str:
    return error.value.code


def rotated(
    hospital: Hospital, owner: Owner, signers: list[SigningKey] | None = None, **changes: object
) -> Owner:
    chain = rotate_owner(owner, signers=signers or hospital.roots, now=NOW, **changes)  # type: ignore[arg-type] # any member
    return verify_newer(owner, chain)


class TestOwnerDocument:
    def test_fewer_roots_than_the_threshold_cannot_rotate(self, hospital: Hospital, owner: Owner) -> None:
        for thief in hospital.roots:
            with pytest.raises(VerificationError) as caught:
                verify_newer(owner, forge(owner.chain, [thief]))
            assert code(caught) == "owner-signature"

    def test_stolen_role_keys_cannot_rotate(self, hospital: Hospital, owner: Owner) -> None:
        """Neither as they are, nor with a root of the thief's, nor by naming themselves roots."""
        thief = SigningKey.generate(KeyKind.OWNER_ROOT)
        stolen = [hospital.package, hospital.license, hospital.broker]
        mine = Roots(keys=(thief.public_text,), threshold=1)
        for chain in (forge(owner.chain, stolen), forge(owner.chain, [*stolen, thief], roots=mine)):
            with pytest.raises(VerificationError) as caught:
                verify_newer(owner, chain)
            assert code(caught) == "owner-signature"

    def test_one_root_counted_twice_is_one_root(self, hospital: Hospital, owner: Owner) -> None:
        """By repeating its signature, by signing twice, and by listing the key twice."""
        envelope = forge(owner.chain, hospital.roots[:1]).envelopes[-1]
        again = dsse.sign(envelope.unverified_payload, envelope.payload_type, [hospital.roots[0].secret])
        for signatures in (envelope.signatures * 2, envelope.signatures + again.signatures):
            doubled = replace(envelope, signatures=signatures)
            with pytest.raises(FormatError):
                OwnerChain.from_bytes(
                    canonical_json([*owner.chain.to_json(), *OwnerChain((doubled,), ()).to_json()])
                )
        text = hospital.roots[0].public_text
        with pytest.raises(FormatError) as caught:
            forge(owner.chain, hospital.roots, roots=Roots(keys=(text, text), threshold=2))
        assert code(caught) == "owner-key-twice"

    def test_a_fork_by_stolen_roots_does_not_replace_what_is_pinned(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        pinned = rotated(hospital, owner)
        thief = SigningKey.generate(KeyKind.OWNER_LICENSE)
        fork = rotated(hospital, owner, add={Role.LICENSE: [thief.public_text]})
        longer = rotated(hospital, fork)
        for offered in (fork, longer):
            with pytest.raises(VerificationError) as caught:
                verify_newer(pinned, offered.chain)
            assert code(caught) == "owner-fork"

    def test_an_old_owner_document_does_not_bring_a_cut_off_key_back(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        cut = CutOff(key_id=hospital.license.key_id, log_position=None, reason="laptop stolen")
        pinned = rotated(hospital, owner, cut_off=[cut])
        with pytest.raises(VerificationError) as rollback:
            verify_newer(pinned, owner.chain)
        assert code(rollback) == "owner-rollback"
        token = jws.sign(TYP, b"{}", hospital.license.secret)
        with pytest.raises(VerificationError) as refused:
            pinned.verify_token(token, TYP, Role.LICENSE, NOW - 365 * DAY)
        assert code(refused) == "key-cut-off"

    def test_another_owner_cannot_take_the_name(self, owner: Owner) -> None:
        impostor = Hospital(name=owner.name).owner()
        assert impostor.name == owner.name
        assert impostor.id != owner.id
        with pytest.raises(VerificationError) as caught:
            verify_newer(owner, impostor.chain)
        assert code(caught) == "owner-other"

    def test_an_impostor_cannot_take_the_id(self, hospital: Hospital, owner: Owner) -> None:
        """Version 2 that names the hospital's id, on top of a version 1 of the impostor's own."""
        impostor = Hospital(name=owner.name)
        chain = forge(impostor.chain(), impostor.roots, owner=owner.id)
        with pytest.raises(VerificationError) as caught:
            verify_owner_chain(chain)
        assert code(caught) == "owner-changed"

    def test_a_license_key_signs_no_package_and_a_package_key_no_license(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        for key, role in (
            (hospital.package, Role.LICENSE),
            (hospital.broker, Role.LICENSE),
            (hospital.license, Role.PACKAGE),
            (hospital.roots[0], Role.LICENSE),
        ):
            with pytest.raises(VerificationError) as caught:
                owner.verify_token(jws.sign(TYP, b"{}", key.secret), TYP, role, NOW)
            assert code(caught) == "wrong-signer"

    def test_a_retired_key_signs_nothing_new_and_its_old_documents_stay_good(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        retired = rotated(hospital, owner, retire={hospital.license.key_id: NOW})
        token = jws.sign(TYP, b"{}", hospital.license.secret)
        assert retired.verify_token(token, TYP, Role.LICENSE, NOW - DAY) == b"{}"
        with pytest.raises(VerificationError) as caught:
            retired.verify_token(token, TYP, Role.LICENSE, NOW)
        assert code(caught) == "key-retired"

    def test_a_role_key_cannot_become_a_root(self, hospital: Hospital, owner: Owner) -> None:
        promoted = public_to_text(KeyKind.OWNER_ROOT, hospital.license.public.to_bytes())
        roots = Roots(keys=(promoted,), threshold=1)
        with pytest.raises(FormatError) as caught:
            forge(owner.chain, hospital.roots, roots=roots)
        assert code(caught) == "owner-key-twice"
        retired = RoleKey(key=hospital.license.public_text, retired_at="2026-11-24T03:00:00Z")
        roles = msgspec.structs.replace(owner.document.roles, license=(retired,))
        with pytest.raises(FormatError):
            forge(owner.chain, hospital.roots, roots=roots, roles=roles)


class TestInvite:
    def test_whoever_carries_an_invite_cannot_change_it(self, hospital: Hospital, owner: Owner) -> None:
        file = InviteFile.from_bytes(hospital.invite(owner))
        head, _, signature = file.invite.split(".")
        payload = parse_canonical_json(jws.read_unverified(file.invite).payload)
        for change in (
            {"partner": "competitor"},
            {"expires_at": "2036-01-01T00:00:00Z"},
            {"serial": "ff" * 16},
        ):
            forged = f"{head}.{to_base64url(canonical_json({**payload, **change}))}.{signature}"
            with pytest.raises(VerificationError):
                verify_invite(msgspec.structs.replace(file, invite=forged).to_bytes(), NOW)

    def test_whoever_carries_an_invite_cannot_hide_a_rotation(self, hospital: Hospital, owner: Owner) -> None:
        newer = rotated(hospital, owner)
        file = InviteFile.from_bytes(hospital.invite(newer))
        with pytest.raises(VerificationError) as caught:
            verify_invite(msgspec.structs.replace(file, owner=file.owner[:1]).to_bytes(), NOW)
        assert code(caught) == "owner-rollback"

    def test_an_expired_invite_lets_nobody_in(self, hospital: Hospital, owner: Owner) -> None:
        """Neither at the partner nor, with a clock set back there, at the owner."""
        invite = hospital.invite(owner)
        with pytest.raises(VerificationError):
            verify_invite(invite, NOW + 8 * DAY)
        backdated = Clinic().enroll(invite, NOW + DAY)
        with pytest.raises(VerificationError) as caught:
            verify_enrollment(backdated, owner, NOW + 8 * DAY)
        assert code(caught) == "invite-expired"


class TestEnrollment:
    def test_an_enrollment_cannot_be_replayed_to_another_owner(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        data = Clinic().enroll(hospital.invite(owner))
        with pytest.raises(VerificationError) as caught:
            verify_enrollment(data, Hospital(name="fintech").owner(), NOW)
        assert code(caught) == "owner-other"

    def test_a_man_in_the_middle_shows_in_the_fingerprint(self, hospital: Hospital, owner: Owner) -> None:
        """He gives the clinic his own hospital, and the hospital an enrollment of his own."""
        clinic, thief, false_hospital = Clinic(), Clinic(), Hospital(name=owner.name)
        at_the_clinic = clinic.enroll(false_hospital.invite(false_hospital.owner()))
        with pytest.raises(VerificationError):
            verify_enrollment(at_the_clinic, owner, NOW)
        at_the_hospital = verify_enrollment(thief.enroll(hospital.invite(owner)), owner, NOW)
        with pytest.raises(VerificationError) as caught:
            verify_fingerprint(
                at_the_hospital.fingerprint, EnrollmentFile.from_bytes(at_the_clinic).enrollment
            )
        assert code(caught) == "fingerprint-mismatch"

    def test_the_fingerprint_covers_every_key_and_the_owner(self, hospital: Hospital, owner: Owner) -> None:
        clinic = Clinic()
        invite = hospital.invite(owner)
        heir = SigningKey.generate(KeyKind.OWNER_LICENSE)
        newest = rotated(hospital, owner, add={Role.LICENSE: [heir.public_text]})
        variants = [
            clinic.enroll(invite),
            replace(clinic, sealing=SealingKey.generate()).enroll(invite),
            replace(clinic, device=SigningKey.generate(KeyKind.DEVICE)).enroll(invite),
            replace(clinic, organization=SigningKey.generate(KeyKind.ORGANIZATION)).enroll(invite),
            clinic.enroll(hospital.invite(owner, partner="clinic2")),
            clinic.enroll(hospital.invite(newest)),
        ]
        prints = {verify_stored_enrollment(data, newest).fingerprint for data in variants}
        assert len(prints) == len(variants)

    def test_a_competitor_cannot_enroll_the_clinics_runtime_as_its_own(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        clinic, competitor = Clinic(), Clinic()
        token = EnrollmentFile.from_bytes(clinic.enroll(hospital.invite(owner))).enrollment
        stolen = resign(
            token,
            competitor.organization,
            lambda payload: payload.update(organization=competitor.organization.public_text),
        )
        with pytest.raises(VerificationError) as caught:
            verify_enrollment(
                EnrollmentFile(format="enrollment-file/v1", enrollment=stolen).to_bytes(), owner, NOW
            )
        assert code(caught) == "sealing-certificate"

    def test_a_competitor_cannot_slip_its_sealing_key_under_the_clinics_name(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        """What is wrapped to an enrolled sealing key opens for that runtime and nobody else."""
        clinic, competitor = Clinic(), Clinic()
        honest = clinic.enroll(hospital.invite(owner))
        token = EnrollmentFile.from_bytes(honest).enrollment
        certificate = parse_canonical_json(jws.read_unverified(token).payload)["sealing_certificate"]
        by_competitor = resign(
            certificate,
            competitor.device,
            lambda payload: payload.update(sealing=competitor.sealing.public_text),
        )
        forged = resign(token, clinic.organization, lambda p: p.update(sealing_certificate=by_competitor))
        with pytest.raises(VerificationError):
            verify_enrollment(
                EnrollmentFile(format="enrollment-file/v1", enrollment=forged).to_bytes(), owner, NOW
            )
        sealing = verify_enrollment(honest, owner, NOW).sealing
        wrapped = wrap_key(bytes(32), sealing, info=b"")
        assert unwrap_key(wrapped, clinic.sealing.secret, info=b"") == bytes(32)
        with pytest.raises(IntegrityError):
            unwrap_key(wrapped, competitor.sealing.secret, info=b"")

    def test_one_invite_does_not_open_a_second_name(self, hospital: Hospital, owner: Owner) -> None:
        clinic = Clinic()
        invite = verify_invite(hospital.invite(owner), NOW)
        renamed = replace(invite, document=msgspec.structs.replace(invite.document, partner="bank"))
        data = make_enrollment(
            renamed, organization=clinic.organization, device=clinic.device, sealing=clinic.sealing, now=NOW
        )
        with pytest.raises(VerificationError) as caught:
            verify_enrollment(data, owner, NOW)
        assert code(caught) == "partner-name"


class TestConfusion:
    def test_a_document_of_one_kind_is_never_another(self, hospital: Hospital, owner: Owner) -> None:
        """Each token in each place of the others, with the key that would be right there."""
        invite = InviteFile.from_bytes(hospital.invite(owner))
        clinic = Clinic()
        enrollment = EnrollmentFile.from_bytes(clinic.enroll(invite.to_bytes())).enrollment
        certificate = parse_canonical_json(jws.read_unverified(enrollment).payload)["sealing_certificate"]
        for token in (enrollment, certificate):
            resigned = resign(token, hospital.license, lambda payload: None)
            with pytest.raises(FormatError) as caught:
                verify_invite(msgspec.structs.replace(invite, invite=resigned).to_bytes(), NOW)
            assert code(caught) == "wrong-kind"
        for token in (invite.invite, certificate):
            resigned = resign(token, clinic.organization, lambda payload: None)
            with pytest.raises(FormatError) as caught:
                verify_enrollment(
                    EnrollmentFile(format="enrollment-file/v1", enrollment=resigned).to_bytes(), owner, NOW
                )
            assert code(caught) == "wrong-kind"

    def test_a_key_text_of_one_kind_is_never_another(self) -> None:
        """Neither as it is, nor with the front of the other kind."""
        device = SigningKey.generate(KeyKind.DEVICE)
        for kind in set(KeyKind) - {KeyKind.DEVICE}:
            for front in ("device", kind.value):
                with pytest.raises(FormatError):
                    public_from_text(device.public_text.replace("device", front), kind)
                with pytest.raises(FormatError):
                    from_secret_text(device.to_text().replace("device", front), kind)

    def test_a_public_line_does_not_lie_about_its_secret(self) -> None:
        """Else people would hand out, and enroll, a key of whoever could write to the file once."""
        mine, thief = SigningKey.generate(KeyKind.DEVICE), SigningKey.generate(KeyKind.DEVICE)
        for passphrase in (None, "a pass-phrase"):
            data = key_file.to_bytes(mine, passphrase=passphrase, created_at=NOW)
            swapped = data.replace(mine.public_text.encode(), thief.public_text.encode())
            with pytest.raises(FormatError) as caught:
                key_file.from_bytes(swapped, KeyKind.DEVICE, passphrase=lambda: "a pass-phrase")
            assert code(caught) == "key-mismatch"


class TestMalleability:
    @staticmethod
    def twins(token: str) -> Iterator[str]:
        """Other spellings that a lax reader takes for the same token."""
        head, payload, signature = token.split(".")
        raw = from_base64url(signature)
        other_s = ORDER - int.from_bytes(raw[32:], "big")
        yield f"{head}.{payload}.{to_base64url(raw[:32] + other_s.to_bytes(32, 'big'))}"
        yield f"{head}.{payload}.{signature}=="
        yield f"{head}=.{payload}.{signature}"
        yield f"{token}\n"
        spaced = from_base64url(head).replace(b",", b", ")
        yield f"{to_base64url(spaced)}.{payload}.{signature}"

    def test_a_signed_document_has_one_spelling(self, hospital: Hospital, owner: Owner) -> None:
        """Else one document would have many fingerprints, ids and log entries."""
        data = Clinic().enroll(hospital.invite(owner))
        for twin in self.twins(EnrollmentFile.from_bytes(data).enrollment):
            with pytest.raises((FormatError, VerificationError)):
                verify_enrollment(
                    EnrollmentFile(format="enrollment-file/v1", enrollment=twin).to_bytes(), owner, NOW
                )
