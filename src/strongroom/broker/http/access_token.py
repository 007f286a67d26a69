"""Access tokens (RFC 9068) that are good only together with a key (RFC 9449, section 6).

    tokens = AccessTokens(keys, url)
    text = tokens.issue(principal, thumbprint, now)
    claims = tokens.verify(text, now)                  # who, and by which key

Signed by the broker role key, so that every process over one home accepts them. They carry no right:
what somebody may do is looked up at each request.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from datetime import datetime
from typing import ClassVar, Final, Protocol

import msgspec

from strongroom._encoding import from_wire, to_base64url, to_wire
from strongroom.broker.principal import Principal
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import Owner, Role

LIFE_SECONDS: Final = 300
_ID_BYTES: Final = 16
_MAX_TOKEN_CHARS: Final = 2048
_MAX_KEPT: Final = 4096


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key that a token is bound to."""

    jkt: str
    """Its thumbprint (RFC 7638)."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an access token says."""

    TYP: ClassVar[str] = "at+jwt"

    iss: str
    """Owner id."""
    aud: str
    """Address of the broker."""
    sub: str
    """Runtime id or member id."""
    client_id: str
    """The same."""
    org: str
    """Organization id, or the owner id."""
    cnf: Confirmation
    iat: int
    exp: int
    jti: str


class TokenKeys(Protocol):
    """Where the keys come from."""

    def owner(self) -> Owner:
        """Return the owner, in its newest version."""
        ...

    def broker_key(self, now: datetime) -> SigningKey:
        """Return the broker role key that signs now."""
        ...


class AccessTokens:
    """Makes and checks the access tokens of one broker. Safe to use from several threads."""

    def __init__(self, keys: TokenKeys, audience: str) -> None:
        self._keys = keys
        self._audience = audience
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[SigningPublic, Claims]] = OrderedDict()

    def issue(self, principal: Principal, thumbprint: str, now: datetime) -> str:
        """Make a token for somebody, bound to a key.

        Raises:
            Error: the broker has no key to sign with.
        """
        issued = int(now.timestamp())
        claims = Claims(
            iss=self._keys.owner().id,
            aud=self._audience,
            sub=principal.id,
            client_id=principal.id,
            org=principal.organization,
            cnf=Confirmation(jkt=thumbprint),
            iat=issued,
            exp=issued + LIFE_SECONDS,
            jti=to_base64url(secrets.token_bytes(_ID_BYTES)),
        )
        return jws.sign(Claims.TYP, to_wire(claims), self._keys.broker_key(now).secret)

    def verify(self, token: str, now: datetime) -> Claims:
        """Check a token.

        Raises:
            FormatError: no access token (code ``token-format``).
            VerificationError: signed by none of this owner's broker keys, for another broker (code
                ``token-audience``), or not at this time (code ``token-expired``).
        """
        allowed = self._keys.owner().keys_for(Role.BROKER, now)
        claims = self._signed(token, allowed)
        if claims.iss != self._keys.owner().id or claims.aud != self._audience:
            raise VerificationError("an access token is for another broker", code="token-audience")
        # A minute of grace backwards: two brokers over one database have two clocks.
        if not claims.iat - 60 <= now.timestamp() < claims.exp:
            raise VerificationError(
                "an access token has expired", code="token-expired", hint="get another one"
            )
        return claims

    def _signed(self, token: str, allowed: list[SigningPublic]) -> Claims:
        with self._lock:
            kept = self._kept.get(token)
        # A key that was retired or cut off in the meantime ends the tokens that it signed.
        if kept is not None and kept[0] in allowed:
            return kept[1]
        if len(token) > _MAX_TOKEN_CHARS:
            raise FormatError("an access token is too long", code="token-format")
        try:
            claims = from_wire(jws.verify(token, Claims.TYP, allowed), Claims)
        except FormatError as error:
            raise FormatError("not an access token", code="token-format") from error
        key_id = jws.read_unverified(token).key_id
        with self._lock:
            self._kept[token] = (next(key for key in allowed if key.key_id == key_id), claims)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return claims
