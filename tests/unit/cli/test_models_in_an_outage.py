"""What ``strongroom models`` says while the broker is silent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from strongroom.errors import FormatError
from strongroom.leasing import outage
from strongroom.leasing.outage import Outlook
from strongroom.license.codes import Code
from strongroom.license.verdict import Denied
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene

__all__ = ["scene"]

UNTIL = datetime(2027, 1, 2, 3, tzinfo=UTC)
USED_UP = Denied(code=Code.GRACE_USED_UP, reason="all 50 predictions of the grace are used")


@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        (None, "ready", None),
        (Outlook(UNTIL, None, 10), "ready", "its broker does not answer"),
        (Outlook(UNTIL, USED_UP), "refused: grace-used-up", USED_UP.reason),
        (
            FormatError("a file is damaged", code="damaged-record"),
            "refused: damaged-record",
            "a file is damaged",
        ),
    ],
)
def test_what_an_outage_leaves_is_told(
    scene: BrokerScene,
    monkeypatch: pytest.MonkeyPatch,
    found: Outlook | FormatError | None,
    status: str,
    reason: str | None,
) -> None:
    def look(*_: object) -> Outlook | None:
        if isinstance(found, FormatError):
            raise found
        return found

    scene.grant()
    scene.accept()
    monkeypatch.setattr(outage, "outlook", look)
    (listed,) = scene.clinic.run("models", "--json").json["models"]
    assert (listed["status"], listed["works_until"]) == ("ready", None)
    scene.broker.stop()
    (listed,) = scene.clinic.run("models", "--json").json["models"]
    assert (listed["status"], listed["reason"]) == (status, reason)
    lasts = found == Outlook(UNTIL, None, 10)
    if found is not None:
        assert listed["remaining"] == (10 if lasts else None)
    assert listed["works_until"] == ("2027-01-02T03:00:00Z" if lasts else None)
    assert ("without the broker until 2027-01-02" in scene.clinic.run("models").text) is lasts
