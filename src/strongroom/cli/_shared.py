"""The options that every command takes, and what they give a command to work with.

def models(*, shared: Shared = SHARED) -> None:
    terminal = shared.terminal
    home = shared.open_home()
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from strongroom.cli._terminal import Terminal

if TYPE_CHECKING:
    from strongroom.home import Home

_GROUP = Group("Options of every command", sort_key=100)


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Shared:
    """The values of the shared options for one command line."""

    home: Annotated[
        Path | None,
        Parameter(help="The directory of this party (else STRONGROOM_HOME, else the user's own)."),
    ] = None
    json: Annotated[bool, Parameter(help="One JSON document on stdout, for results and for errors.")] = False
    yes: Annotated[
        bool, Parameter(alias="-y", help="Answer yes to questions; never to a comparison of fingerprints.")
    ] = False
    passphrase_file: Annotated[
        Path | None,
        Parameter(help="A file with this home's pass-phrase, or - (else STRONGROOM_PASSPHRASE, else asked)."),
    ] = None
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.")] = False

    @cached_property
    def terminal(self) -> Terminal:
        """The terminal of this command line."""
        return Terminal(json=self.json, debug=self.debug)

    @cached_property
    def now(self) -> datetime:
        """The moment of this command line, read once so that all its checks agree."""
        return datetime.now(UTC)

    def open_home(self) -> Home:
        """Open the home that this command line works in.

        Raises:
            Error: there is none, or it is not safe to use.
        """
        from strongroom.home import Home

        return Home.open(self.home, passphrase=self.read_passphrase, token_pin=self.read_pin)

    def read_pin(self, token: str) -> str:
        """Read the PIN of a hardware token; called only if a key lies on one.

        Raises:
            UsageError: there is none, or nobody can be asked.
        """
        from strongroom.cli._secret import TOKEN, read_passphrase

        return read_passphrase(self.terminal, TOKEN, file=None)

    def read_passphrase(self) -> str:
        """Read the pass-phrase of the home; called only if a key is encrypted.

        Raises:
            UsageError: there is none, or nobody can be asked.
        """
        from strongroom.cli._secret import HOME, read_passphrase

        return read_passphrase(self.terminal, HOME, file=self.passphrase_file)


SHARED = Shared()
"""All options left out: the default in signatures. Each command line gets one of its own."""
