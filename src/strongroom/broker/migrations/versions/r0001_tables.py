"""All tables of the first release, and the head of a log that nobody has founded yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_TABLES = (
    "answer",
    "cosigned",
    "log_tile",
    "log_subject",
    "log_entry",
    "past_log",
    "log_head",
    "usage",
    "used",
    "seat",
    "hold",
    "offline",
    "lease",
    "revocation",
    "license",
    "withdrawal",
    "package",
    "member",
    "runtime",
    "partner",
)


def upgrade() -> None:
    """Make the tables."""
    _parties()
    _packages()
    _licenses()
    _leases()
    _counts()
    _log()
    _log_contents()
    _answers()


def downgrade() -> None:
    """Drop them."""
    for table in _TABLES:
        op.drop_table(table)


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _instant(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=null)


def _arrival() -> sa.Column[int]:
    return sa.Column("arrival", sa.BigInteger, nullable=False, unique=True)


def _parties() -> None:
    op.create_table(
        "partner",
        _text("organization", key=True),
        _text("name"),
        _text("key"),
        _text("status"),
        _instant("enrolled_at"),
    )
    op.create_index("partner_name", "partner", ["name"])
    op.create_index(
        "partner_known_name",
        "partner",
        ["name"],
        unique=True,
        sqlite_where=sa.text("status != 'pending'"),
        postgresql_where=sa.text("status != 'pending'"),
    )
    op.create_table(
        "runtime",
        _text("runtime", key=True),
        _text("organization"),
        _text("device"),
        _text("sealing"),
        _text("status"),
        _instant("enrolled_at"),
        _text("enrollment"),
    )
    op.create_index("runtime_organization_runtime", "runtime", ["organization", "runtime"])
    op.create_table(
        "member",
        _text("member", key=True),
        _text("organization"),
        _text("name"),
        _text("role"),
        _text("key"),
        _instant("added_at"),
        _instant("expires_at", null=True),
    )
    op.create_index("member_organization_member", "member", ["organization", "member"])


def _packages() -> None:
    op.create_table(
        "package",
        _text("package", key=True),
        _text("package_id"),
        _text("name"),
        _text("version"),
        _bytes("wrapped_key"),
        _text("key_id"),
        _instant("published_at"),
        _bytes("statement"),
    )
    op.create_index("package_name_package", "package", ["name", "package"])
    op.create_index("package_key_id_package", "package", ["key_id", "package"])
    op.create_table(
        "withdrawal",
        _text("withdrawal", key=True),
        _text("name"),
        _text("version"),
        _instant("received_at"),
        _text("token"),
    )
    op.create_index("withdrawal_name_withdrawal", "withdrawal", ["name", "withdrawal"])


def _licenses() -> None:
    op.create_table(
        "license",
        _text("license", key=True),
        sa.Column(
            "parent",
            _TEXT,
            sa.ForeignKey("license.license", deferrable=True, initially="DEFERRED"),
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
    op.create_index("license_parent_license", "license", ["parent", "license"])
    op.create_index("license_organization_license", "license", ["organization", "license"])
    op.create_index("license_status_license", "license", ["status", "license"])
    op.create_index("license_expires_at_license", "license", ["expires_at", "license"])
    op.create_table(
        "revocation",
        _number("position", key=True),
        sa.Column("revocation", _TEXT, nullable=False, unique=True),
        _text("target"),
        _instant("received_at"),
        _text("token"),
    )
    op.create_index("revocation_target_position", "revocation", ["target", "position"])


def _leases() -> None:
    op.create_table(
        "lease",
        _text("lease", key=True),
        _arrival(),
        sa.Column("license", _TEXT, sa.ForeignKey("license.license"), nullable=False),
        _text("runtime"),
        _text("package"),
        _text("nonce"),
        _text("previous", null=True),
        _instant("issued_at"),
        _instant("not_after"),
        _instant("last_use_at"),
        _text("ended", null=True),
        sa.Column("reported", sa.Boolean, nullable=False),
        _number("entry"),
        _text("token"),
    )
    op.create_index("lease_newest", "lease", ["runtime", "license", "package", "arrival"])
    op.create_index(
        "lease_open",
        "lease",
        ["lease"],
        unique=True,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_index(
        "lease_open_license",
        "lease",
        ["license", "lease"],
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_table(
        "offline",
        _text("offline", key=True),
        sa.Column("license", _TEXT, sa.ForeignKey("license.license"), nullable=False),
        _text("runtime"),
        _text("package"),
        _instant("issued_at"),
        _instant("not_after"),
        _text("token"),
    )
    op.create_index("offline_license_not_after", "offline", ["license", "not_after"])


def _counts() -> None:
    op.create_table(
        "hold",
        _text("authority", key=True),
        _text("document", key=True),
        _text("counter", key=True),
        _text("per", key=True),
        _text("first_period", key=True),
        _text("last_period"),
        _number("amount"),
        sqlite_with_rowid=False,
    )
    op.create_index("hold_document", "hold", ["document"])
    op.create_table(
        "seat",
        _text("authority", key=True),
        _text("document", key=True),
        _text("runtime"),
        _instant("until"),
        sqlite_with_rowid=False,
    )
    op.create_index("seat_document_until", "seat", ["document", "until"])
    op.create_table(
        "used",
        _text("document", key=True),
        _text("counter", key=True),
        _text("period", key=True),
        _number("amount"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage",
        _text("usage", key=True),
        _arrival(),
        _text("license"),
        _text("runtime"),
        _text("authority"),
        _text("previous", null=True),
        _instant("received_at"),
        _text("token"),
    )
    op.create_index("usage_newest", "usage", ["runtime", "license", "arrival"])


def _log() -> None:
    head = op.create_table(
        "log_head",
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
    op.create_table(
        "past_log",
        _number("log", key=True),
        sa.Column("origin", _TEXT, nullable=False, unique=True),
        _number("size"),
        _bytes("frontier"),
        _text("checkpoint"),
        _instant("at"),
        _number("generation"),
        _number("owner_version"),
    )
    # Who writes holds this row: it is there before anything else is.
    op.bulk_insert(
        head,
        [
            {
                "id": 1,
                "log": 1,
                "origin": "",
                "size": 0,
                "frontier": b"",
                "checkpoint": "",
                "at": 0,
                "generation": 0,
                "owner_version": 0,
            }
        ],
    )


def _log_contents() -> None:
    op.create_table(
        "log_entry",
        _number("log", key=True),
        _number("index", key=True),
        _bytes("entry"),
        _bytes("disclosure", null=True),
        _text("subjects"),
    )
    op.create_table(
        "log_subject",
        _number("log", key=True),
        _text("subject", key=True),
        _number("index", key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tile",
        _number("log", key=True),
        _number("level", key=True),
        _number("number", key=True),
        _bytes("hashes"),
    )
    op.create_table(
        "cosigned",
        _number("log", key=True),
        _number("size"),
        _text("note"),
    )


def _answers() -> None:
    op.create_table(
        "answer",
        _text("principal", key=True),
        _text("key", key=True),
        _text("request"),
        _number("status"),
        _instant("at"),
        _bytes("body"),
    )
    op.create_index("answer_at", "answer", ["at"])
