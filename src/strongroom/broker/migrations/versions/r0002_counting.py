"""Indexes for holds that are not over, and for the reports under one offline file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them; the first one also does what the index before it did."""
    op.create_index("hold_open", "hold", ["document", sa.text("(last_period || '~')")])
    op.drop_index("hold_document", "hold")
    op.create_index(
        "usage_offline",
        "usage",
        ["authority"],
        sqlite_where=sa.text("authority > 'off-'"),
        postgresql_where=sa.text("authority > 'off-'"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index("usage_offline", "usage")
    op.create_index("hold_document", "hold", ["document"])
    op.drop_index("hold_open", "hold")
