"""The rules that `cli/_terminal.py` opens with, one test for each."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli._terminal import Terminal
from strongroom.cli._text import printable
from strongroom.errors import ObjectNotFound, UsageError


class Stream(io.TextIOWrapper):
    def __init__(self, content: str = "", *, terminal: bool = False) -> None:
        self.raw_bytes = io.BytesIO(content.encode())
        self.terminal = terminal
        super().__init__(self.raw_bytes, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self.terminal

    @property
    def content(self) -> str:
        return self.raw_bytes.getvalue().decode()


def make(*, json: bool = False, typed: str = "", terminal: bool = False) -> tuple[Terminal, Stream, Stream]:
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    return (
        Terminal(json=json, stdin=Stream(typed, terminal=terminal), stdout=out, stderr=err),
        out,
        err,
    )


def test_a_result_goes_to_stdout_and_a_note_to_stderr() -> None:
    terminal, out, err = make()
    terminal.result({"a": 1}, "the result")
    terminal.note("a note")
    terminal.warning("careful")
    assert out.content == "the result\n"
    assert err.content == "a note\nstrongroom: warning: careful\n"


def test_json_is_one_document_and_replaces_the_text() -> None:
    terminal, out, _ = make(json=True)
    terminal.result({"name": "Zürich\x1b"}, "the result")
    assert json.loads(out.content) == {"name": "Zürich\x1b"}
    assert out.content.isascii()


def test_an_error_has_its_code_and_its_hint_on_stderr() -> None:
    terminal, out, err = make()
    terminal.error(ObjectNotFound("there is no model x", hint="see `strongroom models`"))
    assert out.content == ""
    assert err.content == (
        "strongroom: error: there is no model x [not-found]\nstrongroom: hint: see `strongroom models`\n"
    )


def test_an_error_under_json_is_a_document_on_stdout_and_nothing_else() -> None:
    terminal, out, err = make(json=True)
    terminal.error(UsageError("no", code="nope"))
    assert json.loads(out.content) == {"error": {"code": "nope", "message": "no", "hint": None}}
    assert err.content == ""


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\rb", "\u202eevil", "\x9b31m", "a\x08", "\u200b", "\x07"])
def test_control_characters_are_spelled_out(hostile: str) -> None:
    shown = printable(hostile)
    assert shown.isprintable()
    assert "\\" in shown


def test_letters_of_every_language_stay() -> None:
    assert printable("Zürich, 東京, Αθήνα\nnext line") == "Zürich, 東京, Αθήνα\nnext line"


@given(st.text())
def test_nothing_that_is_shown_can_control_a_terminal(text: str) -> None:
    assert all(character == "\n" or character.isprintable() for character in printable(text))


def test_nothing_is_asked_without_a_terminal() -> None:
    terminal, _, err = make(typed="y\n")
    with pytest.raises(UsageError, match="without a terminal") as caught:
        terminal.confirm("Really?", yes=False)
    assert caught.value.code == "no-terminal"
    assert "--yes" in str(caught.value.hint)
    assert err.content == ""


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False), ("yup\n", False)]
)
def test_a_question_is_answered_on_a_terminal(typed: str, agreed: bool) -> None:
    terminal, out, err = make(typed=typed, terminal=True)
    assert terminal.confirm("Really?", yes=False) is agreed
    assert out.content == ""
    assert err.content == "Really? [y/N] "


def test_yes_answers_without_asking() -> None:
    terminal, _, err = make()
    assert terminal.confirm("Really?", yes=True)
    assert err.content == ""


def test_the_end_of_the_input_is_an_interruption() -> None:
    terminal, _, _ = make(terminal=True)
    with pytest.raises(KeyboardInterrupt):
        terminal.ask("Name? ", instead="--name")


def test_a_secret_is_not_asked_without_a_terminal() -> None:
    terminal, _, _ = make(typed="secret\n")
    with pytest.raises(UsageError, match="without a terminal"):
        terminal.ask_secret("Pass-phrase: ", instead="--passphrase-file")


def test_a_table_in_a_pipe_has_whole_lines() -> None:
    terminal, out, _ = make()
    terminal.table({}, ["name", "path"], [["risk", "x" * 300], ["\x1b[31mred", "[bold]y"]], empty="none")
    lines = out.content.splitlines()
    assert lines[0].split() == ["NAME", "PATH"]
    assert lines[1].endswith("x" * 300)
    assert lines[2].split() == ["\\x1b[31mred", "[bold]y"]
    assert "\x1b" not in out.content


def test_an_empty_table_is_no_data() -> None:
    terminal, out, err = make()
    terminal.table({}, ["name"], [], empty="there are no models")
    assert out.content == ""
    assert err.content == "there are no models\n"


def test_a_table_under_json_is_its_document() -> None:
    terminal, out, _ = make(json=True)
    terminal.table({"models": []}, ["name"], [], empty="none")
    assert json.loads(out.content) == {"models": []}


def test_a_table_on_a_terminal_fits_the_window() -> None:
    terminal, out, _ = make(terminal=True)
    terminal.table({}, ["name", "path"], [["risk", "x" * 300]], empty="none")
    visible = re.sub(r"\x1b\[[0-9;]*m", "", out.content)
    assert all(len(line) <= 100 for line in visible.splitlines())
    assert out.content.count("x") == 300


def test_progress_is_silent_without_a_terminal() -> None:
    terminal, out, err = make()
    with terminal.progress("sealing") as advance:
        advance(1, 2)
    assert out.content == err.content == ""


def test_progress_shows_on_stderr_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal, out, err = make(terminal=True)
    with terminal.progress("sealing") as advance:
        advance(1 << 20, 2 << 20)
    assert out.content == ""
    assert "sealing" in err.content


def test_bytes_pass_unchanged() -> None:
    terminal, out, _ = make()
    terminal.data(b"\x00\xff")
    assert out.raw_bytes.getvalue() == b"\x00\xff"
    assert not terminal.shows_data_to_a_person


def test_stdin_is_read_as_bytes() -> None:
    terminal, _, _ = make(typed="a,b\n")
    assert terminal.read_stdin() == b"a,b\n"


def test_a_story_is_told_in_a_style_on_a_terminal_only() -> None:
    terminal, out, _ = make()
    terminal.say("$ strongroom [demo]", style="bold")
    assert out.content == "$ strongroom [demo]\n"
    terminal, out, _ = make(terminal=True)
    terminal.say("$ strongroom [demo]", style="bold")
    assert "$ strongroom [demo]" in out.content


def test_fields_wrap_under_their_own_beginning_on_a_terminal() -> None:
    terminal, out, _ = make(terminal=True)
    terminal.fields({}, [("label", "word " * 40), ("x", "y")], heading="title")
    lines = out.content.splitlines()
    assert lines[:2] == ["title", ""]
    assert lines[3].startswith("       word")
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "x      y"


def test_fields_in_a_pipe_have_whole_lines() -> None:
    terminal, out, _ = make()
    terminal.fields({}, [("label", "word " * 40)])
    assert out.content == f"label  {('word ' * 40).rstrip()}\n"


def test_a_dumb_terminal_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal, _, err = make(terminal=True)
    with terminal.progress("sealing") as advance:
        advance.advance(1)
    assert err.content == ""
