"""What stands on the stage before a fault happens to a broker.

stage = Stage(scene, machines=4)
scene.take(stage.machine, stage.license, stage.package)
ask = scene.request(stage.machine, stage.license, stage.package, used=stage.used(5))
"""

from __future__ import annotations

from strongroom.license.documents import Lease
from strongroom.license.period import CounterName, Period
from strongroom.license.terms import Grace, Predictions, Runtimes
from tests.broker_scene import Machine, Scene, note

LIMIT = 5000


class Stage:
    """A clinic with machines, a counted license, and a second license to revoke."""

    def __init__(self, scene: Scene, machines: int = 1, limit: int = LIMIT) -> None:
        self.package = scene.publish()
        self.clinic = scene.add_partner("clinic", machines)
        self.license = scene.grant(
            self.clinic,
            Predictions(limit=limit, per=Period.MONTH),
            Runtimes(limit=3),
            Grace(hours=1, predictions=10),
        )
        self.other = scene.grant(self.clinic)
        self.month = Period.MONTH.key(scene.now)

    @property
    def machine(self) -> Machine:
        """The first machine."""
        return self.clinic.machines[0]

    def used(self, count: int) -> dict[tuple[CounterName, str], int]:
        """Say what a machine used."""
        return {(CounterName.PREDICTIONS, self.month): count} if count else {}

    def renew(self, scene: Scene, used: int = 0) -> Lease:
        """Take a lease, or renew it with a report; the machine remembers it."""
        counts = self.used(used) if self.machine.previous else None
        ask = scene.request(self.machine, self.license, self.package, used=counts)
        return note(self.machine, ask, scene.services.leasing.take(self.machine.principal, ask))
