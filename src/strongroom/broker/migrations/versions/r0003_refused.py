"""Licenses that were turned down before anybody approved them have a status of their own."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave what is there: which of the revoked ones never took effect, no column says."""


def downgrade() -> None:
    """Call them revoked again."""
    op.execute("UPDATE license SET status = 'revoked' WHERE status = 'refused'")
