"""Running a broker: from a home and a few wishes to a process that answers.

    run(home, Wishes(host="127.0.0.1", port=8443), Settings(), ready=print)

The address that partners use, the certificates, the first admin and the owner's own note of where its
broker is: what has to fit together before the first request.
"""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from strongroom.broker.assembly import FOLDER, admit_owner, assemble, default_database
from strongroom.broker.http.request_log import RequestLog
from strongroom.broker.http.server import BrokerServer, listen
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.settings import Settings
from strongroom.crypto import certificate
from strongroom.errors import Error, StorageUnavailable, UsageError
from strongroom.home import files, tls
from strongroom.home.home import Home
from strongroom.keys.invite import BrokerAddress

_TLS: Final = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What an operator may say about where and how a broker answers."""

    host: str = "127.0.0.1"
    port: int = 8443
    names: tuple[str, ...] = ()
    """Names and addresses by which partners reach it."""
    url: str | None = None
    """The address that partners use, if it is not the one that the broker listens on."""
    behind_proxy: bool = False
    database_url: str | None = None
    certificate: Path | None = None
    """A certificate of the operator's own, with its chain, PEM."""
    key: Path | None = None
    authority: Path | None = None
    """The certificate that partners pin; None: the last of the chain."""
    trust_clock: bool = False
    """Whether to start however long the last act is ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What there is to say about a broker that has begun."""

    address: BrokerAddress
    owner_id: str
    owner_name: str
    fingerprint: str
    """Of the certificate authority that partners pin."""
    database: str
    """Where it keeps what it knows, without a password."""
    new_admin: bool
    """Whether the member of this home was made the first admin."""
    alone: bool
    """Whether no other broker works on this home."""
    before: BrokerAddress | None
    """Where partners that joined before look for it, and what they pin, if that was something else."""


def run(
    home: Home,
    wishes: Wishes,
    settings: Settings,
    *,
    ready: Callable[[Running], None],
    log_to: RequestLog | None = None,
    server: Callable[[BrokerServer], None] = lambda it: it.run(),
) -> None:
    """Run a broker until it is asked to end.

    Args:
        home: The owner's home.
        wishes: Where and how it answers.
        settings: The owner's rules.
        ready: Called once, when it takes connections.
        log_to: Where a line for each request goes.
        server: What runs the server.

    Raises:
        UsageError: wishes that do not fit together, an address that is taken, or no owner's home.
        NoMatchingKey: a key is missing or open to others, or the pass-phrase is missing or wrong.
        VerificationError: the owner's own chain does not verify.
        FormatError: a file is damaged.
        StorageUnavailable: a file or the database cannot be reached.
    """
    home.vault.verify_owner_id()
    log = log_to or RequestLog()
    with ExitStack() as stack:
        listener = stack.enter_context(listen(wishes.host, wishes.port))
        url = _url(wishes, listener.getsockname()[1])
        material = _material(home, wishes, url)
        context = tls.server_context(material.certificate_path, material.key_path)
        http = HttpSettings(url=url, behind_proxy=wishes.behind_proxy or wishes.url is not None)
        alone = _take_turn(stack, home)
        broker = stack.enter_context(
            assemble(
                home,
                http,
                settings,
                database_url=wishes.database_url,
                log_to=log,
                trust_clock=wishes.trust_clock,
            )
        )
        new_admin = admit_owner(broker, home)
        address = BrokerAddress(url=url, ca=material.authority.decode("ascii"))
        before = home.brokers.address(broker.keys.owner_id)
        if alone or before is None:
            # The other broker on this home serves on: its address stays the one that is written down.
            home.brokers.keep(broker.keys.owner_id, address)
        running = Running(
            address=address,
            owner_id=broker.keys.owner_id,
            owner_name=broker.keys.owner().name,
            fingerprint=certificate.read(material.authority).fingerprint,
            database=_shown(wishes.database_url or default_database(home)),
            new_admin=new_admin,
            alone=alone,
            before=None if before == address else before,
        )

        # What is loaded by now stays to the end, and need not be looked through for garbage again.
        gc.collect()
        gc.freeze()

        server(
            BrokerServer(
                broker.app,
                http,
                listener=listener,
                context=context,
                renew=renewal(material, context, log),
                ready=lambda: ready(running),
            )
        )


def renewal(material: tls.Material, context: ssl.SSLContext, log: RequestLog) -> Callable[[], None]:
    """Return what renews the certificates of a server that goes on, whatever comes of it.

    A disk that is full for an hour is no reason to end: they are good for a month yet.
    """

    def renew() -> None:
        try:
            if material.renew():
                tls.load(context, material.certificate_path, material.key_path)
        except Error as error:
            log.event("certificate-not-renewed", code=error.code)

    return renew


def verify_no_password(database_url: str | None) -> None:
    """Check that a database's address on a command line holds no password: others can read it there.

    Raises:
        UsageError: it does (code ``password-on-command-line``).
    """
    if database_url is None:
        return
    try:
        parts = urlsplit(database_url)
        has_password = parts.password is not None or "password=" in parts.query
    except ValueError:
        has_password = False
    if has_password:
        raise UsageError(
            "the address of the database holds a password, which other users of this machine could read",
            code="password-on-command-line",
            hint="leave it out, and put it into a file that PGPASSFILE names, or into PGPASSWORD",
        )


def _material(home: Home, wishes: Wishes, url: str) -> tls.Material:
    host = urlsplit(url).hostname or ""
    if wishes.certificate is None and wishes.key is None:
        names = tuple(dict.fromkeys((*wishes.names, host)))
        own = tls.OwnAuthority(home.path / FOLDER / _TLS, f"broker of {home.name}", names)
        return own.material(lambda: datetime.now(UTC))
    return tls.given_material(
        wishes.certificate,
        wishes.key,
        authority=wishes.authority,
        # With a url of its own, something else may answer there.
        host=host if wishes.url is None else None,
    )


def _url(wishes: Wishes, port: int) -> str:
    if wishes.url is not None:
        return wishes.url.rstrip("/")
    host = wishes.names[0] if wishes.names else wishes.host
    try:
        address = ip_address(host)
    except ValueError:
        return f"https://{host}:{port}"
    if address.is_unspecified:
        raise UsageError(
            "partners need a name or an address by which they reach this broker",
            code="broker-name-needed",
            hint="say it: --name broker.hospital.example",
        )
    return f"https://[{address}]:{port}" if address.version == 6 else f"https://{address}:{port}"


def _take_turn(stack: ExitStack, home: Home) -> bool:
    """Say whether this is the only broker of the home. Several are fine; people may have forgotten one."""
    files.make_folder(home.path / FOLDER)
    try:
        stack.enter_context(files.locked(home.path / FOLDER / "run.lock", timeout_seconds=0))
    except StorageUnavailable as error:
        if error.code != "locked":
            raise
        return False
    return True


def _shown(database_url: str) -> str:
    parts = urlsplit(database_url)
    user, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}"
