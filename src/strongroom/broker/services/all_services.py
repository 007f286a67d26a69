"""All that can be asked of one broker, as the routes get it."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.broker.services.checking_out import CheckingOut
from strongroom.broker.services.deriving import Deriving
from strongroom.broker.services.leasing import Leasing
from strongroom.broker.services.licensing import Licensing
from strongroom.broker.services.logbook import Logbook
from strongroom.broker.services.meeting import Meeting
from strongroom.broker.services.members import Members
from strongroom.broker.services.partners import Partners
from strongroom.broker.services.publishing import Publishing
from strongroom.broker.services.reporting import Reporting
from strongroom.broker.services.requesting import Requesting


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that can be asked of one broker."""

    meeting: Meeting
    partners: Partners
    members: Members
    publishing: Publishing
    licensing: Licensing
    requesting: Requesting
    deriving: Deriving
    leasing: Leasing
    reporting: Reporting
    checking_out: CheckingOut
    logbook: Logbook
