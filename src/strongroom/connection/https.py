"""HTTPS to a broker whose certificate authority the owner signed into the invite.

    transport = HttpsTransport(ca=address.ca)
    transport.send(Request(method="GET", url=f"{address.url}/v1/owner"))

TLS 1.3 only, and no authority but that one: whoever can get a certificate for the name from
anybody else is not the broker. Its certificates are short-lived because nothing revokes a stolen
one, so the clock of this machine counts here. ``HTTPS_PROXY`` and ``NO_PROXY`` are honoured, and the TLS
connection goes through the proxy unopened. No redirect is followed, no cookie is kept.
"""

from __future__ import annotations

import ssl
import threading
from typing import Final

import httpx2

from strongroom.connection.interface import Collect, Request, Response, SilentBroker, Transport
from strongroom.errors import BrokerUnavailable, FormatError, VerificationError

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 15.0
_USER_AGENT: Final = "strongroom"
_NOT_NOW: Final = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class HttpsTransport(Transport):
    """Connections to one broker, kept open between requests."""

    def __init__(
        self, *, ca: str, connect_seconds: float = CONNECT_SECONDS, read_seconds: float = READ_SECONDS
    ) -> None:
        """Trust one authority.

        Args:
            ca: Its certificate, as PEM text.
            connect_seconds: How long a connection may take.
            read_seconds: How long the broker may be silent within an answer.

        Raises:
            FormatError: the text is no certificate (code ``broker-address``).
        """
        self._context = _context(ca)
        self._timeout = httpx2.Timeout(read_seconds, connect=connect_seconds)
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def close(self) -> None:
        """Close the connections. Closing twice is harmless; a later request opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _send(self, request: Request, collect: Collect) -> Response:
        try:
            with self._connected().stream(
                request.method, request.url, headers=dict(request.headers), content=request.body
            ) as answer:
                return Response(
                    status=answer.status_code,
                    headers={name.lower(): value for name, value in answer.headers.items()},
                    body=collect(answer.iter_bytes()),
                )
        except httpx2.TimeoutException as error:
            raise SilentBroker("the broker does not answer in time", code="broker-timeout") from error
        except httpx2.TransportError as error:
            raise _translated(error) from error
        except (httpx2.DecodingError, httpx2.InvalidURL) as error:
            raise FormatError("an answer of a broker cannot be read", code="broker-answer") from error

    def _connected(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(
                    verify=self._context,
                    timeout=self._timeout,
                    follow_redirects=False,
                    headers={"User-Agent": _USER_AGENT},
                )
            return self._client


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


def _translated(error: httpx2.TransportError) -> BrokerUnavailable | VerificationError:
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
    if isinstance(error, httpx2.ProxyError):
        return SilentBroker("the proxy does not lead to the broker", code="broker-proxy")
    return SilentBroker("the broker cannot be reached")
