"""A signed document of two parties' first meeting: a checked struct inside a compact JWS.

    token = sign(invite, license_key)
    invite = read_unverified(token, Invite)       # parsed and checked, not yet believed
    jws.verify(token, Invite.TYP, keys)

Every such document carries its own kind twice: as ``typ`` in the signed header, which
keeps documents of two kinds apart, and with its version as ``format`` in the payload.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, Self, TypeVar

from strongroom.crypto import jws
from strongroom.errors import FormatError
from strongroom.keys.key_pair import SigningKey


class SignedDocument(Protocol):
    """What each kind of document has."""

    TYP: ClassVar[str]
    """The ``typ`` of the token."""

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Parse a payload and check every rule that needs nothing else.

        Raises:
            FormatError: not canonical, or a rule of spec/keys.md does not hold.
        """
        ...

    def to_bytes(self) -> bytes:
        """Return the payload."""
        ...


D = TypeVar("D", bound=SignedDocument)


def sign(document: SignedDocument, key: SigningKey) -> str:
    """Sign a document; returns the token.

    Raises:
        FormatError: a rule of spec/keys.md does not hold, so that nobody could read it.
    """
    payload = document.to_bytes()
    document.from_bytes(payload)
    return jws.sign(document.TYP, payload, key.secret)


def read_unverified(token: str, kind: type[D]) -> D:
    """Parse a token of the given kind and check its rules, without its signature.

    Raises:
        FormatError: no token, another kind (code ``wrong-kind``), or a rule does not hold.
    """
    unverified = jws.read_unverified(token)
    if unverified.typ != kind.TYP:
        raise FormatError(f"expected a document of kind {kind.TYP}, got another", code="wrong-kind")
    return kind.from_bytes(unverified.payload)
