"""What every test runs under: no network, no home of the developer, chosen randomness.

* Sockets are off, except Unix sockets (client, supervisor and worker talk through
  them) and, in ``tests/integration`` and for attacks on what listens there, loopback.
* No test sees the home, the locale settings or the telemetry of whoever runs it.
* Hypothesis runs under one of three profiles, chosen by ``HYPOTHESIS_PROFILE``:

  - ``ci`` (when ``CI`` is set) is derandomized: the same commit gets the same verdict
    twice, so a red run is the commit's fault and can be repeated. New ground is
    broken by the fuzz minute of the same run and by the other two profiles.
  - ``dev`` (otherwise) is random: each run of a developer tries other inputs.
  - ``soak`` is random with very many examples, for ``make soak``.

  Deadlines are off in all of them: timed tests fail on busy machines and prove nothing.
* Coverage looks away during attacks and integration tests.
* What is marked ``slow`` comes first, so that no process is left alone with it at the end.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path

import hypothesis
import pytest
import pytest_socket

from tests.measuring import unmeasured
from tests.servers.fixtures import database_url, empty_postgresql_url, postgresql, postgresql_url

__all__ = ["database_url", "empty_postgresql_url", "postgresql", "postgresql_url"]

# Before anything imports onnxruntime, which otherwise writes a database and a device id.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_ATTACKS = Path(__file__).parent / "attacks"
_ON_LOOPBACK = {
    Path(__file__).parent / "integration",
    _ATTACKS / "test_floods.py",
    _ATTACKS / "test_network.py",
    _ATTACKS / "test_serving.py",
}
_UNMEASURED = {_ATTACKS, Path(__file__).parent / "integration"}
_SLOW_IS_FINE = (hypothesis.HealthCheck.too_slow,)

hypothesis.settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=100, suppress_health_check=_SLOW_IS_FINE
)
hypothesis.settings.register_profile(
    "dev", deadline=None, max_examples=100, print_blob=True, suppress_health_check=_SLOW_IS_FINE
)
hypothesis.settings.register_profile(
    "soak", deadline=None, max_examples=20_000, print_blob=True, suppress_health_check=_SLOW_IS_FINE
)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow ones; the rest stays in the order that chance has given it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Turn coverage off for this test, with the fixtures that are made for it."""
    with unmeasured() if _UNMEASURED & set(item.path.parents) else nullcontext():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Turn sockets off for this test, before its fixtures run."""
    if _ON_LOOPBACK & {item.path, *item.path.parents}:
        pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _no_home_of_the_developer(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.getbasetemp() / "user-home"
    home.mkdir(exist_ok=True)
    for name in list(os.environ):
        if name.startswith(("STRONGROOM_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
