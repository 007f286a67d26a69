"""Plays the day with a broker, which is a process of its own on this machine."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scenarios.model import write_model
from tests.scenarios.transcript import parse, play


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_model(tmp_path)
    yield tmp_path
    # Whatever happened in between: what was started here ends here.
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int((tmp_path / "broker.pid").read_text(encoding="ascii")), signal.SIGKILL)


def test_the_day_goes_as_written(folder: Path) -> None:
    steps = parse(Path(__file__).with_name("broker_day.txt").read_text(encoding="utf-8"))
    assert steps
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    play(steps, folder, {"PROGRAM": f"{sys.executable} -m strongroom", "PORT": str(port)})
