"""The program under test, in this process: what goes in as arguments and stdin comes out as bytes and a code.

outcome = run_in_process(["version", "--json"])
assert outcome.code == 0
assert outcome.json == {"version": ...}
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from strongroom.cli import main


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command line left behind."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


class _Stream(io.TextIOWrapper):
    """A standard stream in memory that can pretend to be a terminal."""

    def __init__(self, content: bytes = b"", *, terminal: bool = False) -> None:
        self.bytes = io.BytesIO(content)
        self.terminal = terminal
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self.terminal


def run_in_process(arguments: Sequence[str], *, stdin: bytes = b"", terminal: bool = False) -> Outcome:
    """Run one command line; ``terminal`` makes all three streams claim to be one."""
    streams = _Stream(stdin, terminal=terminal), _Stream(terminal=terminal), _Stream(terminal=terminal)
    with (
        patch.object(sys, "stdin", streams[0]),
        patch.object(sys, "stdout", streams[1]),
        patch.object(sys, "stderr", streams[2]),
    ):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, streams[1].bytes.getvalue(), streams[2].bytes.getvalue().decode("utf-8"))
