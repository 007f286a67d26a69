"""What a session finds around it: clocks, and the line to a broker. Tests bring their own.

serve(connection, client, surroundings=Surroundings(clock=utc_now))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.connection.broker_client import BrokerClient
from strongroom.home.boot_clock import Boot, OnlineClock, SystemBoot
from strongroom.home.home import Home
from strongroom.leasing.connecting import runtime_client
from strongroom.leasing.session import Pace

Clock = Callable[[], datetime]
Connect = Callable[[Home, str, Clock], BrokerClient]


def utc_now() -> datetime:
    """Return what the clock of this machine says."""
    return datetime.now(UTC)


def _connect(home: Home, owner_id: str, clock: Clock) -> BrokerClient:
    return runtime_client(home, owner_id, clock=clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that a session does not make itself."""

    clock: Clock = utc_now
    boot: Boot = field(default_factory=SystemBoot)
    connect: Connect = _connect
    pace: Pace = field(default_factory=Pace)

    @property
    def online_clock(self) -> OnlineClock:
        """The time toward a broker."""
        return OnlineClock(wall=self.clock, boot=self.boot)
