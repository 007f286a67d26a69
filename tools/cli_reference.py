"""Write ``docs/cli.md`` from the help pages of the program.

    .venv/bin/python -m tools.cli_reference            # write it
    .venv/bin/python -m tools.cli_reference --check    # exit 1 if it is out of date

The help pages are the only text about commands and options; this page is a copy of them and is
never edited by hand. ``tests/unit/cli/test_reference.py`` fails while the two differ.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
WIDTH = 100

_HEAD = """\
# Command line

This page is made from the help pages by `tools/cli_reference.py`; change those, not this.

Data goes to stdout and nothing else does; notes, questions, progress and errors go to stderr. With
`--json` exactly one JSON document is on stdout, whatever happens; an error is

```json
{"error": {"code": "unknown-model", "message": "...", "hint": "..."}}
```

Fields may be added to documents, never renamed. Nothing is asked unless stdin and stderr are
terminals. Color and progress bars appear on a terminal only, and no color if `NO_COLOR` is set.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | unexpected: a defect, or a disk that is full or does not answer |
| 2 | usage: the command line makes no sense, or something that it needs is not installed |
| 3 | not found: no such file, model, partner or license |
| 4 | authentication or permission: no key opens this, or the pass-phrase is wrong |
| 5 | the license or a quota says no |
| 6 | integrity or signature: the file is not what its owner signed, or is damaged |
| 7 | broker or network unreachable |
| 130 | interrupted |
| 141 | the reader of a pipe went away |

| variable | meaning |
|---|---|
| `STRONGROOM_HOME` | the home, unless `--home` says otherwise |
| `STRONGROOM_PASSPHRASE_FILE` | a file with the pass-phrase of the home's keys |
| `STRONGROOM_PASSPHRASE` | the pass-phrase itself |
| `STRONGROOM_LICENSE_PASSPHRASE_FILE` | a file with the pass-phrase of a license that opens with one |
| `STRONGROOM_LICENSE_PASSPHRASE` | the pass-phrase itself |
| `NO_COLOR` | if set, no color |
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield each command with its help page, in the order of the overview."""
    from strongroom.cli._app import COMMANDS, build

    root = build()
    yield "strongroom", _help([])
    for command in COMMANDS:
        yield f"strongroom {command.name}", _help([command.name])
        for name in _inner(root[command.name]):
            yield f"strongroom {command.name} {name}", _help([command.name, name])


def _inner(app: App) -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _help(chain: list[str]) -> str:
    from strongroom.cli import main

    before = {name: os.environ.get(name) for name in ("COLUMNS", "NO_COLOR")}
    os.environ.update(COLUMNS=str(WIDTH), NO_COLOR="1")
    try:
        with contextlib.redirect_stdout(io.StringIO()) as sink:
            main([*chain, "--help"])
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    return "\n".join(line.rstrip() for line in sink.getvalue().strip().splitlines())


def text() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for title, page in pages():
        level = "##" if title.count(" ") < 2 else "###"
        parts.append(f"\n{level} {title}\n\n```text\n{page}\n```\n")
    return "".join(parts)


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write docs/cli.md from the help pages.")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    current = text()
    if parser.parse_args().check:
        return 0 if TARGET.read_text(encoding="utf-8") == current else 1
    TARGET.write_text(current, encoding="utf-8")
    print(TARGET, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
