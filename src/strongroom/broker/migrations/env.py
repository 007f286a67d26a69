"""What Alembic runs to take steps: over the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context

from strongroom.broker.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,
)
context.run_migrations()
