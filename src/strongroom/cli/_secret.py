"""Where pass-phrases come from: a file, stdin, the environment or a prompt; never a flag's value.

    passphrase = read_passphrase(terminal, HOME, file=None)

A flag's value is visible to every user of the machine in the process list and stays in the shell's history.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from strongroom.errors import UsageError

if TYPE_CHECKING:
    from strongroom.cli._terminal import Terminal

_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Secret:
    """One kind of pass-phrase, and where it may come from."""

    question: str
    option: str | None
    """The option that names a file, if there is one."""
    variable: str
    """The variable that holds it; with ``_FILE`` at its end, the variable that names a file."""

    @property
    def instead(self) -> str:
        """What to use where nobody can be asked."""
        option = "" if self.option is None else f"{self.option}, or "
        return f"{option}{self.variable}_FILE or {self.variable} in the environment"


HOME: Final = Secret("Pass-phrase of this home: ", "--passphrase-file", "STRONGROOM_PASSPHRASE")
TOKEN: Final = Secret("PIN of the hardware token: ", None, "STRONGROOM_TOKEN_PIN")
LICENSE: Final = Secret(
    "Pass-phrase of the license: ", "--license-passphrase-file", "STRONGROOM_LICENSE_PASSPHRASE"
)


def read_passphrase(terminal: Terminal, secret: Secret, *, file: Path | None) -> str:
    """Read the pass-phrase of something that is encrypted already.

    Args:
        terminal: Where to ask, if neither file nor environment has it.
        secret: Which one.
        file: A file whose first line is the pass-phrase; ``-`` is stdin.

    Raises:
        UsageError: there is none, it is empty, or nobody can be asked.
        ObjectNotFound: there is no such file.
        StorageUnavailable: the file cannot be read.
    """
    given = without_asking(terminal, secret, file=file)
    return given if given is not None else terminal.ask_secret(secret.question, instead=secret.instead)


def choose_passphrase(terminal: Terminal, secret: Secret, *, file: Path | None) -> str:
    """Read a new pass-phrase, twice if it is typed, so that a slip does not lock its owner out.

    Raises:
        UsageError: there is none, it is empty, the two differ, or nobody can be asked.
        ObjectNotFound: there is no such file.
        StorageUnavailable: the file cannot be read.
    """
    given = without_asking(terminal, secret, file=file)
    if given is not None:
        return given
    first = terminal.ask_secret(
        f"New {secret.question[0].lower()}{secret.question[1:]}", instead=secret.instead
    )
    if terminal.ask_secret("The same again: ", instead=secret.instead) != first:
        raise UsageError("the two pass-phrases differ", code="passphrase-differs")
    return first


def without_asking(terminal: Terminal, secret: Secret, *, file: Path | None) -> str | None:
    """Read a pass-phrase that is given in a file or the environment; None if it is not.

    Raises:
        UsageError: it is empty, or no text.
        ObjectNotFound: there is no such file.
        StorageUnavailable: the file cannot be read.
    """
    if file is None and (named := os.environ.get(f"{secret.variable}_FILE")):
        file = Path(named)
    if file is None:
        return os.environ.get(secret.variable) or None
    return _first_line(_content(terminal, file))


def _content(terminal: Terminal, file: Path) -> bytes:
    if file == Path("-"):
        return terminal.read_stdin()
    from strongroom.home import files

    return files.read_bytes(file, max_bytes=_MAX_BYTES)


def _first_line(data: bytes) -> str:
    try:
        line = data.decode("utf-8").partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("the pass-phrase is not UTF-8 text", code="passphrase-unreadable") from error
    if not line:
        raise UsageError("the pass-phrase is empty", code="passphrase-empty")
    return line
