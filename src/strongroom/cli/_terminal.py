"""The terminal: everything that the command line writes or asks goes through here.

    $ strongroom models
    MODEL        LICENSE    EXPIRES               PREDICTIONS LEFT
    acme/risk    lic-4k2f   2027-06-30 23:59 UTC  9,812
    $ strongroom predict risk missing.csv
    strongroom: error: there is no file missing.csv [not-found]
    strongroom: hint: check the path, or use - for standard input

The rules:

* Data goes to stdout and nothing else does. What a script would want to keep is data: an invite,
  predictions, a table that was asked for. Everything else (progress, notes, warnings, questions,
  errors) goes to stderr.
* A message on stderr starts with ``strongroom:`` and its kind (``error``, ``hint``, ``warning``),
  so that it can be told apart in the log of a longer pipeline. An error ends with its stable code.
* ``--json`` puts exactly one JSON document on stdout, whatever happens. An error is
  ``{"error": {"code": ..., "message": ..., "hint": ...}}`` with the same exit code as without.
* Nothing is asked unless stdin and stderr are both terminals. Without a terminal a question is an
  error that names the option which answers it. ``--yes`` answers questions of convenience only;
  it never stands in for a comparison of fingerprints.
* Color and progress bars appear only on a terminal, and no color if ``NO_COLOR`` is set.
* A secret is read from a file, from stdin, from the environment or from a prompt that does not
  echo; it is never the value of an option, where other users of the machine would see it.
* Text from files that others wrote is shown without control characters: a name in an invite must
  not move the cursor, retitle the window or hide what follows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from strongroom.cli._progress import Progress
from strongroom.cli._text import hang, printable
from strongroom.errors import Error, UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_UNLIMITED_COLUMNS: Final = 1_000_000

Document = Mapping[str, Any]
"""What ``--json`` prints: plain JSON values."""


class Terminal:
    """Standard input, output and error of one command, under the rules above."""

    def __init__(
        self,
        *,
        json: bool = False,
        debug: bool = False,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.json = json
        self.debug = debug
        self._stdin: TextIO = stdin or sys.stdin
        self._stdout: TextIO = stdout or sys.stdout
        self._stderr: TextIO = stderr or sys.stderr

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits in front of it who can answer."""
        return self._stdin.isatty() and self._stderr.isatty()

    @property
    def shows_data_to_a_person(self) -> bool:
        """Whether stdout is a terminal and not a file or a pipe."""
        return self._stdout.isatty()

    def result(self, document: Document, text: str) -> None:
        """Show the outcome: the document under ``--json``, else the text.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        self._write(_to_json(document) if self.json else printable(text))

    def fields(self, document: Document, rows: Sequence[tuple[str, str]], *, heading: str = "") -> None:
        """Show labels and sentences in two columns; on a terminal long sentences wrap in theirs.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        column = max((len(label) for label, _ in rows), default=0) + 2
        width = self._width() if self.shows_data_to_a_person else None
        lines = [hang(label.ljust(column), text, width) for label, text in rows]
        head = [hang("", line, width) for line in [*heading.splitlines(), ""]] if heading else []
        self.result(document, "\n".join([*head, *lines]))

    def table(
        self,
        document: Document,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        empty: str,
    ) -> None:
        """Show rows as a table on stdout, or ``empty`` on stderr if there are none.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if self.json:
            self._write(_to_json(document))
        elif not rows:
            self.note(empty)
        else:
            self._print_table(columns, rows)

    def _print_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        # Into a pipe goes one line per row, however long; on a terminal cells fold inside their column.
        whole_lines = not self.shows_data_to_a_person
        for column in columns:
            # An id is there to be copied: it stays in one piece, and the other cells fold.
            grid.add_column(column.upper(), no_wrap=whole_lines or column == "license", overflow="fold")
        for row in rows:
            grid.add_row(*(Text(printable(cell)) for cell in row))
        self.draw(grid, width=_UNLIMITED_COLUMNS if whole_lines else None)

    def draw(self, drawing: RenderableType, *, width: int | None = None) -> None:
        """Show a table of rich's on stdout, as wide as the window or as said.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        console = self.console(width=width)
        with console.capture() as captured:
            console.print(drawing)
        self._write("\n".join(line.rstrip() for line in captured.get().strip("\n").splitlines()))

    def say(self, text: str, *, style: str) -> None:
        """Tell a story on stdout, in a style on a terminal.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if not self.shows_data_to_a_person:
            self._write(printable(text))
            return
        from rich.text import Text

        self.console().print(Text(printable(text), style=style), soft_wrap=True)

    def data(self, content: bytes) -> None:
        """Write bytes to stdout: unchanged into a pipe or a file, made harmless for a terminal.

        Answers of a stranger's model are a stranger's text. Whoever reads them with a program
        gets them to the byte; a screen gets no character that could drive it.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if self.shows_data_to_a_person:
            content = printable(content.decode("utf-8", "replace").replace("\r\n", "\n")).encode("utf-8")
        self._stdout.flush()
        self._stdout.buffer.write(content)
        self._stdout.flush()

    def note(self, text: str) -> None:
        """Tell the user something that is not data.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        width = self._width() if self._stderr.isatty() else None
        for line in printable(text).split("\n"):
            print(hang("", line, width), file=self._stderr)

    def warning(self, text: str) -> None:
        """Tell the user about something that may go wrong later.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        print(f"strongroom: warning: {printable(text)}", file=self._stderr)

    def error(self, error: Error) -> None:
        """Report why the command failed.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if self.json:
            self._write(_to_json({"error": {"code": error.code, "message": str(error), "hint": error.hint}}))
            return
        # What was already written to stdout must not appear after the message about it.
        self._stdout.flush()
        print(f"strongroom: error: {printable(str(error))} [{error.code}]", file=self._stderr)
        if error.hint:
            print(f"strongroom: hint: {printable(error.hint)}", file=self._stderr)

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask a question of convenience; ``yes`` is the user's ``--yes``.

        Raises:
            UsageError: nobody can be asked (code ``no-terminal``).
        """
        return yes or self.ask(f"{question} [y/N] ", instead="--yes").lower() in {"y", "yes"}

    def ask(self, question: str, *, instead: str) -> str:
        """Ask for one line of text; ``instead`` names the option that answers without a terminal.

        Raises:
            UsageError: nobody can be asked (code ``no-terminal``).
        """
        self._demand_terminal(question, instead)
        self._stderr.write(printable(question))
        self._stderr.flush()
        line = self._stdin.readline()
        if not line:
            raise KeyboardInterrupt
        return line.strip()

    def ask_secret(self, question: str, *, instead: str) -> str:
        """Ask for a secret without echo.

        Raises:
            UsageError: nobody can be asked (code ``no-terminal``).
        """
        from getpass import getpass

        self._demand_terminal(question, instead)
        return getpass(printable(question), stream=self._stderr)

    def _demand_terminal(self, question: str, instead: str) -> None:
        if not self.can_ask:
            raise UsageError(
                f"cannot ask without a terminal: {question.strip()}",
                code="no-terminal",
                hint=f"answer with {instead}",
            )

    def read_stdin(self) -> bytes:
        """Read all of stdin.

        Raises:
            OSError: it cannot be read.
        """
        return self._stdin.buffer.read()

    def console(self, *, stderr: bool = False, width: int | None = None) -> Console:
        """Return a rich console on stdout or stderr, as wide as the window, for what lines cannot show."""
        from strongroom.cli._console import PlainConsole

        return PlainConsole(self._stderr if stderr else self._stdout, width)

    @contextmanager
    def progress(self, what: str, total_bytes: int | None = None) -> Iterator[Progress]:
        """Show a bar of bytes, rate and time left while the block runs; nothing without a terminal."""
        if not self._stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield Progress()
            return
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bars

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bars = Bars(
            TextColumn("{task.description}", markup=False),
            *columns,
            console=self.console(stderr=True),
            transient=True,
        )
        with bars:
            yield Progress(bars, bars.add_task(printable(what), total=total_bytes))

    @staticmethod
    def _width() -> int:
        import shutil

        return shutil.get_terminal_size().columns

    def _write(self, text: str) -> None:
        print(text, file=self._stdout)


def _to_json(document: Document) -> str:
    import json

    return json.dumps(document, ensure_ascii=True, indent=2)
