"""Partners ask for licenses, and the requests are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "license_request",
        sa.Column("request", _TEXT, nullable=False),
        sa.Column("organization", _TEXT, nullable=False),
        sa.Column("partner", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("purpose", _TEXT, nullable=False),
        sa.Column("predictions", _TEXT, nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("asked_by", _TEXT, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("license", _TEXT, nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("answered_by", _TEXT, nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("request", name="license_request_pkey"),
    )
    op.create_index(
        "license_request_organization_asked_at_request",
        "license_request",
        ["organization", "asked_at", "request"],
    )


def downgrade() -> None:
    """Drop it, with what it holds."""
    op.drop_table("license_request")
