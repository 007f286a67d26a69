"""The rich console of the command line; imported only when something is drawn, as it costs 30 ms."""

from __future__ import annotations

from typing import NoReturn, TextIO

from rich.console import Console


class PlainConsole(Console):
    """A console that takes text as it is and leaves a broken pipe to the caller."""

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        super().__init__(file=stream, width=width, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on; rich would end the process with the exit code of an unexpected error.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
