"""A broker whose machine loses the time: set back, set forward, or started in 2040."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.broker.clock import SystemClock
from strongroom.errors import LicenseDenied, StorageUnavailable
from strongroom.license.terms import Expires
from tests.broker_scene import Scene
from tests.integration.broker_audit import audit
from tests.integration.stage import Stage


@dataclass
class Times:
    """The wall clock and the boot clock of the broker's machine."""

    wall: datetime
    boot: float = 0.0

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall, lambda: self.boot)

    def pass_time(self, by: timedelta) -> None:
        self.wall += by
        self.boot += by.total_seconds()


@pytest.mark.parametrize(
    "jump", [timedelta(days=-400), timedelta(hours=-3), timedelta(hours=3), timedelta(days=5000)]
)
def test_a_broker_whose_clock_jumps_goes_on_as_if_it_had_not(
    tmp_path: Path, database_url: str, jump: timedelta
) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    times = Times(start)
    scene = Scene.build(tmp_path, database_url, clock=times.clock())
    stage = Stage(scene)
    scene.take(stage.machine, stage.license, stage.package)
    times.wall += jump
    for _ in range(3):
        times.pass_time(timedelta(minutes=5))
        lease = stage.renew(scene, 2)
        assert start <= lease.issued_at < start + timedelta(hours=1)
    audit(scene)
    scene.close()


def test_a_broker_that_is_started_in_2040_does_nothing_and_is_whole_when_the_clock_is_right(
    tmp_path: Path, database_url: str
) -> None:
    times = Times(datetime.now(UTC).replace(microsecond=0))
    scene = Scene.build(tmp_path, database_url, clock=times.clock())
    stage = Stage(scene)
    scene.close()
    right, times.wall = times.wall, datetime(2040, 1, 1, tzinfo=UTC)
    with pytest.raises(StorageUnavailable) as refused:
        scene.reopen(clock=times.clock())
    assert refused.value.code == "broker-clock"
    times.wall = right
    opened = scene.reopen(clock=times.clock())
    opened.take(stage.machine, stage.license, stage.package)
    audit(opened)
    opened.close()


def test_a_broker_that_is_started_with_a_clock_set_back_never_goes_back(
    tmp_path: Path, database_url: str
) -> None:
    times = Times(datetime.now(UTC).replace(microsecond=0))
    scene = Scene.build(tmp_path, database_url, clock=times.clock())
    stage = Stage(scene)
    first = stage.renew(scene)
    scene.close()
    times.wall -= timedelta(minutes=2)
    opened = scene.reopen(clock=times.clock())
    second = stage.renew(opened, 1)
    assert second.issued_at >= first.issued_at
    audit(opened)
    opened.close()


def test_a_license_ends_when_it_ends_and_not_when_somebody_sets_a_clock(
    tmp_path: Path, database_url: str
) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    times = Times(start)
    scene = Scene.build(tmp_path, database_url, clock=times.clock())
    package, clinic = scene.publish(), scene.add_partner("clinic")
    license_id = scene.grant(clinic, Expires(at=start + timedelta(hours=2)))
    times.wall -= timedelta(days=30)
    times.pass_time(timedelta(hours=1))
    scene.take(clinic.machines[0], license_id, package)
    times.pass_time(timedelta(hours=1))
    with pytest.raises(LicenseDenied) as denied:
        scene.take(clinic.machines[0], license_id, package)
    assert denied.value.code == "expired"
    audit(scene)
    scene.close()
