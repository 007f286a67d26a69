from __future__ import annotations

from typing import Any

import msgspec
import pytest

from strongroom.errors import Error, FormatError, VerificationError
from strongroom.leasing.answer import verify_announcements, verify_kept, verify_lease
from strongroom.license.documents import Document, Lease, LeaseRequest, Revocation, Withdrawal
from strongroom.license.request import Level
from strongroom.license.signing import sign_document
from tests.unit.keys.parties import DAY, NOW, Hospital
from tests.unit.license.samples import DOCUMENTS

HOSPITAL = Hospital()
OWNER = HOSPITAL.owner()


def by_owner(kind: type[Document], **changes: Any) -> Any:
    sample = next(each for each in DOCUMENTS.values() if isinstance(each, kind))
    members = {"owner": OWNER.id, "owner_version": OWNER.version, "issued_at": NOW, **changes}
    return msgspec.structs.replace(sample, **members)


LEASE: Lease = by_owner(Lease, not_after=NOW + DAY)
REQUEST = LeaseRequest(
    owner=OWNER.id,
    license=LEASE.license,
    runtime=LEASE.runtime,
    package=LEASE.package,
    level=Level.LOCAL,
    worker_key="0" * 64,
    nonce=LEASE.nonce,
    previous=LEASE.previous,
    predictions=None,
    issued_at=NOW,
)


def token_of(document: Any, key: Any = HOSPITAL.broker) -> str:
    return sign_document(document, key).token


def refusal(act: Any) -> Error:
    with pytest.raises(Error) as caught:
        act()
    return caught.value


def test_the_answer_to_this_request_is_believed() -> None:
    assert verify_lease(token_of(LEASE), REQUEST, LEASE.package_id, OWNER).document == LEASE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "0" * 32}, "wrong-nonce"),
        ({"license": "lic-" + "a" * 24}, "wrong-lease"),
        ({"runtime": "run-" + "a" * 24}, "wrong-lease"),
        ({"package": "0" * 64}, "wrong-lease"),
        ({"package_id": "0" * 32}, "wrong-lease"),
        ({"previous": "lea-" + "z" * 24}, "wrong-lease"),
        ({"owner_version": 2}, "owner-outdated"),
        ({"owner": "own-" + "a" * 24}, "wrong-owner"),
    ],
)
def test_what_answers_something_else_is_not(changes: dict[str, Any], code: str) -> None:
    token = token_of(msgspec.structs.replace(LEASE, **changes))
    assert refusal(lambda: verify_lease(token, REQUEST, LEASE.package_id, OWNER)).code == code


def test_a_lease_by_somebody_else_is_not() -> None:
    token = token_of(LEASE, Hospital().broker)
    for act in (
        lambda: verify_lease(token, REQUEST, LEASE.package_id, OWNER),
        lambda: verify_kept(token, LEASE.runtime, OWNER),
    ):
        assert isinstance(refusal(act), VerificationError)


def test_a_kept_lease_is_of_this_runtime() -> None:
    assert verify_kept(token_of(LEASE), LEASE.runtime, OWNER).document == LEASE
    assert refusal(lambda: verify_kept(token_of(LEASE), "run-" + "a" * 24, OWNER)).code == "wrong-lease"


def test_announcements_are_the_owners_own() -> None:
    revocation, withdrawal = by_owner(Revocation), by_owner(Withdrawal)
    good = token_of(revocation, HOSPITAL.license), token_of(withdrawal, HOSPITAL.license)
    assert verify_announcements([good[0]], [good[1]], OWNER) == ((good[0],), (good[1],))
    forged = token_of(revocation, Hospital().license), token_of(withdrawal, Hospital().license)
    assert isinstance(refusal(lambda: verify_announcements([forged[0]], [], OWNER)), VerificationError)
    assert isinstance(refusal(lambda: verify_announcements([], [forged[1]], OWNER)), VerificationError)
    assert isinstance(refusal(lambda: verify_announcements([good[1]], [], OWNER)), FormatError)
