"""A client of a broker's log in this process: the services as a partner's program reaches them.

    broker = LogBroker.found(folder)                 # an owner's home, a database, a ledger
    client = broker.client(principal)
    broker.act("one", [organization])
    client.offer(0), client.records(limit=9)

A hostile owner is two brokers of one home: the client is pointed from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.services.logbook import Logbook
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.founding import found
from strongroom.home.home import Home
from strongroom.keys.owner import Owner
from strongroom.log.entry import Kind
from strongroom.protocol.broker import RecordPage
from tests.servers.sqlite import lay_tables
from tests.simulators.clocks import HeldClock
from tests.simulators.log_owner import NOW


@dataclass
class LogBroker:
    """One broker: its ledger, and what can be read of it."""

    home: Home
    clock: HeldClock
    keys: BrokerKeys
    ledger: Ledger
    logbook: Logbook

    @classmethod
    def found(cls, folder: Path) -> LogBroker:
        """Found an owner, and start its broker."""
        return cls.of(found("hospital", folder / "hospital", now=NOW), folder / "broker.db")

    @classmethod
    def of(cls, home: Home, database: Path) -> LogBroker:
        """Start a broker of an owner that exists, with a database of its own."""
        clock = HeldClock(NOW)
        keys = BrokerKeys(home, now=NOW)
        url = f"sqlite:///{database}"
        lay_tables(url)
        ledger = Ledger(open_store(url, create=True), keys, clock)
        ledger.start()
        return cls(home, clock, keys, ledger, Logbook(ledger, keys, Settings(page_limit=50)))

    @property
    def owner(self) -> Owner:
        """The owner, in its newest version."""
        return self.keys.owner()

    def act(self, name: str, subjects: list[str], kind: Kind = Kind.GRANT) -> int:
        """Do something about somebody; returns the index of its entry."""
        return self.ledger.act(partial(_enter, name=name, subjects=subjects, kind=kind))

    def acts(self, count: int, subjects: list[str], name: str = "act", kind: Kind = Kind.LEASE) -> None:
        """Do several things, at once."""

        def enter(act: Act) -> None:
            for number in range(count):
                _enter(act, name=f"{name}-{number}", subjects=subjects, kind=kind)

        self.ledger.act(enter)

    def close(self) -> None:
        """End the broker."""
        self.ledger.close()


def _enter(act: Act, *, name: str, subjects: list[str], kind: Kind) -> int:
    return act.record(kind, subjects, document=f"token-{name}")


def partner(organization: str, role: Role = Role.RUNTIME) -> Principal:
    """Somebody of a partner."""
    return Principal(organization=organization, id="run-" + 24 * "a", kind=PrincipalKind.RUNTIME, role=role)


def admin(owner_id: str) -> Principal:
    """Somebody of the owner."""
    return Principal(organization=owner_id, id="mem-" + 24 * "a", kind=PrincipalKind.MEMBER, role=Role.ADMIN)


@dataclass
class LogClient:
    """What ``connection.broker_client.BrokerClient`` is, without a network."""

    broker: LogBroker
    principal: Principal
    asked: list[str] = field(default_factory=list)

    def offer(self, size: int, log: int | None = None, /) -> bytes:
        self.asked.append("offer")
        return self.broker.logbook.offer(size, log)

    def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
        return self.broker.logbook.records(self.principal, after=after, limit=limit or 50)

    def tile(self, path: str) -> bytes:
        return self.broker.logbook.tile(path)

    def cosign(self, note: bytes) -> bytes:
        return self.broker.logbook.cosign(self.principal, note)
