"""What a command that does not reach a broker says of what goes on, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from strongroom.cli import _meanwhile
from strongroom.errors import FormatError
from strongroom.home.catalog import Catalog
from strongroom.home.home import Home
from strongroom.home.leases import LeaseRecord, Refusal
from strongroom.leasing import outage
from strongroom.leasing.outage import Outlook
from strongroom.license.codes import Code
from strongroom.license.verdict import Denied
from strongroom.opening import open_model
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.test_with_broker_life import take_lease

__all__ = ["scene"]

HOUR = timedelta(hours=1)
UNTIL = datetime(2027, 1, 2, 3, tzinfo=UTC)
ENDED = Denied(code=Code.GRACE_ENDED, reason="its 72 hours of grace ended 2026-12-01T00:00:00Z")


def hint(scene: BrokerScene) -> str:
    """Return the hint of a command that does not reach the broker."""
    return scene.clinic.run("lease", "list", code=7).stderr


def test_it_says_until_when_lease_and_grace_last(scene: BrokerScene) -> None:
    scene.grant("--grace", "72h")
    scene.accept()
    scene.broker.stop()
    # Nothing was taken yet: there is nothing to go on with.
    assert "works without it" not in hint(scene)
    scene.broker.start()
    take_lease(scene)
    scene.broker.stop()
    home = Home.open(scene.clinic.home)
    found = outage.outlook(home, open_model(home, "risk", now=datetime.now(UTC)), datetime.now(UTC))
    assert found is not None
    end = f"{found.until:%Y-%m-%d %H:%M} UTC"
    assert f"hospital/risk@1.0.0 works without it until {end}" in hint(scene)
    # The owner itself runs nothing.
    assert "works without it" not in scene.hospital.run("lease", "list", code=7).stderr


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Outlook(UNTIL, None), "works without it until 2027-01-02 03:00 UTC"),
        (Outlook(UNTIL, ENDED), f"does not work without it: {ENDED.reason}"),
        (None, None),
        (FormatError("a file is damaged", code="damaged-record"), None),
    ],
)
def test_what_is_found_out_is_said_and_nothing_else(
    scene: BrokerScene,
    monkeypatch: pytest.MonkeyPatch,
    found: Outlook | FormatError | None,
    said: str | None,
) -> None:
    def look(*_: object) -> Outlook | None:
        if isinstance(found, FormatError):
            raise found
        return found

    scene.grant()
    scene.accept()
    monkeypatch.setattr(outage, "outlook", look)
    scene.broker.stop()
    stderr = hint(scene)
    if said is None:
        assert "without it" not in stderr
    else:
        assert f"hospital/risk@1.0.0 {said}. It is looked for at" in stderr


def test_what_the_broker_had_refused_is_not_said_to_work(scene: BrokerScene) -> None:
    scene.grant("--grace", "72h")
    scene.accept()
    take_lease(scene)
    home = Home.open(scene.clinic.home)
    place = open_model(home, "risk", now=datetime.now(UTC)).place
    refusal = Refusal(code="suspended", message="clinic is suspended", hint=None, is_final=True)
    with home.leases.locked(place):
        home.leases.write(place, LeaseRecord(lease=home.leases.read(place).lease, refusal=refusal))
    scene.broker.stop()
    assert "does not work without it: clinic is suspended" in hint(scene)


def test_a_model_that_does_not_open_spoils_no_hint(
    scene: BrokerScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.grant("--purpose", "triage")
    scene.accept()
    scene.broker.stop()
    assert "without it" not in hint(scene)

    def damaged(*_: object) -> list[object]:
        raise FormatError("damaged", code="damaged-record")

    monkeypatch.setattr(Catalog, "candidates", damaged)
    assert "It is looked for at" in hint(scene)


def test_a_hint_names_a_few_and_says_where_all_are(
    scene: BrokerScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_meanwhile, "_told", lambda *_: (f"m{number} works" for number in range(5)))
    scene.broker.stop()
    assert "m0 works; m1 works; m2 works; 2 more: strongroom models" in hint(scene)


def test_a_checked_out_file_is_no_matter_of_grace(scene: BrokerScene, tmp_path: Path) -> None:
    scene.grant("--offline", "30d")
    scene.accept()
    scene.clinic.run("license", "checkout", "risk")
    scene.broker.stop()
    assert "without it" not in hint(scene)


def test_a_model_with_a_file_for_its_key_has_no_grace(scene: BrokerScene) -> None:
    opened = SimpleNamespace(release=object())
    home = Home.open(scene.clinic.home)
    assert _meanwhile.without_broker(home, opened, UNTIL) is None  # type: ignore[arg-type] # no more is looked at


@pytest.mark.parametrize("grace", [("--grace", "72h"), ()])
def test_open_says_what_is_left_after_the_last_lease(
    scene: BrokerScene, monkeypatch: pytest.MonkeyPatch, grace: tuple[str, ...]
) -> None:
    scene.grant(*grace)
    scene.accept()
    take_lease(scene)
    opened = scene.clinic.run("open", "risk").text
    assert "in force until" in opened
    later: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0) + HOUR  # noqa: E731 - short
    monkeypatch.setattr("strongroom.cli._shared.Shared.now", property(lambda self: later()))
    opened = " ".join(scene.clinic.run("open", "risk").text.split())
    assert "the last one ended" in opened
    if grace:
        assert "it works without it until" in opened
    else:
        assert "it does not work without it: the lease ended" in opened
