"""What a runtime or a member signs to get an access token: a client assertion (RFC 7523, spec/broker-api.md).

    assertion = ClientAssertion.make(subject="run-...", owner="own-...", audience=url, now=now)
    token = sign(assertion, device)                      # private_key_jwt
    said = verify_assertion(token, device.public, owner="own-...", audience=url, now=now)

The owner is named beside the address: one member key serves at the brokers of several
owners, and one of them must not be able to pass on what it was given to another.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from strongroom._encoding import from_wire, to_base64url, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.identity import verify_owner_id

LIFE_SECONDS: Final = 60
_ID_BYTES: Final = 16
_MAX_ID_CHARS: Final = 64
_MAX_URL_CHARS: Final = 512


class ClientAssertion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The claims. ``iss`` and ``sub`` are the id of who asks, ``aud`` the address of the broker."""

    TYP: ClassVar[str] = "client-authentication+jwt"

    iss: str
    sub: str
    aud: str
    owner: str
    iat: int
    exp: int
    jti: str

    @classmethod
    def make(cls, *, subject: str, owner: str, audience: str, now: datetime) -> ClientAssertion:
        """Make the claims for one request of an access token."""
        issued = int(now.timestamp())
        return cls(
            iss=subject,
            sub=subject,
            aud=audience,
            owner=owner,
            iat=issued,
            exp=issued + LIFE_SECONDS,
            jti=to_base64url(secrets.token_bytes(_ID_BYTES)),
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> ClientAssertion:
        """Parse a payload.

        Raises:
            FormatError: not canonical, or a claim is not in its form.
        """
        assertion = from_wire(payload, cls)
        verify_owner_id(assertion.owner)
        if assertion.iss != assertion.sub:
            raise FormatError("an assertion's iss and sub must be the same")
        if len(assertion.aud) > _MAX_URL_CHARS or not 0 < len(assertion.jti) <= _MAX_ID_CHARS:
            raise FormatError("an assertion's aud or jti is too long")
        if not 0 < assertion.exp - assertion.iat <= LIFE_SECONDS:
            raise FormatError(f"an assertion lives 1 to {LIFE_SECONDS} seconds")
        return assertion

    def to_bytes(self) -> bytes:
        """Return the payload."""
        return to_wire(self)


def verify_assertion(
    token: str, public: SigningPublic, *, owner: str, audience: str, now: datetime
) -> ClientAssertion:
    """Check an assertion against the key of whom it names.

    Raises:
        FormatError: no assertion, or another kind of document.
        VerificationError: another key's, made for another broker or owner (code ``assertion-audience``), or
            at another time (code ``assertion-stale``).
    """
    assertion = ClientAssertion.from_bytes(jws.verify(token, ClientAssertion.TYP, [public]))
    if assertion.aud != audience or assertion.owner != owner:
        raise VerificationError("an assertion was made for another broker", code="assertion-audience")
    skew = LIMITS.max_clock_skew_seconds
    if not assertion.iat - skew <= now.timestamp() < assertion.exp + skew:
        raise VerificationError(
            "an assertion is too old, or from the future",
            code="assertion-stale",
            hint="set the clock, or take the time from the Date of this answer",
        )
    return assertion
