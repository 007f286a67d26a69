"""The table at the end: what was tried, what happened, how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.cli._terminal import Terminal
    from strongroom.cli.demo.stage import Stage


def show(terminal: Terminal, stage: Stage) -> bool:
    """Show the table; returns whether everything went as it should.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    wrong = [line for line in stage.lines if not line.held]
    if terminal.json:
        terminal.result(_document(stage), "")
        return not wrong
    _draw(terminal, stage)
    verdict = "Everything held." if not wrong else f"{len(wrong)} of {len(stage.lines)} did NOT hold."
    terminal.result({}, f"\n{verdict} It took {stage.seconds:.0f} seconds.")
    return not wrong


def _document(stage: Stage) -> dict[str, object]:
    return {
        "held": all(line.held for line in stage.lines),
        "seconds": round(stage.seconds, 3),
        "lines": [
            {
                "tried": line.tried,
                "happened": line.happened,
                "held": line.held,
                "exit_code": line.exit_code,
                "seconds": round(line.seconds, 3),
            }
            for line in stage.lines
        ],
    }


def _draw(terminal: Terminal, stage: Stage) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("what was tried", ratio=3)
    table.add_column("what happened", ratio=5)
    table.add_column("", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for line in stage.lines:
        mark = Text("held", style="green") if line.held else Text("FAILED", style="bold red")
        table.add_row(Text(line.tried), Text(line.happened), mark, f"{line.seconds:.2f}")
    terminal.draw(table)
