from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from strongroom._encoding import from_base64
from strongroom._limits import LIMITS
from strongroom.crypto import hpke, jws, labels
from strongroom.errors import FormatError, IntegrityError, UsageError, VerificationError
from strongroom.keys.intake import (
    IntakeCertificate,
    make_intake_certificate,
    unwrap_at_intake,
    verify_intake_certificate,
    wrap_for_intake,
)
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.owner import CutOff, Owner, rotate_owner, verify_newer
from tests.unit.keys.parties import NOW, Hospital, resign

HOSPITAL = Hospital()
OWNER = HOSPITAL.owner()
INTAKE = SealingKey.generate()
TOKEN = make_intake_certificate(OWNER, HOSPITAL.broker, INTAKE.public_text, NOW)
SKEW = timedelta(seconds=LIMITS.max_clock_skew_seconds)
PACKAGE, PACKAGE_ID, CONTENT_KEY = "ab" * 32, "cd" * 16, bytes(range(32))


def refused(token: str, now: datetime = NOW, owner: Owner = OWNER) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_intake_certificate(token, owner, now)
    return caught.value.code


def rotated(**changes: Any) -> Owner:
    return verify_newer(OWNER, rotate_owner(OWNER, signers=HOSPITAL.roots, now=NOW, **changes))


def test_a_certificate_verifies() -> None:
    intake = verify_intake_certificate(TOKEN, OWNER, NOW)
    assert intake.public == INTAKE.public
    assert IntakeCertificate.from_bytes(intake.document.to_bytes()) == intake.document


def test_the_wire_form_is_pinned() -> None:
    assert jws.read_unverified(TOKEN).typ == "strongroom-intake-key+jws"
    assert jws.read_unverified(TOKEN).payload.decode() == (
        f'{{"format":"intake-key/v1","intake":"{INTAKE.public_text}",'
        f'"issued_at":"2026-11-24T03:00:00Z","owner":"{OWNER.id}"}}'
    )


def test_clocks_may_differ_a_little() -> None:
    verify_intake_certificate(TOKEN, OWNER, NOW - SKEW)
    assert refused(TOKEN, NOW - SKEW - timedelta(seconds=1)) == "intake-not-yet"


@pytest.mark.parametrize("key", [HOSPITAL.license, HOSPITAL.package, Hospital().broker])
def test_only_a_broker_key_vouches(key: SigningKey) -> None:
    assert refused(resign(TOKEN, key, lambda payload: None)) == "wrong-signer"
    with pytest.raises(UsageError) as caught:
        make_intake_certificate(OWNER, key, INTAKE.public_text, NOW)
    assert caught.value.code == "wrong-signer"


def test_of_another_owner_it_is_refused() -> None:
    other = Hospital()
    owner = other.owner()
    token = make_intake_certificate(owner, other.broker, INTAKE.public_text, NOW)
    assert refused(token) == "owner-other"


def test_an_old_certificate_ends_with_its_key() -> None:
    later = NOW + timedelta(days=2)
    retired = rotated(retire={HOSPITAL.broker.key_id: NOW + timedelta(days=1)})
    verify_intake_certificate(TOKEN, retired, NOW)
    assert refused(TOKEN, later, retired) == "key-retired"
    cut = rotated(cut_off=[CutOff(key_id=HOSPITAL.broker.key_id, log_position=None, reason="stolen")])
    assert refused(TOKEN, owner=cut) == "key-cut-off"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "intake-key/v2"},
        {"owner": "hospital"},
        {"intake": HOSPITAL.broker.public_text},
        {"issued_at": "today"},
        {"note": 1},
    ],
)
def test_a_bad_document_is_refused_whoever_signed(changes: dict[str, Any]) -> None:
    token = resign(TOKEN, HOSPITAL.broker, lambda payload: payload.update(changes))
    with pytest.raises(FormatError):
        verify_intake_certificate(token, OWNER, NOW)


def test_a_content_key_opens_for_its_package_only() -> None:
    wrapped = wrap_for_intake(CONTENT_KEY, INTAKE.public, package=PACKAGE, package_id=PACKAGE_ID)
    assert unwrap_at_intake(wrapped, INTAKE, package=PACKAGE, package_id=PACKAGE_ID) == CONTENT_KEY
    for package, package_id, key in (
        ("00" * 32, PACKAGE_ID, INTAKE),
        (PACKAGE, "00" * 16, INTAKE),
        (PACKAGE, PACKAGE_ID, SealingKey.generate()),
    ):
        with pytest.raises(IntegrityError):
            unwrap_at_intake(wrapped, key, package=package, package_id=package_id)
    with pytest.raises(FormatError):
        unwrap_at_intake("not base64!", INTAKE, package=PACKAGE, package_id=PACKAGE_ID)


def test_the_binding_follows_the_spec() -> None:
    info = labels.bind(
        b"strongroom/key-wrap/v1", b"intake", bytes.fromhex(PACKAGE), bytes.fromhex(PACKAGE_ID)
    )
    wrapped = wrap_for_intake(CONTENT_KEY, INTAKE.public, package=PACKAGE, package_id=PACKAGE_ID)
    data = from_base64(wrapped)
    assert hpke.unwrap_key(data, INTAKE.secret, info=info) == CONTENT_KEY
