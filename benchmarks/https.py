"""What a lease costs over HTTPS: against the same in this process, and against a bare route.

    .venv/bin/python -m benchmarks.https

Three sides in turn, by 1, 8 and 32 clients, each client with one connection that stays open:

* ``in process``: the broker's service of leases, called here.
* ``HTTPS``: the broker's own server, with TLS 1.3, in a process of its own, asked by the client of
  partners, which signs a proof (DPoP) for each request.
* ``bare route``: FastAPI under uvicorn with the same certificate in a process of its own, whose one
  route reads the request and answers a constant of the size of a lease, asked by the same client.

Requests of leases and reports are signed before, access tokens are got before. CPU is that of the process
that serves, without the clients. The database is SQLite; every lease is durable before it is answered.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI
from fastapi import Request as FastApiRequest
from fastapi import Response as FastApiResponse

from benchmarks.broker import Grant, Renewals
from benchmarks.timing import busy_elsewhere, header, row
from strongroom.broker.assembly import assemble
from strongroom.broker.http.server import BrokerServer, listen
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.connection.broker_client import BrokerClient
from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Collect, Request, Response, Transport
from strongroom.home import Home, tls
from strongroom.protocol.broker import API_PREFIX, LeaseAnswer, LeaseAsk, TokenAnswer
from tests.broker_scene import Machine

CLIENTS = (1, 8, 32)
CLINICS = 4
"""Of eight machines each."""
ROUNDS = 3
_READY = "ready"


@dataclass(slots=True)
class Times:
    """What the leases of one side took: each of them, and CPU of the process that served, in seconds."""

    walls: list[float] = field(default_factory=list)
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """One way to take leases."""

    name: str
    renewals: Renewals
    cpu: Callable[[], float]
    """CPU time of what serves, so far."""
    connect: Callable[[], None]
    """Opens the connection of a thread, unmeasured."""


class OfThread(Transport):
    """A connection for each thread that asks."""

    def __init__(self, ca: str) -> None:
        self._ca = ca
        self._own = threading.local()

    def _send(self, request: Request, collect: Collect) -> Response:
        if "transport" not in self._own.__dict__:
            self._own.transport = HttpsTransport(ca=self._ca)
        transport: HttpsTransport = self._own.transport
        return transport._send(request, collect)


class Runtimes:
    """The programs of all machines, as they speak to a server."""

    def __init__(self, url: str, ca: str, owner: str) -> None:
        self._url, self._owner = url, owner
        self._transport = OfThread(ca)
        self._clients: dict[str, BrokerClient] = {}

    def take(self, machine: Machine, ask: LeaseAsk) -> LeaseAnswer:
        """Take a lease."""
        if machine.id not in self._clients:
            self._clients[machine.id] = BrokerClient(
                self._transport,
                self._url,
                owner=self._owner,
                subject=machine.id,
                key=machine.device,
                clock=lambda: datetime.now(UTC),
            )
        return self._clients[machine.id].take_lease(ask)

    def connect(self) -> None:
        """Open the connection of this thread."""
        self._transport.send(Request(method="GET", url=f"{self._url}{API_PREFIX}/owner"))


def serve_broker(folder: Path, port: int, database: str) -> None:
    """Be a broker over a home."""
    broker = assemble(
        Home.open(folder / "home"), HttpSettings(url=_url(port)), Settings(), database_url=database
    )
    own = _authority(folder)
    with broker, listen("127.0.0.1", port) as listener:
        gc.collect()
        gc.freeze()
        context = tls.server_context(own.certificate_path, own.key_path)
        settings = HttpSettings(url=_url(port))
        BrokerServer(
            broker.app, settings, listener=listener, context=context, ready=lambda: print(_READY, flush=True)
        ).run()


def serve_constant(folder: Path, port: int) -> None:
    """Answer always the same."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        print(_READY, flush=True)
        yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    lease = (folder / "answer.json").read_bytes()
    token = msgspec.json.encode(TokenAnswer(access_token="x" * 600, token_type="DPoP", expires_in=3600))  # noqa: S106 - no token

    @app.post(f"{API_PREFIX}/leases")
    async def take_lease(request: FastApiRequest) -> FastApiResponse:
        await request.body()
        return FastApiResponse(lease, media_type="application/json")

    @app.post(f"{API_PREFIX}/token")
    async def issue(request: FastApiRequest) -> FastApiResponse:
        await request.body()
        return FastApiResponse(token, media_type="application/json")

    @app.get(f"{API_PREFIX}/owner")
    async def owner() -> FastApiResponse:
        return FastApiResponse(b"{}", media_type="application/json")

    own = _authority(folder)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        ssl_certfile=str(own.certificate_path),
        ssl_keyfile=str(own.key_path),
        log_level="warning",
        access_log=False,
    )


def _url(port: int) -> str:
    return f"https://127.0.0.1:{port}"


def _authority(folder: Path) -> tls.OwnAuthority:
    own = tls.OwnAuthority(folder / "tls", "hospital", ())
    own.ensure(datetime.now(UTC))
    return own


@contextmanager
def _serving(kind: str, folder: Path, database: str = "") -> Iterator[tuple[str, int]]:
    """Start a server in a process of its own; yields its address and process id."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    words = [sys.executable, "-m", "benchmarks.https", kind, str(folder), str(port), database]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.strip() == _READY, said
            _wait_for(port)
            yield _url(port), process.pid
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    """Wait until somebody listens: uvicorn says that it is ready just before."""
    for _ in range(300):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)


def _cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def sides() -> Iterator[list[Side]]:
    """Set up all three."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = _renewals(folder / "here")
        stack.callback(lambda: here.scene.close())
        found = [Side("in process", here, time.process_time, lambda: None)]
        answer = msgspec.json.encode(here.answer)
        for name, kind in (("HTTPS", "broker"), ("bare route", "constant")):
            at = folder / kind
            renewals = _renewals(at)
            renewals.scene.close()
            (at / "answer.json").write_bytes(answer)
            authority = _authority(at).authority.decode("ascii")
            url, process = stack.enter_context(_serving(kind, at, renewals.scene.url))
            runtimes = Runtimes(url, authority, renewals.scene.keys.owner_id)
            renewals.take = runtimes.take
            found.append(Side(name, renewals, partial(_cpu_of, process), runtimes.connect))
        yield found


def _renewals(folder: Path) -> Renewals:
    folder.mkdir()
    return Renewals(folder, f"sqlite:///{folder / 'broker.db'}", CLINICS)


def measure(side: Side, clients: int, times: Times) -> None:
    """Let so many clients renew every lease once, all at the same time."""
    grants = side.renewals.round()
    start = threading.Barrier(clients + 1)

    def client(share: Sequence[Grant]) -> list[float]:
        try:
            side.connect()
        except BaseException:
            # Nobody shall wait for who does not come.
            start.abort()
            raise
        start.wait()
        start.wait()
        walls = []
        for grant in share:
            began = time.perf_counter()
            grant()
            walls.append(time.perf_counter() - began)
        return walls

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(client, grants[number::clients]) for number in range(clients)]
        try:
            start.wait()
        except threading.BrokenBarrierError:
            for each in running:
                each.result()
            raise
        cpu = side.cpu()
        start.wait()
        for each in running:
            times.walls += each.result()
        times.cpu += side.cpu() - cpu


def _row(name: str, clients: int, times: Times, here: Times, bare: Times) -> None:
    def at(of: Times, share: float) -> float:
        return sorted(of.walls)[int(len(of.walls) * share)]

    def cost(of: Times) -> float:
        return of.cpu / len(of.walls)

    row(
        name,
        clients,
        len(times.walls),
        *(f"{at(times, share) * 1e3:.1f} ms" for share in (0.5, 0.99)),
        f"{cost(times) * 1e3:.2f} ms",
        f"{1 / cost(times):.0f}",
        f"{at(times, 0.5) / at(here, 0.5):.2f}",
        f"{cost(times) / cost(here):.2f}",
        f"{at(times, 0.5) / at(bare, 0.5):.2f}",
        f"{cost(times) / cost(bare):.2f}",
    )


def main() -> None:
    """Print the table."""
    header(
        *("side", "clients", "leases", "p50", "p99", "CPU of a lease", "leases per CPU second"),
        *("p50 to in process", "CPU to in process", "p50 to bare", "CPU to bare"),
    )
    with sides() as found, busy_elsewhere() as other:
        for side in found:
            # The first time, access tokens are got, and caches are empty.
            measure(side, 1, Times())
        for clients in CLIENTS:
            times = {side.name: Times() for side in found}
            for _ in range(ROUNDS):
                for side in found:
                    measure(side, clients, times[side.name])
            for side in found:
                _row(side.name, clients, times[side.name], times["in process"], times["bare route"])
    print(f"\nSQLite, {ROUNDS} rounds of {CLINICS * 8} machines in turn, other: {other():.1f} cores")


if __name__ == "__main__":
    if sys.argv[1:2] == ["broker"]:
        serve_broker(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    elif sys.argv[1:2] == ["constant"]:
        serve_constant(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
