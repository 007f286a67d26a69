"""The tables of the broker, for SQLite and PostgreSQL alike.

    select(LEASE.c.token).where(LEASE.c.lease == bindparam("lease"))

Columns have four kinds, of which both databases give back exactly what was put in: text,
integers of 64 bits, bytes, and true or false. An instant is an integer, seconds since 1970. Text
is compared byte by byte, so that pages come in one order everywhere, whatever the locale.

What is asked for has an index that answers it, so that no answer gets slower with the number of
licenses, partners or log entries. ``migrations`` makes these tables, and a test proves that it
makes exactly these.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql

REVISION: Final = "0005"
"""The migration that makes these tables."""

METADATA: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

_TEXT: Final = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, _TEXT, primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _instant(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _bytes(name: str, *, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null)


def _arrival() -> Column[int]:
    # Instants have whole seconds and begin anew after a restore: only this says what came last.
    return Column("arrival", BigInteger, nullable=False, unique=True)


PARTNER: Final = Table(
    "partner",
    METADATA,
    _text("organization", key=True),
    _text("name"),
    _text("key"),
    _text("status"),
    _instant("enrolled_at"),
)
Index(None, PARTNER.c.name)
# Several that nobody approved may claim one name; of the others, one has it.
Index(
    "partner_known_name",
    PARTNER.c.name,
    unique=True,
    sqlite_where=PARTNER.c.status != "pending",
    postgresql_where=PARTNER.c.status != "pending",
)

RUNTIME: Final = Table(
    "runtime",
    METADATA,
    _text("runtime", key=True),
    _text("organization"),
    _text("device"),
    _text("sealing"),
    _text("status"),
    _instant("enrolled_at"),
    _text("enrollment"),
)
Index(None, RUNTIME.c.organization, RUNTIME.c.runtime)

MEMBER: Final = Table(
    "member",
    METADATA,
    _text("member", key=True),
    _text("organization"),
    _text("name"),
    _text("role"),
    _text("key"),
    _instant("added_at"),
    _instant("expires_at", null=True),
)
Index(None, MEMBER.c.organization, MEMBER.c.member)

PACKAGE: Final = Table(
    "package",
    METADATA,
    _text("package", key=True),
    _text("package_id"),
    _text("name"),
    _text("version"),
    _bytes("wrapped_key"),
    _text("key_id"),
    _instant("published_at"),
    _bytes("statement"),
)
Index(None, PACKAGE.c.name, PACKAGE.c.package)
Index(None, PACKAGE.c.key_id, PACKAGE.c.package)

WITHDRAWAL: Final = Table(
    "withdrawal",
    METADATA,
    _text("withdrawal", key=True),
    _text("name"),
    _text("version"),
    _instant("received_at"),
    _text("token"),
)
Index(None, WITHDRAWAL.c.name, WITHDRAWAL.c.withdrawal)

LICENSE: Final = Table(
    "license",
    METADATA,
    _text("license", key=True),
    # Deferred: a backup is taken in by the order of ids, which is not that of descent.
    Column(
        "parent",
        _TEXT,
        ForeignKey("license.license", deferrable=True, initially="DEFERRED"),
        nullable=True,
    ),
    _text("root"),
    _text("organization"),
    _text("holder"),
    _text("status"),
    _instant("granted_at"),
    _instant("expires_at", null=True),
    _text("requested_by", null=True),
    _text("approved_by", null=True),
    _instant("accepted_at", null=True),
    _text("token"),
    _text("acceptance", null=True),
    _text("agreement", null=True),
)
Index(None, LICENSE.c.parent, LICENSE.c.license)
Index(None, LICENSE.c.organization, LICENSE.c.license)
Index(None, LICENSE.c.status, LICENSE.c.license)
Index(None, LICENSE.c.expires_at, LICENSE.c.license)

LICENSE_REQUEST: Final = Table(
    "license_request",
    METADATA,
    _text("request", key=True),
    _text("organization"),
    _text("partner"),
    _text("model"),
    _text("purpose"),
    _text("predictions", null=True),
    _instant("until", null=True),
    _text("asked_by"),
    _instant("asked_at"),
    _text("license", null=True),
    _text("reason", null=True),
    _text("answered_by", null=True),
    _instant("answered_at", null=True),
)
Index(None, LICENSE_REQUEST.c.organization, LICENSE_REQUEST.c.asked_at, LICENSE_REQUEST.c.request)

DERIVATION: Final = Table(
    "derivation",
    METADATA,
    _text("derivation", key=True),
    _text("organization"),
    _text("holder"),
    _text("license"),
    _text("parent"),
    _text("parent_name"),
    _text("package"),
    _text("name"),
    _text("version"),
    _text("handed_in_by"),
    _instant("handed_in_at"),
    _bytes("statement", null=True),
    _text("reason", null=True),
    _text("answered_by", null=True),
    _instant("answered_at", null=True),
)
Index(None, DERIVATION.c.organization, DERIVATION.c.handed_in_at, DERIVATION.c.derivation)

REVOCATION: Final = Table(
    "revocation",
    METADATA,
    _number("position", key=True),
    Column("revocation", _TEXT, nullable=False, unique=True),
    _text("target"),
    _instant("received_at"),
    _text("token"),
)
Index(None, REVOCATION.c.target, REVOCATION.c.position)

LEASE: Final = Table(
    "lease",
    METADATA,
    _text("lease", key=True),
    _arrival(),
    Column("license", _TEXT, ForeignKey("license.license"), nullable=False),
    _text("runtime"),
    _text("package"),
    _text("nonce"),
    _text("previous", null=True),
    _instant("issued_at"),
    _instant("not_after"),
    _instant("last_use_at"),
    _text("ended", null=True),
    Column("reported", Boolean, nullable=False),
    _number("entry"),
    _text("token"),
)
Index("lease_newest", LEASE.c.runtime, LEASE.c.license, LEASE.c.package, LEASE.c.arrival)
# A runtime's new lease ends its old one: these two never hold more than one for each of its licenses.
Index(
    "lease_open",
    LEASE.c.lease,
    unique=True,
    sqlite_where=LEASE.c.ended.is_(None),
    postgresql_where=LEASE.c.ended.is_(None),
)
Index(
    "lease_open_license",
    LEASE.c.license,
    LEASE.c.lease,
    sqlite_where=LEASE.c.ended.is_(None),
    postgresql_where=LEASE.c.ended.is_(None),
)

OFFLINE: Final = Table(
    "offline",
    METADATA,
    _text("offline", key=True),
    Column("license", _TEXT, ForeignKey("license.license"), nullable=False),
    _text("runtime"),
    _text("package"),
    _instant("issued_at"),
    _instant("not_after"),
    _text("token"),
)
Index(None, OFFLINE.c.license, OFFLINE.c.not_after)

HOLD: Final = Table(
    "hold",
    METADATA,
    _text("authority", key=True),
    _text("document", key=True),
    _text("counter", key=True),
    _text("per", key=True),
    _text("first_period", key=True),
    _text("last_period"),
    _number("amount"),
    sqlite_with_rowid=False,
)
AFTER_LAST_PERIOD: Final = literal_column("last_period || '~'", Text)
"""Comes after the key of every hour in the last period, whatever its kind, and before all later hours: keys
are beginnings of instants, and no character of one is behind this one."""
Index("hold_open", HOLD.c.document, text(f"({AFTER_LAST_PERIOD.name})"))

SEAT: Final = Table(
    "seat",
    METADATA,
    _text("authority", key=True),
    _text("document", key=True),
    _text("runtime"),
    _instant("until"),
    sqlite_with_rowid=False,
)
Index(None, SEAT.c.document, SEAT.c.until)

USED: Final = Table(
    "used",
    METADATA,
    _text("document", key=True),
    _text("counter", key=True),
    _text("period", key=True),
    _number("amount"),
    sqlite_with_rowid=False,
)

USAGE: Final = Table(
    "usage",
    METADATA,
    _text("usage", key=True),
    _arrival(),
    _text("license"),
    _text("runtime"),
    _text("authority"),
    _text("previous", null=True),
    _instant("received_at"),
    _text("token"),
)
Index("usage_newest", USAGE.c.runtime, USAGE.c.license, USAGE.c.arrival)
IS_OFFLINE: Final[ColumnElement[bool]] = literal_column("authority > 'off-'")
"""Reports under offline files are few; those under leases are not in this index."""
Index(
    "usage_offline",
    USAGE.c.authority,
    sqlite_where=IS_OFFLINE,
    postgresql_where=IS_OFFLINE,
)

LOG_HEAD: Final = Table(
    "log_head",
    METADATA,
    # One row: whoever writes holds it. ``log`` counts the logs of this database from 1.
    _number("id", key=True),
    _number("log"),
    _text("origin"),
    _number("size"),
    _bytes("frontier"),
    _text("checkpoint"),
    _instant("at"),
    _number("generation"),
    _number("owner_version"),
)

PAST_LOG: Final = Table(
    "past_log",
    METADATA,
    _number("log", key=True),
    Column("origin", _TEXT, nullable=False, unique=True),
    _number("size"),
    _bytes("frontier"),
    _text("checkpoint"),
    _instant("at"),
    _number("generation"),
    _number("owner_version"),
)

LOG_ENTRY: Final = Table(
    "log_entry",
    METADATA,
    _number("log", key=True),
    _number("index", key=True),
    _bytes("entry"),
    _bytes("disclosure", null=True),
    _text("subjects"),
)

LOG_SUBJECT: Final = Table(
    "log_subject",
    METADATA,
    _number("log", key=True),
    _text("subject", key=True),
    _number("index", key=True),
    sqlite_with_rowid=False,
)

LOG_TILE: Final = Table(
    "log_tile",
    METADATA,
    _number("log", key=True),
    _number("level", key=True),
    _number("number", key=True),
    _bytes("hashes"),
)

COSIGNED: Final = Table(
    "cosigned",
    METADATA,
    _number("log", key=True),
    _number("size"),
    _text("note"),
)

ANSWER: Final = Table(
    "answer",
    METADATA,
    _text("principal", key=True),
    _text("key", key=True),
    _text("request"),
    _number("status"),
    _instant("at"),
    _bytes("body"),
)
Index(None, ANSWER.c.at)
