from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest

from strongroom.connection import caller
from strongroom.connection.caller import Caller, Identity, segment
from strongroom.connection.interface import Request, Response, SilentBroker
from strongroom.crypto import dpop
from strongroom.errors import BrokerRefused, BrokerUnavailable, FormatError, LicenseDenied, ObjectNotFound
from strongroom.keys.assertion import verify_assertion
from strongroom.keys.identity import runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from tests.unit.connection.scripted import Scripted, problem, said

URL = "https://broker.example"
OWNER = "own-" + "a" * 24
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
DEVICE = SigningKey.generate(KeyKind.DEVICE)
TOKEN = said({"access_token": "abc", "token_type": "DPoP", "expires_in": 300})


class World:
    """A caller, its transport and its naps."""

    def __init__(self, *answers: Any, now: datetime = NOW) -> None:
        self.wire = Scripted(answers)
        self.naps: list[float] = []
        identity = Identity(owner=OWNER, subject=runtime_id(DEVICE.public), key=DEVICE)
        self.caller = Caller(self.wire, URL, identity, clock=lambda: now, sleep=self.naps.append)

    def call(self, method: str = "POST", path: str = "/leases", **options: Any) -> bytes:
        options.setdefault("body", b"{}" if method == "POST" else None)
        return self.caller.call(method, path, **options).body

    @property
    def asked(self) -> list[str]:
        return [f"{each.method} {each.url.removeprefix(URL)}" for each in self.wire.asked]


def proof_of(request: Request, *, token: str | None, now: datetime = NOW) -> dpop.Proof:
    return dpop.verify(
        request.headers["DPoP"],
        method=request.method,
        url=request.url.partition("?")[0],
        now=now,
        max_skew_seconds=60,
        access_token=token,
    )


def test_a_call_gets_a_token_by_an_assertion_and_proves_its_key() -> None:
    world = World(TOKEN, said({"ok": 1}))
    assert world.call(query={"after": "x y", "limit": None}) == b'{"ok":1}'
    assert world.asked == ["POST /v1/token", "POST /v1/leases?after=x+y"]
    token_request, request = world.wire.asked
    form = parse_qs((token_request.body or b"").decode())
    assertion = form["client_assertion"][0]
    verify_assertion(assertion, DEVICE.public, owner=OWNER, audience=URL, now=NOW)
    assert proof_of(token_request, token=None).public == DEVICE.public
    assert proof_of(request, token="abc").public == DEVICE.public
    assert request.headers["Authorization"] == "DPoP abc"
    assert "abc" not in repr(request)


def test_a_token_is_used_again_until_it_is_old() -> None:
    short = said({"access_token": "abc", "token_type": "DPoP", "expires_in": 31})
    world = World(short, said({}), said({}))
    world.call()
    world.call()
    assert world.asked == ["POST /v1/token", "POST /v1/leases", "POST /v1/leases"]


def test_a_nonce_that_is_asked_for_is_used_from_then_on() -> None:
    world = World(
        problem(400, "use-dpop-nonce", DPoP_Nonce="no", dpop_nonce="n1"),
        TOKEN,
        problem(401, "use-dpop-nonce", dpop_nonce="n2"),
        said({}, dpop_nonce="n3"),
        said({}),
    )
    world.call()
    world.call()
    nonces = [
        proof_of(each, token="abc" if "Authorization" in each.headers else None).nonce
        for each in world.wire.asked
    ]
    assert nonces == [None, "n1", "n1", "n2", "n3"]


def test_a_nonce_is_not_asked_for_for_ever() -> None:
    answers = [problem(400, "use-dpop-nonce", dpop_nonce=f"n{number}") for number in range(9)]
    with pytest.raises(BrokerRefused):
        World(*answers).call()


def test_a_write_is_repeated_with_the_same_key_after_a_silence() -> None:
    world = World(TOKEN, SilentBroker("no"), SilentBroker("no"), said({"done": 1}))
    assert world.call() == b'{"done":1}'
    keys = {each.headers.get("Idempotency-Key") for each in world.wire.asked[1:]}
    assert len(keys) == 1
    assert None not in keys
    assert len({each.headers["DPoP"] for each in world.wire.asked[1:]}) == 3
    assert len(world.naps) == 2


def test_a_read_carries_no_key() -> None:
    world = World(TOKEN, said({}))
    world.call("GET")
    assert "Idempotency-Key" not in world.wire.asked[1].headers


def test_a_broker_that_stays_silent_is_unavailable() -> None:
    world = World(*[SilentBroker("no")] * 3)
    with pytest.raises(BrokerUnavailable):
        world.call()


def test_a_broker_that_asks_for_much_patience_is_not_waited_for() -> None:
    world = World(TOKEN, said({}, 503, retry_after="600"))
    with pytest.raises(SilentBroker) as caught:
        world.call()
    assert caught.value.retry_after_seconds == 600
    assert world.naps == []


@pytest.mark.parametrize("text", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 10, "-1"])
def test_a_strange_patience_is_left_aside(text: str) -> None:
    world = World(TOKEN, said({}, 503, retry_after=text), said({}))
    world.call()
    assert len(world.naps) == 1


def test_a_token_that_is_refused_is_got_anew_once() -> None:
    other = said({"access_token": "def", "token_type": "DPoP", "expires_in": 300})
    world = World(TOKEN, problem(401, "token-expired"), other, said({}))
    world.call()
    assert world.wire.asked[3].headers["Authorization"] == "DPoP def"


def test_a_wrong_clock_is_corrected_by_the_date_of_the_broker() -> None:
    true = NOW + timedelta(days=400)
    date = format_datetime(true, usegmt=True)
    world = World(problem(400, "proof-stale", date=date), TOKEN, said({}))
    world.call()
    proof_of(world.wire.asked[2], token="abc", now=true)
    assert world.caller.now == true


def test_a_stale_proof_without_a_date_is_refused() -> None:
    with pytest.raises(BrokerRefused):
        World(problem(400, "proof-stale", date="yesterday")).call()


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1000 00:00:00 +1200",
        "Fri, 99 Dec 2026 23:59:59 GMT",
        "Fri, 31 Dec 2026 23:59:59 +99999999999999",
    ],
)
def test_a_date_that_no_clock_can_have_is_left_aside(date: str) -> None:
    world = World(said({}, date=date), said({}))
    world.call("GET", "/owner", public=True)
    assert world.caller.now == NOW
    world.call("GET", "/owner", public=True)


def test_a_clock_that_begins_in_1970_is_corrected() -> None:
    began = datetime(1970, 1, 1, tzinfo=UTC)
    world = World(said({}, date=format_datetime(NOW, usegmt=True)), now=began)
    world.call("GET", "/owner", public=True)
    assert world.caller.now == NOW


def test_a_broker_that_is_slow_and_then_asks_for_more_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    monkeypatch.setattr(caller, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    def slowly(answer: Response) -> Callable[[Request], Response]:
        def give(_: Request) -> Response:
            passed[0] += 29
            return answer

        return give

    nonces = [slowly(problem(400, "use-dpop-nonce", dpop_nonce=f"n{number}")) for number in range(9)]
    world = World(*nonces)
    with pytest.raises(SilentBroker) as caught:
        world.call()
    assert caught.value.code == "broker-timeout"
    assert len(world.wire.asked) == 2


def test_a_public_route_goes_without_a_token() -> None:
    world = World(said({}))
    world.call("GET", "/owner", public=True)
    assert not set(world.wire.asked[0].headers) & {"DPoP", "Authorization"}


@pytest.mark.parametrize(
    ("status", "code", "kind", "error"),
    [
        (403, "expired", "license-denied", LicenseDenied),
        (409, "clone-suspected", "broker-refused", BrokerRefused),
        (404, "not-found", "not-found", ObjectNotFound),
        (422, "usage-wrong", "verification", BrokerRefused),
    ],
)
def test_refusals_become_errors_with_code_and_hint(
    status: int, code: str, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        World(TOKEN, problem(status, code, kind, hint="do\x1b[31m this")).call()
    found: Any = caught.value
    assert (type(found), found.code) == (error, code)
    assert found.hint == "do [31m this"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"\xff", b'{"code": 1}'])
def test_a_refusal_that_is_no_problem_is_nonsense(body: bytes) -> None:
    answer = said({}, 403)
    object.__setattr__(answer, "body", body)
    with pytest.raises(FormatError) as caught:
        World(TOKEN, answer).call()
    assert caught.value.code == "broker-answer"


def test_a_code_that_is_none_is_nonsense() -> None:
    with pytest.raises(FormatError):
        World(TOKEN, problem(403, "Not A Code")).call()


def test_an_answer_that_is_no_token_is_nonsense() -> None:
    with pytest.raises(FormatError):
        World(said({"token": "abc"})).call()


def test_an_id_is_one_part_of_a_path_whatever_is_in_it() -> None:
    assert segment("../x?y#z") == "..%2Fx%3Fy%23z"
