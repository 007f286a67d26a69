"""``docs/cli.md`` is what the program says of itself."""

from __future__ import annotations

from strongroom.cli._app import COMMANDS
from tools import cli_reference


def test_the_reference_is_the_help() -> None:
    written = cli_reference.TARGET.read_text(encoding="utf-8")
    assert written == cli_reference.text(), "run: python -m tools.cli_reference"


def test_every_command_is_in_the_reference() -> None:
    written = cli_reference.TARGET.read_text(encoding="utf-8")
    assert all(f"\n## strongroom {command.name}\n" in written for command in COMMANDS)
    assert "\n### strongroom license withdraw-version\n" in written
