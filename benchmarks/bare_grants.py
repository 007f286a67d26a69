"""The limit for durable lease grants: the same cryptography, the same grouped commits, nothing else.

    bare = BareGrants(sqlite_commit(path), device, worker, sealing)
    bare.grant([request_token, usage_token])

No license, no decision, no JSON, no proof: two signatures verified (each by two libraries, as tokens are;
the second, ``joserfc``, takes a token apart by itself, which is what it is asked for, docs/adr/0003),
the worker's one-time key taken in, a content key unwrapped and wrapped twice, one signature made. Then
whoever waits is taken into one transaction, which writes the rows that a renewal writes (the lease before
ended and its hold freed; usage, count, lease, hold, seat; two entries of the log, their subjects, a tile,
the head), commits to both records under salt and hashes them into the tree (spec/log.md), signs once by
Ed25519, and is durable before anybody goes on.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import psycopg
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from strongroom._encoding import from_base64url
from strongroom.crypto import hpke, segment
from strongroom.crypto.digest import sha256
from strongroom.crypto.ed25519 import Ed25519Secret
from strongroom.crypto.hpke import SealingPublic
from strongroom.crypto.signature import SigningPublic, SigningSecret
from strongroom.log.entry import SALT_BYTES

LEASE_BYTES = 5200
"""A token with two envelopes of X-Wing."""
USAGE_BYTES = 650
"""A token of a usage report."""
ENTRY, DISCLOSURE, USAGE, NODE = bytes(110), bytes(700), bytes(USAGE_BYTES), bytes(65)
"""A tree of hashes has as many inner nodes as leaves, less one."""
TILE = bytes(32 * 128)
SUBJECTS = 9
"""Of the two entries of a renewal."""
_INFO = bytes(300)
_MOST_IN_GROUP = 256

Commit = Callable[[Sequence[bytes], bytes], None]
"""Writes the rows of these leases and a checkpoint, durably."""


class BareGrants:
    """Grants without a broker. Safe to share between threads."""

    def __init__(self, commit: Commit, device: SigningPublic, worker: SealingPublic, sealing: SealingPublic):
        self._commit = commit
        self._device = device
        self._library_key = ECKey.import_key(device.to_pem())
        self._worker = worker.to_bytes()
        self._sealing = sealing
        self._signer = SigningSecret.generate()
        self._log = Ed25519Secret.generate()
        self._kek = segment.generate_key()
        self._wrapped = bytearray(segment.encrypted_size(32))
        segment.encrypt_into(self._kek, b"purpose", secrets.token_bytes(32), self._wrapped)
        self._changed = threading.Condition()
        self._queue: list[tuple[bytes, threading.Lock]] = []
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def grant(self, tokens: Sequence[str]) -> None:
        """Verify tokens, wrap, sign, and wait until it is durable."""
        for token in tokens:
            # Twice, as ``crypto.jws`` does, by two libraries.
            message, _, signature = token.rpartition(".")
            self._device.verify(from_base64url(signature), message.encode())
            joserfc_jws.deserialize_compact(token, self._library_key, ["ES256"])
        key = bytearray(32)
        segment.decrypt_into(self._kek, b"purpose", self._wrapped, key)
        # Every lease is for another worker key, which has to be a point; the sealing key is known.
        recipients = SealingPublic.from_bytes(self._worker), self._sealing
        wrapped = [hpke.wrap_key(bytes(key), recipient, info=_INFO) for recipient in recipients]
        lease = b"".join(wrapped).ljust(LEASE_BYTES, b"x")
        lease += self._signer.sign(lease)
        done = threading.Lock()
        done.acquire()
        with self._changed:
            self._queue.append((lease, done))
            self._changed.notify()
        done.acquire()

    def close(self) -> None:
        """End the thread that commits."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._open and not self._queue:
                    self._changed.wait()
                group, self._queue = self._queue[:_MOST_IN_GROUP], self._queue[_MOST_IN_GROUP:]
            if not group:
                return
            for lease, _ in group:
                _hash_entry(lease)
                _hash_entry(USAGE)
            self._commit([lease for lease, _ in group], self._log.sign(bytes(150)))
            for _, done in group:
                done.release()


def _hash_entry(token: bytes) -> None:
    """Hash what an entry of the log takes: its document, its record under fresh salt, itself, a node."""
    for hashed in (token, secrets.token_bytes(SALT_BYTES) + DISCLOSURE, ENTRY, NODE):
        sha256(hashed)


_TABLES = (
    "CREATE TABLE lease (lease TEXT PRIMARY KEY, runtime TEXT, ended TEXT, token TEXT)",
    "CREATE INDEX lease_runtime ON lease (runtime, lease)",
    "CREATE TABLE usage (usage TEXT PRIMARY KEY, runtime TEXT, token TEXT)",
    "CREATE TABLE hold (authority TEXT, document TEXT, amount BIGINT, PRIMARY KEY (authority, document))",
    "CREATE INDEX hold_document ON hold (document)",
    "CREATE TABLE seat (authority TEXT, document TEXT, PRIMARY KEY (authority, document))",
    "CREATE INDEX seat_document ON seat (document)",
    "CREATE TABLE used (document TEXT PRIMARY KEY, amount BIGINT)",
    "CREATE TABLE entry (number BIGINT PRIMARY KEY, entry {blob}, disclosure {blob}, subjects TEXT)",
    "CREATE TABLE subject (subject TEXT, number BIGINT, PRIMARY KEY (subject, number))",
    "CREATE TABLE tile (number BIGINT PRIMARY KEY, hashes {blob})",
    "CREATE TABLE head (one INTEGER PRIMARY KEY, size BIGINT, checkpoint {blob})",
    "INSERT INTO head VALUES (1, 0, '')",
)
_ROWS = (
    "UPDATE lease SET ended = 'superseded' WHERE lease = :before",
    "DELETE FROM seat WHERE authority = :before",
    "DELETE FROM hold WHERE authority = :before",
    "INSERT INTO used VALUES (:document, 3) ON CONFLICT (document) DO UPDATE SET amount = used.amount + 3",
    "INSERT INTO usage VALUES (:usage, :runtime, :report)",
    "INSERT INTO lease VALUES (:lease, :runtime, NULL, :token)",
    "INSERT INTO hold VALUES (:lease, :document, 1000)",
    "INSERT INTO seat VALUES (:lease, :document)",
)
_ENTRY = "INSERT INTO entry VALUES (:number, :entry, :disclosure, :subjects)"
_SUBJECT = "INSERT INTO subject VALUES (:subject, :number)"
_TILE = (
    "INSERT INTO tile VALUES (:number, :hashes) ON CONFLICT (number) DO UPDATE SET hashes = excluded.hashes"
)
_HEAD = "UPDATE head SET size = :size, checkpoint = :checkpoint WHERE one = 1"


class _Rows:
    """What one transaction writes, for any driver that takes named parameters."""

    def __init__(self) -> None:
        self._number = 0

    def write(
        self, cursor: Any, leases: Sequence[bytes], checkpoint: bytes, named: Callable[[str], str]
    ) -> None:
        entries, subjects = [], []
        for lease in leases:
            self._number += 1
            values = {
                "before": f"lea-{self._number - 1:024}",
                "lease": f"lea-{self._number:024}",
                "usage": f"use-{self._number:024}",
                "document": "lic-" + "a" * 24,
                "runtime": "run-" + "a" * 24,
                "report": "x" * USAGE_BYTES,
                "token": lease.hex()[:LEASE_BYTES],
            }
            for statement in _ROWS:
                cursor.execute(named(statement), values)
            for number in (2 * self._number, 2 * self._number + 1):
                entries.append(
                    {
                        "number": number,
                        "entry": ENTRY,
                        "disclosure": DISCLOSURE,
                        "subjects": "lea- use- " * 12,
                    }
                )
            subjects += [
                {"subject": f"sub-{place:024}", "number": 2 * self._number} for place in range(SUBJECTS)
            ]
        cursor.executemany(named(_ENTRY), entries)
        cursor.executemany(named(_SUBJECT), subjects)
        cursor.execute(named(_TILE), {"number": self._number // 128, "hashes": TILE})
        cursor.execute(named(_HEAD), {"size": 2 * self._number, "checkpoint": checkpoint})


def sqlite_commit(path: str) -> Commit:
    """Return what commits to a fresh SQLite file, flushed at every commit as the broker's is."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    for statement in _TABLES:
        connection.execute(statement.format(blob="BLOB"))
    rows = _Rows()

    def commit(leases: Sequence[bytes], checkpoint: bytes) -> None:
        cursor = connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        rows.write(cursor, leases, checkpoint, lambda statement: statement)
        cursor.execute("COMMIT")

    return commit


def postgresql_commit(url: str) -> Commit:
    """Return what commits to a fresh PostgreSQL database, flushed at every commit."""
    connection: Any = psycopg.connect(url, autocommit=True)
    for statement in _TABLES:
        connection.execute(statement.format(blob="BYTEA"))
    rows = _Rows()

    @cache
    def named(statement: str) -> str:
        return re.sub(r":([a-z]+)", r"%(\1)s", statement)

    def commit(leases: Sequence[bytes], checkpoint: bytes) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT size FROM head WHERE one = 1 FOR UPDATE")
            rows.write(cursor, leases, checkpoint, named)

    return commit
