"""One runtime of a partner is suspended, and the others are left alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from strongroom.cli._broker import Line
from strongroom.cli._standing import find_runtime
from strongroom.errors import UsageError
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id
from tests.unit.cli.broker_fixture import scene
from tests.unit.cli.broker_scene import BrokerScene

__all__ = ["scene"]


def runtime_of(scene: BrokerScene) -> str:
    home = Home.open(scene.clinic.home)
    (owner,) = home.trust.all()
    return runtime_id(home.keys.device(owner.id).public)


def statuses(scene: BrokerScene) -> tuple[str, str]:
    (partner,) = scene.hospital.run("partner", "list", "--json").json["partners"]
    opened = scene.clinic.run("lease", "list", "--json", code=None)
    return partner["status"], "in" if opened.code == 0 else "out"


def test_one_runtime_is_suspended_and_resumed(scene: BrokerScene) -> None:
    scene.grant()
    scene.accept()
    runtime = runtime_of(scene)
    words = ("partner", "suspend", "clinic", "--runtime", runtime[:12], "--reason", "a laptop was stolen")
    told = scene.hospital.run(*words, "--json").json
    assert told == {"partner": "clinic", "runtime": runtime, "status": "suspended"}
    refused = scene.clinic.run("license", "checkout", "risk", code=None)
    assert "[runtime-suspended]" in refused.stderr
    # The partner itself goes on: its people, and other machines.
    assert statuses(scene) == ("approved", "in")
    resumed = scene.hospital.run("partner", "resume", "clinic", "--runtime", runtime)
    assert f"{runtime} of clinic is approved" in resumed.text
    assert "[runtime-suspended]" not in scene.clinic.run("license", "checkout", "risk", code=None).stderr


def test_the_runtime_must_be_of_that_partner(scene: BrokerScene) -> None:
    scene.approve()
    runtime = runtime_of(scene)
    for partner, word in (("clinic", "run-nothing"), ("other", runtime)):
        missing = scene.hospital.run("partner", "suspend", partner, "--runtime", word, code=3)
        assert "[unknown-runtime]" in missing.stderr


def test_a_beginning_that_several_have_is_none() -> None:
    runtimes = tuple(SimpleNamespace(runtime=f"run-ab{letter}") for letter in "cd")
    page = SimpleNamespace(partners=(SimpleNamespace(name="clinic", runtimes=runtimes),), next=None)
    line = cast("Line", SimpleNamespace(client=SimpleNamespace(partners=lambda **_: page)))
    with pytest.raises(UsageError) as caught:
        find_runtime(line, "clinic", "run-ab")
    assert caught.value.code == "ambiguous-runtime"
    assert find_runtime(line, "clinic", "run-abd") == "run-abd"
