from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from strongroom.cli._app import COMMANDS
from tests.scenarios.command_line import run_in_process


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command(shell: str) -> None:
    script = run_in_process(["completion", shell]).text
    assert all(command.name in script for command in COMMANDS)
    assert "withdraw-version" in script
    assert run_in_process(["completion", shell, "--json"]).json == {"shell": shell, "script": script}


def test_bash_takes_its_script(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    script = tmp_path / "strongroom"
    script.write_bytes(run_in_process(["completion", "bash"]).stdout)
    subprocess.run([bash, "-n", script], check=True)


def test_an_unknown_shell_is_refused_with_the_choices() -> None:
    outcome = run_in_process(["completion", "csh"])
    assert outcome.code == 2
    assert "bash" in outcome.stderr


def test_install_writes_the_script_of_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    monkeypatch.setattr("cyclopts.completion.detect.detect_shell", lambda: "fish")
    outcome = run_in_process(["--install-completion"])
    assert outcome.code == 0
    assert Path(outcome.text.strip()).is_relative_to(tmp_path)
    assert "strongroom" in Path(outcome.text.strip()).read_text(encoding="utf-8")


def test_install_in_an_unknown_shell_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from cyclopts.completion.detect import ShellDetectionError

    def fail() -> str:
        raise ShellDetectionError

    monkeypatch.setattr("cyclopts.completion.detect.detect_shell", fail)
    outcome = run_in_process(["--install-completion"])
    assert (outcome.code, "[unknown-shell]" in outcome.stderr) == (2, True)
