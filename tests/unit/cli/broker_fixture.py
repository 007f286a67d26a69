"""The fixture behind tests of commands with a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.connection.caller import Caller
from strongroom.home.home import Home
from tests.simulators.app_transport import InProcessBroker
from tests.unit.cli.broker_scene import BrokerScene
from tests.unit.cli.conftest import Party


@pytest.fixture
def scene(
    hospital: Party, clinic: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BrokerScene]:
    """Return the scene; the broker is in this process."""
    with InProcessBroker(Home.open(hospital.home)) as broker:
        monkeypatch.setattr("strongroom.connection.https.HttpsTransport", broker.transport)
        # Nobody waits here for a broker that is down.
        monkeypatch.setattr(Caller, "_patiently", lambda self, ask: ask())
        yield BrokerScene(hospital, clinic, broker, tmp_path)
