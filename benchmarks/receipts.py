"""The price of a receipt: what the supervisor does more for an answer that is asked with one.

    .venv/bin/python -m benchmarks.receipts

Rows of 30 numbers (FP64) in, one label (INT64) out, as a tabular model has them. ``sign`` is all that the
supervisor does: salts, commitments, tree, document, signature. ``check`` is what the client does with
it: the same commitments again. ``verify`` is a stranger's whole check. The limit is one P-256 signature by
the same library, and for each row three SHA-256 over as many bytes, as plain as Python can. All times
are CPU time of this process, so that they mean something where others are busy too.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.timing import ROUNDS, busy_elsewhere, header, row
from strongroom.crypto.signature import SigningSecret
from strongroom.receipts.verifying import verify_receipts
from strongroom.worker.frames import Tensor
from strongroom.worker.messages import Answer
from strongroom.worker.receipts import receipts_of
from strongroom.worker.tensor import from_array
from tests.unit.metering.counting import Counting, counting_in
from tests.unit.runtime.processes import signer_of
from tests.unit.runtime.world import NOW

SIZES = (1, 10, 100, 1_000, 10_000)
COLUMNS = 30
TARGET_SINGLE_MICROSECONDS = 60
TARGET_BATCHED_MICROSECONDS = 5
_AUTHORITY = "off-" + "a" * 24


def micros(call: Callable[[], object], rows: int, seconds: float = 0.1) -> tuple[float, float]:
    """Return the best and the median CPU time for each row, in microseconds, of loops of this length."""
    began = time.process_time()
    call()
    count = max(1, int(seconds / max(time.process_time() - began, 1e-6)))
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            call()
        times.append((time.process_time() - began) / count * 1e6 / rows)
    return min(times), statistics.median(times)


def bare(given: Tensor, left: Tensor, rows: int, secret: SigningSecret) -> Callable[[], object]:
    """Return the least that anybody does: one signature, and three digests for each row."""
    wide, narrow = len(given.data) // rows + 150, len(left.data) // rows + 150
    before, after, leaf = bytes(wide), bytes(narrow), bytes(190)
    token = bytes(900)

    def work() -> None:
        for _ in range(rows):
            hashlib.sha256(before).digest()
            hashlib.sha256(after).digest()
            hashlib.sha256(leaf).digest()
        secret.sign(token)

    return work


def main() -> None:
    """Print the tables."""
    secret = SigningSecret.generate()
    best, median = micros(lambda: secret.sign(bytes(900)), 1)
    print(f"One P-256 signature over 900 bytes: best {best:.1f} us, median {median:.1f} us")
    print(f"Load average {os.getloadavg()[0]:.1f}; CPU time for each row, of seven loops\n")
    header("rows", "sign, best", "median", "target", "to bare", "check", "verify", "other")
    with tempfile.TemporaryDirectory() as folder:
        counting = counting_in(Path(folder))
        for rows in SIZES:
            measure_batch(counting, rows, secret)


def measure_batch(counting: Counting, rows: int, secret: SigningSecret) -> None:
    """Print the line of one size."""
    world, signer = counting.world, signer_of(counting)
    warrant = world.warrant
    given = from_array("X", np.random.default_rng(rows).normal(size=(rows, COLUMNS)))
    left = from_array("label", np.arange(rows, dtype=np.int64))

    def sign() -> tuple[str, str]:
        return signer.sign([given], [left], method="predict", predictions=rows, authority=_AUTHORITY, now=NOW)

    token, salt = sign()
    answer = Answer(id=1, receipt=token, salt=salt)
    file, _ = receipts_of(warrant, answer, [given], [left])
    with busy_elsewhere() as other:
        signed = micros(sign, rows)
        limit = micros(bare(given, left, rows, secret), rows)
        checked = micros(lambda: receipts_of(warrant, answer, [given], [left]), rows)
        verified = micros(lambda: verify_receipts(file, world.owner.id), rows)
    target = TARGET_SINGLE_MICROSECONDS if rows == 1 else TARGET_BATCHED_MICROSECONDS
    cells = [f"{value:.1f} us" for value in (*signed, target)]
    rest = [f"{value:.1f} us" for value in (checked[1], verified[1])]
    row(f"{rows:,}", *cells, f"{signed[1] / limit[1]:.2f}", *rest, f"{other():.1f}")


if __name__ == "__main__":
    main()
