"""Plays the day with a broker, which is a process of its own on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scenarios.model import write_model
from tests.scenarios.transcript import parse, play
from tests.servers.postgresql import PostgreSql


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_model(tmp_path)
    write_model(tmp_path, "tuned.onnx", scale=2)
    yield tmp_path
    # Whatever happened in between: what was started here ends here.
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((tmp_path / "broker.pid").read_text(encoding="ascii")), signal.SIGKILL)


@pytest.fixture(params=["sqlite", "postgresql"])
def loss(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the command line by which the broker's database gets lost."""
    if request.param == "sqlite":
        return "rm hospital/broker/broker.sqlite*"
    server: PostgreSql = request.getfixturevalue("postgresql")
    first, second = server.new_database(), server.new_database()
    monkeypatch.setenv("STRONGROOM_DATABASE", first)
    return f"export STRONGROOM_DATABASE={second}"


@pytest.mark.slow
def test_the_day_goes_as_written(folder: Path, loss: str) -> None:
    _play("broker_day.txt", folder, LOSE=loss)


@pytest.mark.slow
def test_a_derived_model_goes_as_written(folder: Path) -> None:
    _play("broker_derivation.txt", folder)


def _play(name: str, folder: Path, **known: str) -> None:
    steps = parse(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    assert steps
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    play(steps, folder, {"PROGRAM": f"{sys.executable} -m strongroom", "PORT": str(port)} | known)


@pytest.mark.slow
def test_the_demo_holds_on_postgresql(tmp_path: Path, empty_postgresql_url: str) -> None:
    # The server lets this user in without one; a password on a command line is refused.
    address = empty_postgresql_url.replace(":planted-password", "")
    words = ["demo", "--keep", str(tmp_path / "playground"), "--database", address]
    played = subprocess.run(
        [sys.executable, "-m", "strongroom", *words], capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "Everything held." in played.stdout
    assert not list((tmp_path / "playground").rglob("broker.sqlite"))
