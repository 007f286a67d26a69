"""Attacks on the right ``explain``: without it, beyond its budget, and around the output policy."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from strongroom.errors import Error, LicenseDenied, WorkerLost
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Right
from strongroom.license.terms import Explanations, Output, OutputKind, Predictions, Rate, Rights
from strongroom.worker.messages import Answer, Explain, Predict
from strongroom.worker.tensor import from_array
from tests.integration.parties import Parties
from tests.unit.runtime.processes import Runtime

BOTH = (Right.EXPLAIN, Right.PREDICT)
HUNDRED = Predictions(limit=100, per=Period.TOTAL)
FIVE = Explanations(limit=5, per=Period.TOTAL)
METHODS = (None, "predict", "predict_proba")
Start = Callable[..., Runtime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Runtime] = []

    def start(*terms: Any, **options: Any) -> Runtime:
        started.append(Runtime(tmp_path, *terms, **options))
        return started[0]

    yield start
    for runtime in started:
        runtime.end()


def explain(runtime: Runtime, rows: int = 1, method: str | None = None) -> Any:
    return runtime.ask(Explain(id=1, method=method), from_array("input", runtime.model.data[:rows])).message


def refused(runtime: Runtime, rows: int = 1, method: str | None = None) -> str:
    with pytest.raises(Error) as caught:
        explain(runtime, rows, method)
    assert isinstance(caught.value, LicenseDenied)
    return caught.value.code


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("right", [Right.PREDICT, Right.EVALUATE, Right.EXPORT])
def test_nobody_gets_contributions_without_the_right(start: Start, right: Right, method: str | None) -> None:
    runtime = start(HUNDRED, rights=(right,), right=right)
    assert refused(runtime, method=method) == "right-not-granted"
    runtime.meter.close()
    assert runtime.counting.used == {}


def test_a_session_for_explanations_answers_nothing_else(start: Start) -> None:
    runtime = start(rights=BOTH, right=Right.EXPLAIN)
    for method in METHODS[1:]:
        assert refused(runtime, method=method) == "right-not-granted"
    with pytest.raises(LicenseDenied):
        runtime.ask(Predict(id=2, method="predict"), from_array("input", runtime.model.data[:1]))
    assert explain(runtime) == Answer(id=1)


@pytest.mark.parametrize(
    "policy",
    [
        Output(policy=OutputKind.ROUNDED, decimals=15),
        Output(policy=OutputKind.TOP_K, k=2),
        Output(policy=OutputKind.LABEL),
    ],
)
def test_no_score_that_is_kept_back_can_be_added_up(start: Start, policy: Output) -> None:
    runtime = start(HUNDRED, FIVE, policy, rights=BOTH)
    for method in METHODS:
        assert refused(runtime, method=method) == "output-policy"
    runtime.meter.close()
    assert runtime.counting.used == {}


def test_the_budget_of_explanations_stops_at_the_exact_row(start: Start) -> None:
    runtime = start(HUNDRED, FIVE, rights=BOTH)
    assert explain(runtime, 3) == Answer(id=1, remaining=97, explanations=2)
    assert refused(runtime, 3) == "explanations-used-up"
    assert explain(runtime, 2) == Answer(id=1, remaining=95, explanations=0)
    assert refused(runtime) == "explanations-used-up"
    # What is left of the predictions is not touched by it.
    answer = runtime.ask(Predict(id=2, method="predict"), from_array("input", runtime.model.data[:95]))
    assert answer.message == Answer(id=2, remaining=0)


def test_explanations_are_no_way_around_predictions(start: Start) -> None:
    """Base value and contributions add up to the score: an explanation is an answer."""
    runtime = start(Predictions(limit=4, per=Period.TOTAL), rights=BOTH)
    assert explain(runtime, 4) == Answer(id=1, remaining=0)
    assert refused(runtime) == "predictions-used-up"


def test_explanations_are_no_way_around_a_rate(start: Start) -> None:
    runtime = start(Rate(limit=4, seconds=60), rights=BOTH)
    explain(runtime, 4)
    assert refused(runtime) == "rate-exceeded"


def test_what_a_killed_supervisor_explained_is_counted_exactly(tmp_path: Path) -> None:
    rows = np.random.default_rng(7).normal(size=(40, 4))
    parties = Parties.make(
        tmp_path,
        LogisticRegression().fit(rows, rows[:, 0] > 0),
        sample=rows,
        terms=[Rights(rights=BOTH), HUNDRED, Explanations(limit=10, per=Period.TOTAL)],
    )
    for explained, left in ((4, 6), (3, 3)):
        model = parties.open()
        assert model.explain(rows[:explained]).remaining == left
        os.kill(model._runtime.process_id, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            model.explain(rows[:1])
        model.close()
    with parties.open() as model:
        with pytest.raises(LicenseDenied) as caught:
            model.explain(rows[:4])
        assert caught.value.code == "explanations-used-up"
        assert model.explain(rows[:3]).remaining == 0
    owner = parties.hospital.vault.verify_owner_id()
    used = parties.clinic.marks.read(owner).used
    assert {count for key, count in used.items() if key.counter is CounterName.EXPLANATIONS} == {10}
