"""Backups of a broker's database, and the way back.

    backup(url, Path("broker-2026-11-24.backup"))
    voided = restore(Path("broker-2026-11-24.backup"), new_url, keys, SystemClock())

A backup is one file of one form, whichever database it is from, and goes into a new database of either
kind. It holds what the database holds: licenses and their texts, and content keys wrapped by the
key-encryption key, which is not in it. So only its owner may read it.

What happened after a backup is unknown to it. Therefore the way back ends every lease, since there may be
newer ones, and starts a new log that names the last checkpoint that is known (spec/log.md,
"Restoring"): others may have seen more of the old one. What leases and offline files hold of a quota
stays held: it may have been used.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from strongroom.broker.act import Act
from strongroom.broker.clock import Clock
from strongroom.broker.ledger import Ledger, LogSigner
from strongroom.broker.records import LeaseRow
from strongroom.broker.sql.copying import dump, loaded
from strongroom.home.files import atomic_file, storage_error

_PIECE_BYTES: Final = 1 << 20


def backup(url: str, path: Path) -> None:
    """Write a copy of a database into a new file, while brokers go on to use it.

    Raises:
        UsageError: the file exists (code ``already-exists``); no address of a database, or one
            of another version.
        ObjectNotFound: there is no such database.
        StorageUnavailable: the database does not answer, or the disk is full.
    """
    with atomic_file(path, replace=False) as sink:
        try:
            with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as folder:
                copy = Path(folder) / "copy.db"
                dump(url, copy)
                with copy.open("rb") as source:
                    while piece := source.read(_PIECE_BYTES):
                        sink.write(piece)
        except OSError as error:
            raise storage_error(error, path, "write") from error


def restore(path: Path, url: str, log: LogSigner, clock: Clock) -> list[LeaseRow]:
    """Make a new database from a backup; returns the leases that were in use and have ended with that.

    Until it is done no broker opens the new database: a restore that was interrupted is begun anew,
    into another one.

    Raises:
        FormatError: code ``backup-format``: the file is no backup, or is damaged.
        ObjectNotFound: there is no such file.
        UsageError: there is something in the new database (code ``database-not-empty``), or the
            backup is of another version.
        StorageUnavailable: the database does not answer, the backup has no log yet (code ``no-log``)
            or is another owner's (code ``other-owner``), or no log key is at hand.
    """
    voided: list[LeaseRow] = []

    def void(act: Act) -> None:
        voided.extend(act.kept.void_leases(act.now))
        act.changes_rules()

    with loaded(path, url) as store:
        ledger = Ledger(store, log, clock)
        ledger.start(restart=void)
        ledger.close()
    return voided
