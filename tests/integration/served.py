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
from strongroom.broker.http import tls
from strongroom.broker.http.server import BrokerServer, listen
from strongroom.broker.http.settings import HttpSettings
from strongroom.client import Model
from strongroom.client import open as open_client
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
        settings = HttpSettings(url=self.world.url, shutdown_seconds=10, handshake_seconds=1)
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

    def open(self, **options: Any) -> Model:
        """Open the model as the clinic's programs do."""
        return open_client("risk", home=self.world.clinic.path, **options)


@contextmanager
def serving(folder: Path, *terms: Term) -> Iterator[Served]:
    """Serve until the block ends."""
    own = tls.OwnAuthority(folder / "tls", "hospital", ())
    folder.mkdir(exist_ok=True)
    own.ensure(datetime.now(UTC))
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    world = LeaseWorld.make(
        folder, terms=terms, url=url, ca=own.authority.decode("ascii"), clock=SystemClock()
    )
    served = Served(world, port, own)
    served.start()
    try:
        yield served
    finally:
        served.stop()
        world.close()
