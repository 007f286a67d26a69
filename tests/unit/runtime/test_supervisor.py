from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongroom.errors import Error, FormatError, LicenseDenied, UnsupportedError, UsageError, WorkerLost
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.terms import Explanations, Output, OutputKind, Predictions
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.messages import (
    Answer,
    Chunk,
    Explain,
    Export,
    Exported,
    File,
    Open,
    Pipes,
    Predict,
    Ready,
)
from strongroom.worker.tensor import from_array, to_array
from tests.unit.runtime.processes import Runtime

HUNDRED = Predictions(limit=100, per=Period.TOTAL)
EXPORTING = (Right.EXPORT, Right.PREDICT)

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


def rows(runtime: Runtime, count: int = 3) -> Any:
    return from_array("input", runtime.model.data[:count])


def refusal(runtime: Runtime, message: Any, *tensors: Any) -> Error:
    with pytest.raises(Error) as caught:
        runtime.ask(message, *tensors)
    return caught.value


def test_answers_are_those_of_the_model_and_are_counted(start: Start) -> None:
    runtime = start(HUNDRED)
    for number, left in ((1, 97), (2, 94)):
        answer = runtime.ask(Predict(id=number, method="predict_proba"), rows(runtime))
        assert answer.message == Answer(id=number, remaining=left)
        assert np.array_equal(to_array(answer.tensors[0]), runtime.model.probabilities[:3])
    assert runtime.counting.used == {"total": 6}


def test_the_budget_stops_at_the_exact_row(start: Start) -> None:
    runtime = start(HUNDRED)
    runtime.ask(Predict(id=1, method="predict"), rows(runtime, 99))
    assert refusal(runtime, Predict(id=2, method="predict"), rows(runtime, 2)).code == "predictions-used-up"
    assert runtime.ask(Predict(id=3, method="predict"), rows(runtime, 1)).message == Answer(id=3, remaining=0)
    assert refusal(runtime, Predict(id=4, method="predict"), rows(runtime, 1)).code == "predictions-used-up"


def test_what_cannot_work_costs_nothing(start: Start) -> None:
    runtime = start(HUNDRED)
    wide = from_array("input", np.zeros((5, 5)))
    texts = from_array("input", np.array([["a", "b", "c", "d"]], dtype=object))
    for tensors, method, kind in (
        ([], "predict", UsageError),
        ([rows(runtime), from_array("more", np.zeros(3))], "predict", UsageError),
        ([wide], "predict", UsageError),
        ([rows(runtime, 0)], "predict", UsageError),
        ([rows(runtime)], "transform", UnsupportedError),
        ([texts], "predict", UsageError),
        ([from_array("input", np.full((7, 4), np.nan))], "predict", UsageError),
    ):
        assert isinstance(refusal(runtime, Predict(id=1, method=method), *tensors), kind)
    assert runtime.meter.remaining == 100
    runtime.meter.close()
    assert runtime.counting.used == {}


def test_numbers_are_rounded_where_the_license_says_so(start: Start) -> None:
    runtime = start(Output(policy=OutputKind.ROUNDED, decimals=1))
    answer = runtime.ask(Predict(id=1, method="predict_proba"), rows(runtime))
    assert np.array_equal(to_array(answer.tensors[0]), np.round(runtime.model.probabilities[:3], 1))
    labels = runtime.ask(Predict(id=2, method="predict"), rows(runtime))
    assert to_array(labels.tensors[0]).tolist() == runtime.model.labels[:3].tolist()


def test_only_the_best_class_leaves_where_the_license_says_so(start: Start) -> None:
    runtime = start(Output(policy=OutputKind.TOP_K, k=1))
    answer = runtime.ask(Predict(id=1, method="predict_proba"), rows(runtime))
    outputs = {tensor.name: to_array(tensor) for tensor in answer.tensors}
    assert set(outputs) == {"top_labels", "top_scores"}
    assert outputs["top_labels"].ravel().tolist() == runtime.model.labels[:3].tolist()
    assert np.array_equal(outputs["top_scores"].ravel(), runtime.model.probabilities[:3].max(axis=1))


def test_only_labels_leave_where_the_license_says_so_and_a_refusal_costs_nothing(start: Start) -> None:
    runtime = start(HUNDRED, Output(policy=OutputKind.LABEL))
    error = refusal(runtime, Predict(id=1, method="predict_proba"), rows(runtime))
    assert (type(error), error.code) == (LicenseDenied, "output-policy")
    assert runtime.meter.remaining == 100
    labels = runtime.ask(Predict(id=2, method="predict"), rows(runtime))
    assert to_array(labels.tensors[0]).tolist() == runtime.model.labels[:3].tolist()


def test_a_license_that_ends_ends_the_session_too(start: Start) -> None:
    runtime = start()
    runtime.ask(Predict(id=1, method="predict"), rows(runtime))
    runtime.now += timedelta(days=30)
    assert refusal(runtime, Predict(id=2, method="predict"), rows(runtime)).code == "offline-ended"
    runtime.now -= timedelta(days=30)
    assert runtime.ask(Predict(id=3, method="predict"), rows(runtime)).message == Answer(id=3)


def test_a_lost_worker_is_told_for_every_request_and_nothing_is_counted(start: Start) -> None:
    runtime = start(HUNDRED)
    runtime.worker_end.shutdown(2)
    for number in (1, 2):
        error = refusal(runtime, Predict(id=number, method="predict"), rows(runtime))
        assert isinstance(error, WorkerLost)
        assert error.hint == "open the model again"
    assert runtime.meter.remaining == 100


@pytest.mark.parametrize("message", [Ready, Answer, Open])
def test_other_messages_of_a_client_are_refused(start: Start, message: Any) -> None:
    runtime = start()
    made = {
        Ready: Ready(schema=runtime.model.schema),
        Answer: Answer(id=1),
        Open: Open(reference="risk", right="predict", pipes=Pipes()),
    }[message]
    assert refusal(runtime, made).code == "unexpected-message"
    assert runtime.ask(Predict(id=2, method="predict"), rows(runtime)).message == Answer(id=2)


def test_bytes_that_are_no_frame_are_refused_and_the_session_goes_on(start: Start) -> None:
    runtime = start()
    runtime.socket.sendall(struct.pack("<IQ", 2, 8) + b"{}" + bytes(8))
    with pytest.raises(FormatError):
        runtime.answer()
    assert runtime.ask(Predict(id=2, method="predict"), rows(runtime)).message == Answer(id=2)


def test_a_frame_beyond_the_limits_ends_the_session(start: Start) -> None:
    runtime = start()
    runtime.socket.sendall(struct.pack("<IQ", 2, 1 << 40))
    with pytest.raises(FormatError):
        runtime.answer()
    with pytest.raises(WorkerLost):
        runtime.answer()


def _answers_otherwise(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[int], Any]
) -> None:
    receive = Channel.receive

    def received(self: Channel, **limit: Any) -> Any:
        frame = receive(self, **limit)
        if self is runtime.worker_channel and frame is not None and isinstance(frame.message, Answer):
            return type(frame)(wrong(frame.message.id), frame.tensors)
        return frame

    monkeypatch.setattr(Channel, "receive", received)


@pytest.mark.parametrize("wrong", [lambda number: Answer(id=number + 1), lambda number: Exported(id=number)])
def test_a_worker_that_answers_something_else_is_not_believed(
    start: Start, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[int], Any]
) -> None:
    runtime = start(HUNDRED)
    _answers_otherwise(runtime, monkeypatch, wrong)
    error = refusal(runtime, Predict(id=1, method="predict"), rows(runtime))
    assert error.code == "worker-protocol"
    assert runtime.meter.remaining == 100


def test_files_pass_through_with_the_right_to_export(start: Start) -> None:
    runtime = start(rights=EXPORTING, right=Right.EXPORT)
    names = []
    frame = runtime.ask(Export(id=4))
    while not isinstance(frame.message, Exported):
        if isinstance(frame.message, File):
            names.append(frame.message.file.name)
        else:
            assert isinstance(frame.message, Chunk)
        frame = runtime.answer()
    assert names == list(runtime.model.files)
    error = refusal(runtime, Predict(id=5, method="predict"), rows(runtime))
    assert (type(error), error.code) == (LicenseDenied, "right-not-granted")


def test_files_do_not_pass_without_it(start: Start) -> None:
    runtime = start(rights=EXPORTING)
    error = refusal(runtime, Export(id=4))
    assert (type(error), error.code) == (LicenseDenied, "right-not-granted")


def test_an_export_after_the_end_of_the_license_is_refused(start: Start) -> None:
    runtime = start(rights=EXPORTING, right=Right.EXPORT)
    runtime.now += timedelta(days=31)
    assert refusal(runtime, Export(id=4)).code == "offline-ended"


def test_a_worker_that_exports_something_else_is_not_believed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = start(rights=EXPORTING, right=Right.EXPORT)
    monkeypatch.setattr(WorkerProcess, "ask", lambda _self, frame: type(frame)(Answer(id=frame.message.id)))
    assert refusal(runtime, Export(id=4)).code == "unexpected-message"


def explain(runtime: Runtime, count: int = 3, method: str | None = None) -> Any:
    return runtime.ask(Explain(id=1, method=method), rows(runtime, count))


EXPLAINING = (Right.EXPLAIN, Right.PREDICT)


def test_contributions_add_up_to_the_score_and_answers_come_along(start: Start) -> None:
    runtime = start(HUNDRED, rights=EXPLAINING)
    answer = explain(runtime, method="predict_proba")
    assert answer.message == Answer(id=1, remaining=97)
    outputs = {tensor.name: to_array(tensor) for tensor in answer.tensors}
    score = outputs["base_values"] + outputs["contributions"].sum(axis=2)
    assert np.allclose(1 / (1 + np.exp(-score[:, 0])), runtime.model.probabilities[:3, 1])
    assert np.array_equal(outputs["predict_proba"], runtime.model.probabilities[:3])
    alone = {tensor.name: to_array(tensor) for tensor in explain(runtime).tensors}
    assert set(alone) == {"base_values", "contributions"}


def test_a_model_that_cannot_explain_costs_nothing(start: Start) -> None:
    runtime = start(HUNDRED, rights=EXPLAINING)
    runtime._worker.explains = False
    error = refusal(runtime, Explain(id=1), rows(runtime))
    assert (type(error), error.code) == (UnsupportedError, "explain-missing")
    assert runtime.meter.remaining == 100


def test_an_explanation_that_fails_costs_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = start(HUNDRED, Explanations(limit=9, per=Period.TOTAL), rights=EXPLAINING)
    for method, code in ((None, "input-refused"), ("transform", "method-missing")):
        bad = from_array("input", np.full((7, 4), np.nan))
        assert refusal(runtime, Explain(id=1, method=method), bad).code == code
    _answers_otherwise(runtime, monkeypatch, lambda _: Exported(id=1))
    assert refusal(runtime, Explain(id=1), rows(runtime)).code == "worker-protocol"
    assert runtime.meter.remaining == 100
    runtime.meter.close()
    assert runtime.counting.used == {}


def test_explanations_and_predictions_share_what_is_left_to_the_last_row(start: Start) -> None:
    runtime = start(Predictions(limit=1000, per=Period.TOTAL), rights=EXPLAINING)
    # A block of ten is in hand after this.
    first: Any = runtime.ask(Predict(id=1, method="predict"), rows(runtime, 1)).message
    assert first.remaining == 999
    for count, left in ((499, 500), (500, 0)):
        assert explain(runtime, count).message.remaining == left
    assert refusal(runtime, Explain(id=1), rows(runtime, 1)).code == "predictions-used-up"
    runtime.meter.close()
    assert runtime.counting.used == {"total": 1000}
