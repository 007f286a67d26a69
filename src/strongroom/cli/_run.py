"""Runs one command line: parses it, calls the command, turns every outcome into an exit code.

This is one of the three places where any exception at all is caught: what is not an ``Error`` is a
defect, reported as one and never as a traceback, unless ``--debug`` asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from strongroom.cli._terminal import Terminal
from strongroom.errors import Error

INTERRUPTED = 130
BROKEN_PIPE = 141
_FLAGS = {"--json", "--yes", "-y", "--debug"}
_VALUED = {"--home"}


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    tokens = normalize(arguments)
    options = tokens[: tokens.index("--")] if "--" in tokens else tokens
    terminal = Terminal(json="--json" in options, debug="--debug" in options)
    try:
        code = _execute(tokens, terminal)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader has gone, as in `strongroom models | head -1`. Python would flush at exit and
        # complain; from here on there is nobody to complain to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _execute(tokens: list[str], terminal: Terminal) -> int:
    from cyclopts import CycloptsError

    from strongroom.cli._app import build
    from strongroom.cli._shared import Shared

    try:
        app = build()
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
        if command.__name__ == "help_print":
            bound.arguments["console"] = terminal.console()
        elif "shared" in bound.signature.parameters:
            # What they share is of this command line, its terminal and its moment; never of the one before.
            bound.arguments.setdefault("shared", Shared())
        result = command(*bound.args, **bound.kwargs)
    except KeyboardInterrupt:
        terminal.error(Error("interrupted", code="interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except CycloptsError as error:
        from strongroom.cli._usage import explain

        return _fail(explain(error, app), terminal)
    except Error as error:
        return _fail(error, terminal)
    except OSError as error:
        from strongroom.cli._usage import explain_os_error

        return _fail(explain_os_error(error), terminal)
    except Exception as error:  # noqa: BLE001  # the edge: whatever it is, the user gets a sentence and a code
        return _fail(_defect(error), terminal, cause=error)
    return result if isinstance(result, int) else 0


def _fail(error: Error, terminal: Terminal, *, cause: BaseException | None = None) -> int:
    if terminal.debug:
        import traceback

        traceback.print_exception(cause or error, file=sys.stderr)
    from strongroom.cli._usage import hint_for

    error.hint = hint_for(error)
    terminal.error(error)
    return error.exit_code


def _defect(error: Exception) -> Error:
    # Only the type: the text of a foreign exception may quote inputs or keys.
    return Error(
        f"a defect in Strongroom: {type(error).__name__}",
        code="unexpected",
        hint="run it again with --debug and report what it prints together with `strongroom env`",
    )


def normalize(arguments: Sequence[str]) -> list[str]:
    """Return a command line as the parser takes it."""
    # A lone dash is stdin or stdout. The parser takes it for a broken option, and this for a path.
    return ["./-" if word == "-" else word for word in move_shared_options(list(arguments))]


def move_shared_options(tokens: list[str]) -> list[str]:
    """Accept the options of every command before the command too: ``strongroom --home X models``."""
    leading: list[str] = []
    rest = list(tokens)
    while rest:
        if rest[0] in _FLAGS or rest[0].startswith(tuple(f"{name}=" for name in _VALUED)):
            leading.append(rest.pop(0))
        elif rest[0] in _VALUED and len(rest) > 1:
            leading += [rest.pop(0), rest.pop(0)]
        else:
            break
    if not rest or rest[0].startswith("-"):
        return tokens
    end = rest.index("--") if "--" in rest else len(rest)
    return rest[:end] + leading + rest[end:]
