"""The supervisor's loop: one client, one model, one request after another.

    Supervisor(client, worker, meter, schema, right=Right.PREDICT, authorization=authorization).serve()

For each prediction: check it, take in a lease that was renewed or ended, ask the license and
charge its rows, have the worker compute, cut the answer down to what may leave, answer. A
request that fails on the way is not counted. Receipts are signed of what leaves, and leave with
it. An explanation goes the same way, under the right ``explain`` and with its own budget, and
leaves only where the output policy keeps nothing back. Bytes of the client that are no message
get an error and the loop goes on; it ends when the client closes, or when its process is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from strongroom.errors import Error, FormatError, LicenseDenied, WorkerLost
from strongroom.license.codes import Code
from strongroom.license.request import Right
from strongroom.license.verdict import OutputPolicy
from strongroom.loaders.interface import explain_missing
from strongroom.metering.meter import Charge, Meter
from strongroom.package.contents import Schema
from strongroom.runtime.authorization import Authorization
from strongroom.runtime.receipting import ReceiptSigner, receipt_missing
from strongroom.runtime.watch import ClientLost
from strongroom.runtime.worker_process import WorkerProcess
from strongroom.worker.channel import Channel
from strongroom.worker.foreign_code import most_answer_bytes, plain_failure, verify_answer
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.inputs import count_rows, verify_request, verify_tensors
from strongroom.worker.messages import Answer, Chunk, Explain, Export, Exported, Failure, File, Predict
from strongroom.worker.output import restrict, verify_explain, verify_method
from strongroom.worker.tensor import from_array, to_array

_EVERYTHING = OutputPolicy()
_RESCUES: Final = 2
"""How often a request that is refused may have the lease renewed."""


class Supervisor:
    """Serves one client of one open model."""

    def __init__(
        self,
        client: Channel,
        worker: WorkerProcess,
        meter: Meter,
        schema: Schema,
        *,
        right: Right,
        authorization: Authorization,
        receipts: ReceiptSigner | None = None,
        carries_code: bool = False,
        start_again: Callable[[], WorkerProcess] | None = None,
    ) -> None:
        """Use what is open; whoever made it closes it.

        Args:
            client: who asks.
            worker: who computes.
            meter: counts.
            schema: what the model takes and gives.
            right: what the session is for.
            authorization: what allows each use.
            receipts: signs what came of a use; None where this runtime was not certified.
            carries_code: whether code of the owner runs in the worker, so that nothing it says is believed.
            start_again: starts another worker with the same model; asked once at most.
        """
        self._client = client
        self._worker = worker
        self._meter = meter
        self._schema = schema
        self._right = right
        self._authorization = authorization
        self._receipts = receipts
        self._carries_code = carries_code
        self._start_again = start_again

    def serve(self) -> None:
        """Answer until the client closes.

        Raises:
            ClientLost: the client's process is gone.
        """
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Answer one message; False at the end."""
        try:
            frame = self._client.receive()
        except FormatError as error:
            self._client.send(Frame(Failure.of(error)))
            # The bytes of a frame beyond the limits are still in the stream.
            return error.code != "frame-too-large"
        if frame is None:
            return False
        try:
            self._answer(frame)
        except ClientLost:
            raise
        except Error as error:
            told = self._revived(error) if isinstance(error, WorkerLost) else error
            self._client.send(Frame(Failure.of(told, id=getattr(frame.message, "id", None))))
        return True

    def _revived(self, lost: WorkerLost) -> WorkerLost:
        """Start another worker, once in a session; returns what to tell of the request that was under way."""
        if self._start_again is None:
            return lost
        start_again, self._start_again = self._start_again, None
        self._worker.end()
        try:
            self._worker = start_again()
        except ClientLost:
            raise
        except Error:
            # Why the first one went is what helps.
            return lost
        return WorkerLost(
            f"{lost}; it was started again, once, and this request was neither answered nor counted",
            code="worker-restarted",
            hint="send the request again; if that ends it once more, open the model again",
        )

    def _answer(self, frame: Frame) -> None:
        match frame.message:
            case Predict():
                self._predict(frame.message, frame.tensors)
            case Explain(id=number, method=method):
                self._explain(number, method, frame.tensors)
            case Export(id=number):
                self._export(number)
            case _:
                raise FormatError("a client does not send this message here", code="unexpected-message")

    def _predict(self, asked: Predict, tensors: tuple[Tensor, ...]) -> None:
        if self._right in (Right.EXPLAIN, Right.EXPORT):
            raise _opened_for(self._right)
        if asked.receipt and self._receipts is None:
            raise receipt_missing()
        number, method = asked.id, asked.method
        verify_request(self._schema, method, tensors)
        charge = self._charge(count_rows(self._schema, tensors), self._meter.charge)
        try:
            verify_method(charge.output, self._schema, method)
            frame = Frame(Predict(id=number, method=method), tensors)
            answer = self._compute(frame, number, count_rows(self._schema, tensors))
            outputs = self._shaped(answer.tensors, charge.output, method)
            receipt, salt = self._sign(asked, tensors, outputs, charge)
        except Error:
            # No answer leaves, so nothing was used.
            self._meter.refund(charge)
            raise
        # One message: no receipt leaves without its answer, nor is one given for what was not counted.
        left = Answer(id=number, remaining=charge.remaining, receipt=receipt, salt=salt)
        self._client.send(Frame(left, outputs))
        self._note(charge)

    def _sign(
        self, asked: Predict, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], charge: Charge
    ) -> tuple[str, str] | tuple[None, None]:
        if not asked.receipt or self._receipts is None:
            return None, None
        authority = self._meter.authority
        if authority is None:
            raise receipt_missing()
        return self._receipts.sign(
            inputs,
            outputs,
            method=asked.method,
            predictions=charge.predictions,
            authority=authority,
            now=self._authorization.now(),
        )

    def _note(self, charge: Charge) -> None:
        if self._receipts is not None:
            self._receipts.left(charge.predictions)
        self._authorization.note(charge.remaining)

    def _explain(self, number: int, method: str | None, tensors: tuple[Tensor, ...]) -> None:
        # Answers of a method need the right of the session, and that is not to predict.
        if self._right is Right.EXPORT or (method is not None and self._right is Right.EXPLAIN):
            raise _opened_for(self._right)
        if method is None:
            verify_tensors(self._schema, tensors)
        else:
            verify_request(self._schema, method, tensors)
        if self._carries_code or not self._worker.explains:
            raise explain_missing("this model")
        charge = self._charge(count_rows(self._schema, tensors), self._meter.charge_explanations)
        try:
            verify_explain(charge.output)
            answer = self._worker.compute(Frame(Explain(id=number, method=method), tensors), number)
        except Error:
            # No answer leaves, so nothing was used.
            self._meter.refund(charge)
            raise
        left = Answer(id=number, remaining=charge.remaining, explanations=charge.explanations)
        self._client.send(Frame(left, answer.tensors))
        self._note(charge)

    def _compute(self, frame: Frame, number: int, rows: int) -> Frame:
        if not self._carries_code:
            return self._worker.compute(frame, number)
        most = most_answer_bytes(self._schema, rows=rows)
        try:
            answer = self._worker.compute(frame, number, most_body_bytes=most)
        except WorkerLost:
            raise
        except Error as error:
            # Not even as its cause: in a log, it would be text of the owner's code about the input.
            raise plain_failure(error) from None
        verify_answer(self._schema, answer.tensors, rows=rows)
        return answer

    def _charge(self, rows: int, charge: Callable[[int, datetime], Charge]) -> Charge:
        self._authorization.refresh()
        # A slice that is used up is followed by a share; a table larger than that by what it needs.
        for _ in range(_RESCUES):
            try:
                return charge(rows, self._authorization.now())
            except LicenseDenied as denied:
                if not self._authorization.rescue(denied, rows):
                    raise
        return charge(rows, self._authorization.now())

    def _shaped(self, outputs: tuple[Tensor, ...], policy: OutputPolicy, method: str) -> tuple[Tensor, ...]:
        if policy == _EVERYTHING:
            return outputs
        arrays = {tensor.name: to_array(tensor) for tensor in outputs}
        return tuple(
            from_array(name, array) for name, array in restrict(arrays, policy, self._schema, method).items()
        )

    def _export(self, number: int) -> None:
        if self._right is not Right.EXPORT:
            raise _opened_for(self._right)
        self._authorization.refresh()
        self._meter.check(self._authorization.now())
        frame = self._worker.ask(Frame(Export(id=number)))
        while isinstance(frame.message, File | Chunk):
            self._client.send(frame)
            frame = self._worker.next()
        if frame.message != Exported(id=number):
            raise FormatError("the sealed worker answers something else", code="unexpected-message")
        self._client.send(frame)


def _opened_for(right: Right) -> LicenseDenied:
    return LicenseDenied(
        f"this session was opened with the right '{right}'",
        code=Code.RIGHT_NOT_GRANTED.value,
        hint="open the model again with the right that is needed",
    )
