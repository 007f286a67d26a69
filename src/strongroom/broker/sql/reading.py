"""Everything that can be asked, in one class: the ``Reading`` of ``repository``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.broker.sql.answers import AnswerReading
from strongroom.broker.sql.counts import CountReading
from strongroom.broker.sql.derivations import DerivationReading
from strongroom.broker.sql.leases import LeaseReading
from strongroom.broker.sql.licenses import LicenseReading
from strongroom.broker.sql.log_rows import LogReading
from strongroom.broker.sql.packages import PackageReading
from strongroom.broker.sql.parties import PartyReading
from strongroom.broker.sql.requests import RequestReading

if TYPE_CHECKING:
    from strongroom.broker.repository import Reading


class SqlReading(
    PartyReading,
    PackageReading,
    LicenseReading,
    RequestReading,
    DerivationReading,
    LeaseReading,
    CountReading,
    LogReading,
    AnswerReading,
):
    """One consistent state of a database."""


if TYPE_CHECKING:
    _: type[Reading] = SqlReading
