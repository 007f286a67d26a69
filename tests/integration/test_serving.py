"""``strongroom run`` asked by programs of others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.integration.parties import Parties
from tests.integration.serving import ROWS, Served, licensed, served

CLIENTS = Path(__file__).parent.parent / "clients"


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return licensed(tmp_path_factory.mktemp("parties"))


@pytest.fixture(scope="module")
def server(parties: Parties) -> Iterator[Served]:
    with served(parties, "--listen", "127.0.0.1:0") as server:
        yield server


def test_answers_are_those_of_the_sdk(parties: Parties, server: Served) -> None:
    status, answer = server.infer()
    assert status == 200
    with parties.open() as model:
        expected = model.predict_proba(ROWS)
    (output,) = answer["outputs"]
    assert np.array(output["data"], np.float32).reshape(output["shape"]).tobytes() == expected.tobytes()


@pytest.mark.parametrize("program", ["triton_http", "kserve_rest"])
def test_clients_that_others_wrote(server: Served, program: str) -> None:
    python = Path(sys.prefix) / "clients" / program / "bin" / "python"
    assert python.exists(), "make clients installs it"
    done = subprocess.run(
        [
            python,
            CLIENTS / f"{program}.py",
            f"127.0.0.1:{server.port}",
            server.said["header_file"],
            "risk",
            "input",
        ],
        input=json.dumps(ROWS[:2].tolist()),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["live"]
    assert said["ready"]
    assert said["model_ready"]
    (output,) = server.infer(ROWS[:2])[1]["outputs"]
    for form in ("binary", "json"):
        assert said[form]["id"] == "7"
        assert np.array(said[form]["probabilities"], np.float32).reshape(-1).tolist() == output["data"]


def test_a_worker_that_is_killed_is_opened_again(server: Served) -> None:
    os.kill(server.worker, signal.SIGKILL)
    status, answer = server.infer()
    assert (status, answer["code"]) == (503, "worker-restarted")
    assert server.infer()[0] == 200


def test_a_budget_that_is_spent(parties: Parties, server: Served) -> None:
    rows = np.repeat(ROWS, 50, axis=0)
    status, answer = server.infer(rows)
    assert (status, answer["code"]) == (429, "predictions-used-up")


def test_what_was_not_used_is_given_back_at_the_end(tmp_path: Path) -> None:
    parties = licensed(tmp_path)
    with parties.open() as model:
        before = model.info.remaining
    with served(parties, "--listen", "127.0.0.1:0") as server:
        assert server.infer(ROWS[:3])[0] == 200
    assert server.process.returncode == 0
    with parties.open() as model:
        assert before is not None
        assert model.info.remaining == before - 3
