"""HTTPS to a broker whose certificate authority the owner signed into the invite.

    transport = HttpsTransport(ca=address.ca)
    transport.send(Request(method="GET", url=f"{address.url}/v1/owner"))

TLS 1.3 only, and no authority but that one: whoever can get a certificate for the name from
anybody else is not the broker. Its certificates are short-lived because nothing revokes a stolen
one, so the clock of this machine counts here. ``HTTPS_PROXY`` and ``NO_PROXY`` are honoured, and the
TLS connection goes through the proxy unopened. No redirect is followed, no cookie is kept, and no
packed answer is unpacked. An exchange has an end, whatever comes and how slowly.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httpcore2

from strongroom.connection.deadline import PunctualBackend, context_for_proxy, deadline
from strongroom.connection.interface import Collect, Request, Response, SilentBroker, Transport
from strongroom.connection.proxy import Proxy, proxy_for
from strongroom.errors import BrokerUnavailable, FormatError, VerificationError

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0
EXCHANGE_SECONDS: Final = 30.0
_NOT_NOW: Final = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_HEADERS: Final = (
    ("User-Agent", "strongroom"),
    # Small on the wire and large in memory: a packed answer is not asked for, and not read.
    ("Accept-Encoding", "identity"),
)
_MAX_CONNECTIONS: Final = 20
_IDLE_SECONDS: Final = 5.0
"""A connection that was not used for so long is not used again."""


class HttpsTransport(Transport):
    """Connections to one broker, kept open between requests."""

    def __init__(
        self,
        *,
        ca: str,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        exchange_seconds: float = EXCHANGE_SECONDS,
    ) -> None:
        """Trust one authority.

        Args:
            ca: Its certificate, as PEM text.
            connect_seconds: How long a connection may take.
            read_seconds: How long the broker may be silent within an answer.
            exchange_seconds: How long everything may take, from the connection to the answer's last byte.

        Raises:
            FormatError: the text is no certificate (code ``broker-address``).
        """
        self._context = _context(ca)
        self._timeouts = {
            "pool": connect_seconds,
            "connect": connect_seconds,
            "write": read_seconds,
            "read": read_seconds,
        }
        self._exchange_seconds = exchange_seconds
        self._lock = threading.Lock()
        self._pool: httpcore2.ConnectionPool | None = None
        self._proxy: Proxy | None = None

    def close(self) -> None:
        """Close the connections. Closing twice is harmless; a later request opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _send(self, request: Request, collect: Collect) -> Response:
        try:
            with (
                deadline(self._exchange_seconds),
                self._connected(request.url).stream(
                    request.method,
                    request.url,
                    headers=[*_HEADERS, *request.headers.items()],
                    content=request.body if request.method == "GET" else request.body or b"",
                    extensions={"timeout": self._timeouts},
                ) as answer,
            ):
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers
                }
                _verify_plain(headers)
                return Response(status=answer.status, headers=headers, body=collect(answer.iter_stream()))
        except httpcore2.TimeoutException as error:
            raise SilentBroker("the broker does not answer in time", code="broker-timeout") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError) as error:
            raise _translated(error, self._proxy) from error

    def _connected(self, url: str) -> httpcore2.ConnectionPool:
        with self._lock:
            if self._pool is None:
                self._proxy = proxy_for(urlsplit(url).hostname or "")
                self._pool = self._open(self._proxy)
            return self._pool

    def _open(self, proxy: Proxy | None) -> httpcore2.ConnectionPool:
        if proxy is None:
            return httpcore2.ConnectionPool(
                ssl_context=self._context,
                max_connections=_MAX_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=PunctualBackend(),
            )
        return httpcore2.HTTPProxy(
            proxy.url,
            proxy_auth=proxy.authorization,
            ssl_context=self._context,
            proxy_ssl_context=context_for_proxy() if proxy.url.startswith("https:") else None,
            max_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=PunctualBackend(),
        )


def _verify_plain(headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise FormatError("an answer of a broker is packed, and cannot be read", code="broker-answer")


def _context(ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        # Only this one: the context was made without the system's authorities.
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise FormatError(
            "the certificate authority of a broker is no certificate", code="broker-address"
        ) from error
    return context


def _translated(error: Exception, proxy: Proxy | None) -> BrokerUnavailable | VerificationError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in _NOT_NOW:
                return VerificationError(
                    f"by the clock of this machine, the broker's certificate is of another time: "
                    f"{cause.verify_message}",
                    code="broker-certificate-time",
                    hint="set the clock of this machine; if it is right, tell the owner to renew it",
                )
            return VerificationError(
                f"what answers at the broker's address is not the broker: {cause.verify_message}",
                code="broker-certificate",
                hint="somebody is in between, or the broker has moved: ask the owner for a new invite",
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore2.ProxyError):
        return SilentBroker("the proxy does not lead to the broker", code="broker-proxy")
    if proxy is not None and isinstance(error, httpcore2.ConnectError):
        # Through a proxy, this is the connection to the proxy. Its address has no password in it.
        return SilentBroker(
            f"the broker cannot be reached: the proxy {proxy.url} does not answer",
            code="broker-proxy",
            hint="check the proxy; it stands in HTTPS_PROXY or ALL_PROXY, and NO_PROXY names hosts without",
        )
    return SilentBroker("the broker cannot be reached")
