"""A broker on a real socket with TLS, and a home that knows it, for programs in processes of their own.

with serving(tmp_path, Grace(hours=24, predictions=50)) as served:
    served.open().predict(rows)
    served.stop(); served.start()               # an outage
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strongroom.broker.clock import SystemClock
from strongroom.broker.http.server import BrokerServer, listen
from strongroom.broker.http.settings import HttpSettings
from strongroom.client import Model
from strongroom.client import open as open_client
from strongroom.connection import BrokerClient
from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Transport
from strongroom.home import tls
from strongroom.keys.key_pair import SigningKey
from strongroom.license.term import Term
from tests.lease_world import LeaseWorld


@dataclass
class Served:
    """The world, and the listening end of its broker."""

    world: LeaseWorld
    port: int
    own: tls.OwnAuthority
    server: BrokerServer | None = None
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer from now on, at the same address."""
        ready = threading.Event()
        context = tls.server_context(self.own.certificate_path, self.own.key_path)
        quick = {"shutdown_seconds": 10, "handshake_seconds": 1}
        settings = HttpSettings(url=self.world.url, **{**quick, **self.world.http})
        listener = listen("127.0.0.1", self.port)
        self.server = BrokerServer(
            self.world.broker.app, settings, listener=listener, context=context, ready=ready.set
        )

        def run(server: BrokerServer) -> None:
            with listener:
                server.run()

        self.thread = threading.Thread(target=run, args=(self.server,))
        self.thread.start()
        assert ready.wait(20)

    def stop(self) -> None:
        """Be down."""
        if self.server is None or self.thread is None:
            return
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.server = self.thread = None

    def client(self, subject: str, key: SigningKey, through: Transport | None = None) -> BrokerClient:
        """Return a line over the real socket, which asks once."""
        return BrokerClient(
            through or HttpsTransport(ca=self.ca),
            self.world.url,
            owner=self.world.owner_id,
            subject=subject,
            key=key,
            clock=lambda: datetime.now(UTC),
            sleep=_never,
        )

    @property
    def ca(self) -> str:
        """The authority of the broker's certificate."""
        return self.own.authority.decode("ascii")

    def open(self, **options: Any) -> Model:
        """Open the model as the clinic's programs do."""
        return open_client("risk", home=self.world.clinic.path, **options)


@contextmanager
def serving(folder: Path, *terms: Term, **http: Any) -> Iterator[Served]:
    """Serve until the block ends."""
    own = tls.OwnAuthority(folder / "tls", "hospital", ())
    folder.mkdir(exist_ok=True)
    own.ensure(datetime.now(UTC))
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    world = LeaseWorld.make(
        folder, terms=terms, url=url, ca=own.authority.decode("ascii"), clock=SystemClock(), http=http
    )
    served = Served(world, port, own)
    served.start()
    try:
        yield served
    finally:
        served.stop()
        world.close()


def _never(_: float) -> None:
    raise AssertionError("it was told to wait")
