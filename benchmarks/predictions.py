"""What a prediction costs through runtime and worker, against the same library in the caller's process.

    .venv/bin/python -m benchmarks.predictions

A gradient boosting classifier of 100 trees as ONNX, 30 features, onnxruntime with its
defaults on both sides; the answers are compared before anything is timed. One row and a
thousand rows, in turn; then the time from nothing to the first answer, each in a process
of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.timing import header, row

ONE, MANY = 1, 1000
CALLS, STARTS = 1000, 7


def _prepare(folder: Path) -> tuple[Path, Path]:
    """Train, seal, grant and accept; returns the plain model and the partner's home."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from strongroom.accepting import accept, pull, read_offer
    from strongroom.enrolling import approve, confirm, invite, join, receive
    from strongroom.founding import found
    from strongroom.granting import grant
    from strongroom.sealing import seal

    rows, labels = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), GradientBoostingClassifier(random_state=0)).fit(rows, labels)
    model = folder / "risk.onnx"
    graph = to_onnx(pipeline, rows[:1].astype(np.float32), options={"zipmap": False})
    model.write_bytes(graph.SerializeToString())
    now = datetime.now(UTC).replace(microsecond=0)
    owner = found("owner", folder / "owner", now=now)
    partner = found("partner", folder / "partner", now=now, owner=False)
    joined = join(partner, invite(owner, "partner", expires_at=now + timedelta(days=1), now=now), now=now)
    approve(owner, receive(owner, joined.file, now=now), joined.fingerprint)
    confirm(partner, joined.owner, joined.fingerprint)
    seal(model, name="risk", home=owner)
    granted = grant(owner, "partner", "risk", now=datetime.now(UTC).replace(microsecond=0))
    accept(partner, read_offer(partner, granted.file), now=datetime.now(UTC).replace(microsecond=0))
    pull(partner, granted.package_path)
    return model, partner.path


def _plain(model: Path) -> Callable[[Any], Any]:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda rows: session.run(None, {name: rows})[1]


def _median(call: Callable[[], object], calls: int) -> float:
    walls = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        walls.append(time.perf_counter() - start)
    return statistics.median(walls) * 1e6


def _first_answer(kind: str, model: str, home: str) -> None:
    import numpy as np

    rows = np.zeros((1, 30), np.float32)
    if kind == "plain":
        _plain(Path(model))(rows)
        return
    import strongroom

    with strongroom.open("risk", home=home) as opened:
        opened.predict_proba(rows)


def main() -> None:
    """Print two tables."""
    import numpy as np

    import strongroom

    with tempfile.TemporaryDirectory() as name:
        model, home = _prepare(Path(name))
        plain = _plain(model)
        rng = np.random.default_rng(7)
        header("rows", "in process, us", "through strongroom, us", "added, us", "ratio")
        with strongroom.open("risk", home=home) as sealed:
            for count in (ONE, MANY):
                rows = rng.normal(size=(count, 30)).astype(np.float32)
                assert np.array_equal(plain(rows), sealed.predict_proba(rows))
                calls = CALLS if count == ONE else CALLS // 10
                ours = _median(lambda rows=rows: sealed.predict_proba(rows), calls)  # type: ignore[misc] # bound now
                theirs = _median(lambda rows=rows: plain(rows), calls)  # type: ignore[misc] # bound now
                row(count, f"{theirs:.0f}", f"{ours:.0f}", f"{ours - theirs:.0f}", f"{ours / theirs:.2f}")
        print()
        walls: dict[str, list[float]] = {"plain": [], "sealed": []}
        for _ in range(STARTS):
            for kind, found in walls.items():
                command = [sys.executable, "-m", "benchmarks.predictions", kind, str(model), str(home)]
                start = time.perf_counter()
                subprocess.run(command, check=True)
                found.append(time.perf_counter() - start)
        plain_wall, sealed_wall = (statistics.median(found) for found in walls.values())
        header("from nothing to the first answer", "seconds", "ratio")
        row("onnxruntime in process", f"{plain_wall:.2f}", "")
        row("strongroom", f"{sealed_wall:.2f}", f"{sealed_wall / plain_wall:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _first_answer(*sys.argv[1:])
    else:
        main()
