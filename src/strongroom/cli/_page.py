"""One command as the command line knows it: its name, its function and its help page.

    app = page(version, "version")

The help page is the function's docstring: the text up to the first section is the description and the
``Examples`` section ends the page. Options explain themselves in their annotations. An example line starts
with ``$ strongroom``; a test parses every one of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cyclopts import App, Group, Parameter

_SECTIONS = ("Args:", "Examples:", "Raises:", "Returns:")
OPTIONS = Group("Options", sort_key=50)
ARGUMENTS = Group("Arguments", sort_key=40)


class Page(App):
    """A command whose help page keeps its own text.

    The list of all commands has one line for each, so that it can be printed without importing them. On
    import the command-line library would put that line in place of the page's text.
    """

    @property
    def help(self) -> str:
        """The description on the help page."""
        return self._help or ""

    @help.setter
    def help(self, value: str | None) -> None:
        if not self._help:
            self._help = value


def page(function: Callable[..., int | None], name: str, *, usage: str | None = None) -> Page:
    """Make the command ``name`` of a function; ``usage`` is for what a signature cannot say."""
    description, sections = split_docstring(function)
    command = Page(
        name=name,
        help=description,
        usage=usage,
        help_epilogue="Examples:\n" + sections["Examples:"],
        help_flags=["--help", "-h"],
        version_flags=[],
        group_parameters=OPTIONS,
        group_arguments=ARGUMENTS,
        default_parameter=Parameter(negative=(), show_default=False, show_env_var=False),
    )
    command.default(function)
    return command


def noun(name: str, description: str, *commands: Page) -> Page:
    """Make the command ``name`` that only groups the commands of one noun."""
    examples = [line for command in commands for line in examples_of(command)[:1]]
    group = Page(
        name=name,
        help=description,
        help_epilogue="Examples:\n" + "\n".join(f"  {line}" for line in examples),
        help_flags=["--help", "-h"],
        version_flags=[],
        group_commands=Group("Commands", sort_key=10),
    )
    for order, command in enumerate(commands):
        command.sort_key = order
        group.command(command)
    return group


def examples_of(command: App) -> list[str]:
    """Return the example command lines of a help page, ``$`` included."""
    lines = (line.strip() for line in (command.help_epilogue or "").splitlines())
    return [line for line in lines if line.startswith("$ ")]


def split_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Split a Google docstring into its description and its sections by title."""
    description: list[str] = []
    sections: dict[str, list[str]] = {"Examples:": []}
    current = description
    for line in (inspect.getdoc(function) or "").splitlines():
        if line in _SECTIONS:
            current = sections.setdefault(line, [])
        else:
            current.append(line[2:] if current is not description and line.startswith("    ") else line)
    return "\n".join(description).strip(), {
        title: "\n".join(lines).rstrip() for title, lines in sections.items()
    }
