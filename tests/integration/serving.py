"""``strongroom run`` as a process of its own, and a clinic whose model it serves.

with served(licensed(folder), "--listen", "127.0.0.1:0") as server:
    status, answer = server.infer(ROWS)
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from strongroom.license.period import Period
from strongroom.license.terms import Predictions
from tests.integration.parties import Parties
from tests.integration.programs import children_of

DATA = load_breast_cancer()
ROWS = DATA.data[:20, :6].astype(np.float32)
MODEL = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(DATA.data[:, :6], DATA.target)
LIMIT = 400
"""Predictions of the license."""


def licensed(folder: Path) -> Parties:
    terms = [Predictions(limit=LIMIT, per=Period.TOTAL)]
    return Parties.make(folder, MODEL, sample=DATA.data[:20, :6], convert="onnx", terms=terms)


class Served:
    """One running server."""

    def __init__(self, process: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self.process = process
        self.said = said
        self.log = ""
        """What it wrote to stderr; known when it has ended."""
        self.port = 0 if said["socket"] else int(said["url"].rpartition(":")[2])

    @property
    def headers(self) -> dict[str, str]:
        name, _, value = Path(self.said["header_file"]).read_text("ascii").strip().partition(": ")
        return {name: value}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, data, self.headers | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def infer(self, rows: Any = ROWS) -> tuple[int, Any]:
        given = {
            "name": "input", "shape": list(rows.shape), "datatype": "FP32", "data": rows.reshape(-1).tolist()
        }  # fmt: skip
        body = {"inputs": [given], "outputs": [{"name": "probabilities"}]}
        return self.ask("POST", "/v2/models/risk/infer", body)

    @property
    def worker(self) -> int:
        (supervisor,) = children_of(self.process.pid)
        (worker,) = children_of(supervisor)
        return worker


@contextmanager
def served(parties: Parties, *options: str) -> Iterator[Served]:
    home = ["--home", str(parties.clinic.path), "--json"]
    command = [sys.executable, "-m", "strongroom", *home, "run", "risk", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] not in ("}\n", ""):
            lines.append(process.stdout.readline())
        try:
            server = Served(process, json.loads("".join(lines)))
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            try:
                log = process.communicate(timeout=60)[1]
            finally:
                process.kill()
        server.log = log
