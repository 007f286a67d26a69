"""HTTP/1.1 by uvicorn with a time limit for every step of a client; what all servers here listen with.

    server = HttpServer(app, limits, listener=listener, holder_of=lambda scope: scope.get("principal"))
    server.run()                         # until SIGINT or SIGTERM; requests under way are finished

Uvicorn limits how long a connection may idle between requests, but not how long a client may take
for a handshake, for the head of a request, or to read its answer: that is added here. And where too
many connections are open, it refuses everybody: here one goes of whoever holds more than half of them,
else the one that has been open for the longest and is nobody's, else one of whoever holds the most.
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
_SLICE_BYTES: Final = 256 << 10
"""What of an answer is handed over at once. TLS says only at the next slice that the one before was not
taken; so of an answer that nobody reads no more than this goes unnoticed."""
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
    def answer_seconds(self) -> float:
        """How long a client may take to read a slice of its answer."""

    @property
    def keep_alive_seconds(self) -> int:
        """How long a connection may idle between requests."""

    @property
    def shutdown_seconds(self) -> int:
        """How long requests under way may take when it ends."""

    @property
    def max_connections(self) -> int:
        """Open at once; above it, one of whoever holds more than half goes, else the oldest of nobody's."""


class HttpServer:
    """One listening server."""

    def __init__(
        self,
        app: ASGIApp,
        limits: ListeningLimits,
        *,
        listener: socket.socket,
        holder_of: Callable[[Scope], str | None],
        context: ssl.SSLContext | None = None,
        renew: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Wire it; nothing is answered yet.

        Args:
            app: The application.
            limits: Limits and times.
            listener: A listening socket.
            holder_of: Tells of a request that was answered who asked; None for a stranger.
            context: The TLS context; None for none.
            renew: Called once an hour, to renew certificates.
            ready: Called when connections are taken.
        """
        self._listener = listener
        self._server = _Server(_config(app, limits, holder_of, context, renew), ready)

    def run(self) -> None:
        """Serve until the process is asked to end, by a signal or by ``stop``."""
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
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


def _config(
    app: ASGIApp,
    limits: ListeningLimits,
    holder_of: Callable[[Scope], str | None],
    context: ssl.SSLContext | None,
    renew: Callable[[], None] | None,
) -> uvicorn.Config:
    # What uvicorn logs quotes requests of strangers; whoever wants a log of requests writes one.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False

    async def notify() -> None:
        if renew is not None:
            await asyncio.to_thread(renew)

    connections = _Connections(limits.max_connections)
    protocol = _protocol(limits, connections, holder_of)
    return uvicorn.Config(
        _sliced(app),
        # Not uvicorn's own TLS: what it has not shaken hands with yet is counted nowhere.
        http=protocol if context is None else _secured(protocol, context, limits, connections),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # Addresses of clients are what the connection says, never what a header says.
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        callback_notify=notify,
        timeout_notify=_RENEW_EVERY_SECONDS,
    )


def _sliced(app: ASGIApp) -> ASGIApp:
    """Hand long answers over in slices, so that it shows whether a client takes them."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        async def slice_by_slice(message: MutableMapping[str, Any]) -> None:
            body = memoryview(message.get("body", b""))
            if len(body) <= _SLICE_BYTES:
                await send(message)
                return
            for start in range(0, len(body), _SLICE_BYTES):
                piece = body[start : start + _SLICE_BYTES]
                more = message.get("more_body", False) or start + _SLICE_BYTES < len(body)
                await send({"type": message["type"], "body": bytes(piece), "more_body": more})

        await app(scope, receive, slice_by_slice)

    return handle


class _Held(Protocol):
    """What counts as a connection: HTTP, or a handshake before it."""

    holder: str | None
    transport: asyncio.Transport

    @property
    def is_at_work(self) -> bool:
        """Whether an answer is being made; not, whether one waits to be read."""


class _Connections:
    """The open connections, in the order in which they came.

    Strangers that hold all of them keep nobody out: each newcomer takes the place of the oldest one.
    Who is known by its request keeps its connections, unless it holds more than half of all there can
    be, or all are known. Everybody is a stranger at first: if a newcomer of whoever holds nearly all
    took the place of a stranger, that would be the one who is just about to be known.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._strangers: dict[_Held, None] = {}
        self._held: dict[str, dict[_Held, None]] = {}
        self._known = 0

    def add(self, connection: _Held) -> None:
        if len(self._strangers) + self._known >= self._most:
            # Whoever has but one keeps it, even where that is all there can be.
            leaving = (
                self._of_the_greediest(above=max(self._most // 2, 1))
                or next(iter(self._strangers), None)
                or self._of_the_greediest(above=1)
                or connection
            )
            self.remove(leaving)
            leaving.transport.abort()
            if leaving is connection:
                return
        self._strangers[connection] = None

    def know(self, connection: _Held, holder: str) -> None:
        if connection.holder == holder or not self.remove(connection):
            return
        connection.holder = holder
        self._held.setdefault(holder, {})[connection] = None
        self._known += 1

    def remove(self, connection: _Held) -> bool:
        """Forget one; says whether it was here."""
        if connection in self._strangers:
            del self._strangers[connection]
            return True
        if connection.holder is None:
            return False
        theirs = self._held[connection.holder]
        del theirs[connection]
        if not theirs:
            del self._held[connection.holder]
        connection.holder = None
        self._known -= 1
        return True

    def _of_the_greediest(self, *, above: int) -> _Held | None:
        theirs = max(self._held.values(), key=len, default={})
        if len(theirs) <= above:
            return None
        # Never one over which something is being computed: that ends by itself.
        return next((each for each in theirs if not each.is_at_work), None)


class _Connection(H11Protocol):
    """One connection, and whose it is."""

    holder: str | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether an answer is being made; not, whether one waits to be read."""
        cycle: Any = self.cycle
        # None before the first request, whatever its annotation says.
        return cycle is not None and not cycle.response_started


def _protocol(
    limits: ListeningLimits, connections: _Connections, holder_of: Callable[[Scope], str | None]
) -> type[asyncio.Protocol]:
    class Impatient(_Connection):
        """HTTP/1.1 with a deadline for whatever the client owes."""

        _deadline: asyncio.TimerHandle | None = None
        _reading: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # Whatever waits to be read is told at once, and again when all of it was taken.
            transport.set_write_buffer_limits(high=1, low=0)
            self._arm()
            connections.add(self)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._owes_us():
                # The deadline stands from the first byte on; no further byte moves it.
                self._arm()
            else:
                self._disarm()

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._reading is None:
                self._reading = self.loop.call_later(limits.answer_seconds, self._give_up)

        def resume_writing(self) -> None:
            self._has_read()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            self._has_read()
            connections.remove(self)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._disarm()
            holder = holder_of(cast("Scope", self.scope))
            if holder is not None:
                connections.know(self, holder)
            super().on_response_complete()
            if self.conn.their_state is h11.SEND_BODY:
                # Answered before its body was read: nobody waits for the rest.
                self._arm()

        def _owes_us(self) -> bool:
            """Say whether the rest of a head, or of a body that nobody reads, is still to come."""
            cycle: Any = self.cycle
            answered = cycle is not None and cycle.response_complete
            return self.conn.their_state is h11.IDLE or (self.conn.their_state is h11.SEND_BODY and answered)

        def _arm(self) -> None:
            if self._deadline is None:
                self._deadline = self.loop.call_later(limits.header_seconds, self._give_up)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _has_read(self) -> None:
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

        def _give_up(self) -> None:
            # Not a polite end: who is slow on purpose would be slow with that too.
            self.transport.abort()

    return Impatient


def _secured(
    protocol: type[asyncio.Protocol],
    context: ssl.SSLContext,
    limits: ListeningLimits,
    connections: _Connections,
) -> type[asyncio.Protocol]:
    class Secured(_Handshake):
        def __init__(self, **options: Any) -> None:
            super().__init__(lambda: protocol(**options), context, limits.handshake_seconds, connections)

    return Secured


class _Handshake(asyncio.Protocol):
    """A connection of which nobody knows yet whether it speaks TLS; what it carries begins afterwards."""

    holder: str | None = None
    is_at_work = False

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        seconds: float,
        connections: _Connections,
    ) -> None:
        self._carried = _Carried(make)
        self._context = context
        self._seconds = seconds
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands())

    async def _shake_hands(self) -> None:
        made: asyncio.Transport | None = None
        try:
            if not self.transport.is_closing():
                made = await asyncio.get_running_loop().start_tls(
                    self.transport,
                    self._carried,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=self._seconds,
                    ssl_shutdown_timeout=self._seconds,
                )
        except OSError:
            # Whatever it speaks, it is not our TLS; or it has gone, or has taken too long.
            self.transport.abort()
        finally:
            self._connections.remove(self)
        # None: it went while the last byte of the handshake was on its way.
        if made is not None:
            self._carried.begin(made)


class _Carried(asyncio.Protocol):
    """Hands on what comes over TLS. The first bytes may be there before their transport is known."""

    def __init__(self, make: Callable[[], asyncio.Protocol]) -> None:
        self._make = make
        self._to: asyncio.Protocol | None = None
        self._early: list[Callable[[asyncio.Protocol], None]] = []

    def begin(self, transport: asyncio.Transport) -> None:
        """Begin with a transport."""
        self._to = self._make()
        self._to.connection_made(transport)
        for event in self._early:
            event(self._to)
        self._early.clear()

    def _tell(self, event: Callable[[asyncio.Protocol], None]) -> None:
        if self._to is None:
            self._early.append(event)
        else:
            event(self._to)

    def data_received(self, data: bytes) -> None:
        self._tell(lambda to: to.data_received(data))

    def eof_received(self) -> None:
        self._tell(lambda to: cast("None", to.eof_received()))

    def pause_writing(self) -> None:
        self._tell(lambda to: to.pause_writing())

    def resume_writing(self) -> None:
        self._tell(lambda to: to.resume_writing())

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell(lambda to: to.connection_lost(exc))
