"""Which proxy of the environment leads to a broker, and which is none."""

from __future__ import annotations

import os

import pytest

from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Request
from strongroom.connection.proxy import Proxy, proxy_for
from strongroom.crypto.certificate import make_authority
from strongroom.errors import BrokerUnavailable
from tests.parties import right_now

HOST = "broker.hospital.example"


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def test_without_variables_there_is_none() -> None:
    assert proxy_for(HOST) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HTTPS_PROXY", "http://proxy:3128", Proxy(url="http://proxy:3128", credentials=None)),
        ("https_proxy", "proxy:3128", Proxy(url="http://proxy:3128", credentials=None)),
        ("ALL_PROXY", "HTTPS://Proxy/", Proxy(url="https://proxy", credentials=None)),
        ("HTTPS_PROXY", "http://[::1]:3128", Proxy(url="http://[::1]:3128", credentials=None)),
        ("HTTPS_PROXY", "http://me:p%40%C3%BC@proxy", Proxy(url="http://proxy", credentials=("me", "p@ü"))),
    ],
)
def test_the_variable_says_which(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: Proxy
) -> None:
    monkeypatch.setenv(name, value)
    assert proxy_for(HOST) == expected


def test_the_variable_for_https_goes_before_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://other")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    assert proxy_for(HOST) == Proxy(url="http://proxy", credentials=None)


@pytest.mark.parametrize(
    "exempt", [HOST, "hospital.example", ".hospital.example", "*", "a, hospital.example"]
)
def test_a_host_can_be_exempt(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy_for(HOST) is None


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:9",
        "socks5h://me:secret@127.0.0.1:9",
        "ftp://proxy",
        "http://[::1",
        "http://proxy:notaport",
        "http://me:secret@127.0.0.1:99999",
        "http://",
        "://",
        "http://pro xy",
        "http://prøxy",
    ],
)
def test_what_is_no_proxy_of_ours_is_silence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ca = make_authority("hospital", hosts=[HOST], now=right_now()).certificate.decode("ascii")
    with pytest.raises(BrokerUnavailable) as caught:
        HttpsTransport(ca=ca).send(Request(method="GET", url=f"https://{HOST}/v1/owner"))
    assert caught.value.code == "broker-proxy"
    assert name.upper() in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.hint}"
