"""The demo: it holds, it shows what it runs, and it would say so if something did not hold."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from strongroom.cli._app import build
from strongroom.cli._run import normalize
from strongroom.cli._terminal import Terminal
from strongroom.cli.demo import NEEDED, report
from strongroom.cli.demo.stage import STOPPED, Line, Stage
from strongroom.cli.doctor import library
from strongroom.errors import Error
from tests.measuring import programs_unmeasured
from tests.scenarios.command_line import Outcome, run_in_process

ROOT = Path(__file__).parents[4]
REFUSALS = (
    "granting while the broker is down",
    "predict when the predictions of the grace time are used up",
    "the competitor accepts the clinic's license",
    "the competitor asks the broker for the clinic's license",
    "the competitor's key on the clinic's files",
    "a revoked license",
    "an edited license",
    "an expired license",
    "one flipped byte",
    "an unsigned package",
    "another owner's signature under the right name",
    "a plain model in place of the sealed one",
    "the older version after the newer one",
)


def test_it_asks_for_what_its_extra_brings_and_no_more() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (bundle,) = project["optional-dependencies"]["demo"]
    brought = bundle.removeprefix("strongroom[").removesuffix("]").split(",")
    assert set(NEEDED) == set(brought) & set(library.EXTRAS)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("demo") / "playground"
    # Seventy programs, each of which other tests measure.
    with programs_unmeasured():
        return run_in_process(["demo", "--keep", str(folder)]), folder


@pytest.mark.slow
def test_everything_holds(played: tuple[Outcome, Path]) -> None:
    outcome, _ = played
    assert outcome.code == 0, outcome.text
    assert "Everything held." in outcome.text
    assert "FAILED" not in outcome.text


@pytest.mark.slow
def test_every_refusal_of_the_list_is_tried(played: tuple[Outcome, Path]) -> None:
    table = " ".join(played[0].text.split("what was tried")[1].split())
    assert "bit for bit" in table
    for tried in REFUSALS:
        assert tried.split()[0] in table
    assert len(re.findall(r"\(exit code [1-9]\)", played[0].text)) == len(REFUSALS)


@pytest.mark.slow
def test_every_line_that_it_shows_can_be_typed_again(played: tuple[Outcome, Path]) -> None:
    lines = [line.removeprefix("$ strongroom ") for line in played[0].text.splitlines() if line[:2] == "$ "]
    assert len(lines) > 25
    for line in lines:
        words = shlex.split(line.partition(" > ")[0])
        build().parse_args(normalize(words), print_error=False, exit_on_error=False)


@pytest.mark.slow
def test_the_folder_stays_with_all_homes(played: tuple[Outcome, Path]) -> None:
    _, folder = played
    for home in ("hospital", "clinic", "ward", "competitor"):
        assert (folder / home / "home.json").is_file()
    assert run_in_process(["owner", "show", "hospital", "--home", str(folder / "clinic")]).code == 0
    assert run_in_process(["demo", "--keep", str(folder)]).code == 2


def stage(folder: Path, *, json: bool = False) -> Stage:
    return Stage(Terminal(json=json), folder)


def test_something_that_should_have_been_refused_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = stage(tmp_path)
    played.refused("a version", "version", exit_code=6, codes=("signature",))
    assert [line.held for line in played.lines] == [False]
    assert report.show(Terminal(), played) is False
    shown = capsys.readouterr().out
    assert "NOT as expected: it worked" in shown
    assert "1 of 1 did NOT hold" in shown


def test_a_refusal_for_another_reason_is_a_failure(tmp_path: Path) -> None:
    played = stage(tmp_path)
    played.refused("a model", "open risk --home nowhere", exit_code=3, codes=("unknown-model",))
    played.refused("a model", "open risk --home nowhere", exit_code=3, codes=("no-home",))
    assert [line.held for line in played.lines] == [False, True]


def test_a_step_that_does_not_work_stops_the_demo(tmp_path: Path) -> None:
    played = stage(tmp_path)
    with pytest.raises(Error) as caught:
        played.run("open risk --home nowhere")
    assert caught.value.code == STOPPED
    assert [(line.held, line.exit_code) for line in played.lines] == [(False, 3)]


def test_a_stopped_demo_ends_with_its_table_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(stage: Stage) -> None:
        stage.run("open risk --home nowhere", tried="open")

    monkeypatch.setattr("strongroom.cli.demo.story.play", stop)
    outcome = run_in_process(["demo", "--json", "--keep", str(tmp_path / "new")])
    assert outcome.code == 1
    assert outcome.json["held"] is False
    assert outcome.json["lines"][0]["exit_code"] == 3


def test_another_error_of_the_demo_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(stage: Stage) -> None:
        raise Error("broken", code="other")

    monkeypatch.setattr("strongroom.cli.demo.story.play", fail)
    outcome = run_in_process(["demo"])
    assert (outcome.code, "[other]" in outcome.stderr) == (1, True)


def test_a_comparison_that_fails_is_a_failure(tmp_path: Path) -> None:
    played = stage(tmp_path)
    played.compare("they are equal", lambda: "a label differs")
    played.compare("they are equal", lambda: None)
    assert [(line.happened, line.held) for line in played.lines] == [
        ("a label differs", False),
        ("yes", True),
    ]


def test_the_environment_of_the_caller_chooses_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "mine"))
    outcome = stage(tmp_path).run("env")
    assert "from STRONGROOM_HOME" not in outcome.text


def test_under_json_there_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    played = stage(tmp_path, json=True)
    played.act("title")
    played.remark("remark")
    played.run("version", tried="the version")
    assert capsys.readouterr().out == ""
    assert report.show(Terminal(json=True), played)


def test_missing_libraries_are_named_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "version_of", lambda name: None if name == "skl2onnx" else "1")
    outcome = run_in_process(["demo"])
    assert outcome.code == 2
    assert "skl2onnx" in outcome.stderr
    assert "strongroom[demo]" in outcome.stderr


def test_the_table_marks_what_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    played = stage(tmp_path)
    played.lines += [Line("good", "worked", True, 0.5, 0), Line("bad", "it [worked]", False, 0.25, 0)]
    assert not report.show(Terminal(), played)
    shown = capsys.readouterr().out
    assert "it [worked]" in shown
    assert "FAILED" in shown


def test_a_server_that_does_not_start_stops_the_demo(tmp_path: Path) -> None:
    with stage(tmp_path) as played, pytest.raises(Error) as caught:
        played.start("broker run --home nowhere", until="It answers")
    assert caught.value.code == STOPPED
    assert [line.held for line in played.lines] == [False]


def test_what_was_started_ends_with_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = [sys.executable, "-u", "-c", "import time; print('It answers'); time.sleep(60)"]
    monkeypatch.setattr("strongroom.cli.demo.stage._program", lambda words: goes_on)
    monkeypatch.setattr("strongroom.cli.demo.stage._START_SECONDS", 2)
    with stage(tmp_path) as played:
        server = played.start("broker run", until="It answers")
        assert server.wait_until("no such text") is False
        server.stop()
    server.stop()
