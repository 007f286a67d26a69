"""``strongroom broker``: run, backup, restore, rekey, upgrade, openapi."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from strongroom.cli._extra import verify_installed
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.broker.running import Running
    from strongroom.home import Home
    from strongroom.home.outbox import Parcel

_DATABASE_VARIABLE = "STRONGROOM_DATABASE"
_EXTRA = (
    "a broker",
    ("alembic", "fastapi", "prometheus_client", "sqlalchemy", "structlog", "uvicorn"),
    "pip install 'strongroom[broker]', with PostgreSQL 'strongroom[postgresql]'",
)
_PORT = 8443
_MAX_PORT = 65535


Database = Annotated[
    str | None,
    Parameter(
        help="A PostgreSQL address without password (else STRONGROOM_DATABASE, else a file in the home)."
    ),
]


def run(
    *,
    listen: Annotated[str, Parameter(help="Address and port.")] = f"127.0.0.1:{_PORT}",
    name: Annotated[
        tuple[str, ...],
        Parameter(help="A name or address by which partners reach it; may be given several times."),
    ] = (),
    database: Database = None,
    certificate: Annotated[
        Path | None, Parameter(help="A certificate of your own with its chain, PEM (else one is made).")
    ] = None,
    key: Annotated[Path | None, Parameter(name="--key-file", help="Its key, PEM.")] = None,
    authority: Annotated[
        Path | None, Parameter(help="The certificate that partners pin (else the last of the chain).")
    ] = None,
    url: Annotated[
        str | None, Parameter(help="The address that partners use, if a proxy stands before the broker.")
    ] = None,
    lease: Annotated[str, Parameter(help="How long a lease lasts.")] = "15min",
    two_people: Annotated[
        bool, Parameter(help="A license takes effect when a second admin has approved it.")
    ] = False,
    clock_is_right: Annotated[
        bool, Parameter(help="Start although the last act seems more than a year ago.")
    ] = False,
    shared: Shared = SHARED,
) -> None:
    """Run this owner's broker: it gives leases to licensed partners, and keeps the log.

    Without options it listens on this machine only, under a certificate authority of its own, with its
    database in the home. Invites made from now on name it. It runs until it is interrupted; requests under
    way are finished. A line of JSON for each request goes to stderr.

    Examples:
        $ strongroom broker run
        $ strongroom broker run --listen 0.0.0.0:8443 --name broker.hospital.example
        $ strongroom broker run --database postgresql://broker@db.internal/broker

    Raises:
        UsageError: options that do not fit together, an address that is taken, or no owner's home.
        NoMatchingKey: a key is missing, or the pass-phrase is wrong.
        VerificationError: the owner's own chain does not verify.
        StorageUnavailable: a file or the database cannot be reached.
    """
    verify_installed(*_EXTRA)
    from strongroom.broker.http.request_log import RequestLog
    from strongroom.broker.running import Wishes
    from strongroom.broker.running import run as run_broker
    from strongroom.broker.settings import Settings
    from strongroom.cli._moment import duration_of

    host, port = address_of(listen)
    wishes = Wishes(
        host=host,
        port=port,
        names=name,
        url=url,
        database_url=database_of(database),
        certificate=certificate,
        key=key,
        authority=authority,
        trust_clock=clock_is_right,
    )
    settings = Settings(lease_seconds=int(duration_of(lease).total_seconds()), two_people=two_people)
    run_broker(
        shared.open_home(),
        wishes,
        settings,
        ready=lambda running: _show(shared, running),
        log_to=RequestLog(),
    )


def address_of(listen: str) -> tuple[str, int]:
    """Read an address with its port.

    Raises:
        UsageError: it is none (code ``listen-address``).
    """
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise UsageError(
            "not an address with a port",
            code="listen-address",
            hint="write it as 127.0.0.1:8443 or [::1]:8443",
        )
    return host, int(port)


def _show(shared: Shared, running: Running) -> None:
    import sys

    document = {
        "url": running.address.url,
        "owner": running.owner_id,
        "name": running.owner_name,
        "authority_sha256": running.fingerprint,
        "database": running.database,
        "new_admin": running.new_admin,
    }
    rows = [
        ("broker", running.address.url),
        ("owner", f"{running.owner_name} ({running.owner_id})"),
        ("authority", f"SHA-256 {running.fingerprint}"),
        ("database", running.database),
    ]
    shared.terminal.fields(document, rows)
    # Whoever waits for it through a pipe gets it now, not when the broker ends.
    sys.stdout.flush()
    if running.new_admin:
        shared.terminal.note("The member of this home is its first admin.")
    if not running.alone:
        shared.terminal.warning("another broker works on this home; both do, and take turns")
    _show_moved(shared, running)
    shared.terminal.note("It answers. Ctrl-C ends it.")


def _show_moved(shared: Shared, running: Running) -> None:
    """Warn of what cuts off everybody who joined before."""
    from strongroom.crypto import certificate

    before = running.before
    if before is None:
        return
    pinned = certificate.read(before.ca.encode("ascii")).fingerprint
    if pinned != running.fingerprint:
        shared.terminal.warning(
            f"partners that joined before trust another authority, SHA-256 {pinned}, and will refuse this "
            "broker: send each a new invite, to be joined again"
        )
    if before.url != running.address.url:
        shared.terminal.warning(
            f"partners that joined before look for it at {before.url}: start it there, or invite them anew"
        )


def backup(
    file: Annotated[Path, Parameter(help="Where to write it; a new file.")],
    /,
    *,
    database: Database = None,
    shared: Shared = SHARED,
) -> None:
    """Write a backup of this owner's broker into one file, while it goes on.

    It holds everything but the keys of this home: keep a copy of the home too, and both closed to others.

    Examples:
        $ strongroom broker backup broker-2026-11-24.backup

    Raises:
        UsageError: the file exists, or no address of a database.
        ObjectNotFound: there is no database yet.
        StorageUnavailable: the database does not answer, or the disk is full.
    """
    verify_installed(*_EXTRA)
    from strongroom.broker.assembly import default_database
    from strongroom.broker.backup import backup as write_backup

    home = shared.open_home()
    write_backup(database_of(database) or default_database(home), file.absolute())
    shared.terminal.result({"backup": str(file)}, f"wrote {file}")


def restore(
    file: Annotated[Path, Parameter(help="A backup.")],
    /,
    *,
    database: Database = None,
    shared: Shared = SHARED,
) -> None:
    """Make a new database for this owner's broker from a backup.

    What happened since the backup is unknown to it. So every lease ends, what was handed out stays counted,
    and a new log begins, which names the last checkpoint that is known. Stop the broker first, and
    move the old database away; partners notice and say so at their next lease. Licenses, revocations and
    withdrawals that this home signed since the backup then wait here, to be handed in with
    `strongroom license upload` as soon as the broker runs; until then what was revoked is given out again.

    Examples:
        $ strongroom broker restore broker-2026-11-24.backup

    Raises:
        UsageError: there is a database already, or the backup is of another version.
        FormatError: the file is no backup, or is damaged.
        ObjectNotFound: there is no such file.
        NoMatchingKey: a key is missing, or the pass-phrase is wrong.
        StorageUnavailable: the database does not answer, or the backup is another owner's.
    """
    verify_installed(*_EXTRA)
    from strongroom.broker.assembly import FOLDER, default_database
    from strongroom.broker.backup import restore as bring_back
    from strongroom.broker.clock import SystemClock
    from strongroom.broker.keys import BrokerKeys
    from strongroom.broker.lacking import lacking
    from strongroom.home import files
    from strongroom.resending import everything_signed

    home = shared.open_home()
    files.make_folder(home.path / FOLDER)
    keys = BrokerKeys(home, now=shared.now)
    url = database_of(database) or default_database(home)
    voided = bring_back(file, url, keys, SystemClock())
    waiting = lacking(url, everything_signed(home, now=shared.now))
    for parcel in waiting:
        home.outbox.add(parcel)
    document = {
        "voided_leases": [row.lease for row in voided],
        "waiting": [{"id": each.id, "about": each.about} for each in waiting],
    }
    shared.terminal.result(document, f"restored; {len(voided)} leases that were in use have ended")
    if waiting:
        _tell_waiting(shared, waiting)


def _tell_waiting(shared: Shared, waiting: Sequence[Parcel]) -> None:
    for each in () if shared.json else waiting:
        shared.terminal.note(f"It does not know {each.about} any more ({each.id}).")
    shared.terminal.warning(
        "what was signed since the backup waits here. As soon as the broker runs: strongroom license upload"
    )


def upgrade(*, database: Database = None, shared: Shared = SHARED) -> None:
    """Bring the tables of this owner's broker to this version.

    Stop every broker on the database first, and make a backup with the version that ran it until now.

    Examples:
        $ strongroom broker upgrade

    Raises:
        UsageError: no address of a database.
        ObjectNotFound: there is no database yet.
        StorageUnavailable: the database does not answer; nothing was changed.
    """
    verify_installed(*_EXTRA)
    from strongroom.broker.assembly import default_database
    from strongroom.broker.migrations import migrate_up, verify_founded
    from strongroom.broker.sql.store import open_store

    url = database_of(database) or default_database(shared.open_home())
    verify_founded(url)
    migrate_up(url)
    open_store(url).close()
    shared.terminal.result({"upgraded": True}, "the tables are those of this version")


def openapi(*, shared: Shared = SHARED) -> None:
    """Print what a broker can be asked, as an OpenAPI 3.1 document, for programs that speak to one.

    It is JSON, and the same for every broker of this version. What the messages mean, and how a request is
    authenticated, stands in spec/broker-api.md.

    Examples:
        $ strongroom broker openapi > openapi.json
    """
    import json

    from strongroom.broker.http.app import make_openapi

    document = make_openapi()
    shared.terminal.result(document, json.dumps(document, indent=2))


def rekey(
    *,
    hsm: Annotated[
        str | None,
        Parameter(help="The label of a hardware token (PKCS#11) that holds the key (else a file)."),
    ] = None,
    module: Annotated[Path | None, Parameter(help="The library of the token's maker.")] = None,
    label: Annotated[str | None, Parameter(help="The label of the key on the token.")] = None,
    create: Annotated[bool, Parameter(help="Make that key on the token first.")] = False,
    resume: Annotated[
        bool, Parameter(help="Take no other key; only go on with what was not wrapped anew yet.")
    ] = False,
    database: Database = None,
    shared: Shared = SHARED,
) -> None:
    """Take another key-encryption key, and wrap every content key of this owner anew.

    No package is encrypted again, and the broker may go on meanwhile. Interrupted, it goes on with --resume.
    The old key stays in the home, for backups made before. The PIN of a token comes from
    STRONGROOM_TOKEN_PIN_FILE, or is asked.

    Examples:
        $ strongroom broker rekey
        $ strongroom broker rekey --hsm owner --module /lib/hsm.so --label kek
        $ strongroom broker rekey --resume

    Raises:
        UsageError: options that do not fit together, or not an owner's home.
        NoMatchingKey: a key is missing, or the pass-phrase or the PIN is wrong.
        IntegrityError: a content key is under a key-encryption key that is not at hand.
        StorageUnavailable: a file, the database or the token does not answer.
    """
    verify_installed(*_EXTRA)
    from strongroom.broker.assembly import default_database
    from strongroom.broker.migrations import verify_founded
    from strongroom.broker.services.rekeying import rekey_all

    home = shared.open_home()
    home.vault.verify_owner_id()
    url = database_of(database)
    if url is None and _has_database(home):
        url = default_database(home)
    if url is not None:
        # Before there is a new key: half of what is wrapped would stay under the old one.
        verify_founded(url)
    elif home.brokers.address(home.vault.verify_owner_id()) is not None:
        raise UsageError(
            "this owner has a broker, and its database is not in the home",
            code="database-needed",
            hint="give the address that the broker runs with, by --database or STRONGROOM_DATABASE",
        )
    if not resume:
        _take_key(shared, home, hsm, module, label, create=create)
    done = rekey_all(home, url, shared.now)
    document = {"key": done.key_id, "in_vault": done.in_vault, "at_broker": done.at_broker}
    shared.terminal.result(
        document,
        f"{done.key_id} is in force; wrapped anew: {done.in_vault} keys in the vault, "
        f"{done.at_broker} at the broker",
    )


def _take_key(
    shared: Shared, home: Home, token: str | None, module: Path | None, label: str | None, *, create: bool
) -> None:
    if token is None and module is None and label is None and not create:
        home.keys.renew_key_encryption_key(shared.now)
        return
    if token is None or module is None or label is None:
        raise UsageError(
            "a key on a token needs three things to be found",
            code="token-options",
            hint="give --hsm, --module and --label",
        )
    home.keys.use_token(module=str(module), token=token, label=label, create=create)


def _has_database(home: Home) -> bool:
    from strongroom.broker.assembly import database_path

    return database_path(home).exists()


def database_of(given: str | None) -> str | None:
    """Return the address of the database, if one is given or in the environment.

    Raises:
        UsageError: the one that is given holds a password (code ``password-on-command-line``).
    """
    from strongroom.broker.running import verify_no_password

    verify_no_password(given)
    return given or os.environ.get(_DATABASE_VARIABLE) or None


app = noun(
    "broker",
    "Run this owner's broker.",
    page(run, "run"),
    page(backup, "backup"),
    page(restore, "restore"),
    page(rekey, "rekey"),
    page(upgrade, "upgrade"),
    page(openapi, "openapi"),
)
