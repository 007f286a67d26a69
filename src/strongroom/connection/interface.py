"""The seam to whatever carries requests to a broker: one method, a plain request in, a plain answer out.

    class Wire(Transport):
        def _send(self, request: Request, collect: Collect) -> Response:
            ...                              # one exchange; the body goes through ``collect``

    response = Wire().send(Request(method="GET", url="https://broker.example/v1/owner"))

An answer is whatever a broker said, problems included; that no broker said anything is
``BrokerUnavailable``. The size of an answer is limited while it is read. Nothing is repeated
here and no redirect is followed: a broker has one address, and the partner pinned it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from strongroom._limits import LIMITS
from strongroom.errors import BrokerUnavailable, FormatError

_SILENT: Final = frozenset({429, 502, 503, 504})
"""Not an answer to what was asked: the broker, or something before it, is not at work or too busy."""
_FAILED: Final = 500
"""Not too busy: something in the broker broke, and will break again until somebody has looked."""
_MAX_WAIT_SECONDS: Final = 3600
NOT_THE_BROKER: Final = frozenset({"broker-certificate", "broker-certificate-time"})
"""Codes of a ``VerificationError`` after which nothing of the broker was heard."""

Collect = Callable[[Iterable[bytes]], bytes]
"""Joins the pieces of a body, and stops the reading of one that is too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Its repr shows neither headers nor body, which hold tokens."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer. Its repr shows neither headers nor body, which hold tokens."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the broker did what was asked."""
        return 200 <= self.status < 300


class SilentBroker(BrokerUnavailable):
    """No answer, and perhaps for how long it makes no sense to ask again."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "try again later; check the network and the broker",
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_seconds = retry_after_seconds


_CAUSES: Final = {
    "database-unavailable": SilentBroker(
        "the broker runs, and its database does not answer",
        code="broker-database",
        hint="the broker's operator looks after the database; it goes on by itself when that answers",
    ),
    "database-refused": SilentBroker(
        "the broker's database refuses what it asks",
        code="database-refused",
        hint="tell whoever runs the broker: its log says what is refused, and waiting mends nothing",
    ),
    "disk-full": SilentBroker(
        "the disk of the broker is full",
        code="disk-full",
        hint="tell whoever runs the broker to free some space; nothing was changed, and then it goes on",
    ),
    "ledger-failed": SilentBroker(
        "the broker cannot write its log",
        code="ledger-failed",
        hint="tell whoever runs the broker: its own log says what broke, and then it is to be started anew",
    ),
    "broker-closing": SilentBroker(
        "the broker is just ending",
        code="broker-closing",
        hint="try again in a minute; if it does not come back, tell whoever runs the broker",
    ),
    "token-unavailable": SilentBroker(
        "the hardware token of the broker is away",
        code="token-unavailable",
        hint="tell whoever runs the broker to plug it in",
    ),
    "token-pin": SilentBroker(
        "the hardware token of the broker refuses its PIN",
        code="token-pin",
        hint="tell whoever runs the broker to correct the PIN, before the token locks itself",
    ),
}
"""Code of a broker to what it means here.

Closed: another code in a foreign answer may be one that means something else at a partner.
"""
RUNS: Final = frozenset(each.code for each in _CAUSES.values()) - {"broker-closing"}
"""Codes of a broker that runs and lacks something: to start it is not what helps."""


class Transport(ABC):
    """Carries requests to one broker. Safe to use from several threads."""

    def send(self, request: Request) -> Response:
        """Send one request and return the answer, whatever it says.

        Raises:
            BrokerUnavailable: nobody answered in time.
            SilentBroker: one of those, with what the broker says: that it is not at work (status
                429, 502, 503 or 504), or that it failed (status 500; code ``broker-failed``).
            VerificationError: what answered is not the broker that is pinned (code
                ``broker-certificate``), or its certificate is of another time (code
                ``broker-certificate-time``).
            FormatError: the answer is larger than any of ours (code ``broker-answer``).
        """
        response = self._send(request, _collect)
        if response.status == _FAILED:
            raise SilentBroker(
                "the broker failed while it answered (status 500)",
                code="broker-failed",
                hint="whoever runs the broker finds in its log, in the line of this request, what broke",
            )
        if response.status in _SILENT:
            raise _silence(response)
        return response

    def close(self) -> None:
        """Give connections back. Closing twice is harmless."""
        return

    @abstractmethod
    def _send(self, request: Request, collect: Collect) -> Response:
        """Exchange one request for one answer; raise only what ``send`` promises."""


class _Said(msgspec.Struct, frozen=True):
    """What is read of a problem document where nothing else of it counts."""

    code: str


def _collect(pieces: Iterable[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > LIMITS.max_broker_answer_bytes:
            raise FormatError(
                f"an answer of a broker is larger than {LIMITS.max_broker_answer_bytes} bytes",
                code="broker-answer",
            )
    return bytes(body)


def _silence(response: Response) -> SilentBroker:
    try:
        said = msgspec.json.decode(response.body, type=_Said).code
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        # Of a proxy before the broker.
        said = ""
    wait = _seconds(response.headers.get("retry-after", ""))
    cause = _CAUSES.get(said)
    if cause is not None:
        return SilentBroker(
            f"{cause} (status {response.status})",
            code=cause.code,
            hint=cause.hint or "",
            retry_after_seconds=wait,
        )
    return SilentBroker(
        f"the broker is not at work (status {response.status})",
        code="broker-busy",
        hint="try again in a minute; if that goes on, tell whoever runs the broker",
        retry_after_seconds=wait,
    )


def _seconds(text: str) -> int | None:
    """Read ``Retry-After`` in its form of seconds; the form of a date is left aside."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        return None
    return min(int(text), _MAX_WAIT_SECONDS)
