"""What the command line claims, each as an attack that would succeed if the claim were false."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strongroom._encoding import from_json_value
from strongroom.cli._app import COMMANDS, build
from strongroom.errors import FormatError
from strongroom.keys.text import KeyKind
from strongroom.package.contents import Contents
from tests.scenarios.command_line import run_in_process
from tests.scenarios.model import write_model

NAME = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe"


def strongroom(*words: object, home: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "strongroom", *map(str, words), "--home", str(home)],
        input=stdin,
        capture_output=True,
        check=False,
    )


def test_a_hostile_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Names in a stranger's file cannot move the cursor, retitle the window or reverse the text."""
    statement = {
        "predicateType": NAME,
        "predicate": {"resources": [{"algorithm": NAME, "digest": NAME, "name": NAME}]},
    }
    bundle = {
        "mediaType": NAME,
        "dsseEnvelope": {"payload": base64.b64encode(json.dumps(statement).encode()).decode()},
    }
    path = tmp_path / "evil.sig"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    for words in (
        ["inspect", str(path)],
        ["inspect", NAME],
        [NAME],
        ["open", NAME],
        ["version", f"--{NAME}"],
    ):
        outcome = run_in_process([*words, "--home", str(tmp_path)])
        shown = outcome.text + outcome.stderr
        assert shown
        assert all(character == "\n" or character.isprintable() for character in shown)


def test_yes_never_approves_a_partner_or_an_owner(tmp_path: Path) -> None:
    """An automated run with --yes everywhere ends with nobody trusted and nothing granted."""
    hospital, clinic, model = tmp_path / "hospital", tmp_path / "clinic", write_model(tmp_path)[0]
    strongroom("init", "hospital", home=hospital)
    strongroom("init", "clinic", home=clinic)
    strongroom("seal", model, "--name", "risk", home=hospital)
    invite = strongroom("invite", "clinic", "--yes", home=hospital).stdout
    enrollment = strongroom("join", "-", "--yes", home=clinic, stdin=invite).stdout
    approve = strongroom("partner", "approve", "-", "--yes", home=hospital, stdin=enrollment)
    grant = strongroom("grant", "clinic", "risk", "--yes", "-o", "-", home=hospital)
    assert (approve.returncode, grant.returncode) == (2, 2)
    assert grant.stdout == b""
    partners = json.loads(strongroom("partner", "list", "--json", home=hospital).stdout)["partners"]
    assert [partner["status"] for partner in partners] == ["pending"]
    owner = json.loads(strongroom("owner", "show", "hospital", "--json", home=clinic).stdout)
    assert owner["status"] == "pending"


def test_a_passphrase_is_never_in_the_process_list(tmp_path: Path) -> None:
    """Other users can read the arguments and, as root, the environment of a running command."""
    secret = "seven maple trams orbit quietly"
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom", "init", "hospital", "--encrypt", "--passphrase-file", "-",
         "--home", str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(secret.encode() + b"\n")
    process.stdin.flush()
    time.sleep(0.05)
    seen = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    process.stdin.close()
    assert process.wait() == 0
    assert secret.encode() not in seen
    assert not any(secret in part for part in seen.decode("utf-8", "replace").split("\0"))


@pytest.mark.parametrize(
    "secret", ["--passphrase", "--passphrase=hunter2", "--password", "--key", "--secret"]
)
def test_there_is_no_flag_that_takes_a_secret(secret: str, tmp_path: Path) -> None:
    for command in COMMANDS:
        outcome = run_in_process([command.name, secret, "hunter2", "--home", str(tmp_path)])
        assert outcome.code == 2
        assert "hunter2" not in outcome.text


def test_no_command_prints_a_secret_key(tmp_path: Path) -> None:
    """Every command that only shows things is run in homes full of keys; none is in what it shows."""
    hospital, clinic, (model, table) = tmp_path / "hospital", tmp_path / "clinic", write_model(tmp_path)
    run_in_process(["init", "hospital", "--home", str(hospital)])
    run_in_process(["init", "clinic", "--home", str(clinic)])
    run_in_process(["seal", str(model), "--name", "risk", "--home", str(hospital)])
    invite = run_in_process(["invite", "clinic", "--home", str(hospital)]).stdout
    run_in_process(["join", "-", "--home", str(clinic)], stdin=invite)
    secrets = [
        path.read_text(encoding="ascii").splitlines()[-1].rpartition(".")[2]
        for home in (hospital, clinic)
        for path in (home / "keys").rglob("*.key")
    ]
    assert len(secrets) >= len(KeyKind) - 2
    shown = b""
    for home in (hospital, clinic):
        lines = [["doctor"], ["env"], ["models"], ["license", "list"], ["partner", "list"], ["owner", "show"]]
        lines += [["inspect", str(path)] for path in home.rglob("*") if path.is_file()]
        lines += [["predict", "risk", str(table)], ["seal", str(home / "keys"), "--name", "x"]]
        for line in lines:
            for more in ([], ["--json"], ["--debug"]):
                outcome = run_in_process([*line, *more, "--home", str(home)])
                shown += outcome.stdout + outcome.stderr.encode()
    assert not [secret for secret in secrets if secret.encode() in shown]
    assert b"-secret." not in shown


def test_no_message_repeats_a_patient(tmp_path: Path) -> None:
    """Whatever is wrong with a table, the error names columns and rows and never a value."""
    patient = "Ada-Lovelace-1815"
    table = tmp_path / "patients.csv"
    home = tmp_path / "home"
    run_in_process(["init", "clinic", "--home", str(home)])
    for content in (
        f"name,age\n{patient}\n",
        f'name,age\n"{patient},61\n',
        f"name,name\n{patient},61\n",
        f"name,age\n{patient},61\n",
    ):
        table.write_text(content, encoding="utf-8")
        for more in ([], ["--debug"], ["--json"]):
            outcome = run_in_process(["predict", "risk", str(table), "--home", str(home), *more])
            assert outcome.code in {2, 3}
            assert patient not in outcome.text + outcome.stderr


def test_no_arguments_end_in_a_traceback() -> None:
    """Every command, with nothing, with nonsense and with too much, ends with a sentence and a code."""
    chains = [[command.name] for command in COMMANDS if command.name != "demo"]
    root = build()
    for command in COMMANDS:
        chains += [[command.name, inner] for inner in root[command.name] if not inner.startswith("-")]
    for chain in chains:
        for words in (
            [],
            ["nonsense"],
            ["a", "b", "c", "d", "e"],
            ["--nonsense"],
            ["--home", "/nowhere/at/all"],
        ):
            if (chain, words) == (["broker", "run"], []):
                # Nothing is wrong with that: where an earlier line made a home, it serves for ever.
                continue
            outcome = run_in_process([*chain, *words])
            assert outcome.code in {0, 1, 2, 3}, (chain, words, outcome)
            assert "Traceback" not in outcome.stderr
            assert "[unexpected]" not in outcome.stderr, (chain, words, outcome)


def test_a_terminal_gets_no_color_if_it_asks_for_none() -> None:
    """On a real pseudo-terminal, with NO_COLOR, not one color sequence is sent."""
    for command in (["--help"], ["version", "--nonsense"], ["doctor"]):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "strongroom", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color", "STRONGROOM_HOME": "/nowhere"},
        )
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 65536):
                shown += chunk
        except OSError:
            # Linux answers the end of a pseudo-terminal with an input error.
            assert shown
        finally:
            os.close(master)
        process.wait()
        assert b"\x1b[3" not in shown
        assert b"\x1b[9" not in shown
        assert b"38;" not in shown


def test_answers_of_a_hostile_model_cannot_drive_the_terminal() -> None:
    """A class label is an answer: on a screen its control characters are spelled out, in a file they stay."""
    program = f"from strongroom.cli._terminal import Terminal; Terminal().data({('label' + NAME).encode()!r})"
    piped = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert piped == ("label" + NAME).encode()
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave)
    process.wait()
    os.close(slave)
    shown = os.read(master, 65536)
    os.close(master)
    assert shown.startswith(b"label")
    assert b"\x1b" not in shown
    assert b"\x07" not in shown
    assert "\u202e".encode() not in shown


def test_a_package_names_nothing_that_could_drive_a_terminal() -> None:
    schema = {"inputs": [], "outputs": [], "classes": ["ok", "\x1b[2J"], "methods": ["predict"]}
    for member, value in (("classes", ["ok", NAME]), ("columns", [NAME]), ("methods", [NAME])):
        hostile = {**schema, "classes": ["ok"], member: value}
        contents = {
            "bom": {},
            "files": [{"name": "m.onnx", "sha256": "0" * 64, "size": 1}],
            "format": "v1-draft",
            "loader": {"entry": "m.onnx", "name": "onnx"},
            "schema": {key: each for key, each in hostile.items() if each or key in ("inputs", "outputs")},
        }
        with pytest.raises(FormatError) as caught:
            from_json_value(contents, Contents).verify()
        assert caught.value.code == "schema"
