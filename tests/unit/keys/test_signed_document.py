from __future__ import annotations

import msgspec
import pytest

from strongroom.crypto import jws
from strongroom.errors import FormatError
from strongroom.keys.introduction import Invite, SealingCertificate
from strongroom.keys.signed_document import read_unverified, sign
from tests.unit.keys.parties import NOW, Hospital

HOSPITAL = Hospital()
INVITE = Invite(
    format="invite/v1",
    owner="own-" + "a" * 24,
    owner_version=1,
    partner="clinic",
    serial="00" * 16,
    issued_at="2026-11-24T03:00:00Z",
    expires_at="2026-11-25T03:00:00Z",
    broker=None,
)


def test_a_signed_document_reads_back() -> None:
    token = sign(INVITE, HOSPITAL.license)
    assert read_unverified(token, Invite) == INVITE
    assert jws.verify(token, Invite.TYP, [HOSPITAL.license.public]) == INVITE.to_bytes()


def test_a_document_that_nobody_could_read_is_not_signed() -> None:
    with pytest.raises(FormatError):
        sign(msgspec.structs.replace(INVITE, partner="North Clinic"), HOSPITAL.license)


def test_a_document_of_another_kind_is_named() -> None:
    with pytest.raises(FormatError) as caught:
        read_unverified(sign(INVITE, HOSPITAL.license), SealingCertificate)
    assert caught.value.code == "wrong-kind"


def test_reading_checks_no_signature() -> None:
    """Its name says so: whoever uses the value before verifying has been told."""
    front, _, _ = sign(INVITE, HOSPITAL.license).rpartition(".")
    assert read_unverified(f"{front}.{'A' * 86}", Invite).issued_at == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
