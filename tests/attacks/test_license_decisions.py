"""Attacks on what a license decides: unknown terms, clocks, versions, how long a revocation takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom.crypto import jws
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.documents import (
    License,
    Withdrawal,
)
from strongroom.license.marks import clock_from_broker, raise_clock, withdrawn
from strongroom.license.offline import revocation_worst_case
from strongroom.license.payload import to_payload
from strongroom.license.period import CounterKey, Period
from strongroom.license.request import BreakGlassUse, Right
from strongroom.license.signing import sign_document, verify_by_key, verify_by_owner
from strongroom.license.terms import (
    BreakGlass,
    Expires,
    Grace,
    Offline,
    Predictions,
    decode_term,
)
from strongroom.license.verdict import Allowed, Denied
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import (
    CLINIC,
    DAY,
    DEVICE,
    HOUR,
    LICENSE_KEY,
    NOW,
    OFFLINE,
    OWNER,
    PACKAGE,
    PACKAGE_KEY,
    SIGNED,
    chain_of,
    code_of,
    decide,
    key,
    lease,
    license_of,
    offline_of,
    owner,
    request,
)

SECOND = timedelta(seconds=1)


def forge(payload: bytes, signer: SigningKey, typ: str = License.typ()) -> str:
    """Sign any bytes as any kind: what somebody can do who has a key and no rules."""
    return jws.sign(typ, payload, signer.secret)


def refused(token: str, kind: Any = License, by: Any = OWNER) -> str:
    """Return the code under which a token is refused."""
    with pytest.raises((FormatError, VerificationError)) as caught:
        verify_by_owner(token, kind, by)
    return caught.value.code


# --- terms -----------------------------------------------------------------------------------


def test_a_term_of_a_later_version_refuses_everything() -> None:
    term = decode_term({"term": "later", "anything": True})
    signed = sign_document(license_of(term), LICENSE_KEY)
    chain = verify_chain(signed.token, [], OWNER)
    for right in Right:
        assert isinstance(decide(chain, asked=request(right=right)), Denied)
    assert code_of(decide(chain)) == "unknown-term"


def test_a_package_of_another_owner_under_the_right_name_is_refused() -> None:
    asked = request(owner=owner("competitor").id, name="risk", version="1.2.0")
    assert code_of(decide(chain_of(), asked=asked)) == "wrong-owner"


# --- clocks and versions ---------------------------------------------------------------------


def test_a_clock_set_back_does_not_prolong_a_license() -> None:
    chain = chain_of(OFFLINE, Expires(at=NOW + DAY))
    file = offline_of(chain.id).authority
    mark = raise_clock(None, NOW + DAY - SECOND)
    assert code_of(decide(chain, NOW, authority=file, clock_mark=mark)) == "clock-set-back"
    assert code_of(decide(chain, SIGNED - HOUR, authority=file)) == "clock-set-back"
    # Within the tolerance the mark decides, so even two minutes are not gained twice.
    at_end = raise_clock(mark, NOW + DAY)
    assert code_of(decide(chain, NOW + DAY - SECOND, authority=file, clock_mark=at_end)) == "expired"


def test_a_clock_stepped_back_over_midnight_does_not_refill_a_budget() -> None:
    midnight = NOW.replace(hour=0) + DAY
    chain = chain_of(Predictions(limit=1, per=Period.DAY))
    spent = {CounterKey(chain.id, Predictions.counter, "2026-11-25"): 1}
    long_lease = lease(chain, not_after=NOW + 9 * DAY)
    verdict = decide(chain, midnight - SECOND, used=spent, clock_mark=midnight, authority=long_lease)
    assert code_of(verdict) == "predictions-used-up"


def test_a_clock_that_once_stood_in_2040_locks_nobody_out() -> None:
    chain = chain_of(OFFLINE, Expires(at=NOW + 5 * DAY))
    file = offline_of(chain.id).authority
    # In 2040 every file has ended, so no use is allowed that would raise the mark.
    assert isinstance(decide(chain, NOW.replace(year=2040), authority=file), Denied)
    assert code_of(decide(chain, NOW, authority=file, clock_mark=NOW)) == "allowed"
    # A mark raised by a smaller jump comes down with a fresh answer of the broker.
    jumped = raise_clock(NOW, NOW + DAY)
    assert code_of(decide(chain, NOW, clock_mark=jumped)) == "clock-set-back"
    assert code_of(decide(chain, NOW, clock_mark=clock_from_broker(NOW))) == "allowed"


def test_an_older_version_does_not_open_after_a_newer_one() -> None:
    chain = chain_of()
    assert code_of(decide(chain, version_mark="1.3.0")) == "version-rollback"
    permit = Withdrawal(
        owner=OWNER.id,
        owner_version=1,
        issued_at=NOW,
        name="risk",
        version="1.3.0",
        package=PACKAGE,
        permits="1.2.0",
        reason="wrong unit",
    )
    token = sign_document(permit, LICENSE_KEY).token
    genuine = withdrawn(verify_by_owner(token, Withdrawal, OWNER).document)
    assert code_of(decide(chain, version_mark="1.3.0", withdrawals=(genuine,))) == "allowed"
    # Replayed after 1.4.0 was seen, or written by the partner itself, it permits nothing.
    assert code_of(decide(chain, version_mark="1.4.0", withdrawals=(genuine,))) == "version-rollback"
    for signer in (CLINIC, PACKAGE_KEY, DEVICE):
        assert refused(forge(to_payload(permit), signer, Withdrawal.typ()), Withdrawal) == "wrong-signer"


# --- how long a revocation takes -------------------------------------------------------------


def _last_use(chain: LicenseChain, *, hours: int) -> int:
    """Return the last hour after a revocation in which a runtime without news is still served."""
    start = lease(chain, issued_at=NOW, not_after=NOW + HOUR)
    latest = 0
    for hour in range(hours):
        now = NOW + hour * HOUR
        for began in range(hour + 1):
            for number in (1, 2, 3):
                use = BreakGlassUse(NOW + began * HOUR, "fire", number)
                verdict = decide(chain, now, authority=start, outage_since=NOW, break_glass=use)
                if isinstance(verdict, Allowed):
                    latest = hour
        if isinstance(decide(chain, now, authority=start, outage_since=NOW), Allowed):
            latest = hour
    return latest


def test_a_revocation_takes_effect_within_lease_and_grace_and_break_glass() -> None:
    chain = chain_of(Grace(hours=6, predictions=10**6), BreakGlass(hours=3, uses=2))
    worst = revocation_worst_case(chain, lease=HOUR).total
    assert worst == 13 * HOUR
    assert _last_use(chain, hours=30) * HOUR == worst - HOUR
    plain = chain_of()
    assert revocation_worst_case(plain, lease=HOUR).total == HOUR
    assert _last_use(plain, hours=30) == 0


def test_grace_ends_with_the_license_and_with_a_revocation_that_is_seen() -> None:
    chain = chain_of(Grace(hours=99, predictions=99), Expires(at=NOW + 2 * HOUR))
    assert code_of(decide(chain, NOW + HOUR, outage_since=NOW)) == "allowed"
    assert code_of(decide(chain, NOW + HOUR, outage_since=NOW, revoked=frozenset({chain.id}))) == "revoked"
    assert code_of(decide(chain, NOW + 2 * HOUR, outage_since=NOW)) == "expired"


def test_an_offline_file_does_not_outlive_what_the_license_allows() -> None:
    chain = chain_of(Offline(hours=24, files=1))
    file = offline_of(chain.id, issued_at=NOW, not_after=NOW + 25 * HOUR)
    assert code_of(decide(chain, authority=file.authority)) == "offline-too-long"


def test_a_usage_report_is_by_the_device_that_it_names() -> None:
    kind = type(DOCUMENTS["usage"])
    token = forge(to_payload(DOCUMENTS["usage"]), key(KeyKind.DEVICE, 77), kind.typ())
    with pytest.raises(VerificationError):
        verify_by_key(token, kind, DEVICE.public_text)
