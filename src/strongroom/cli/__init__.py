"""The command line: ``strongroom COMMAND ...``; every command is one function in a file of its noun.

    $ strongroom seal risk.onnx --name risk
    $ strongroom grant north south west risk --expires 2027-06-30

``main`` is the entry point. ``_app`` lists the commands, ``_run`` executes one and turns errors
into exit codes, ``_terminal`` holds the rules for what is written where. Commands are imported
when they run, and libraries inside them, so that help and completion stay quick
(`benchmarks/startup.py`). A command parses its arguments, calls one use case of the layer
below and shows the result; it decides nothing itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: The arguments after the program's name; ``sys.argv`` if None.

    Returns:
        0 ok, 1 unexpected, 2 usage, 3 not found, 4 authentication or permission, 5 license or quota
        says no, 6 integrity or signature, 7 broker or network unreachable, 130 interrupted, 141 when
        the reader of a pipe went away.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["version"], ["--version"]):
        # Answered before the command-line library is loaded, which alone costs 60 to 90 ms.
        from strongroom import __version__

        print(f"strongroom {__version__}")
        return 0
    from strongroom.cli._run import run

    return run(arguments)
