"""How a help page looks: two plain columns, titles in bold on a terminal, never wider than the window."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_MIN_LABEL, _MAX_LABEL = 12, 30
_MAX_WIDTH = 110
_TEXT_OPTION = re.compile(r"--([a-z-]+) STR\b")


class PlainHelp:
    """Renders usage, description and lists of options for cyclopts."""

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the usage line.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if usage:
            _print(console, _named(f"Usage: {usage}".strip()))

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Print the description, wrapped, paragraph by paragraph.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        text = _plain(description)
        if text:
            _print(console, "")
            first, _, rest = text.partition("\n")
            paragraphs = [first, *rest.strip("\n").split("\n\n")] if rest else [first]
            _print(console, "\n\n".join(_fill(paragraph, console) for paragraph in paragraphs))

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one group of commands or options.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        if not panel.entries:
            return
        _print(console, "")
        _print(console, f"{panel.title}:", style="bold")
        rows = [
            (_named(", ".join(entry.display_labels_with_metavar)), _describe(entry))
            for entry in panel.entries
        ]
        column = min(max(_MIN_LABEL, *(len(label) for label, _ in rows)), _MAX_LABEL)
        for label, text in rows:
            indent = " " * (column + 4)
            body = _fill(text, console, indent=indent)
            if len(label) > column:
                _print(console, f"  {label}")
                _print(console, body)
            else:
                _print(console, f"  {label.ljust(column)}  {body[len(indent) :]}".rstrip())


def _named(text: str) -> str:
    """Say NAME after --name where cyclopts says STR."""
    return _TEXT_OPTION.sub(lambda match: f"--{match[1]} {match[1].rpartition('-')[2].upper()}", text)


def _describe(entry: HelpEntry) -> str:
    parts = [_plain(entry.description)]
    if entry.choices:
        parts.append(f"[{', '.join(entry.choices)}]")
    if entry.required:
        parts.append("(required)")
    return " ".join(part for part in parts if part)


def _plain(text: Any) -> str:
    inner = getattr(text, "primary_renderable", text)
    return str(getattr(inner, "plain", inner) or "").strip("\n")


def _fill(text: str, console: Console, *, indent: str = "") -> str:
    width = max(min(console.width, _MAX_WIDTH) - 1, len(indent) + 20)
    # Names of options and files must stay in one piece to be found and copied.
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _print(console: Console, text: str, *, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)
