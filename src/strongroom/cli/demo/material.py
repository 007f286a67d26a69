"""A real model and real patients: the Wisconsin breast-cancer data that scikit-learn ships.

    material = prepare(folder)
    material.labels, material.probabilities        # by plain onnxruntime, to compare with

Two versions of the model are trained on three quarters of the patients and exported to ONNX; the rest are
held out as the clinic's. The reference answers come from the same ONNX file under plain onnxruntime.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL_FILE = "risk.onnx"
NEWER_MODEL_FILE = "risk-2.onnx"
SAMPLE_FILE = "sample.csv"
PATIENTS_FILE = "patients.csv"
AGREEMENT_FILE = "agreement.txt"
ID_COLUMN = "patient"

_AGREEMENT = """\
Terms of use of the model "risk"

1. The clinic uses the answers of the model to support decisions, never in place of a doctor.
2. The clinic does not try to rebuild the model from its answers.
3. The hospital may not see any data of the clinic's patients.
"""


@dataclass(frozen=True, slots=True)
class Material:
    """What the demo compares with."""

    patients: int
    labels: Any
    """Shape (patients,), integers."""
    probabilities: Any
    """Shape (patients, 2), 32-bit floats."""
    accuracy: float
    """On the held-out patients, from 0 to 1."""


def prepare(folder: Path) -> Material:
    """Train, export and write all files into a folder.

    Raises:
        OSError: the folder cannot be written.
    """
    import numpy as np
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    data = load_breast_cancer(as_frame=True)
    known, held_out, outcome, held_outcome = train_test_split(data.data, data.target, random_state=0)
    (folder / MODEL_FILE).write_bytes(_train(known, outcome, trees=100))
    (folder / NEWER_MODEL_FILE).write_bytes(_train(known, outcome, trees=150))
    (folder / AGREEMENT_FILE).write_text(_AGREEMENT, encoding="utf-8")
    known.head(20).to_csv(folder / SAMPLE_FILE, index=False)
    patients = held_out.reset_index(drop=True)
    patients.insert(0, ID_COLUMN, [f"P{number:04}" for number in range(len(patients))])
    patients.to_csv(folder / PATIENTS_FILE, index=False)
    labels, probabilities = _plain_answers(folder / MODEL_FILE, held_out.to_numpy(dtype=np.float32))
    accuracy = float(np.mean(labels == held_outcome.to_numpy()))
    return Material(len(patients), labels, probabilities, accuracy)


def _train(known: Any, outcome: Any, *, trees: int) -> bytes:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=trees, random_state=0))
    model.fit(known, outcome)
    example = known.to_numpy(dtype=np.float32)[:1]
    exported: bytes = to_onnx(model, example, options={"zipmap": False}).SerializeToString()
    return exported


def _plain_answers(path: Path, inputs: Any) -> tuple[Any, Any]:
    # Before the import: it would write a database and a device id into the user's cache.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {session.get_inputs()[0].name: inputs})
    return labels, probabilities
