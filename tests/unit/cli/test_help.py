"""Every help page: it has a description, explains each option, and ends with examples that parse."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from cyclopts import App

from strongroom.cli._app import COMMANDS, build
from strongroom.cli._page import Page, examples_of, page, split_docstring
from strongroom.cli._run import normalize
from tests.scenarios.command_line import run_in_process


def pages() -> Iterator[tuple[str, App]]:
    root = build()
    for command in COMMANDS:
        app = root[command.name]
        yield command.name, app
        for name in app:
            if not name.startswith("-"):
                yield f"{command.name} {name}", app[name]


PAGES = dict(pages())


@pytest.mark.parametrize("chain", PAGES)
def test_a_help_page_ends_with_examples(chain: str) -> None:
    outcome = run_in_process([*chain.split(), "--help"])
    assert outcome.code == 0
    assert outcome.stderr == ""
    lines = outcome.text.splitlines()
    start = lines.index("Examples:")
    assert lines[start + 1 :]
    assert all(not line or line.startswith("  ") for line in lines[start + 1 :])
    assert examples_of(PAGES[chain])


@pytest.mark.parametrize("chain", PAGES)
@pytest.mark.parametrize("width", [80, 120])
def test_a_help_page_fits_the_window(chain: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run_in_process([*chain.split(), "--help"]).text.splitlines()
    assert [line for line in lines if len(line) > width] == []


@pytest.mark.parametrize("chain", PAGES)
def test_every_example_parses(chain: str) -> None:
    for line in examples_of(PAGES[chain]):
        for command in split_pipeline(line.removeprefix("$ ")):
            words = shlex.split(command, comments=True)
            if words[0] == "strongroom":
                build().parse_args(normalize(words[1:]), print_error=False, exit_on_error=False)


def split_pipeline(line: str) -> list[str]:
    """Cut a line of examples at its pipes and drop what is redirected."""
    words = shlex.split(line, comments=True)
    commands: list[list[str]] = [[]]
    skip = False
    for word in words:
        if word in {"<", ">"}:
            skip = True
        elif word == "|":
            commands.append([])
        elif skip:
            skip = False
        else:
            commands[-1].append(word)
    return [shlex.join(command) for command in commands]


@pytest.mark.parametrize("chain", PAGES)
def test_an_example_shows_its_own_command(chain: str) -> None:
    assert all(f"strongroom {chain}" in line for line in examples_of(PAGES[chain]))


@pytest.mark.parametrize("chain", PAGES)
def test_every_option_is_explained(chain: str) -> None:
    app = PAGES[chain]
    if app.default_command is None:
        return
    silent = [a.name for a in app.assemble_argument_collection() if a.show and not a.parameter.help]
    assert silent == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_overview_repeats_the_first_line_of_the_page(command: object) -> None:
    name, text = getattr(command, "name"), getattr(command, "help")  # noqa: B009  # typed as object by ids=
    assert PAGES[name].help.partition("\n\n")[0].replace("\n", " ") == text


@pytest.mark.parametrize("chain", PAGES)
def test_every_command_takes_the_shared_options(chain: str) -> None:
    app = PAGES[chain]
    if app.default_command is None:
        return
    names = {name for argument in app.assemble_argument_collection() for name in argument.names}
    assert {"--json", "--home", "--yes", "--debug", "--passphrase-file"} <= names


def test_no_option_takes_a_secret_as_its_value() -> None:
    for chain, app in PAGES.items():
        if app.default_command is None:
            continue
        for argument in app.assemble_argument_collection():
            for name in argument.names:
                secret = {"passphrase", "password", "secret", "key", "token"} & set(name.split("-"))
                takes_a_value = argument.token_count()[0] > 0
                assert not secret or name.endswith("-file") or not takes_a_value, f"{chain} {name}"


def test_the_overview_groups_commands_by_who_uses_them() -> None:
    text = run_in_process(["--help"]).text
    both, owner, partner = (text.index(title) for title in ("Owner and partner:", "Owner:", "Partner:"))
    assert both < text.index("  verify ") < owner < text.index("  seal ") < partner < text.index("  predict ")


def test_no_arguments_show_the_overview() -> None:
    assert run_in_process([]).text == run_in_process(["--help"]).text


def test_help_is_plain_in_a_pipe() -> None:
    assert "\x1b" not in run_in_process(["--help"]).text


def test_a_docstring_is_split_into_description_and_sections() -> None:
    def function() -> None:
        """Do it.

        At length.

        Examples:
            $ strongroom do    # once
                more

        Raises:
            Error: it cannot.
        """

    description, sections = split_docstring(function)
    assert description == "Do it.\n\nAt length."
    assert sections == {
        "Examples:": "  $ strongroom do    # once\n      more",
        "Raises:": "  Error: it cannot.",
    }
    assert split_docstring(lambda: None) == ("", {"Examples:": ""})


def test_a_page_keeps_its_own_text() -> None:
    def function() -> None:
        """Do it.

        At length.
        """

    command = page(function, "do")
    command.help = "One line."
    assert command.help == "Do it.\n\nAt length."
    bare = Page(name="bare")
    assert bare.help == ""
    bare.help = "One line."
    assert bare.help == "One line."
