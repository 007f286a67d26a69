from __future__ import annotations

from dataclasses import replace

import pytest

from strongroom._limits import LIMITS
from strongroom.connection import interface
from strongroom.connection.interface import Request, SilentBroker
from strongroom.errors import FormatError
from strongroom.leasing.silence import is_busy, is_silence
from tests.unit.connection.scripted import Scripted, said

REQUEST = Request(method="GET", url="https://broker.example/v1/owner")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_broker_that_is_not_at_work_is_silent(status: int) -> None:
    with pytest.raises(SilentBroker) as caught:
        Scripted([said({}, status)]).send(REQUEST)
    assert caught.value.code == "broker-busy"


def test_a_broker_that_failed_is_not_told_as_one_that_is_busy() -> None:
    """Nobody looks into its log otherwise."""
    problem = {"code": "unexpected", "status": 500, "title": "", "type": "/problems/unexpected/unexpected"}
    with pytest.raises(SilentBroker) as caught:
        Scripted([said(problem, 500)]).send(REQUEST)
    assert caught.value.code == "broker-failed"
    assert "log" in (caught.value.hint or "")


def test_a_broker_without_its_database_is_not_told_as_one_to_be_started() -> None:
    with pytest.raises(SilentBroker) as caught:
        Scripted([said({"code": "database-unavailable", "status": 503}, 503)]).send(REQUEST)
    assert caught.value.code == "broker-database"
    assert "goes on by itself" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "code",
    ["database-refused", "disk-full", "ledger-failed", "broker-closing", "token-unavailable", "token-pin"],
)
def test_what_a_broker_lacks_is_told_by_its_own_code(code: str) -> None:
    with pytest.raises(SilentBroker) as caught:
        Scripted([said({"code": code, "status": 503}, 503, retry_after="2")]).send(REQUEST)
    assert caught.value.code == code
    assert "the broker" in str(caught.value)
    assert caught.value.retry_after_seconds == 2
    # Nothing that the partner could do at its own disk or token.
    assert "whoever runs the broker" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "code",
    ["locked", "revoked", "broker-answer", "broker-certificate", "busy", "broker-busy", "of-tomorrow", 7],
)
def test_no_other_code_is_taken_from_whoever_is_silent(code: object) -> None:
    """One that means something else here would end what an outage does not."""
    with pytest.raises(SilentBroker) as caught:
        Scripted([said({"code": code, "status": 503}, 503)]).send(REQUEST)
    assert caught.value.code == "broker-busy"
    assert is_silence(caught.value)
    assert not is_busy(caught.value)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 501])
def test_every_other_answer_is_an_answer(status: int) -> None:
    response = Scripted([said({}, status)]).send(REQUEST)
    assert (response.status, response.is_success) == (status, status == 200)


def test_an_answer_is_limited_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "LIMITS", replace(LIMITS, max_broker_answer_bytes=10))
    with pytest.raises(FormatError) as caught:
        Scripted([said("x" * 20)]).send(REQUEST)
    assert caught.value.code == "broker-answer"


def test_closing_what_holds_nothing_is_harmless() -> None:
    Scripted([]).close()


def test_nothing_secret_is_shown() -> None:
    request = replace(REQUEST, headers={"Authorization": "DPoP secret"}, body=b"secret")
    assert "secret" not in repr(request)
    assert "secret" not in repr(said("secret", dpop_nonce="secret"))
