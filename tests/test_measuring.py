"""Coverage looks away where it is told to, in programs too, and looks again afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.measuring import unmeasured
from tools.coverage_everywhere import CONFINED, STARTS, UNMEASURED, line


def _trace(*_: Any) -> None:
    return None


def _traced() -> tuple[Any, Any]:
    return sys.gettrace(), threading.gettrace()


def test_it_looks_away_and_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTS[0], "a file")
    monkeypatch.delenv(UNMEASURED, raising=False)
    before = _traced()
    threading.settrace(_trace)
    sys.settrace(_trace)
    try:
        with unmeasured():
            inside = _traced(), os.environ.get(STARTS[0]), os.environ.get(UNMEASURED)
        after = _traced(), os.environ.get(STARTS[0]), os.environ.get(UNMEASURED)
    finally:
        threading.settrace(before[1])
        sys.settrace(before[0])
    assert inside == ((None, None), None, "1")
    assert after == ((_trace, _trace), "a file", None)


@pytest.mark.parametrize(
    ("variables", "arguments", "measured"),
    [
        ({}, [], True),
        ({UNMEASURED: "1"}, [], False),
        ({STARTS[1]: "inherited", UNMEASURED: "1"}, [], False),
        ({STARTS[1]: "inherited"}, [CONFINED], False),
    ],
)
@pytest.mark.parametrize("under_way", [True, False])
def test_a_program_is_measured_only_where_coverage_is_under_way(
    tmp_path: Any, variables: dict[str, str], arguments: list[str], *, measured: bool, under_way: bool
) -> None:
    if under_way:
        (tmp_path / ".coverage-under-way").touch()
    shown = f"print(any(name in os.environ for name in {STARTS!r}))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", line(tmp_path) + shown, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(measured and under_way)
