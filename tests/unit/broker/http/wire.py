"""A broker's application in memory, and people and runtimes who ask it with their own keys.

wire = Wire(world)
wire.member(world.home).send("GET", "/partners").json()
wire.runtime(clinic.home).send("POST", "/leases", json={...})
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from typing import Any

import httpx2
from starlette.testclient import TestClient

from strongroom.broker.assembly import Broker, wire
from strongroom.broker.http.request_log import RequestLog
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.crypto import dpop, jws
from strongroom.home.home import Home
from strongroom.keys.assertion import ClientAssertion
from strongroom.keys.identity import member_id, runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.protocol.broker import API_PREFIX, ASSERTION_TYPE
from tests.servers.application import messages_compiled_once
from tests.unit.broker.services.hospital import World

URL = "https://broker.example:8443"


class Wire:
    """The application of a world's broker."""

    def __init__(self, world: World, **http: Any) -> None:
        self.world = world
        self.log = StringIO()
        self.settings = HttpSettings(url=URL, **http)
        with messages_compiled_once():
            self.broker: Broker = wire(
                world.store,
                world.ledger,
                world.keys,
                self.settings,
                Settings(),
                clock=world.watch,
                log_to=RequestLog(self.log),
            )
        self.client = TestClient(self.broker.app, base_url=URL, raise_server_exceptions=False)

    def member(self, home: Home) -> Asker:
        """Ask as the member of a home."""
        key = home.keys.member()
        return Asker(self, key, member_id(key.public))

    def runtime(self, home: Home) -> Asker:
        """Ask as the runtime of a home."""
        key = home.keys.device(self.world.keys.owner_id)
        return Asker(self, key, runtime_id(key.public))

    def stranger(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Ask without any key."""
        headers = {"Idempotency-Key": secrets.token_hex(8), **options.pop("headers", {})}
        return self.client.request(method, API_PREFIX + path, headers=headers, **options)


class Asker:
    """Somebody with a key. Every part of what it sends can be replaced by a lie."""

    def __init__(self, wire: Wire, key: SigningKey, subject: str) -> None:
        self.wire = wire
        self.key = key
        self.subject = subject
        self._token: str | None = None

    @property
    def now(self) -> datetime:
        """The time at the broker."""
        return self.wire.world.watch.time

    def nonce(self) -> str:
        """Return a nonce, as any refusal carries it."""
        return str(self.wire.client.get(f"{API_PREFIX}/members").headers["DPoP-Nonce"])

    def proof(self, method: str, path: str, **changes: Any) -> str:
        """Make a proof."""
        options: dict[str, Any] = {
            "method": method,
            "url": URL + path,
            "issued_at": self.now,
            "nonce": self.nonce(),
            **changes,
        }
        return dpop.make(self.key.secret, **options)

    def assertion(self, **changes: Any) -> str:
        """Sign an assertion."""
        options: dict[str, Any] = {
            "subject": self.subject,
            "owner": self.wire.world.keys.owner_id,
            "audience": URL,
            "now": self.now,
            **changes,
        }
        made = ClientAssertion.make(**options)
        return jws.sign(ClientAssertion.TYP, made.to_bytes(), self.key.secret)

    def ask_token(
        self, *, form: Mapping[str, str] | None = None, proof: str | None = None, **assertion: Any
    ) -> httpx2.Response:
        """Ask for an access token."""
        path = f"{API_PREFIX}/token"
        good = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(**assertion),
        }
        headers = {"DPoP": proof or self.proof("POST", path)}
        return self.wire.client.post(path, data={**good, **(form or {})}, headers=headers)

    @property
    def token(self) -> str:
        """An access token, the same one each time."""
        if self._token is None:
            answer = self.ask_token()
            assert answer.status_code == 200, answer.text
            self._token = str(answer.json()["access_token"])
        return self._token

    def send(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx2.Response:
        """Ask for something."""
        bare = f"{API_PREFIX}{path}".partition("?")[0]
        all_headers = {
            "Authorization": f"DPoP {self.token}",
            "DPoP": self.proof(method, bare, access_token=self.token),
            **({} if method == "GET" else {"Idempotency-Key": key or secrets.token_hex(8)}),
            **(headers or {}),
        }
        return self.wire.client.request(method, API_PREFIX + path, headers=all_headers, **options)


def code_of(response: httpx2.Response) -> str:
    """Return the code of a refusal, which is a problem document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].endswith(f"/{problem['code']}")
    return str(problem["code"])
