"""``--json`` on every command: one document on stdout, whatever happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strongroom.cli._app import COMMANDS, build
from tests.scenarios.command_line import run_in_process
from tests.unit.cli.conftest import Scene, license_in

ROOT = build()
CHAINS = [
    [command.name, *inner]
    for command in COMMANDS
    for inner in ([[n] for n in ROOT[command.name] if not n.startswith("-")] or [[]])
    if command.name != "demo"
]


@pytest.mark.parametrize("chain", CHAINS, ids=" ".join)
@pytest.mark.parametrize(
    "words", [[], ["x", "y", "z"], ["--nonsense"]], ids=["nothing", "too-much", "unknown"]
)
def test_every_failure_is_one_document(chain: list[str], words: list[str], tmp_path: Path) -> None:
    outcome = run_in_process([*chain, *words, "--json", "--home", str(tmp_path / "none")])
    document = json.loads(outcome.stdout)
    if outcome.code:
        assert document["error"].keys() == {"code", "message", "hint"} or "checks" in document
        assert outcome.stderr == ""
    assert outcome.text.count("\n}\n") == 1


def test_every_success_is_one_document(scene: Scene, tmp_path: Path) -> None:
    folder = scene.grant("--right", "predict", "--right", "export", "--right", "sublicense")
    hospital, clinic, package = scene.hospital, scene.clinic, folder / "risk-1.0.0.sealed"
    accepted = clinic.run("accept", folder, "--fingerprint", scene.fingerprint, "--yes", "--json")
    identity = license_in(accepted)
    outcomes = [
        accepted,
        *(
            hospital.run(*words, "--json")
            for words in (
                ("invite", "north"),
                ("partner", "list"),
                ("partner", "suspend", "clinic"),
                ("partner", "approve", "clinic"),
                ("grant", "clinic", "risk", "-o", "-"),
                ("grant", "clinic", "risk", "--into", tmp_path / "out"),
                ("license", "list"),
                ("license", "show", identity, "--agreement"),
                ("license", "withdraw-version", "risk@1.0.0", "--reason", "x", "--into", tmp_path / "w"),
                ("owner", "show", "-o", tmp_path / "hospital.owner"),
                ("seal", scene.model, "--name", "other"),
                ("verify", package),
                ("inspect", package),
                # Last: what was sealed within this second would no longer verify.
                ("owner", "rotate", "--renew", "package"),
            )
        ),
        *(
            clinic.run(*words, "--json")
            for words in (
                ("join", hospital.path("clinic.invite")),
                ("models",),
                ("open", "risk"),
                ("predict", "risk", scene.table, "--id-column", "patient"),
                ("predict", "risk", scene.table, "--id-column", "patient", "-o", tmp_path / "a.csv"),
                ("export", "risk", tmp_path / "plain"),
                ("license", "narrow", identity, scene.enrollment, "--fingerprint", scene.fingerprint),
                ("completion", "bash"),
                ("env",),
                ("version",),
            )
        ),
    ]
    for outcome in outcomes:
        assert isinstance(json.loads(outcome.stdout), dict)
        assert outcome.stderr == ""
