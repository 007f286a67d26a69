from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from strongroom._encoding import to_wire
from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.assertion import LIFE_SECONDS, ClientAssertion, verify_assertion

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
URL = "https://broker.example:8443"
OWNER = "own-" + "a" * 24
OTHER_OWNER = "own-" + "b" * 24
RUNTIME = "run-" + "c" * 24
SECRET = SigningSecret.generate()
GOOD = ClientAssertion.make(subject=RUNTIME, owner=OWNER, audience=URL, now=NOW)


def token(assertion: ClientAssertion = GOOD, typ: str = ClientAssertion.TYP) -> str:
    return jws.sign(typ, to_wire(assertion), SECRET)


def changed(**changes: Any) -> ClientAssertion:
    return msgspec.structs.replace(GOOD, **changes)


def refused(text: str, *, now: datetime = NOW, owner: str = OWNER, audience: str = URL) -> str:
    with pytest.raises((FormatError, VerificationError)) as caught:
        verify_assertion(text, SECRET.public, owner=owner, audience=audience, now=now)
    return caught.value.code


def test_an_assertion_names_who_asks() -> None:
    read = verify_assertion(token(), SECRET.public, owner=OWNER, audience=URL, now=NOW)
    assert read == GOOD
    assert read.sub == RUNTIME


def test_from_bytes_and_to_bytes_are_inverses() -> None:
    assert ClientAssertion.from_bytes(GOOD.to_bytes()) == GOOD


def test_two_assertions_differ() -> None:
    again = ClientAssertion.make(subject=RUNTIME, owner=OWNER, audience=URL, now=NOW)
    assert again.jti != GOOD.jti


def test_another_broker_is_not_meant() -> None:
    assert refused(token(), audience="https://evil.example") == "assertion-audience"


def test_an_owner_cannot_pass_on_what_it_was_given() -> None:
    """One member key, two owners: the address can be claimed by either, the owner id cannot."""
    assert refused(token(), owner=OTHER_OWNER) == "assertion-audience"


@pytest.mark.parametrize("seconds", [-LIMITS.max_clock_skew_seconds - 1, LIMITS.max_clock_skew_seconds + 60])
def test_another_time(seconds: int) -> None:
    assert refused(token(), now=NOW + timedelta(seconds=seconds)) == "assertion-stale"


def test_another_key() -> None:
    with pytest.raises(VerificationError):
        verify_assertion(token(), SigningSecret.generate().public, owner=OWNER, audience=URL, now=NOW)


def test_a_document_of_another_kind() -> None:
    assert refused(token(typ="strongroom-lease-request+jws")) == "wrong-kind"


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "own-x"},
        {"iss": "run-" + "d" * 24},
        {"aud": "https://" + "x" * 600},
        {"jti": ""},
        {"jti": "x" * 65},
        {"exp": GOOD.iat},
        {"exp": GOOD.iat + LIFE_SECONDS + 1},
    ],
)
def test_claims_that_break_a_rule(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        ClientAssertion.from_bytes(to_wire(changed(**changes)))
