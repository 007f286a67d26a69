from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.identity import member_id, organization_id
from strongroom.keys.key_pair import SigningKey, signing_public_to_text
from strongroom.keys.member import (
    MemberCertificate,
    MemberRole,
    make_member_certificate,
    verify_member_certificate,
)
from strongroom.keys.text import KeyKind
from tests.unit.keys.parties import DAY, NOW, Clinic, resign

CLINIC = Clinic()
PERSON = SigningKey.generate(KeyKind.MEMBER)
OWNER = "own-" + "a" * 24
SKEW = timedelta(seconds=LIMITS.max_clock_skew_seconds)


def made(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "member": PERSON.public_text,
        "name": "j.doe",
        "role": MemberRole.MANAGER,
        "owner": OWNER,
        "now": NOW,
        **changes,
    }
    return make_member_certificate(arguments.pop("organization", CLINIC.organization), **arguments)


TOKEN = made()


def refused(token: str, now: datetime = NOW, owner: str = OWNER) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_member_certificate(token, CLINIC.organization.public, owner=owner, now=now)
    return caught.value.code


def test_a_certificate_verifies() -> None:
    member = verify_member_certificate(TOKEN, CLINIC.organization.public, owner=OWNER, now=NOW)
    assert member.id == member_id(PERSON.public)
    assert member.key == PERSON.public
    assert member.token == TOKEN
    assert (member.document.name, member.document.role) == ("j.doe", MemberRole.MANAGER)
    assert MemberCertificate.from_bytes(member.document.to_bytes()) == member.document


def test_the_wire_form_is_pinned() -> None:
    assert jws.read_unverified(TOKEN).typ == "strongroom-member+jws"
    assert jws.read_unverified(TOKEN).payload.decode() == (
        '{"expires_at":null,"format":"member/v1","issued_at":"2026-11-24T03:00:00Z",'
        f'"member":"{PERSON.public_text}","name":"j.doe",'
        f'"organization":"{organization_id(CLINIC.organization.public)}","owner":"{OWNER}","role":"manager"}}'
    )
    assert [role.value for role in MemberRole] == ["manager", "operator", "auditor"]


def test_access_ends() -> None:
    token = made(expires_at=NOW + DAY)
    last = NOW + DAY - timedelta(seconds=1)
    verify_member_certificate(token, CLINIC.organization.public, owner=OWNER, now=last)
    assert refused(token, NOW + DAY) == "member-expired"


def test_clocks_may_differ_a_little() -> None:
    verify_member_certificate(TOKEN, CLINIC.organization.public, owner=OWNER, now=NOW - SKEW)
    assert refused(TOKEN, NOW - SKEW - timedelta(seconds=1)) == "member-not-yet"


def test_only_the_organization_certifies() -> None:
    assert refused(made(organization=Clinic().organization)) == "wrong-signer"
    assert refused(resign(TOKEN, PERSON, lambda payload: None)) == "wrong-signer"
    other = organization_id(Clinic().organization.public)
    swapped = resign(TOKEN, CLINIC.organization, lambda payload: payload.update(organization=other))
    assert refused(swapped) == "wrong-organization"


def test_access_at_one_owner_is_none_at_another() -> None:
    assert refused(TOKEN, owner="own-" + "b" * 24) == "owner-other"


def test_the_organization_key_is_nobody() -> None:
    text = signing_public_to_text(CLINIC.organization.public, KeyKind.MEMBER)
    assert refused(made(member=text)) == "one-key-twice"


BAD: dict[str, dict[str, Any]] = {
    "another format": {"format": "member/v2"},
    "no owner id": {"owner": "hospital"},
    "no organization id": {"organization": "clinic"},
    "a key of another kind": {"member": CLINIC.device.public_text},
    "a name that is none": {"name": "J. Doe"},
    "a role of the owner's": {"role": "admin"},
    "a date of another form": {"issued_at": "today"},
    "an end of another form": {"expires_at": "tomorrow"},
    "an end at its beginning": {"expires_at": "2026-11-24T03:00:00Z"},
    "an unknown member": {"note": ""},
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_document_is_refused_whoever_signed(fault: str) -> None:
    token = resign(TOKEN, CLINIC.organization, lambda payload: payload.update(BAD[fault]))
    with pytest.raises(FormatError):
        verify_member_certificate(token, CLINIC.organization.public, owner=OWNER, now=NOW)


def test_what_cannot_be_is_not_made() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "J. Doe"}, "name"),
        ({"organization": CLINIC.device}, "wrong-kind"),
        ({"expires_at": NOW}, "expiry"),
    ]
    for changes, code in wrong:
        with pytest.raises(UsageError) as caught:
            made(**changes)
        assert caught.value.code == code
    with pytest.raises(FormatError):
        made(member=CLINIC.device.public_text)
