"""Everything that can be written, in one class: the ``Writing`` of ``repository``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from strongroom.broker.sql.answers import AnswerWriting
from strongroom.broker.sql.counts import CountWriting
from strongroom.broker.sql.derivations import DerivationWriting
from strongroom.broker.sql.leases import LeaseWriting
from strongroom.broker.sql.licenses import LicenseWriting
from strongroom.broker.sql.log_rows import LogWriting
from strongroom.broker.sql.packages import PackageWriting
from strongroom.broker.sql.parties import PartyWriting
from strongroom.broker.sql.requests import RequestWriting
from strongroom.broker.sql.statement import Statement

if TYPE_CHECKING:
    from strongroom.broker.repository import Writing

_BEGIN: Final = Statement(text("SAVEPOINT act"))


class SqlWriting(
    PartyWriting,
    PackageWriting,
    LicenseWriting,
    RequestWriting,
    DerivationWriting,
    LeaseWriting,
    CountWriting,
    LogWriting,
    AnswerWriting,
):
    """One transaction that holds the head of the log."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Take back only what happens inside, if it raises.

        Raises:
            StorageUnavailable: the database does not answer; the transaction is lost.
        """
        mark = self._driver.mark()
        self.later(_BEGIN, [{}])
        try:
            yield
            self.command("RELEASE SAVEPOINT act")
        except BaseException:
            self.forget_held()
            if not self._driver.drop(mark):
                self.command("ROLLBACK TO SAVEPOINT act")
                self.command("RELEASE SAVEPOINT act")
            raise


if TYPE_CHECKING:
    _: type[Writing] = SqlWriting
