"""A hospital with a broker and a clinic with a license, in two homes, and clocks that tests move.

    world = LeaseWorld.make(tmp_path, terms=[Predictions(limit=100, per=Period.MONTH), Grace(...)])
    held = world.holder().take(world.worker_key)
    world.pass_time(timedelta(minutes=20))
    world.wire.is_cut = True

Broker, database, log, HTTP application and both homes are the real ones; the wire between is a
simulator, and the clocks are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from strongroom.accepting import accept, pull, read_offer
from strongroom.broker.assembly import Broker, admit_owner, assemble, database_path, default_database
from strongroom.broker.clock import Clock
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.connection.broker_client import BrokerClient
from strongroom.crypto.certificate import make_authority
from strongroom.enrolling import approve, approve_at, confirm, invite, join, receive
from strongroom.errors import LicenseDenied
from strongroom.granting import Granted, grant_at_broker
from strongroom.home import files
from strongroom.home.boot_clock import OnlineClock
from strongroom.home.home import Home
from strongroom.keys.identity import member_id, runtime_id
from strongroom.keys.intake import verify_intake_certificate
from strongroom.keys.invite import BrokerAddress
from strongroom.keys.key_pair import SealingKey
from strongroom.leasing.leaseholder import Leaseholder
from strongroom.leasing.session import LeaseSession, Pace
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.request import Right
from strongroom.license.term import Term
from strongroom.metering.meter import Charge, Meter
from strongroom.opening import Opening, open_model
from strongroom.protocol.broker import ReasonAsk
from strongroom.publishing import publish
from strongroom.revoking import revoke, withdraw_version
from strongroom.runtime.surroundings import Surroundings
from strongroom.sending import send
from tests.parties import found_owner, found_partner, right_now, seal_model
from tests.servers.application import messages_compiled_once
from tests.servers.sqlite import lay_tables
from tests.simulators.broker_wire import BrokerWire
from tests.simulators.clocks import HeldClock
from tests.simulators.held_boot import HeldMachine

URL: Final = "https://broker.hospital.example"
QUIET: Final = Pace(poll_seconds=3600, retry_seconds=3600, tick_seconds=3600)
"""Nothing happens in the background."""


@dataclass
class LeaseWorld:
    """Both sides."""

    hospital: Home
    clinic: Home
    broker: Broker
    broker_clock: Clock
    machine: HeldMachine
    wire: BrokerWire
    granted: Granted
    settings: Settings
    url: str = URL
    database_url: str | None = None
    http: Mapping[str, Any] = field(default_factory=dict)
    worker: SealingKey = field(default_factory=SealingKey.generate)

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        terms: Sequence[Term] = (),
        lease_seconds: int = 900,
        url: str = URL,
        ca: str | None = None,
        clock: Clock | None = None,
        database_url: str | None = None,
        http: Mapping[str, Any] | None = None,
    ) -> LeaseWorld:
        """Found, enroll, seal, publish, grant and accept; with ``clock``, time is as that says.

        The database is the one in the home if ``database_url`` names no other; ``http`` are settings of
        the transport.
        """
        now = right_now()
        hospital, clinic = found_owner(folder, "hospital"), found_partner(folder, "clinic")
        clock, machine = clock or HeldClock(now), HeldMachine(now)
        settings = Settings(lease_seconds=lease_seconds)
        broker = _start(hospital, settings, clock, url, database_url, http or {})
        wire = BrokerWire(broker.app, url, clock)
        address = BrokerAddress(url=url, ca=ca or _authority(now))
        owner_id = broker.keys.owner_id
        hospital.brokers.keep(owner_id, address)
        data = invite(hospital, "clinic", expires_at=now + timedelta(days=7), now=now, broker=address)
        joined = join(clinic, data, now=now)
        enrollment = receive(hospital, joined.file, now=now)
        approve(hospital, enrollment, joined.fingerprint)
        confirm(clinic, joined.owner, enrollment.fingerprint)
        admin = _member_client(hospital, owner_id, wire, url, machine.wall)
        approve_at(admin, enrollment)
        sealed = seal_model(hospital)
        pinned = hospital.trust.get(owner_id).owner
        intake = verify_intake_certificate(admin.owner().intake, pinned, now)
        publish(hospital, "risk", intake, now=now)
        granted = grant_at_broker(hospital, "clinic", "risk", terms=terms, now=now)
        _all_sent(hospital, admin, owner_id)
        pull(clinic, sealed.path)
        accept(clinic, read_offer(clinic, granted.file), now=now, to_broker=True)
        world = cls(
            hospital, clinic, broker, clock, machine, wire, granted, settings, url, database_url, http or {}
        )
        _all_sent(clinic, world.client(), owner_id)
        return world

    def close(self) -> None:
        """End the broker."""
        self.broker.__exit__(None, None, None)

    def restart_broker(self) -> None:
        """Start the broker anew over the same home and database."""
        self.close()
        self.start_broker()

    def start_broker(self) -> None:
        """Start a broker over the same home, after another one ended."""
        self.broker = _start(
            self.hospital, self.settings, self.broker_clock, self.url, self.database_url, self.http
        )
        self.wire.reach(self.broker.app)

    @property
    def owner_id(self) -> str:
        """The hospital."""
        return self.broker.keys.owner_id

    @property
    def worker_key(self) -> str:
        """Public text of a worker's one-time key."""
        return self.worker.public_text

    @property
    def clock(self) -> OnlineClock:
        """The clinic's clock."""
        return OnlineClock(wall=self.machine.wall, boot=self.machine)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass everywhere."""
        assert isinstance(self.broker_clock, HeldClock)
        self.broker_clock.move(by)
        self.machine.pass_time(by)

    def client(self, home: Home | None = None) -> BrokerClient:
        """Return a line of the clinic's runtime to the broker."""
        return self.connect(home or self.clinic, self.owner_id, self.machine.wall)

    def connect(self, home: Home, owner_id: str, clock: Callable[[], datetime]) -> BrokerClient:
        """Connect as ``Surroundings.connect`` does."""
        device = home.keys.device(owner_id)
        return BrokerClient(
            self.wire.transport(),
            self.url,
            owner=owner_id,
            subject=runtime_id(device.public),
            key=device,
            clock=clock,
            sleep=lambda _: None,
        )

    @property
    def admin(self) -> BrokerClient:
        """A line of the hospital's admin."""
        return _member_client(self.hospital, self.owner_id, self.wire, self.url, self.broker_clock.now)

    def grant_more(self, *terms: Term, agreement: str | None = None) -> str:
        """Grant the clinic one more license for the model, and accept it; returns its id."""
        now = self.machine.wall()
        granted = grant_at_broker(self.hospital, "clinic", "risk", terms=terms, agreement=agreement, now=now)
        _all_sent(self.hospital, self.admin, self.owner_id)
        accept(self.clinic, read_offer(self.clinic, granted.file), now=now, to_broker=True)
        _all_sent(self.clinic, self.client(), self.owner_id)
        return granted.license_id

    def opening(
        self, home: Home | None = None, right: Right = Right.PREDICT, license: str | None = None
    ) -> Opening:
        """Open as far as possible without a lease."""
        return open_model(
            home or self.clinic,
            "risk",
            now=self.machine.wall(),
            right=right,
            license_id=license,
            boot=self.machine,
        )

    def holder(self, home: Home | None = None, license: str | None = None) -> Leaseholder:
        """Return what takes the lease."""
        home = home or self.clinic
        return Leaseholder(home, self.opening(home, license=license), self.client(home), self.clock)

    def session(
        self, home: Home | None = None, pace: Pace = QUIET, license: str | None = None
    ) -> OpenSession:
        """Begin a session as the runtime does, without processes."""
        home = home or self.clinic
        holder = self.holder(home, license)
        session = LeaseSession.begin(holder, self.worker_key, self.clock, pace)
        opening = self.opening(home, license=license)
        meter = Meter(home.marks, opening.chain, opening.request, session.facts)
        meter.check(session.now())
        session.start(meter)
        return OpenSession(session, meter)

    def surroundings(self, pace: Pace = QUIET) -> Surroundings:
        """Return what a supervisor in a thread of the test gets."""
        return Surroundings(clock=self.machine.wall, boot=self.machine, connect=self.connect, pace=pace)

    def revoke(self, reason: str = "contract ended") -> None:
        """Revoke the license and hand the revocation in."""
        revoke(self.hospital, self.granted.license_id, reason=reason, now=self.broker_clock.now())
        _all_sent(self.hospital, self.admin, self.owner_id)

    def withdraw(self, reason: str = "wrong unit of age") -> None:
        """Withdraw the version of the model and hand the withdrawal in."""
        now = self.broker_clock.now()
        version = self.hospital.vault.seals.find("risk", None).version
        withdraw_version(
            self.hospital, f"risk@{version}", permits=None, reason=reason, now=now, to_broker=True
        )
        _all_sent(self.hospital, self.admin, self.owner_id)

    def suspend(self) -> None:
        """Suspend the license."""
        self.admin.suspend_license(self.granted.license_id, ReasonAsk(reason="unpaid"))

    def used_at_broker(self) -> int:
        """Return the predictions that the broker has counted, of all periods."""
        page = self.admin.usage(license=self.granted.license_id)
        return sum(each.used for each in page.usage if each.counter == CounterName.PREDICTIONS.value)

    def held_at_broker(self) -> int:
        """Return the predictions that are handed out and not reported."""
        with self.broker.ledger.view() as kept:
            return sum(each.amount for each in kept.holds([self.granted.license_id]))

    def counts_here(self) -> dict[CounterKey, int]:
        """Return what the clinic's state counts."""
        return dict(self.clinic.marks.read(self.owner_id).used)


@dataclass
class OpenSession:
    """A session and its meter, used as the supervisor uses them."""

    lease: LeaseSession
    meter: Meter

    def predict(self, rows: int = 1) -> int | None:
        """Use the model; returns what is left."""
        self.lease.refresh()
        charge = self._charge(rows)
        self.lease.note(charge.remaining)
        return charge.remaining

    def _charge(self, rows: int) -> Charge:
        for _ in range(2):
            try:
                return self.meter.charge(rows, self.lease.now())
            except LicenseDenied as denied:
                if not self.lease.rescue(denied, rows):
                    raise
        return self.meter.charge(rows, self.lease.now())

    def end(self) -> None:
        """End it as an orderly supervisor does."""
        self.meter.close()
        self.lease.stop()


def _authority(now: datetime) -> str:
    hosts = ["broker.hospital.example"]
    return make_authority("hospital", hosts=hosts, now=now).certificate.decode("ascii")


def _start(
    home: Home,
    settings: Settings,
    clock: Clock,
    url: str,
    database_url: str | None,
    http: Mapping[str, Any],
) -> Broker:
    database_url = database_url or default_database(home)
    files.make_folder(database_path(home).parent)
    lay_tables(database_url)
    with messages_compiled_once():
        broker = assemble(
            home, HttpSettings(url=url, **http), settings, clock=clock, database_url=database_url
        )
    broker.__enter__()
    admit_owner(broker, home)
    return broker


def _member_client(
    home: Home, owner_id: str, wire: BrokerWire, url: str, clock: Callable[[], datetime]
) -> BrokerClient:
    key = home.keys.member()
    return BrokerClient(
        wire.transport(),
        url,
        owner=owner_id,
        subject=member_id(key.public),
        key=key,
        clock=clock,
        sleep=lambda _: None,
    )


def _all_sent(home: Home, client: BrokerClient, owner_id: str) -> None:
    for sent in send(home, client, owner_id=owner_id):
        if sent.refusal is not None:
            raise sent.refusal
