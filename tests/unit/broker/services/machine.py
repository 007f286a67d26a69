"""One runtime of a clinic as its supervisor is: it takes leases, counts what it uses, renews.

machine = Machine.enrolled(world, clinic)                  # accepted, package published
machine.take()                                             # the first lease
machine.use(12)
machine.take()                                             # renewed, with a usage report
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Ledger
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.records import HoldRow
from strongroom.broker.services.checking_out import CheckingOut
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.services.reporting import Reporting
from strongroom.broker.settings import Settings
from strongroom.crypto.hpke import SealingSecret
from strongroom.keys.enrollment import EnrollmentFile, make_enrollment
from strongroom.keys.identity import runtime_id
from strongroom.keys.invite import verify_invite
from strongroom.keys.key_pair import SealingKey, SigningKey, sealing_public_to_text
from strongroom.keys.text import KeyKind
from strongroom.license.documents import Count, Lease, LeaseRequest, Usage
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, unwrap_lease, unwrap_restart
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.protection import SEALED
from strongroom.license.request import Level
from strongroom.license.runtime_documents import worker_key_digest
from strongroom.license.signing import Signed, sign_document, verify_by_owner
from strongroom.license.term import Term
from strongroom.log.entry import Kind
from strongroom.package.statement import Statement
from strongroom.protocol.broker import AcceptanceAsk, EnrollmentAsk, LeaseAnswer, LeaseAsk, SublicenseAsk
from tests.unit.broker.services.hospital import Clinic, World


@dataclass(frozen=True)
class Desk:
    """The services of one broker that runtimes speak to."""

    leasing: Leasing
    reporting: Reporting
    checking_out: CheckingOut

    @classmethod
    def at(cls, ledger: Ledger, keys: BrokerKeys, settings: Settings | None = None) -> Desk:
        """Return them over a ledger."""
        rules = settings or Settings()
        return cls(
            Leasing(ledger, keys, rules), Reporting(ledger, keys, rules), CheckingOut(ledger, keys, rules)
        )


@dataclass
class Machine:
    """A runtime, and what it remembers."""

    world: World
    clinic: Clinic
    license: str
    statement: Statement
    desk: Desk
    device: SigningKey
    sealing: SealingKey
    lease: Signed[Lease] | None = None
    answer: LeaseAnswer | None = None
    used: Counter[tuple[CounterName, str]] = field(default_factory=Counter)
    """Under the lease in hand."""
    usage: str | None = None
    """The id of the report before."""
    worker: SealingSecret | None = None
    ask: LeaseAsk | None = None
    """The last one."""

    @classmethod
    def enrolled(
        cls,
        world: World,
        clinic: Clinic,
        terms: Sequence[Term] = (),
        *,
        desk: Desk | None = None,
        license: str | None = None,
        statement: Statement | None = None,
    ) -> Machine:
        """Return a machine that may take a lease: everything else is granted, accepted and published."""
        if license is None:
            license = world.license(clinic, terms)
            world.licensing.accept(clinic.manager, AcceptanceAsk(acceptance=clinic.accept(license)))
        if statement is None:
            statement = world.statement()
            world.publishing.publish(world.admin, world.package(statement))
        keys, owner = clinic.home.keys, clinic.owner_id
        desk = desk or Desk.at(world.ledger, world.keys)
        return cls(world, clinic, license, statement, desk, keys.device(owner), keys.sealing(owner))

    def second(self, invite: bytes | None = None) -> Machine:
        """Return one more runtime of the same organization, enrolled."""
        device, sealing = SigningKey.generate(KeyKind.DEVICE), SealingKey.generate()
        now = self.world.watch.time
        data = make_enrollment(
            verify_invite(invite or self.world.invite(self.clinic.name), now),
            organization=self.clinic.key,
            device=device,
            sealing=sealing,
            now=now,
        )
        token = EnrollmentFile.from_bytes(data).enrollment
        self.world.meeting.enroll(EnrollmentAsk(enrollment=token))
        return replace(self, device=device, sealing=sealing, lease=None, used=Counter(), usage=None)

    @property
    def runtime(self) -> str:
        """The runtime id."""
        return runtime_id(self.device.public)

    @property
    def principal(self) -> Principal:
        """How the broker knows it, once it has authenticated."""
        return Principal(
            organization=self.clinic.organization,
            id=self.runtime,
            kind=PrincipalKind.RUNTIME,
            role=Role.RUNTIME,
        )

    @property
    def binding(self) -> KeyBinding:
        """What keys for it are bound to."""
        return KeyBinding(
            license=self.license,
            runtime=self.runtime,
            package=self.statement.package_digest,
            package_id=self.statement.package_id,
        )

    @property
    def lease_id(self) -> str:
        """The lease in hand."""
        assert self.lease is not None
        return self.lease.id

    @property
    def budget(self) -> dict[str, int]:
        """What the lease in hand lets it use."""
        assert self.lease is not None
        return {f"{each.counter.value}/{each.per.value}": each.limit for each in self.lease.document.budget}

    def copy(self) -> Machine:
        """Return a snapshot, as somebody makes of a virtual machine."""
        return replace(self, used=Counter(self.used))

    def request(self, worker: SealingSecret, **changes: Any) -> LeaseRequest:
        """Return a request that goes on from the lease in hand."""
        members: dict[str, Any] = {
            "owner": self.world.keys.owner_id,
            "license": self.license,
            "runtime": self.runtime,
            "package": self.statement.package_digest,
            "level": Level.SEALED,
            "facts": tuple(sorted(SEALED)),
            "worker_key": worker_key_digest(worker.public),
            "nonce": new_serial(),
            "previous": None if self.lease is None else self.lease.id,
            "predictions": None,
            "issued_at": self.world.watch.time,
        }
        return LeaseRequest(**(members | changes))

    def report(self, authority: str | None = None, **changes: Any) -> Signed[Usage]:
        """Sign what was used under the lease in hand, or another authority."""
        about = authority or self.lease_id
        members: dict[str, Any] = {
            "license": self.license,
            "runtime": self.runtime,
            "authority": about,
            "previous": self.usage,
            "counts": tuple(
                Count(document=about, counter=counter, period=period, count=count)
                for (counter, period), count in sorted(self.used.items())
                if count
            ),
            "break_glass": (),
            "issued_at": self.world.watch.time,
        }
        return sign_document(Usage(**(members | changes)), self.device)

    def asking(self, *, usage: bool = True, log_size: int = 0, **changes: Any) -> LeaseAsk:
        """Return what it would send to take or renew a lease."""
        self.worker = SealingSecret.generate()
        request = self.request(self.worker, **changes)
        reports = usage and request.previous is not None and self.lease is not None
        return LeaseAsk(
            request=sign_document(request, self.device).token,
            worker_key=sealing_public_to_text(self.worker.public),
            usage=self.report().token if reports else None,
            log_size=log_size,
        )

    def take(self, **changes: Any) -> Lease:
        """Take or renew a lease."""
        return self.send(self.asking(**changes))

    def send(self, ask: LeaseAsk) -> Lease:
        """Send a request, and go on under the lease that is the answer."""
        self.ask = ask
        self.answer = self.desk.leasing.take(self.principal, ask)
        self.lease = verify_by_owner(self.answer.lease, Lease, self.world.owner)
        self.used.clear()
        return self.lease.document

    def use(self, predictions: int) -> None:
        """Use something up, in every period that the lease counts."""
        assert self.lease is not None
        for entry in self.lease.document.budget:
            if entry.counter is CounterName.PREDICTIONS:
                self.used[entry.counter, entry.per.key(self.world.watch.time)] += predictions

    def open(self) -> bytes:
        """Return the content key, as the worker gets it."""
        assert self.lease is not None
        assert self.worker is not None
        document = self.lease.document
        return unwrap_lease(document, self.worker, self.binding, nonce=document.nonce)

    def open_again(self) -> bytes:
        """Return the content key, as after a reboot."""
        assert self.lease is not None
        return unwrap_restart(self.lease.document, self.sealing.secret, self.binding)


def holds(machine: Machine) -> list[HoldRow]:
    """Return what is held of the license of a machine."""
    with machine.world.ledger.view() as kept:
        return kept.holds([machine.license])


def used(machine: Machine, period: str = "2026-11-24") -> int:
    """Return how many predictions of its license are counted in a period."""
    key = CounterKey(machine.license, CounterName.PREDICTIONS, period)
    with machine.world.ledger.view() as kept:
        return kept.used([key])[key]


def running(machine: Machine) -> set[str]:
    """Return who has a seat of its license."""
    with machine.world.ledger.view() as kept:
        return {seat.runtime for seat in kept.seats([machine.license], machine.world.watch.time)}


def kinds(world: World, *subjects: str) -> list[Kind]:
    """Return the kinds of the log records about any of these."""
    return [record.kind for record in world.records(*subjects)]


def narrowed(
    world: World, terms: Sequence[Term] = (), site_terms: Sequence[Term] = ()
) -> tuple[Machine, Machine]:
    """Return a site with a sub-license of a clinic, and the clinic."""
    machine = Machine.enrolled(world, world.clinic(), terms)
    site = world.clinic("site")
    token = machine.clinic.narrow(machine.license, site.party, site_terms)
    license = world.licensing.narrow(machine.clinic.manager, SublicenseAsk(sublicense=token)).license
    world.licensing.accept(site.manager, AcceptanceAsk(acceptance=site.accept(license)))
    return Machine.enrolled(world, site, license=license, statement=machine.statement), machine
