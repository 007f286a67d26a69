"""Who may ask: whoever shows the one token of this home, or on a network one of those with a name.

    gate = Token.of(text)                             # loopback
    gate = NamedTokens(home.client_tokens, clock)     # a network: removed and added while it runs
    gate.admit(header)                                # the name of who asks, or an error

Only digests are held and compared, each of them in constant time, and all of them: how long it takes
says neither how much of a token was right nor whose it is.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from strongroom.errors import Error, StorageUnavailable
from strongroom.home.client_tokens import ClientToken, ClientTokens, Stamp

WITHOUT_NAME: Final = "strongroom.known"
"""Who asks where everybody who may shows the same token, or may open the same socket."""
_NOTE_EVERY_SECONDS: Final = 60.0


class Unauthorized(Error):
    """No token, or one that is not valid."""


class Gate(Protocol):
    """Decides who may ask."""

    @property
    def tells_apart(self) -> bool:
        """Whether it knows one client from another."""

    def admit(self, header: bytes) -> str:
        """Return the name of whoever sends this ``Authorization`` header.

        Raises:
            Unauthorized: Nobody who may ask (code ``token`` or ``token-expired``).
        """


@dataclass(frozen=True, slots=True)
class Token:
    """What every client has to show; only its digest is kept."""

    digest: bytes
    tells_apart = False

    @classmethod
    def of(cls, text: str) -> Token:
        """Keep the digest of a token."""
        return cls(hashlib.sha256(text.encode("utf-8")).digest())

    def admit(self, header: bytes) -> str:
        """Compare it with the value of a header, in constant time.

        Raises:
            Unauthorized: It is none, or another one (code ``token``).
        """
        if not hmac.compare_digest(_digest_of(header), self.digest):
            raise _wrong("send the header that stands in the file named at the start: curl -H @FILE")
        return WITHOUT_NAME


class NamedTokens:
    """The tokens of a home, as they are at each request."""

    tells_apart = True

    def __init__(self, tokens: ClientTokens, clock: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._stamp: Stamp | None = None
        self._known: tuple[ClientToken, ...] = ()
        self._noted: dict[str, float] = {}

    def admit(self, header: bytes) -> str:
        """Return the name of the client whose token it is.

        Raises:
            Unauthorized: Nobody's (code ``token``), or its time is over (code ``token-expired``).
            StorageUnavailable: Nobody can tell, since the tokens cannot be read (code ``client-tokens``).
        """
        given = _digest_of(header)
        found = [each for each in self._current() if hmac.compare_digest(each.digest, given)]
        if not found:
            raise _wrong("send the header 'Authorization: Bearer TOKEN'; strongroom client add makes a token")
        (token,) = found
        if token.has_expired(self._clock()):
            raise Unauthorized(
                "the token has expired",
                code="token-expired",
                hint=f"ask for a new one: strongroom client remove {token.name}, then add it again",
            )
        self._note(token.name)
        return token.name

    def _current(self) -> tuple[ClientToken, ...]:
        try:
            stamp = self._tokens.stamp()
            if stamp != self._stamp:
                # The stamp is older than what is read: what changes meanwhile is read once more.
                self._known = self._tokens.read()
                self._stamp = stamp
        except Error as error:
            # A token that was removed may be among those that are known still.
            self._stamp, self._known = None, ()
            raise StorageUnavailable(
                "the tokens of the clients cannot be read here",
                code="client-tokens",
                hint="'strongroom client list' on the server says what is wrong",
            ) from error
        return self._known

    def _note(self, name: str) -> None:
        now = time.monotonic()
        if now - self._noted.get(name, -_NOTE_EVERY_SECONDS) >= _NOTE_EVERY_SECONDS:
            self._noted[name] = now
            self._tokens.note_use(name)


def _digest_of(header: bytes) -> bytes:
    """Return the digest of the token in a header; of one that nobody has, if it holds none."""
    scheme, _, given = header.partition(b" ")
    return hashlib.sha256(given.strip() if scheme.lower() == b"bearer" else b"").digest()


def _wrong(hint: str) -> Unauthorized:
    return Unauthorized("the token is missing or wrong", code="token", hint=hint)
