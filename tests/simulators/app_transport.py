"""A broker's application without a network: requests of clients go to it in this process.

    with InProcessBroker(home) as broker:
        monkeypatch.setattr("strongroom.connection.https.HttpsTransport", broker.transport)
        run("models")                                   # any client of this process reaches it
        broker.stop(), broker.start()                   # an outage

It is the broker itself, with its database in the home; only what carries bytes is another.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from starlette.testclient import TestClient

from strongroom.broker.assembly import Broker, admit_owner, assemble, database_path, default_database
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.connection.interface import Collect, Request, Response, Transport
from strongroom.crypto.certificate import make_authority
from strongroom.errors import BrokerUnavailable
from strongroom.home import files
from strongroom.home.home import Home
from strongroom.keys.invite import BrokerAddress
from tests.servers.application import messages_compiled_once
from tests.servers.sqlite import lay_tables

URL: Final = "https://broker.hospital.example"


@cache
def _authority() -> str:
    host = urlsplit(URL).hostname or ""
    return make_authority("hospital", hosts=[host], now=datetime.now(UTC)).certificate.decode("ascii")


class InProcessBroker:
    """The broker of an owner's home."""

    def __init__(self, home: Home, *, lease_seconds: int = 900, two_people: bool = False) -> None:
        self._home = home
        self._settings = Settings(lease_seconds=lease_seconds, two_people=two_people)
        self._broker: Broker | None = None
        self._client: TestClient | None = None

    def start(self) -> None:
        """Answer from now on."""
        files.make_folder(database_path(self._home).parent)
        lay_tables(default_database(self._home))
        with messages_compiled_once():
            broker = assemble(self._home, HttpSettings(url=URL), self._settings)
        broker.__enter__()
        admit_owner(broker, self._home)
        self._home.brokers.keep(broker.keys.owner_id, BrokerAddress(url=URL, ca=_authority()))
        self._client = TestClient(broker.app, base_url=URL, raise_server_exceptions=False)
        self._broker = broker

    def stop(self) -> None:
        """Be down."""
        if self._broker is not None:
            self._broker.__exit__(None, None, None)
        self._broker = self._client = None

    def __enter__(self) -> InProcessBroker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def transport(self, *, ca: str) -> Transport:
        """Stand in for ``HttpsTransport``."""
        return _AppTransport(self)

    def send(self, request: Request, collect: Collect) -> Response:
        """Let the application answer."""
        if self._client is None:
            raise BrokerUnavailable("no connection to the broker")
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self._client.request(
            request.method, path, headers=dict(request.headers), content=request.body
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(status=answer.status_code, headers=headers, body=collect([answer.content]))


class _AppTransport(Transport):
    def __init__(self, broker: InProcessBroker) -> None:
        self._broker = broker

    def _send(self, request: Request, collect: Collect) -> Response:
        return self._broker.send(request, collect)
