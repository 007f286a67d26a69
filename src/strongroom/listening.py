"""HTTP/1.1 by uvicorn with a time limit for every step of a client; what all servers here listen with.

    server = HttpServer(app, limits, listener=listener, is_known=lambda scope: "principal" in scope)
    server.run()                         # until SIGINT or SIGTERM; requests under way are finished

Uvicorn limits how long a connection may idle between requests, but not how long a client may take
for a handshake or for the head of a request: that is added here. And where too many connections are open,
it refuses everybody: here the one goes that has been open for the longest and is not known.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

BACKLOG: Final = 256
"""Connections that may wait to be taken."""
_RENEW_EVERY_SECONDS: Final = 3600
_MAX_HEAD_BYTES: Final = 32 << 10
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ListeningLimits(Protocol):
    """The limits of a server; times in seconds."""

    @property
    def handshake_seconds(self) -> float:
        """How long a client may take for the TLS handshake."""

    @property
    def header_seconds(self) -> float:
        """How long a client may take for the head of a request."""

    @property
    def keep_alive_seconds(self) -> int:
        """How long a connection may idle between requests."""

    @property
    def shutdown_seconds(self) -> int:
        """How long requests under way may take when it ends."""

    @property
    def max_connections(self) -> int:
        """Open at once; above it, the oldest one goes that is not known."""


class HttpServer:
    """One listening server."""

    def __init__(
        self,
        app: ASGIApp,
        limits: ListeningLimits,
        *,
        listener: socket.socket,
        is_known: Callable[[Scope], bool],
        context: ssl.SSLContext | None = None,
        renew: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Wire it; nothing is answered yet.

        Args:
            app: The application.
            limits: Limits and times.
            listener: A listening socket.
            is_known: Tells of a request that was answered whether its connection is to be kept.
            context: The TLS context; None for none.
            renew: Called once an hour, to renew certificates.
            ready: Called when connections are taken.
        """
        self._limits = limits
        self._listener = listener
        self._server = _Server(_config(app, limits, is_known, context, renew), ready)

    def run(self) -> None:
        """Serve until the process is asked to end, by a signal or by ``stop``."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self._limits)) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))

    def stop(self) -> None:
        """Ask it to end, from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in order on a signal, as uvicorn does, but do not raise it again afterwards.

        That would kill the process before what it holds is put in order.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose servers do not wait a minute for a handshake."""

    def __init__(self, limits: ListeningLimits) -> None:
        super().__init__()
        self._handshake_seconds = limits.handshake_seconds

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", self._handshake_seconds)
            options.setdefault("ssl_shutdown_timeout", self._handshake_seconds)
        return await super().create_server(*arguments, **options)


def _config(
    app: ASGIApp,
    limits: ListeningLimits,
    is_known: Callable[[Scope], bool],
    context: ssl.SSLContext | None,
    renew: Callable[[], None] | None,
) -> uvicorn.Config:
    # What uvicorn logs quotes requests of strangers; whoever wants a log of requests writes one.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False

    async def notify() -> None:
        if renew is not None:
            await asyncio.to_thread(renew)

    return uvicorn.Config(
        app,
        http=_protocol(limits.header_seconds, _Connections(limits.max_connections), is_known),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # Addresses of clients are what the connection says, never what a header says.
        proxy_headers=False,
        server_header=False,
        ssl_context_factory=None if context is None else lambda *_: context,
        backlog=BACKLOG,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        callback_notify=notify,
        timeout_notify=_RENEW_EVERY_SECONDS,
    )


class _Connections:
    """The open connections, in the order in which they came.

    Strangers that hold all of them keep nobody out: each newcomer takes the place of the oldest one.
    Who is known by its request keeps its connection.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._strangers: dict[H11Protocol, None] = {}
        self._known: set[H11Protocol] = set()

    def add(self, connection: H11Protocol) -> None:
        if len(self._strangers) + len(self._known) >= self._most:
            leaving = next(iter(self._strangers), connection)
            self.remove(leaving)
            leaving.transport.abort()
            if leaving is connection:
                return
        self._strangers[connection] = None

    def know(self, connection: H11Protocol) -> None:
        if connection in self._strangers:
            del self._strangers[connection]
            self._known.add(connection)

    def remove(self, connection: H11Protocol) -> None:
        self._strangers.pop(connection, None)
        self._known.discard(connection)


def _protocol(
    header_seconds: float, connections: _Connections, is_known: Callable[[Scope], bool]
) -> type[asyncio.Protocol]:
    class Impatient(H11Protocol):
        """HTTP/1.1 with a deadline for whatever the client owes."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._arm()
            connections.add(self)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._owes_us():
                # The deadline stands from the first byte on; no further byte moves it.
                self._arm()
            else:
                self._disarm()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            connections.remove(self)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._disarm()
            if is_known(cast("Scope", self.scope)):
                connections.know(self)
            super().on_response_complete()
            if self.conn.their_state is h11.SEND_BODY:
                # Answered before its body was read: nobody waits for the rest.
                self._arm()

        def _owes_us(self) -> bool:
            """Say whether the rest of a head, or of a body that nobody reads, is still to come."""
            cycle: Any = self.cycle
            # None before the first request, whatever its annotation says.
            answered = cycle is not None and cycle.response_complete
            return self.conn.their_state is h11.IDLE or (self.conn.their_state is h11.SEND_BODY and answered)

        def _arm(self) -> None:
            if self._deadline is None:
                self._deadline = self.loop.call_later(header_seconds, self._give_up)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            # Not a polite end: who is slow on purpose would be slow with that too.
            self.transport.abort()

    return Impatient
