"""The stage: runs command lines as processes, shows what was typed and answered, and keeps the score.

stage.act("The hospital seals its model")
stage.run("seal risk.onnx --name risk --home hospital")
stage.refused("a flipped byte", "predict ./flipped.sealed patients.csv --home clinic", exit_code=6)
broker = stage.start("broker run --home hospital", until="It answers")       # a process that goes on
broker.stop()
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom.errors import Error

if TYPE_CHECKING:
    from strongroom.cli._terminal import Terminal

STOPPED: Final = "demo-stopped"
_SHOWN_LINES: Final = 14
_ERROR: Final = re.compile(r"^strongroom: error: (?P<message>.*) \[(?P<code>[a-z0-9-]+)\]$", re.MULTILINE)
_TIMEOUT_SECONDS: Final = 120
_START_SECONDS: Final = 30
_STOP_SECONDS: Final = 20
_GLANCE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command line did."""

    exit_code: int
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def text(self) -> str:
        """Stdout as text."""
        return self.stdout.decode("utf-8", "replace").strip()

    @property
    def error(self) -> tuple[str, str]:
        """Message and code of the error, both empty if there was none."""
        match = _ERROR.search(self.stderr)
        return (match["message"], match["code"]) if match else ("", "")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table at the end."""

    tried: str
    happened: str
    held: bool
    seconds: float
    exit_code: int | None


class Server:
    """A command line that goes on until it is stopped."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def wait_until(self, text: str) -> bool:
        """Wait until it says something; False if it ended before, or says nothing for too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if text in self._log.read_text(encoding="utf-8", errors="replace"):
                return True
            time.sleep(_GLANCE_SECONDS)
        return False

    def stop(self) -> None:
        """End it, as Ctrl-C does; stopping twice is harmless."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Stage:
    """A folder with the homes, and a record of what happened in it. As a context it ends what it started."""

    def __init__(self, terminal: Terminal, folder: Path, database: str | None = None) -> None:
        """Take the terminal, the folder to play in, and the broker's database if it is not to be a file."""
        self._terminal = terminal
        self._environment = _environment(database)
        self._started = time.monotonic()
        self.folder = folder
        self.lines: list[Line] = []
        self._servers: list[Server] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop()

    @property
    def seconds(self) -> float:
        """Since the curtain went up."""
        return time.monotonic() - self._started

    def act(self, title: str) -> None:
        """Announce what comes.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        self._say(f"\n== {title} ==\n", style="bold")

    def remark(self, text: str) -> None:
        """Say something that is no command: a telephone call, a hand that changes a file.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        self._say(f"# {text}")

    def run(self, words: str, *, tried: str | None = None, into: str | None = None) -> Outcome:
        """Run a command line that must work; ``into`` is where its stdout goes.

        Raises:
            Error: it did not, and what follows would make no sense (code ``demo-stopped``).
            BrokenPipeError: nobody reads any more.
        """
        outcome = self._execute(words, into)
        held = outcome.exit_code == 0
        if tried is not None or not held:
            happened = "worked" if held else outcome.error[0] or f"exit code {outcome.exit_code}"
            self.note(tried or f"strongroom {words}", happened, held=held, outcome=outcome)
        if not held:
            raise Error(f"the demo stopped at: strongroom {words}", code=STOPPED)
        return outcome

    def start(self, words: str, *, until: str) -> Server:
        """Start a command line that goes on, and wait until it says that it is ready.

        Raises:
            Error: it ended, or said nothing (code ``demo-stopped``).
            BrokenPipeError: nobody reads any more.
        """
        self._say(f"$ strongroom {words}", style="bold cyan")
        log = self.folder / f"server-{len(self._servers) + 1}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603  # this very program, with words of ours
                _program(words),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        server = Server(process, log)
        self._servers.append(server)
        ready = server.wait_until(until)
        shown = log.read_text(encoding="utf-8", errors="replace").splitlines()[:_SHOWN_LINES]
        self._say("\n".join([*(f"  {line}" for line in shown), ""]))
        if not ready:
            self.lines.append(Line(f"strongroom {words}", "it did not start", False, 0.0, process.poll()))
            raise Error(f"the demo stopped at: strongroom {words}", code=STOPPED)
        return server

    def refused(self, tried: str, words: str, *, exit_code: int, codes: tuple[str, ...]) -> Outcome:
        """Run a command line that must be refused, with this exit code, for one of these reasons.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        outcome = self._execute(words, None)
        message, code = outcome.error
        held = outcome.exit_code == exit_code and code in codes
        happened = f"refused: {message}" if held else f"NOT as expected: {message or 'it worked'} [{code}]"
        self.note(tried, happened, held=held, outcome=outcome)
        return outcome

    def compare(self, tried: str, check: Callable[[], str | None]) -> None:
        """Check something without a command line; the check returns what is wrong, or None.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        begun = time.monotonic()
        wrong = check()
        self._say(f"# {tried}: {wrong or 'yes'}")
        self.lines.append(Line(tried, wrong or "yes", wrong is None, time.monotonic() - begun, None))

    def note(self, tried: str, happened: str, *, held: bool, outcome: Outcome) -> None:
        """Add a line to the table."""
        self.lines.append(Line(tried, happened, held, outcome.seconds, outcome.exit_code))

    def _execute(self, words: str, into: str | None) -> Outcome:
        self._say(f"$ strongroom {words}{f' > {into}' if into else ''}", style="bold cyan")
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S603  # this very program, with words of ours
            _program(words),
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
        outcome = Outcome(
            done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"), time.monotonic() - begun
        )
        if into is not None and done.returncode == 0:
            (self.folder / into).write_bytes(done.stdout)
        self._show(outcome, hide_stdout=into is not None)
        return outcome

    def _show(self, outcome: Outcome, *, hide_stdout: bool) -> None:
        lines = [] if hide_stdout else outcome.text.splitlines()
        lines += outcome.stderr.splitlines()
        shown = [f"  {line}" for line in lines[:_SHOWN_LINES]]
        if len(lines) > _SHOWN_LINES:
            shown.append(f"  ... and {len(lines) - _SHOWN_LINES} lines more")
        if outcome.exit_code:
            shown.append(f"  (exit code {outcome.exit_code})")
        self._say("\n".join([*shown, ""]))

    def _say(self, text: str, *, style: str = "") -> None:
        if not self._terminal.json:
            self._terminal.say(text, style=style)


def _program(words: str) -> list[str]:
    return [sys.executable, "-m", "strongroom", *shlex.split(words)]


def _environment(database: str | None) -> dict[str, str]:
    # The command lines say themselves which home they mean.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
    if database is not None:
        kept["STRONGROOM_DATABASE"] = database
    return {**kept, "ORT_DISABLE_TELEMETRY": "1", "NO_COLOR": "1"}
