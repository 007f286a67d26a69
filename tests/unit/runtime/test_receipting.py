"""Receipts of a session: for what was counted and left, once, and of what left."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from strongroom._encoding import canonical_json
from strongroom.crypto import jws
from strongroom.errors import Error
from strongroom.license.documents import ReceiptBatch
from strongroom.license.payload import to_payload
from strongroom.license.period import Period
from strongroom.license.request import Right
from strongroom.license.signing import verify_by_key
from strongroom.license.terms import Output, OutputKind, Predictions
from strongroom.metering.meter import Meter
from strongroom.receipts.verifying import VerifiedReceipts, verify_receipts
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import Answer, Explain, Predict
from strongroom.worker.receipts import receipts_of
from strongroom.worker.tensor import from_array
from tests.unit.runtime.processes import Runtime

HUNDRED = Predictions(limit=100, per=Period.TOTAL)
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


def rows(runtime: Runtime, count: int = 3) -> Tensor:
    return from_array("input", runtime.model.data[:count])


def answer_of(frame: Frame) -> Answer:
    assert isinstance(frame.message, Answer)
    return frame.message


def received(runtime: Runtime, count: int = 3, method: str = "predict") -> tuple[Frame, VerifiedReceipts]:
    """Ask for receipts and verify them as a stranger and as the holder of the salts."""
    world, given = runtime.counting.world, rows(runtime, count)
    frame = runtime.ask(Predict(id=1, method=method, receipt=True), given)
    file, salts = receipts_of(world.warrant, answer_of(frame), [given], frame.tensors)
    receipts = verify_receipts(file, world.owner.id)
    for index in range(count):
        before, after = salts.of_row(index)
        assert before is not None
        assert after is not None
        receipts.verify_input(index, before, receipts.row_of([given], index))
        receipts.verify_output(index, after, receipts.row_of(frame.tensors, index))
    return frame, receipts


def test_a_receipt_says_what_happened(start: Start) -> None:
    runtime = start(HUNDRED)
    frame, receipts = received(runtime)
    world, batch = runtime.counting.world, receipts.batch
    assert answer_of(frame).remaining == 97
    assert (batch.license, batch.runtime, batch.package) == (
        world.chain.id,
        world.runtime,
        world.statement.package_digest,
    )
    assert batch.authority == runtime.meter.authority
    assert batch.authority.startswith("off-")
    assert (batch.first, batch.predictions, batch.size, batch.method) == (0, 3, 3, "predict")
    assert batch.issued_at == runtime.now


def test_every_prediction_of_a_session_has_its_number(start: Start) -> None:
    runtime = start(HUNDRED)
    _, first = received(runtime, 3)
    runtime.ask(Predict(id=2, method="predict"), rows(runtime, 4))
    _, second = received(runtime, 1, "predict_proba")
    assert (second.batch.first, second.batch.method) == (7, "predict_proba")
    assert first.batch.session == second.batch.session
    assert runtime.meter.remaining == 92


def test_explanations_are_numbered_too(start: Start) -> None:
    runtime = start(HUNDRED, rights=(Right.EXPLAIN, Right.PREDICT))
    runtime.ask(Explain(id=1), rows(runtime, 2))
    assert received(runtime)[1].batch.first == 2


def test_a_refused_request_has_no_receipt_and_no_number(start: Start) -> None:
    runtime = start(Predictions(limit=4, per=Period.TOTAL))
    with pytest.raises(Error) as caught:
        runtime.ask(Predict(id=1, method="predict", receipt=True), rows(runtime, 5))
    assert caught.value.code == "predictions-used-up"
    bad = from_array("input", np.full((2, 4), np.nan))
    with pytest.raises(Error):
        runtime.ask(Predict(id=1, method="predict", receipt=True), bad)
    _, receipts = received(runtime, 4)
    assert receipts.batch.first == 0
    assert runtime.meter.remaining == 0


def test_the_output_is_what_left_under_the_policy(start: Start) -> None:
    runtime = start(Output(policy=OutputKind.ROUNDED, decimals=1))
    frame, _ = received(runtime, method="predict_proba")
    assert (np.frombuffer(frame.tensors[0].data) * 10 % 1 < 1e-9).all()


def test_without_a_certificate_nothing_is_counted(start: Start) -> None:
    runtime = start(HUNDRED, certified=False)
    with pytest.raises(Error) as caught:
        runtime.ask(Predict(id=1, method="predict", receipt=True), rows(runtime))
    assert caught.value.code == "receipt-missing"
    assert runtime.meter.remaining == 100
    assert answer_of(runtime.ask(Predict(id=1, method="predict"), rows(runtime))).receipt is None


def test_without_an_authority_nothing_is_signed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = start(HUNDRED)
    monkeypatch.setattr(Meter, "authority", None)
    with pytest.raises(Error) as caught:
        runtime.ask(Predict(id=1, method="predict", receipt=True), rows(runtime))
    assert caught.value.code == "receipt-missing"
    assert runtime.meter.remaining == 100


@pytest.mark.parametrize("method", ["predict", 'a "quoted" \\ name', "süd\u2028"])
def test_what_is_signed_is_the_document_that_it_says(start: Start, method: str) -> None:
    runtime = start(HUNDRED)
    signer, given = runtime.signer(), [rows(runtime)]
    signer.left(7)
    said: dict[str, Any] = {
        "method": method,
        "predictions": 3,
        "authority": "pwd-" + "a" * 24,
        "now": runtime.now,
    }
    token, _ = signer.sign(given, given, **said)
    payload = jws.read_unverified(token).payload
    document = msgspec.json.decode(payload)
    assert payload == canonical_json(document)
    assert (document["first"], document["method"], document["size"]) == (7, method, 3)
    if method == "predict":
        batch = verify_by_key(token, ReceiptBatch, runtime.counting.world.clinic.device.public_text).document
        assert to_payload(batch) == payload
        assert batch.session == signer._session


def test_the_supervisor_keeps_no_salt(start: Start) -> None:
    runtime = start(HUNDRED)
    signer = runtime.signer()
    given = [rows(runtime)]
    _, seed = signer.sign(
        given, given, method="predict", predictions=3, authority="off-" + "a" * 24, now=runtime.now
    )
    held = [each for each in gc.get_referrers(seed) if isinstance(each, dict | list | tuple)]
    assert not [each for each in held if each is not locals()]
    assert seed not in repr(vars(signer))


def test_an_answer_whose_receipt_is_of_something_else_is_not_believed(start: Start) -> None:
    runtime = start(HUNDRED)
    given = rows(runtime)
    frame = runtime.ask(Predict(id=1, method="predict", receipt=True), given)
    answer, warrant = answer_of(frame), runtime.counting.world.warrant
    other = rows(runtime, 4)
    for case in (
        lambda: receipts_of(None, answer, [given], frame.tensors),
        lambda: receipts_of(warrant, Answer(id=1), [given], frame.tensors),
        lambda: receipts_of(warrant, Answer(id=1, receipt=answer.receipt), [given], frame.tensors),
        lambda: receipts_of(warrant, answer, [other], frame.tensors),
        lambda: receipts_of(warrant, answer, [given], [given]),
    ):
        with pytest.raises(Error) as caught:
            case()  # type: ignore[no-untyped-call] # a lambda of the table above
        assert caught.value.code == "unexpected-message"
