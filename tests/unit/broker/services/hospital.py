"""A hospital with a broker, and clinics that use it: real homes, a real ledger, SQLite.

world = World(tmp_path)
clinic = world.clinic("clinic")                     # enrolled and approved, with a manager
license = world.license(clinic)                     # granted
world.services.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from strongroom._encoding import to_base64
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.services.deriving import Deriving
from strongroom.broker.services.licensing import Licensing
from strongroom.broker.services.meeting import Meeting
from strongroom.broker.services.members import Members, add_first_admin
from strongroom.broker.services.partners import Partners
from strongroom.broker.services.publishing import Publishing
from strongroom.broker.services.requesting import Requesting
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.enrolling import invite, join
from strongroom.errors import Error
from strongroom.founding import found, own_owner, role_key
from strongroom.home import Home
from strongroom.keys import owner as owners
from strongroom.keys.enrollment import Enrollment, EnrollmentFile
from strongroom.keys.fingerprint import fingerprint
from strongroom.keys.identity import member_id, organization_id
from strongroom.keys.intake import verify_intake_certificate, wrap_for_intake
from strongroom.keys.key_pair import SigningKey, signing_public_from_text
from strongroom.keys.member import MemberRole, make_member_certificate
from strongroom.keys.signed_document import read_unverified
from strongroom.keys.text import KeyKind
from strongroom.license.documents import Acceptance, License, Party, Revocation, Sublicense, Withdrawal
from strongroom.license.fields import new_serial
from strongroom.license.request import Level, Right
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Levels, PackageChoice, Packages, Rights
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Record
from strongroom.package.names import Version
from strongroom.package.statement import Statement, sign_statement, signer
from strongroom.protocol.broker import (
    ApprovalAsk,
    EnrollmentAnswer,
    EnrollmentAsk,
    LicenseAnswer,
    LicenseAsk,
    MemberAsk,
    PackageAsk,
)
from tests.servers.sqlite import lay_tables

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CONTENT_KEY = bytes(range(32))


class Watch:
    """A clock that a test sets."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        """Return what it was set to."""
        return self.time


@dataclass
class Clinic:
    """A partner: its home, and how the broker knows it."""

    home: Home
    owner_id: str
    name: str

    @cached_property
    def key(self) -> SigningKey:
        """The organization key."""
        return self.home.keys.organization()

    @property
    def organization(self) -> str:
        """The organization id."""
        return organization_id(self.key.public)

    @property
    def party(self) -> Party:
        """How licenses name it."""
        return Party(name=self.name, organization=self.key.public_text)

    @property
    def token(self) -> str:
        """The enrollment that it made last."""
        return EnrollmentFile.from_bytes(self.home.trust.enrollment(self.owner_id)).enrollment

    @property
    def runtime(self) -> str:
        """The runtime id."""
        return read_unverified(self.token, Enrollment).runtime

    @property
    def manager(self) -> Principal:
        """Its first member, once it has authenticated."""
        member = member_id(self.home.keys.member().public)
        return Principal(
            organization=self.organization, id=member, kind=PrincipalKind.MEMBER, role=Role.MANAGER
        )

    def certify(
        self, member: SigningKey | None = None, role: MemberRole = MemberRole.MANAGER, **changes: Any
    ) -> str:
        """Certify a member; its own first one by default."""
        arguments: dict[str, Any] = {"name": "j.doe", "owner": self.owner_id, "now": NOW, **changes}
        key = member or self.home.keys.member()
        return make_member_certificate(self.key, member=key.public_text, role=role, **arguments)

    def accept(self, license: str, agreement: str | None = None, now: datetime = NOW) -> str:
        """Sign an acceptance."""
        document = Acceptance(
            license=license, agreement=agreement, organization=self.key.public_text, accepted_at=now
        )
        return sign_document(document, self.key).token

    def narrow(self, parent: str, site: Party, terms: Sequence[Term] = (), now: datetime = NOW) -> str:
        """Sign a sub-license."""
        document = Sublicense(
            parent=parent, holder=site, serial=new_serial(), issued_at=now, terms=tuple(terms)
        )
        return sign_document(document, self.key).token


class World:
    """The hospital."""

    def __init__(self, folder: Path, settings: Settings | None = None, url: str | None = None) -> None:
        self.folder = folder
        self.watch = Watch()
        self.home = found("hospital", folder / "hospital", now=NOW)
        self.keys = BrokerKeys(self.home, now=NOW)
        url = url or f"sqlite:///{folder / 'broker.db'}"
        lay_tables(url)
        self.store = open_store(url, create=True)
        self.ledger = Ledger(self.store, self.keys, self.watch)
        self.ledger.start()
        settings = settings or Settings()
        self.meeting = Meeting(self.ledger, self.keys, settings)
        self.partners = Partners(self.ledger, self.keys, settings)
        self.members = Members(self.ledger, self.keys, settings)
        self.publishing = Publishing(self.ledger, self.keys, settings)
        self.licensing = Licensing(self.ledger, self.keys, settings)
        self.requesting = Requesting(self.ledger, settings)
        self.deriving = Deriving(self.ledger, self.keys, settings)
        first = self.home.keys.member().public_text
        add_first_admin(self.ledger, owner_id=self.keys.owner_id, key=first, name="a.admin")
        self.admin = self._principal(first_key=self.home.keys.member())

    def close(self) -> None:
        """Stop the ledger and let the database go."""
        self.ledger.close()
        self.store.close()

    @property
    def owner(self) -> owners.Owner:
        """The owner as it stands."""
        return own_owner(self.home)

    def role_key(self, role: owners.Role) -> SigningKey:
        """Return a role key of the owner."""
        return role_key(self.home, role, self.watch.time)

    def root(self) -> SigningKey:
        """Return the root key of the owner."""
        (text,) = self.owner.document.roots.keys
        public = signing_public_from_text(text, KeyKind.OWNER_ROOT)
        return self.home.keys.owner_key(KeyKind.OWNER_ROOT, [public])

    def _principal(self, first_key: SigningKey, role: Role = Role.ADMIN) -> Principal:
        return Principal(
            organization=self.keys.owner_id,
            id=member_id(first_key.public),
            kind=PrincipalKind.MEMBER,
            role=role,
        )

    def add_admin(self, role: Role = Role.ADMIN, name: str = "b.second") -> Principal:
        """Add one more member of the owner."""
        key = SigningKey.generate(KeyKind.MEMBER)
        ask = MemberAsk(key=key.public_text, name=name, role=role.value)
        self.members.add(self.admin, ask)
        return self._principal(key, role)

    # -- partners

    def invite(self, name: str) -> bytes:
        """Invite a partner for a week."""
        return invite(self.home, name, expires_at=self.watch.time + 7 * DAY, now=self.watch.time)

    def joined(self, name: str, data: bytes | None = None, folder: str | None = None) -> Clinic:
        """Found a home that has answered an invite, and sent nothing yet."""
        home = found(name, self.folder / (folder or name), now=NOW, owner=False)
        join(home, data or self.invite(name), now=self.watch.time)
        return Clinic(home, self.keys.owner_id, name)

    def enroll(self, clinic: Clinic, *, member: bool = True) -> EnrollmentAnswer:
        """Send the enrollment of a clinic."""
        certificate = clinic.certify() if member else None
        return self.meeting.enroll(EnrollmentAsk(enrollment=clinic.token, member=certificate))

    def approve(self, clinic: Clinic) -> None:
        """Compare the fingerprint."""
        ask = ApprovalAsk(fingerprint=fingerprint(clinic.token))
        self.partners.approve(self.admin, clinic.organization, ask)

    def clinic(self, name: str = "clinic") -> Clinic:
        """Return a partner that has enrolled and was approved."""
        clinic = self.joined(name)
        self.enroll(clinic)
        self.approve(clinic)
        return clinic

    # -- packages and licenses

    def statement(self, name: str = "risk", version: str = "1.0.0", **changes: Any) -> Statement:
        """Return what the owner says of a package."""
        members: dict[str, Any] = {
            "package_id": secrets.token_hex(16),
            "name": name,
            "version": Version.from_text(version),
            "owner": self.keys.owner_id,
            "payload_bytes": 1000,
            "contents_bytes": 500,
            "index_sha256": secrets.token_hex(32),
            "created_at": NOW,
        }
        return Statement(**(members | changes))

    def package(
        self, statement: Statement, *, key: bytes = CONTENT_KEY, wrapped_for: Statement | None = None
    ) -> PackageAsk:
        """Return the request that publishes a package."""
        now = self.watch.time
        intake = verify_intake_certificate(self.meeting.owner().intake, self.owner, now)
        target = wrapped_for or statement
        data = sign_statement(statement, signer(self.role_key(owners.Role.PACKAGE).secret))
        wrapped = wrap_for_intake(
            key, intake.public, package=target.package_digest, package_id=target.package_id
        )
        return PackageAsk(statement=to_base64(data), content_key=wrapped)

    def sign_license(
        self, party: Party, terms: Sequence[Term] = (), *, rights: Sequence[Right] | None = None
    ) -> str:
        """Sign a license in the owner's home."""
        wanted = rights or (Right.PREDICT, Right.SUBLICENSE)
        document = License(
            owner=self.owner.id,
            owner_version=self.owner.version,
            issued_at=self.watch.time,
            partner=party,
            serial=new_serial(),
            terms=(
                Packages(packages=(PackageChoice(name="risk"),)),
                Rights(rights=tuple(sorted(wanted))),
                Levels(at_least=Level.SEALED),
                *terms,
            ),
        )
        return sign_document(document, self.role_key(owners.Role.LICENSE)).token

    def license(self, clinic: Clinic, terms: Sequence[Term] = (), agreement: str | None = None) -> str:
        """Grant a license; returns its id."""
        return self.granted(clinic, terms, agreement).license

    def granted(
        self, clinic: Clinic, terms: Sequence[Term] = (), agreement: str | None = None
    ) -> LicenseAnswer:
        """Grant a license."""
        ask = LicenseAsk(license=self.sign_license(clinic.party, terms), agreement=agreement)
        return self.licensing.grant(self.admin, ask)

    def revocation(self, target: str, key: SigningKey | None = None) -> str:
        """Sign a revocation."""
        document = Revocation(
            owner=self.owner.id,
            owner_version=self.owner.version,
            issued_at=self.watch.time,
            target=target,
            reason="the contract ended",
        )
        return sign_document(document, key or self.role_key(owners.Role.LICENSE)).token

    def withdrawal(self, statement: Statement, permits: str | None = None) -> str:
        """Sign a withdrawal."""
        document = Withdrawal(
            owner=self.owner.id,
            owner_version=self.owner.version,
            issued_at=self.watch.time,
            name=statement.name,
            version=statement.version.to_text(),
            package=statement.package_digest,
            permits=permits,
            reason="wrong units",
        )
        return sign_document(document, self.role_key(owners.Role.LICENSE)).token

    # -- what can be seen

    def records(self, *subjects: str) -> list[Record]:
        """Return the log records about any of these; about anything without one."""
        with self.ledger.view() as kept:
            rows = kept.entries_about(subjects or None, after=-1, limit=1000)
        return [Disclosure.from_bytes(row.disclosure).record for row in rows if row.disclosure]


class Overtaken:
    """A ledger that lets something else happen right before each act, as if another broker had done it."""

    def __init__(self, ledger: Ledger, before: Callable[[], object]) -> None:
        self._ledger = ledger
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def act(self, do: Callable[[Act], Any]) -> Any:
        """Do the other thing, then this one."""
        self._before()
        return self._ledger.act(do)


def refused(do: Callable[[], object]) -> str:
    """Return the code of the refusal."""
    with pytest.raises(Error) as caught:
        do()
    return caught.value.code
