"""The wire between programs of this process and the application of a broker, which tests can damage.

wire = BrokerWire(broker.app, URL)
wire.is_cut = True                     # nobody answers
wire.lose_answers(1)                   # the broker acts, and its next answer is lost
wire.replay("/leases")                 # the answer of before is given again
wire.swap("/leases")                   # the next two answers go to each other's askers
wire.lag("/leases")                    # every answer arrives one request late
wire.asked                             # what was asked, in order
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import format_datetime
from urllib.parse import urlsplit

from starlette.testclient import TestClient
from starlette.types import ASGIApp

from strongroom.broker.clock import Clock
from strongroom.connection.interface import Collect, Request, Response, Transport
from strongroom.errors import BrokerUnavailable

_SWAP_SECONDS = 30


class BrokerWire:
    """Carries requests to an application that runs in this process."""

    def __init__(self, app: ASGIApp, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self.reach(app)
        self.is_cut = False
        self.asked: list[str] = []
        self.delay: Callable[[], None] | None = None
        """Runs after the broker has acted and before its answer arrives."""
        self._lost = 0
        self._only = ""
        self._kept: dict[str, Response] = {}
        self._replayed: set[str] = set()
        self._lagging: dict[str, Response | None] = {}
        self._swapped = ""
        self._swapping: list[Response] = []
        self._both = threading.Barrier(2, timeout=_SWAP_SECONDS)

    def reach(self, app: ASGIApp) -> None:
        """Lead to this application from now on: the broker was started again."""
        self._client = TestClient(app, base_url=self._url, raise_server_exceptions=False)

    def lose_answers(self, count: int, *, of: str = "") -> None:
        """Lose so many answers to requests whose path ends so."""
        self._lost, self._only = count, of

    def replay(self, path: str, *, on: bool = True) -> None:
        """Give the last answer of this path again, and let nothing through."""
        (self._replayed.add if on else self._replayed.discard)(path)

    def swap(self, path: str) -> None:
        """Let two requests for this path wait for each other, and exchange their answers."""
        self._swapped = path

    def lag(self, path: str, *, on: bool = True) -> None:
        """Give each request for this path the answer to the one before; the first hears nothing."""
        self._lagging.pop(path, None)
        if on:
            self._lagging[path] = None

    def transport(self) -> Transport:
        """Return one end of it."""
        return _End(self)

    def send(self, request: Request, collect: Collect) -> Response:
        """Carry one request."""
        parts = urlsplit(request.url)
        path = parts.path.removeprefix("/v1")
        self.asked.append(f"{request.method} {path}")
        if self.is_cut:
            raise BrokerUnavailable("no connection to the broker")
        if path in self._replayed:
            return self._kept[path]
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        answer = self._client.request(
            request.method, target, headers=dict(request.headers), content=request.body
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        headers.setdefault("date", format_datetime(self._clock.now(), usegmt=True))
        response = Response(status=answer.status_code, headers=headers, body=collect([answer.content]))
        if path == self._swapped:
            return self._exchange(response)
        if path in self._lagging:
            late, self._lagging[path] = self._lagging[path], response
            if late is None:
                raise BrokerUnavailable("the answer is late")
            return late
        if path.endswith(self._only) and self._lost and response.is_success:
            self._lost -= 1
            raise BrokerUnavailable("the answer was lost")
        if response.is_success:
            self._kept[path] = response
        if self.delay is not None and path == "/leases":
            self.delay()
        return response

    def _exchange(self, response: Response) -> Response:
        self._swapping.append(response)
        self._both.wait()
        (other,) = (each for each in self._swapping if each is not response)
        # Nobody goes on before both have what they get.
        if self._both.wait() == 0:
            self._swapped = ""
            self._swapping.clear()
        self._both.wait()
        return other


class _End(Transport):
    def __init__(self, wire: BrokerWire) -> None:
        self._wire = wire

    def _send(self, request: Request, collect: Collect) -> Response:
        return self._wire.send(request, collect)
