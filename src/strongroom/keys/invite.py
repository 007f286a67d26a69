"""The invite: an owner asks one partner to enroll (spec/keys.md, "Invite").

    data = make_invite(owner, license_key, partner="clinic", serial=serial, now=now, expires_at=then)
    invite = verify_invite(data, now)
    invite.owner.id, invite.document.partner

The file carries the owner chain beside the signed document. The chain is signed by
itself, so the file says who the owner is only after a fingerprint was compared.
Where the owner has a broker, the signed document says where, and by which certificate
authority it is known there: the partner pins both with the owner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, Self

import msgspec

from strongroom._encoding import (
    from_base64,
    from_hex,
    from_instant,
    from_wire,
    to_base64,
    to_hex,
    to_instant,
    to_wire,
)
from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.name import verify_chosen_name, verify_name
from strongroom.keys.owner_chain import Owner, OwnerChain, verify_consistent, verify_owner_chain
from strongroom.keys.owner_document import Role
from strongroom.keys.signed_document import read_unverified, sign
from strongroom.keys.text import KeyKind

SERIAL_BYTES: Final = 16
SKEW: Final = timedelta(seconds=LIMITS.max_clock_skew_seconds)
_HOST: Final = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]"
_URL: Final = re.compile(rf"https://(?:{_HOST})(?::([1-9][0-9]{{0,4}}))?(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)*")
_MAX_PORT: Final = 65_535
_PEM_HEAD: Final = "-----BEGIN CERTIFICATE-----\n"
_PEM_FOOT: Final = "\n-----END CERTIFICATE-----\n"
_PEM_COLUMNS: Final = 64


class BrokerAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the owner's broker answers, and the certificate authority that its certificate is from."""

    url: str
    """``https://``, host, perhaps a port and a path; nothing else, and no slash at the end."""
    ca: str
    """The certificate of the authority, as PEM text. Its DER is read where connections are made."""

    def check(self) -> None:
        """Check both parts.

        Raises:
            FormatError: another scheme, user information, a query, a fragment, an impossible
                port, or a text that is not exactly one certificate (code ``broker-address``).
        """
        match = _URL.fullmatch(self.url) if len(self.url) <= LIMITS.max_url_chars else None
        # User information would show one host to people and go to another; plain HTTP
        # would give the access token to whoever listens.
        if match is None or int(match[1] or 1) > _MAX_PORT:
            raise FormatError(
                "the address of a broker is not of the form https://HOST:PORT",
                code="broker-address",
                hint="It begins with https://, is in lower case, and has no user, query or fragment.",
            )
        if len(self.ca) > LIMITS.max_certificate_bytes or not _is_certificate_text(self.ca):
            raise FormatError(
                "the certificate authority of a broker is not one certificate as PEM text",
                code="broker-address",
            )


class Invite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the owner's license key signs."""

    TYP: ClassVar[str] = "strongroom-invite+jws"

    format: Literal["invite/v1"]
    owner: str
    """The owner id."""
    owner_version: int
    """The newest version of the owner document when this was made; the file may bring no older one."""
    partner: str
    """The name under which the owner will know the partner."""
    serial: str
    """16 random bytes in hexadecimal."""
    issued_at: str
    expires_at: str
    broker: BrokerAddress | None
    """Where the owner's broker is; None: it has none, or none for this partner."""

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Parse a payload and check every rule that needs nothing else.

        Raises:
            FormatError: not canonical, or a rule of spec/keys.md does not hold.
        """
        document = from_wire(payload, cls)
        document._check()
        return document

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)

    def _check(self) -> None:
        verify_owner_id(self.owner)
        verify_name(self.partner)
        from_hex(self.serial, size=SERIAL_BYTES)
        if not 1 <= self.owner_version <= LIMITS.max_owner_versions:
            raise FormatError("an invite names an impossible version of its owner")
        if from_instant(self.issued_at) >= from_instant(self.expires_at):
            raise FormatError("an invite expires before it is issued")
        if self.broker is not None:
            self.broker.check()


class InviteFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ``.invite`` file: a container, not signed itself."""

    format: Literal["invite-file/v1"]
    owner: tuple[str, ...]
    """The owner chain."""
    invite: str
    """The token."""

    @classmethod
    def from_bytes(cls, data: bytes) -> InviteFile:
        """Parse a file, without checking what it holds.

        Raises:
            FormatError: not the canonical form.
        """
        return from_wire(data, cls)

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)


@dataclass(frozen=True, slots=True)
class VerifiedInvite:
    """An invite whose owner, signature and dates hold. Made by ``verify_invite``."""

    owner: Owner
    document: Invite
    token: str


def make_invite(
    owner: Owner,
    key: SigningKey,
    *,
    partner: str,
    serial: bytes,
    now: datetime,
    expires_at: datetime,
    broker: BrokerAddress | None = None,
) -> bytes:
    """Make an ``.invite`` file.

    Args:
        owner: The inviting owner, with its newest chain.
        key: A license key of the owner.
        partner: How the owner will call the partner.
        serial: 16 fresh random bytes.
        now: The time of issue.
        expires_at: From when on the invite is refused.
        broker: Where the owner's broker is.

    Raises:
        UsageError: a name that is not allowed, a key that may not sign now, a serial of
            another size, or an expiry that has passed.
        FormatError: an address of a broker that no reader takes (code ``broker-address``).
    """
    verify_chosen_name(partner)
    if key.kind is not KeyKind.OWNER_LICENSE or key.public not in owner.keys_for(Role.LICENSE, now):
        raise UsageError(
            f"an invite is signed by a license key of {owner.name} in force", code="wrong-signer"
        )
    if len(serial) != SERIAL_BYTES:
        raise UsageError(f"a serial has {SERIAL_BYTES} bytes", code="serial")
    if to_instant(expires_at) <= to_instant(now):
        raise UsageError("an invite must expire later than now", code="expiry")
    document = Invite(
        format="invite/v1",
        owner=owner.id,
        owner_version=owner.version,
        partner=partner,
        serial=to_hex(serial),
        issued_at=to_instant(now),
        expires_at=to_instant(expires_at),
        broker=broker,
    )
    return InviteFile(
        format="invite-file/v1", owner=tuple(owner.chain.to_json()), invite=sign(document, key)
    ).to_bytes()


def verify_invite(data: bytes, now: datetime, *, pinned: Mapping[str, Owner] | None = None) -> VerifiedInvite:
    """Check an ``.invite`` file at the partner.

    Args:
        data: The file.
        now: The time.
        pinned: The owners that this home knows, by id. A chain that contradicts one is
            refused; the longer chain of the two is the one returned.

    Raises:
        FormatError: not an invite file.
        VerificationError: the chain or the signature does not hold, the chain is older
            than the invite says (``owner-rollback``), the invite expired
            (``invite-expired``) or is dated in the future (``invite-not-yet``).
    """
    file = InviteFile.from_bytes(data)
    chain = OwnerChain.from_json(list(file.owner))
    offered = verify_owner_chain(chain)
    known = (pinned or {}).get(offered.id)
    owner = offered if known is None else verify_consistent(known, chain)
    document = read_unverified(file.invite, Invite)
    verify_invite_signer(document, file.invite, owner)
    # The container is not signed: without this, whoever carries it could cut the last
    # versions off, and with them the news that a key was stolen.
    if offered.version < document.owner_version:
        raise VerificationError(
            f"an invite brings version {offered.version} of {owner.name}, but was made under version "
            f"{document.owner_version}",
            code="owner-rollback",
        )
    verify_invite_in_time(document, owner, now)
    return VerifiedInvite(owner, document, file.invite)


def verify_invite_origin(document: Invite, token: str, owner: Owner) -> None:
    """Check that an invite is this owner's, by any license key it ever had.

    Enough for an enrollment that was approved before: a key that is cut off later takes
    no approval back.

    Raises:
        VerificationError: another owner's (``owner-other``), altered, or by no license
            key (``wrong-signer``).
    """
    if document.owner != owner.id:
        raise VerificationError(f"an invite is by another owner than {owner.name}", code="owner-other")
    jws.verify(token, Invite.TYP, owner.all_keys_ever(Role.LICENSE))


def verify_invite_signer(document: Invite, token: str, owner: Owner) -> None:
    """Check that an invite is this owner's, by a key that could sign it then and is not cut off.

    Raises:
        VerificationError: as ``verify_invite_origin``, or by a key that was retired
            (``key-retired``) or is cut off (``key-cut-off``).
    """
    verify_invite_origin(document, token, owner)
    owner.verify_token(token, Invite.TYP, Role.LICENSE, from_instant(document.issued_at))


def verify_invite_in_time(document: Invite, owner: Owner, now: datetime) -> None:
    """Check that an invite is in force.

    Raises:
        VerificationError: expired (``invite-expired``), or dated in the future
            (``invite-not-yet``).
    """
    if now >= from_instant(document.expires_at):
        raise VerificationError(
            f"the invite by {owner.name} for {document.partner} expired at {document.expires_at}",
            code="invite-expired",
            hint=f"Ask {owner.name} for a new invite.",
        )
    if from_instant(document.issued_at) - now > SKEW:
        raise VerificationError(
            f"the invite by {owner.name} for {document.partner} is dated {document.issued_at}, in the future",
            code="invite-not-yet",
            hint="Check the clock of this machine.",
        )


def _is_certificate_text(text: str) -> bool:
    """Say whether a text is one certificate in the one spelling that programs write."""
    if not (text.startswith(_PEM_HEAD) and text.endswith(_PEM_FOOT)):
        return False
    body = text[len(_PEM_HEAD) : -len(_PEM_FOOT)]
    try:
        encoded = to_base64(from_base64(body.replace("\n", "")))
    except FormatError:
        return False
    lines = [encoded[start : start + _PEM_COLUMNS] for start in range(0, len(encoded), _PEM_COLUMNS)]
    return bool(lines) and body == "\n".join(lines)
