"""Turns what is wrong with a command line into an ``Error`` that says what to type instead."""

from __future__ import annotations

import difflib
import errno
from typing import TYPE_CHECKING, Final

from cyclopts.exceptions import UnknownCommandError, UnknownOptionError

from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    ObjectNotFound,
    StorageUnavailable,
    UsageError,
    VerificationError,
)

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError


_HINTS: Final = (
    (IntegrityError, "get the file again; if it fails again, it was changed on its way, so ask its owner"),
    (VerificationError, "do not use it; get it again from its owner, over a way that you trust"),
    (FormatError, "`strongroom inspect FILE` says what a file is; get a damaged one again"),
)
"""What to do where the refusal itself does not know better, by what went wrong."""


def hint_for(error: Error) -> str | None:
    """Return what the user can do about an error."""
    return error.hint or next((hint for kind, hint in _HINTS if isinstance(error, kind)), None)


def explain(error: CycloptsError, app: App) -> UsageError:
    """Say in one sentence what is wrong with the command line, and in another what to do."""
    chain = " ".join(("strongroom", *(error.command_chain or ())))
    see = f"see `{chain} --help`"
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        return _unknown_command(error.unused_tokens[0], error.app or app, chain)
    if isinstance(error, UnknownOptionError):
        given = error.token.keyword or error.token.value or ""
        names = [name for argument in error.argument_collection if argument.parse for name in argument.names]
        meant = difflib.get_close_matches(given, names, n=1)
        hint = f"did you mean {meant[0]}? Or {see}" if meant else see
        return UsageError(f"`{chain}` has no option {given}", code="unknown-option", hint=hint)
    error.verbose = False
    return UsageError(str(error).strip().rstrip("."), code="usage", hint=see)


def _unknown_command(given: str, parent: App, chain: str) -> UsageError:
    from strongroom.cli._app import COMMANDS

    names = [name for name in parent if not name.startswith("-")]
    meant = difflib.get_close_matches(given, names, n=1)
    if not meant and parent.name[0] == "strongroom":
        meant = [command.name for command in COMMANDS if given in command.synonyms]
    hint = (
        f"did you mean `{chain} {meant[0]}`?" if meant else f"see `{chain} --help` for the commands there are"
    )
    return UsageError(f"there is no command `{chain} {given}`", code="unknown-command", hint=hint)


def explain_os_error(error: OSError) -> Error:
    """Say what the operating system refused, naming the file."""
    name = error.filename if error.filename is not None else "a file"
    if isinstance(error, FileNotFoundError):
        return ObjectNotFound(f"there is no {name}", hint="check the path")
    if isinstance(error, PermissionError):
        return StorageUnavailable(f"no permission for {name}", hint="check its owner and mode with `ls -l`")
    if error.errno == errno.ENOSPC:
        return StorageUnavailable(f"no space left for {name}", hint="free some space and run it again")
    return StorageUnavailable(f"{name}: {error.strerror or type(error).__name__}")
