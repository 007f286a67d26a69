"""Whether the tables of a database are those that this version knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from strongroom.broker.sql.session import CODE, translate
from strongroom.broker.sql.tables import REVISION
from strongroom.errors import ObjectNotFound, StorageUnavailable, UsageError

_HAS_VERSION: Final[Mapping[str, str]] = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    "postgresql": "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL",
}
CLOSED: Final = "0000-restoring"
"""In place of a revision while a backup is taken in."""
_VERSION: Final = "SELECT version_num FROM alembic_version"


def read_revision(engine: Engine) -> str | None:
    """Return the newest migration of a database, or None if it has no tables of a broker.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    try:
        with engine.connect() as connection:
            if connection.exec_driver_sql(_HAS_VERSION[engine.dialect.name]).first() is None:
                return None
            row = connection.exec_driver_sql(_VERSION).first()
            return None if row is None else str(row[0])
    except DBAPIError as error:
        raise translate(error.orig or error, engine.dialect) from error
    except SQLAlchemyError as error:
        raise StorageUnavailable("the broker's database cannot be opened", code=CODE) from error


def verify_revision(engine: Engine) -> None:
    """Check that a database has the tables of this version.

    Raises:
        UsageError: code ``database-outdated``, ``database-newer`` or ``database-incomplete``.
        ObjectNotFound: it has no tables of a broker (code ``database-missing``).
        StorageUnavailable: the database does not answer.
    """
    found = read_revision(engine)
    if found == REVISION:
        return
    if found == CLOSED:
        raise UsageError(
            "a backup was being restored into this database, and that was not finished",
            code="database-incomplete",
            hint="remove this database, and restore the backup into a new one",
        )
    # Revisions are numbered, with zeros before: their order is that of their text.
    if found is not None and found > REVISION:
        raise UsageError(
            f"the broker's database was made by a newer version (tables {found}, known are {REVISION})",
            code="database-newer",
            hint="install the newest strongroom, or restore a backup of this version",
        )
    if found is None:
        raise no_broker_there()
    raise UsageError(
        f"the broker's database has older tables ({found} before {REVISION})",
        code="database-outdated",
        hint="make a backup with the version that ran it until now, then run `strongroom broker upgrade`",
    )


def no_broker_there() -> ObjectNotFound:
    """Return the error for a database that is there and has nothing of a broker."""
    return ObjectNotFound(
        "the database at that address has no tables of a broker",
        code="database-missing",
        hint="give the address that the broker runs with, by --database or STRONGROOM_DATABASE; a new "
        "database is filled by `strongroom broker run`, or by `broker restore`",
    )
