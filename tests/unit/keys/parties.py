"""A hospital, a clinic and their keys: the other side of every test of this area."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from strongroom._encoding import canonical_json, parse_canonical_json
from strongroom.crypto import dsse, jws
from strongroom.errors import Error
from strongroom.keys.introduction import VerifiedInvite, make_enrollment, make_invite, verify_invite
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.owner import Owner, OwnerChain, Role, make_owner, verify_owner_chain
from strongroom.keys.owner_document import PAYLOAD_TYPE, OwnerDocument
from strongroom.keys.text import KeyKind

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SERIAL = bytes(range(16))


def keys(kind: KeyKind, count: int) -> list[SigningKey]:
    """Make some keys of one kind."""
    return [SigningKey.generate(kind) for _ in range(count)]


@dataclass
class Hospital:
    """An owner with all its secret keys."""

    roots: list[SigningKey] = field(default_factory=lambda: keys(KeyKind.OWNER_ROOT, 1))
    package: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.OWNER_PACKAGE))
    license: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.OWNER_LICENSE))
    broker: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.OWNER_BROKER))
    threshold: int = 1
    name: str = "hospital"

    def chain(self, now: datetime = NOW) -> OwnerChain:
        """Make version 1."""
        return make_owner(
            name=self.name,
            roots=self.roots,
            threshold=self.threshold,
            roles={
                Role.PACKAGE: [self.package.public_text],
                Role.LICENSE: [self.license.public_text],
                Role.BROKER: [self.broker.public_text],
            },
            now=now,
        )

    def owner(self) -> Owner:
        """Make version 1 and verify it."""
        return verify_owner_chain(self.chain())

    def invite(self, owner: Owner, *, partner: str = "clinic", now: datetime = NOW) -> bytes:
        """Invite a partner for a week."""
        return make_invite(
            owner, self.license, partner=partner, serial=SERIAL, now=now, expires_at=now + 7 * DAY
        )


@dataclass
class Clinic:
    """A partner with all its secret keys toward one owner."""

    organization: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.ORGANIZATION))
    device: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.DEVICE))
    sealing: SealingKey = field(default_factory=SealingKey.generate)

    def accept(self, invite: bytes, now: datetime = NOW) -> VerifiedInvite:
        """Read an invite."""
        return verify_invite(invite, now)

    def enroll(self, invite: bytes, now: datetime = NOW) -> bytes:
        """Answer an invite."""
        return make_enrollment(
            self.accept(invite, now),
            organization=self.organization,
            device=self.device,
            sealing=self.sealing,
            now=now,
        )


def sign_version(document: OwnerDocument, roots: Sequence[SigningKey]) -> dsse.Envelope:
    """Sign a version without any of the writer's checks."""
    return dsse.sign(document.to_bytes(), PAYLOAD_TYPE, [root.secret for root in roots])


def forge(chain: OwnerChain, signers: Sequence[SigningKey], /, **changes: Any) -> OwnerChain:
    """Append a next version with any members, as a hostile holder of root keys would write it."""
    before = chain.documents[-1]
    owner = verify_owner_chain(OwnerChain.from_envelopes(chain.envelopes[:1])).id
    members = {"version": before.version + 1, "owner": owner, **changes}
    document = msgspec.structs.replace(before, **members)
    return OwnerChain.from_envelopes([*chain.envelopes, sign_version(document, signers)])


def resign(token: str, key: SigningKey, change: Callable[[dict[str, Any]], None]) -> str:
    """Change the payload of a token and sign it again, as its dishonest author would."""
    unverified = jws.read_unverified(token)
    payload = parse_canonical_json(unverified.payload)
    change(payload)
    return jws.sign(unverified.typ, canonical_json(payload), key.secret)


def everything_an_error_says(error: BaseException) -> str:
    """Collect what a log, a traceback or a crash report would hold of an error and its causes."""
    said: list[str] = []
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        said += [str(following), repr(following), repr(following.args), repr(vars(following))]
        if isinstance(following, Error):
            said += [following.code, str(following.hint)]
        following = following.__cause__ or following.__context__
    return "\n".join(said)
