"""A whole broker out of a home: database, ledger, keys, services and the application, wired by hand.

    broker = assemble(home, HttpSettings(url="https://127.0.0.1:8443"), Settings())
    with broker:
        BrokerServer(broker.app, ...).run()

The one place that knows how the parts fit together; tests build the same broker the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

from strongroom.broker.clock import Clock, SystemClock
from strongroom.broker.faults import NO_FAULTS, Faults
from strongroom.broker.http.access_token import AccessTokens
from strongroom.broker.http.app import Application, make_app
from strongroom.broker.http.auth import Gate, candidates
from strongroom.broker.http.idempotency import Memory
from strongroom.broker.http.nonce import Nonces
from strongroom.broker.http.request_log import RequestLog
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.knowledge import Knowledge
from strongroom.broker.ledger import Ledger
from strongroom.broker.repository import Store
from strongroom.broker.services.all_services import Services
from strongroom.broker.services.checking_out import CheckingOut
from strongroom.broker.services.deriving import Deriving
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.services.licensing import Licensing
from strongroom.broker.services.logbook import Logbook
from strongroom.broker.services.meeting import Meeting
from strongroom.broker.services.members import Members, add_first_admin
from strongroom.broker.services.partners import Partners
from strongroom.broker.services.publishing import Publishing
from strongroom.broker.services.reporting import Reporting
from strongroom.broker.services.requesting import Requesting
from strongroom.broker.settings import Settings
from strongroom.broker.sql.store import open_store
from strongroom.home import files
from strongroom.home.home import Home
from strongroom.kms.interface import KeyProvider

FOLDER: Final = "broker"
"""The part of a home that belongs to its broker."""
_DATABASE: Final = "broker.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One broker, put together. As a context it takes acts until the block ends."""

    store: Store
    ledger: Ledger
    keys: BrokerKeys
    services: Services
    app: Application

    def __enter__(self) -> Broker:
        self.ledger.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ledger.close()
        self.store.close()


def default_database(home: Home) -> str:
    """Return the address of the database in the home itself."""
    return sqlite_url(database_path(home))


def database_path(home: Home) -> Path:
    """Return where the database in the home lies, or would lie."""
    return home.path / FOLDER / _DATABASE


def sqlite_url(path: Path) -> str:
    """Return the address of an SQLite file."""
    return f"sqlite:///{quote(str(path.absolute()))}"


def assemble(
    home: Home,
    http: HttpSettings,
    settings: Settings,
    *,
    database_url: str | None = None,
    provider: KeyProvider | None = None,
    clock: Clock | None = None,
    faults: Faults = NO_FAULTS,
    log_to: RequestLog | None = None,
    trust_clock: bool = False,
) -> Broker:
    """Put a broker together; nothing is served yet.

    Args:
        home: The owner's home.
        http: How it listens.
        settings: The owner's rules.
        database_url: The database; None for the one in the home.
        provider: The key-encryption key; None for the one in the home.
        clock: The time; None for this machine's.
        faults: Where a test may stop it.
        log_to: Where a line for each request goes.
        trust_clock: Start however long the last act is ago.

    Raises:
        UsageError: not an owner's home, or no address of a database.
        NoMatchingKey: a key is missing, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file or the database cannot be reached.
    """
    time = clock or SystemClock()
    files.make_folder(home.path / FOLDER)
    keys = BrokerKeys(home, now=time.now(), provider=provider)
    store = open_store(database_url or default_database(home), create=True)
    ledger = Ledger(store, keys, time, faults, trust_clock=trust_clock)
    return wire(store, ledger, keys, http, settings, clock=time, log_to=log_to)


def wire(
    store: Store,
    ledger: Ledger,
    keys: BrokerKeys,
    http: HttpSettings,
    settings: Settings,
    *,
    clock: Clock,
    log_to: RequestLog | None = None,
) -> Broker:
    """Put services and application on a ledger.

    Args:
        store: The database.
        ledger: The ledger over it.
        keys: The keys of the broker.
        http: How it listens.
        settings: The owner's rules.
        clock: The time.
        log_to: Where a line for each request goes.
    """
    services = make_services(ledger, keys, settings)
    gate = Gate(
        candidates(ledger.view, keys.owner_id),
        AccessTokens(keys, http.url),
        Nonces(),
        clock.now,
        url=http.url,
        owner_id=keys.owner_id,
    )
    memory = Memory(ledger.view, clock.now, remember_seconds=http.remember_seconds)

    def check() -> None:
        with ledger.view() as kept:
            kept.head()
        keys.log_key(clock.now())

    app = make_app(services, gate, memory, http, check=check, log_to=log_to)
    return Broker(store=store, ledger=ledger, keys=keys, services=services, app=app)


def make_services(ledger: Ledger, keys: BrokerKeys, settings: Settings) -> Services:
    """Wire the services."""
    knowledge = Knowledge(keys)
    return Services(
        meeting=Meeting(ledger, keys, settings),
        partners=Partners(ledger, keys, settings),
        members=Members(ledger, keys, settings),
        publishing=Publishing(ledger, keys, settings),
        licensing=Licensing(ledger, keys, settings),
        requesting=Requesting(ledger, settings),
        deriving=Deriving(ledger, keys, settings, knowledge),
        leasing=Leasing(ledger, keys, settings, knowledge),
        reporting=Reporting(ledger, keys, settings, knowledge),
        checking_out=CheckingOut(ledger, keys, settings, knowledge),
        logbook=Logbook(ledger, keys, settings),
    )


def admit_owner(broker: Broker, home: Home) -> bool:
    """Make whoever holds the member key of the owner's home the first admin; says whether that was needed.

    Raises:
        NoMatchingKey: the home has no member key, or the pass-phrase is missing or wrong.
        FormatError: the file of the key is damaged.
        StorageUnavailable: the database does not answer.
    """
    key = home.keys.member().public_text
    added = add_first_admin(broker.ledger, owner_id=broker.keys.owner_id, key=key, name=home.name)
    return added is not None
