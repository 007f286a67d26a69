"""A limit for the whole of an exchange, however its bytes are spread.

    pool = httpcore2.ConnectionPool(network_backend=PunctualBackend(), ...)
    with deadline(30.0):
        with pool.stream("GET", url) as answer: ...         # httpcore2.TimeoutException when it is over

A limit for each read alone is none: whoever sends a byte now and then is read for days, and grace
never begins. Everything that an exchange does with sockets goes through here, also what is said to a
proxy. The look-up of the host's name does not; the resolver of the machine has its own limits.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore2

_ENDS_AT: Final[ContextVar[float]] = ContextVar("ends_at")
"""On the monotonic clock: a connection is used by one exchange after the other, each with its own end."""
_PIECE_BYTES: Final = 1 << 14
"""How much is written under one limit: a TLS record."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let no exchange within the block go on for longer.

    Raises:
        TimeoutException: of ``httpcore2``, by what is waited for when it is over.
    """
    before = _ENDS_AT.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ENDS_AT.reset(before)


def context_for_proxy() -> ssl.SSLContext:
    """Return what secures the connection to a proxy, which the authorities of the machine vouch for."""
    context = ssl.create_default_context()
    context.sslsocket_class = _PunctualSocket
    return context


class PunctualBackend(httpcore2.NetworkBackend):
    """Connects as ``httpcore2`` does, and keeps to the deadline."""

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of a host that answers.

        Raises:
            ConnectError: of ``httpcore2``: none does, or the host has none.
            ConnectTimeout: of ``httpcore2``: none does in time.
        """
        failure: Exception = httpcore2.ConnectError("the host has no address")
        # One after the other here: the limit that the library has is for each of them.
        for address in _addresses(host, port):
            try:
                limit = _within(timeout, httpcore2.ConnectTimeout)
                return _Stream(self._inner.connect_tcp(address, port, limit, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait ends with the deadline."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _within(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE_BYTES):
            piece = buffer[start : start + _PIECE_BYTES]
            self._inner.write(piece, _within(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        limit = _within(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _PunctualSocket(ssl.SSLSocket):
    """The outer of two TLS connections: one read of the inner is as many here as the other side likes."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        self.settimeout(_within(self.gettimeout(), TimeoutError))
        return super().recv(buflen, flags)


def _within(limit: float | None, late: type[Exception]) -> float:
    left = _ENDS_AT.get() - time.monotonic()
    if left <= 0:
        raise late("the time for the exchange is over")
    return left if limit is None else min(left, limit)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(error) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
