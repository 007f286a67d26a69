"""A broker in this process, its owner, and partners with machines: real keys, documents, database and log.

    scene = Scene.build(folder, f"sqlite:///{folder / 'broker.db'}")
    package = scene.publish()
    clinic = scene.add_partner("clinic", machines=2)
    license_id = scene.grant(clinic, Predictions(limit=100, per=Period.DAY))
    answer = scene.take(clinic.machines[0], license_id, package)
    scene.close()

What travels is made as a partner's program makes it, and handed to the services as the HTTP layer
hands it. ``reopen`` is a restart: nothing stays but the home and the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from strongroom._encoding import to_base64
from strongroom.broker.clock import Clock, SystemClock
from strongroom.broker.faults import NO_FAULTS, Faults
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Knowledge
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.repository import Store
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.services.licensing import Licensing
from strongroom.broker.services.meeting import Meeting
from strongroom.broker.services.partners import Partners
from strongroom.broker.services.publishing import Publishing
from strongroom.broker.services.reporting import Reporting
from strongroom.broker.services.requesting import Requesting
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.errors import Error
from strongroom.founding import found, own_owner, role_key
from strongroom.home import Home
from strongroom.keys import owner as owners
from strongroom.keys.enrollment import EnrollmentFile, make_enrollment
from strongroom.keys.fingerprint import fingerprint
from strongroom.keys.identity import organization_id, runtime_id
from strongroom.keys.intake import verify_intake_certificate, wrap_for_intake
from strongroom.keys.invite import make_invite, verify_invite
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.document import Party
from strongroom.license.documents import Acceptance, Lease, License, Revocation, Usage
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, unwrap_lease
from strongroom.license.period import CounterName, Period
from strongroom.license.report_documents import Count
from strongroom.license.request import Level, Right
from strongroom.license.runtime_documents import LeaseRequest, worker_key_digest
from strongroom.license.signing import read_unverified, sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Levels, PackageChoice, Packages, Rights
from strongroom.package.statement import signer
from strongroom.package.tail import read_signed_statement
from strongroom.protocol.broker import (
    AcceptanceAsk,
    ApprovalAsk,
    EnrollmentAsk,
    LeaseAnswer,
    LeaseAsk,
    LicenseAsk,
    PackageAsk,
    RevocationAsk,
)
from strongroom.storage.memory import MemorySource
from tests.servers.sqlite import lay_tables
from tests.unit.package.making import make

CONTENT_KEY = bytes(range(32))


@dataclass(slots=True)
class Machine:
    """One runtime: its keys, and what it remembers."""

    name: str
    organization: SigningKey
    device: SigningKey
    sealing: SealingKey
    worker: SealingKey
    previous: str | None = None
    """Its newest lease."""
    usage: str | None = None
    """Its newest report."""

    @property
    def id(self) -> str:
        """The runtime id."""
        return runtime_id(self.device.public)

    @property
    def principal(self) -> Principal:
        """It, as it has shown who it is."""
        return Principal(
            organization=organization_id(self.organization.public),
            id=self.id,
            kind=PrincipalKind.RUNTIME,
            role=Role.RUNTIME,
        )


@dataclass(slots=True)
class Partner:
    """One partner."""

    name: str
    organization: SigningKey
    machines: list[Machine] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The organization id."""
        return organization_id(self.organization.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the scenes of tests play with."""

    meeting: Meeting
    partners: Partners
    publishing: Publishing
    licensing: Licensing
    requesting: Requesting
    leasing: Leasing
    reporting: Reporting


class Scene:
    """An owner with a broker. Everything is made at the clock's time."""

    def __init__(
        self, home: Home, url: str, clock: Clock, faults: Faults = NO_FAULTS, settings: Settings | None = None
    ) -> None:
        self.home = home
        self.url = url
        self.clock = clock
        self.settings = settings or Settings()
        self.keys = BrokerKeys(home, now=clock.now())
        lay_tables(url)
        self.store: Store = open_store(url, create=True)
        self.ledger = Ledger(self.store, self.keys, clock, faults)
        try:
            self.ledger.start()
        except Error:
            self.store.close()
            raise
        self.services = self._wire()

    @classmethod
    def build(
        cls,
        folder: Path,
        url: str,
        *,
        clock: Clock | None = None,
        faults: Faults = NO_FAULTS,
        settings: Settings | None = None,
    ) -> Scene:
        """Found an owner and start its broker."""
        clock = clock or SystemClock()
        return cls(found("hospital", folder / "home", now=clock.now()), url, clock, faults, settings)

    def reopen(self, *, clock: Clock | None = None, faults: Faults = NO_FAULTS) -> Scene:
        """Start a broker over the same home and database; the one before must have ended."""
        home = Home.open(self.home.path)
        return Scene(home, self.url, clock or self.clock, faults, self.settings)

    def close(self) -> None:
        """End the broker."""
        self.ledger.close()
        self.store.close()

    @property
    def now(self) -> datetime:
        """The clock's time."""
        return self.clock.now()

    @property
    def admin(self) -> Principal:
        """A member of the owner."""
        return Principal(
            organization=self.keys.owner_id, id="mem-" + "a" * 24, kind=PrincipalKind.MEMBER, role=Role.ADMIN
        )

    def publish(self, version: str = "1.0.0") -> str:
        """Publish a package; returns its digest."""
        made = make(
            content_key=CONTENT_KEY,
            package_id=secrets.token_hex(16),
            version=version,
            owner=self.keys.owner_id,
            sign=signer(role_key(self.home, owners.Role.PACKAGE, self.now).secret),
        )
        owner = own_owner(self.home)
        intake = verify_intake_certificate(self.services.meeting.owner().intake, owner, self.now)
        statement = made.statement
        wrapped = wrap_for_intake(
            CONTENT_KEY, intake.public, package=statement.package_digest, package_id=statement.package_id
        )
        signed = read_signed_statement(MemorySource(made.data))
        answer = self.services.publishing.publish(
            self.admin, PackageAsk(statement=to_base64(signed), content_key=wrapped)
        )
        return answer.package

    def add_partner(self, name: str, machines: int = 1) -> Partner:
        """Invite, enroll and approve a partner."""
        partner = Partner(name, SigningKey.generate(KeyKind.ORGANIZATION))
        for _ in range(machines):
            self.add_machine(partner)
        return partner

    def add_machine(self, partner: Partner) -> Machine:
        """Enroll one more machine."""
        owner, now = own_owner(self.home), self.now
        invite = make_invite(
            owner,
            role_key(self.home, owners.Role.LICENSE, now),
            partner=partner.name,
            serial=secrets.token_bytes(16),
            now=now,
            expires_at=now + timedelta(days=7),
        )
        machine = Machine(
            f"{partner.name}-{len(partner.machines)}",
            partner.organization,
            SigningKey.generate(KeyKind.DEVICE),
            SealingKey.generate(),
            SealingKey.generate(),
        )
        file = make_enrollment(
            verify_invite(invite, now),
            organization=partner.organization,
            device=machine.device,
            sealing=machine.sealing,
            now=now,
        )
        token = EnrollmentFile.from_bytes(file).enrollment
        self.services.meeting.enroll(EnrollmentAsk(enrollment=token))
        if not partner.machines:
            ask = ApprovalAsk(fingerprint=fingerprint(token))
            self.services.partners.approve(self.admin, partner.id, ask)
        partner.machines.append(machine)
        return machine

    def sign_license(
        self, partner: Partner, *terms: Term, rights: tuple[Right, ...] = (Right.PREDICT,)
    ) -> str:
        """Sign a license for the model; returns its token."""
        document = License(
            owner=self.keys.owner_id,
            owner_version=own_owner(self.home).version,
            issued_at=self.now,
            partner=Party(name=partner.name, organization=partner.organization.public_text),
            serial=new_serial(),
            terms=(
                Packages(packages=(PackageChoice(name="risk"),)),
                Rights(rights=(Right.PREDICT,)),
                Levels(at_least=Level.LOCAL),
                *terms,
            ),
        )
        return sign_document(document, role_key(self.home, owners.Role.LICENSE, self.now)).token

    def grant(self, partner: Partner, *terms: Term) -> str:
        """Grant a license, and have it accepted; returns its id."""
        answer = self.services.licensing.grant(
            self.admin, LicenseAsk(license=self.sign_license(partner, *terms))
        )
        self.accept(partner, answer.license)
        return answer.license

    def accept(self, partner: Partner, license_id: str) -> None:
        """Accept a license."""
        document = Acceptance(
            license=license_id,
            agreement=None,
            organization=partner.organization.public_text,
            accepted_at=self.now,
        )
        token = sign_document(document, partner.organization).token
        self.services.licensing.accept(partner.machines[0].principal, AcceptanceAsk(acceptance=token))

    def request(
        self,
        machine: Machine,
        license_id: str,
        package: str,
        *,
        used: Mapping[tuple[CounterName, str], int] | None = None,
        predictions: int | None = None,
    ) -> LeaseAsk:
        """Ask for a lease, or a renewal, as the machine's program would."""
        document = LeaseRequest(
            owner=self.keys.owner_id,
            license=license_id,
            runtime=machine.id,
            package=package,
            level=Level.LOCAL,
            worker_key=worker_key_digest(machine.worker.public),
            nonce=new_serial(),
            previous=machine.previous,
            predictions=predictions,
            issued_at=self.now,
        )
        usage = None
        if machine.previous is not None:
            usage = self.usage(machine, license_id, machine.previous, used or {})
        return LeaseAsk(
            request=sign_document(document, machine.device).token,
            worker_key=machine.worker.public_text,
            usage=usage,
        )

    def usage(
        self,
        machine: Machine,
        license_id: str,
        authority: str,
        used: Mapping[tuple[CounterName, str], int],
    ) -> str:
        """Sign a report; ``used`` says how much of which counter in which period."""
        document = Usage(
            license=license_id,
            runtime=machine.id,
            authority=authority,
            previous=machine.usage,
            counts=tuple(
                Count(document=authority, counter=counter, period=period, count=count)
                for (counter, period), count in sorted(used.items())
            ),
            break_glass=(),
            issued_at=self.now,
        )
        return sign_document(document, machine.device).token

    def take(
        self, machine: Machine, license_id: str, package: str, ask: LeaseAsk | None = None
    ) -> LeaseAnswer:
        """Take a lease, and remember it."""
        ask = ask or self.request(machine, license_id, package)
        answer = self.services.leasing.take(machine.principal, ask)
        note(machine, ask, answer)
        return answer

    def open_lease(self, machine: Machine, lease: Lease) -> bytes:
        """Return the content key out of a lease, as the worker does."""
        with self.ledger.view() as kept:
            package = kept.package(lease.package)
        assert package is not None
        binding = KeyBinding(
            license=lease.license,
            runtime=lease.runtime,
            package=lease.package,
            package_id=package.package_id,
        )
        return unwrap_lease(lease, machine.worker.secret, binding, nonce=lease.nonce)

    def revoke(self, target: str, reason: str = "contract ended") -> RevocationAsk:
        """Sign a revocation."""
        document = Revocation(
            owner=self.keys.owner_id,
            owner_version=own_owner(self.home).version,
            issued_at=self.now,
            target=target,
            reason=reason,
        )
        key = role_key(self.home, owners.Role.LICENSE, self.now)
        return RevocationAsk(revocation=sign_document(document, key).token)

    def _wire(self) -> Services:
        ledger, keys, settings = self.ledger, self.keys, self.settings
        knowledge = Knowledge(keys)
        return Services(
            meeting=Meeting(ledger, keys, settings),
            partners=Partners(ledger, keys, settings),
            publishing=Publishing(ledger, keys, settings),
            licensing=Licensing(ledger, keys, settings),
            requesting=Requesting(ledger, settings),
            leasing=Leasing(ledger, keys, settings, knowledge),
            reporting=Reporting(ledger, keys, settings, knowledge),
        )


def note(machine: Machine, ask: LeaseAsk, answer: LeaseAnswer) -> Lease:
    """Have a machine remember the lease that it got, and the report that went with the request."""
    lease = read_unverified(answer.lease, Lease)
    machine.previous = lease.id
    if ask.usage is not None:
        machine.usage = read_unverified(ask.usage, Usage).id
    return lease


def budget(lease: Lease, counter: CounterName, per: Period) -> int:
    """Return what a lease may use of a counter; 0 if it names none."""
    return next((each.limit for each in lease.budget if (each.counter, each.per) == (counter, per)), 0)
