"""A license key that was stolen and cut off: what it said before forbids, and it says nothing new."""

from __future__ import annotations

from typing import Any

from strongroom.errors import FormatError, VerificationError
from strongroom.keys.owner import verify_owner_chain
from strongroom.keys.owner_document import CutOff
from strongroom.keys.rotation import rotate_owner
from strongroom.keys.text import KeyKind
from strongroom.license.announced import in_force, read_kept
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.request import Withdrawn
from strongroom.license.signing import sign_document, verify_by_any_key_ever
from tests.unit.license.world import LICENSE_KEY, NOW, OWNER, ROOT, SIGNED, key, refusal

THIEF = key(KeyKind.OWNER_LICENSE, 666)
AFTER = verify_owner_chain(
    rotate_owner(
        OWNER,
        cut_off=[CutOff(key_id=LICENSE_KEY.key_id, log_position=None, reason="stolen")],
        signers=[ROOT],
        now=NOW,
    )
)
TARGET = "lic-" + "a" * 24


def by(signer: Any = LICENSE_KEY, owner: str = OWNER.id) -> tuple[str, str]:
    revocation = Revocation(
        owner=owner, owner_version=1, issued_at=SIGNED, target=TARGET, reason="the contract ended"
    )
    withdrawal = Withdrawal(
        owner=owner,
        owner_version=1,
        issued_at=SIGNED,
        name="risk",
        version="2.0.0",
        package="ab" * 32,
        permits="1.0.0",
        reason="wrong units",
    )
    return sign_document(revocation, signer).token, sign_document(withdrawal, signer).token


def taken(permits: str | None) -> tuple[Withdrawn, ...]:
    return (Withdrawn(owner=OWNER.id, name="risk", version="2.0.0", permits=permits),)


def test_what_was_taken_in_forbids_and_permits() -> None:
    revocation, withdrawal = by()
    kept = read_kept([revocation], [withdrawal], OWNER)
    assert (kept.revoked, kept.withdrawals) == ({TARGET: "the contract ended"}, taken("1.0.0"))


def test_after_its_key_was_cut_off_it_forbids_and_permits_nothing() -> None:
    revocation, withdrawal = by()
    kept = read_kept([revocation], [withdrawal], AFTER)
    assert (kept.revoked, kept.withdrawals) == ({TARGET: "the contract ended"}, taken(None))


def test_a_key_that_was_cut_off_says_nothing_new_and_stops_nothing_else() -> None:
    revocation, withdrawal = by()
    assert in_force([revocation], Revocation, OWNER) == (revocation,)
    assert in_force([revocation], Revocation, AFTER) == ()
    assert in_force([withdrawal], Withdrawal, AFTER) == ()


def test_what_is_by_no_key_of_the_owner_is_refused_as_ever() -> None:
    revocation, withdrawal = by(THIEF)
    for owner in (OWNER, AFTER):
        assert isinstance(refusal(lambda: read_kept([revocation], [], owner)), VerificationError)  # noqa: B023 - called at once
        assert isinstance(refusal(lambda: in_force([withdrawal], Withdrawal, owner)), VerificationError)  # noqa: B023 - as above
        assert isinstance(refusal(lambda: in_force([withdrawal], Revocation, owner)), FormatError)  # noqa: B023 - as above


def test_a_signature_of_the_stolen_key_is_still_checked() -> None:
    head, payload, _ = by()[0].split(".")
    forged = f"{head}.{payload}.{by()[1].rpartition('.')[2]}"
    assert refusal(lambda: read_kept([forged], [], AFTER)).code == "signature"
    assert refusal(lambda: in_force([forged], Revocation, AFTER)).code == "signature"


def test_another_owners_is_not_believed_whatever_its_key() -> None:
    token = by(owner="own-" + "a" * 24)[0]
    assert refusal(lambda: verify_by_any_key_ever(token, Revocation, AFTER)).code == "wrong-owner"
