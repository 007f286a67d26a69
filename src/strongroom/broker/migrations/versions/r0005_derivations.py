"""Partners hand in models that they derived, and what the owner said of each is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "derivation",
        sa.Column("derivation", _TEXT, nullable=False),
        sa.Column("organization", _TEXT, nullable=False),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("license", _TEXT, nullable=False),
        sa.Column("parent", _TEXT, nullable=False),
        sa.Column("parent_name", _TEXT, nullable=False),
        sa.Column("package", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("handed_in_by", _TEXT, nullable=False),
        sa.Column("handed_in_at", sa.BigInteger(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=True),
        sa.Column("reason", _TEXT, nullable=True),
        sa.Column("answered_by", _TEXT, nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("derivation", name="derivation_pkey"),
    )
    op.create_index(
        "derivation_organization_handed_in_at_derivation",
        "derivation",
        ["organization", "handed_in_at", "derivation"],
    )


def downgrade() -> None:
    """Drop it, with what it holds."""
    op.drop_table("derivation")
