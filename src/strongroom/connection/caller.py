"""Calls of a broker by somebody with a key: token, proof, nonce, repetition (spec/broker-api.md, RFC 9449).

    caller = Caller(transport, url, Identity(owner=owner.id, subject=runtime, key=device), clock=utc_now)
    caller.call("POST", "/leases", body=body)         # Response: always a success

An access token lives for minutes, is good only with a proof by the same key, and is got by a signed
assertion when it is needed. A server gives nonces for the proofs, and each new one is used
from then on. What is asked again after a silence carries the same idempotency key, so that
it happens once. A clock that is wrong here is corrected by the ``Date`` of the broker, for proofs
only: no license is decided by it.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from strongroom.connection.interface import Request, Response, SilentBroker, Transport
from strongroom.connection.problem import read_problem, to_error
from strongroom.crypto import dpop, jws
from strongroom.errors import BrokerUnavailable, FormatError
from strongroom.keys.assertion import ClientAssertion
from strongroom.keys.key_pair import SigningKey
from strongroom.protocol.broker import API_PREFIX, ASSERTION_TYPE, PROOF_TYPE, TokenAnswer

TOKEN_PATH: Final = "/token"  # noqa: S105 - a path, not a secret
_ATTEMPTS: Final = 3
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 2.0
_BUDGET_SECONDS: Final = 8.0
"""No further attempt begins after so long: whoever waits for an answer can do better."""
_PATIENCE_SECONDS: Final = 30.0
"""Nothing more is sent after so long, for whatever reason: a broker that is slow each time is silent."""
_TOKEN_MARGIN_SECONDS: Final = 30
_STALE: Final = frozenset({"proof-stale", "assertion-stale"})
_UNAUTHORIZED: Final = 401
_TOLERANCE: Final = timedelta(seconds=30)
"""How far a clock may differ from the broker's before it is corrected."""
_MOST_CORRECTION: Final = timedelta(days=36525)
"""By how much it is corrected at most: a clock whose battery is empty begins in 1970."""
_CORRECTIONS: Final = 4
"""How often one request may be refused for nonce, time or token before the refusal counts."""

Clock = Callable[[], datetime]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks: a runtime with its device key, or a member with its member key."""

    owner: str
    """Id of the owner whose broker is asked."""
    subject: str
    """Runtime id or member id."""
    key: SigningKey


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    good_until: float
    """On the monotonic clock."""


class Caller:
    """Calls one broker for one key. Safe to use from several threads."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        identity: Identity,
        *,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Call nobody yet."""
        self._transport = transport
        self._url = url.rstrip("/")
        self._identity = identity
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._correction = timedelta(0)
        self._nonce: str | None = None
        self._token: _Token | None = None

    @property
    def now(self) -> datetime:
        """The time as the broker would say it, as far as that is known here."""
        return self._clock() + self._correction

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        media: str = "application/json",
        query: Mapping[str, str | int | None] | None = None,
        public: bool = False,
    ) -> Response:
        """Have the broker do something, and return its answer, which is a success.

        Args:
            method: ``GET``, ``POST`` or ``DELETE``.
            path: Below the prefix of the API, made with ``segment`` where it holds ids.
            body: What is sent.
            media: What kind of body.
            query: Parameters; those that are None are left out.
            public: Whether the route is for everybody: no token goes with it.

        Raises:
            BrokerUnavailable: no answer, also when asked again.
            BrokerRefused: the broker says no; the code says which rule.
            LicenseDenied: a license says no, or the standing of this partner.
            ObjectNotFound: there is no such thing, or it is not for the caller.
            VerificationError: what answers is not the broker.
            FormatError: the answer is none of ours.
        """
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        url = f"{self._url}{API_PREFIX}{path}"
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = media
        if method != "GET":
            # The same for each attempt: what was done and not heard of is not done twice.
            headers["Idempotency-Key"] = secrets.token_hex(16)
        request = Request(
            method=method, url=url + (f"?{urlencode(given)}" if given else ""), headers=headers, body=body
        )
        response = self._patiently(lambda: self._corrected(request, url, public=public))
        if not response.is_success:
            raise to_error(response)
        return response

    def _patiently(self, ask: Callable[[], Response]) -> Response:
        started = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return ask()
            except BrokerUnavailable as silence:
                wait = _wait_seconds(attempt, silence)
                if attempt == _ATTEMPTS or time.monotonic() - started + wait > _BUDGET_SECONDS:
                    raise
                self._sleep(wait)
        raise AssertionError("unreachable")

    def _corrected(self, request: Request, url: str, *, public: bool) -> Response:
        """Send, and send again with another nonce, time or token if that is what was wrong."""
        until = time.monotonic() + _PATIENCE_SECONDS
        for _ in range(_CORRECTIONS):
            token = None if public else self._access_token(until)
            nonce, correction = self._nonce, self._correction
            response = self._send(request if public else self._signed(request, url, token), until)
            if response.is_success or not self._is_corrected(response, nonce, correction, token):
                break
        return response

    def _signed(self, request: Request, url: str, token: str | None) -> Request:
        proof = dpop.make(
            self._identity.key.secret,
            method=request.method,
            url=url,
            issued_at=self.now,
            nonce=self._nonce,
            access_token=token,
        )
        headers = {**request.headers, PROOF_TYPE: proof}
        if token is not None:
            headers["Authorization"] = f"{PROOF_TYPE} {token}"
        return Request(method=request.method, url=request.url, headers=headers, body=request.body)

    def _send(self, request: Request, until: float) -> Response:
        if time.monotonic() > until:
            raise SilentBroker("the broker takes too long for what it asks for", code="broker-timeout")
        response = self._transport.send(request)
        nonce = response.headers.get("dpop-nonce")
        if nonce:
            self._nonce = nonce
        self._take_time(response)
        return response

    def _is_corrected(
        self, response: Response, nonce: str | None, correction: timedelta, token: str | None
    ) -> bool:
        """Say whether a refusal was about this connection, and is worth another try."""
        if response.status not in (400, _UNAUTHORIZED):
            return False
        code = read_problem(response).code
        if "nonce" in code:
            return self._nonce != nonce
        if code in _STALE:
            return self._correction != correction
        if response.status == _UNAUTHORIZED and token is not None:
            with self._lock:
                was_cached = self._token is not None and self._token.text == token
                self._token = None
            return was_cached
        return False

    def _take_time(self, response: Response) -> None:
        try:
            said = parsedate_to_datetime(response.headers.get("date", ""))
            # A zone can lead out of the years that there are.
            said = said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
        except (ValueError, OverflowError):
            return
        correction = said - self._clock()
        if abs(correction - self._correction) > _TOLERANCE and abs(correction) <= _MOST_CORRECTION:
            self._correction = correction

    def _access_token(self, until: float) -> str:
        with self._lock:
            token = self._token
        if token is not None and time.monotonic() < token.good_until:
            return token.text
        fresh = self._fetch_token(until)
        with self._lock:
            self._token = fresh
        return fresh.text

    def _fetch_token(self, until: float) -> _Token:
        url = f"{self._url}{API_PREFIX}{TOKEN_PATH}"
        for _ in range(_CORRECTIONS):
            nonce, correction = self._nonce, self._correction
            asked = time.monotonic()
            response = self._send(self._signed(self._token_request(url), url, None), until)
            if response.is_success or not self._is_corrected(response, nonce, correction, None):
                break
        if not response.is_success:
            raise to_error(response)
        answer = decode(response, TokenAnswer)
        return _Token(answer.access_token, asked + max(answer.expires_in - _TOKEN_MARGIN_SECONDS, 1))

    def _token_request(self, url: str) -> Request:
        identity = self._identity
        assertion = ClientAssertion.make(
            subject=identity.subject, owner=identity.owner, audience=self._url, now=self.now
        )
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jws.sign(ClientAssertion.TYP, assertion.to_bytes(), identity.key.secret),
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return Request(method="POST", url=url, headers=headers, body=urlencode(form).encode("ascii"))


def segment(text: str) -> str:
    """Return an id as one part of a path, whatever is in it."""
    return quote(text, safe="")


def decode(response: Response, kind: type[T]) -> T:
    """Read the message of an answer; members that it has beyond ours are left aside.

    Raises:
        FormatError: the answer is no such message (code ``broker-answer``).
    """
    try:
        return msgspec.json.decode(response.body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise FormatError(f"the broker's answer is no {kind.__name__}", code="broker-answer") from error


def _wait_seconds(attempt: int, silence: BrokerUnavailable) -> float:
    said = silence.retry_after_seconds if isinstance(silence, SilentBroker) else None
    if said is not None:
        return float(said)
    longest: float = min(_FIRST_WAIT_SECONDS * 4 ** (attempt - 1), _LONGEST_WAIT_SECONDS)
    # Not all runtimes of a ward at the same moment.
    return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
