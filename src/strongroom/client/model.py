"""A licensed model as an object: open it, ask it, close it.

    with strongroom.open("risk") as model:
        labels = model.predict(frame)                # a Series with the index of the frame
        probabilities = model.predict_proba(frame)   # a DataFrame, a column for each class
        model.info.remaining                         # predictions that the license still allows
        model.explain(frame).top(3)                  # the strongest columns, with the right `explain`
    model.receipt(frame).file.to_bytes()         # what proves to others what went in and came out

The weights are in a process of their own and never come here. One model may be asked
from several threads, which take turns; after a fork, the child opens its own.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from strongroom.client import display
from strongroom.client.explanation import Explanation, explanation_of
from strongroom.client.info import ModelInfo, info_of
from strongroom.client.inputs import to_inputs
from strongroom.client.outputs import from_outputs
from strongroom.client.process import RuntimeProcess, Wish
from strongroom.client.receipts import Receipts
from strongroom.client.secret import Secrets
from strongroom.client.tables.interface import Table
from strongroom.errors import FormatError
from strongroom.license.request import Right
from strongroom.loaders.tensor import Array
from strongroom.package.contents import Schema
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import Answer, Explain, Message, Opened, Predict
from strongroom.worker.receipts import receipts_of
from strongroom.worker.tensor import from_array, to_array

START_SECONDS: Final = 300.0
"""How long loading may take, unless the caller says otherwise."""
_LABELS: Final = "predict"


class Model:
    """An open model. Made by ``open``."""

    def __init__(self, runtime: RuntimeProcess, opened: Opened, right: Right = Right.PREDICT) -> None:
        """Use ``open``."""
        self._runtime = runtime
        self._right = right
        self._schema: Schema = opened.schema
        self._info = info_of(opened)
        self._warrant = opened.warrant
        self._finalizer = weakref.finalize(self, runtime.end)

    @property
    def info(self) -> ModelInfo:
        """What is known about the model; ``remaining`` is that of the last answer."""
        return self._info

    def predict(self, data: Any) -> Any:
        """Return one answer for each row, of the kind that was passed.

        Args:
            data: a numpy array, a pandas or polars DataFrame, a pyarrow Table, a list of
                rows, of dictionaries or of texts, or a dictionary of columns.

        Returns:
            An array for an array, a Series with the same index for a pandas DataFrame, a
            Series for polars, an Array for pyarrow, a list for a list. If the model has
            several outputs, a dictionary of them.

        Raises:
            UsageError: the data do not fit the model (codes ``input-...``).
            LicenseDenied: the license does not allow it; nothing was counted.
            UnsupportedError: the model has no such method (code ``method-missing``).
            WorkerLost: the worker died, or the model is closed.
        """
        return self._ask("predict", data)

    def predict_proba(self, data: Any) -> Any:
        """Return the probability of each class for each row, of the kind that was passed.

        Args:
            data: as for ``predict``.

        Returns:
            An array of shape (rows, classes), or a table with one column for each class. A
            ``TopK`` where the license lets only the best classes leave.

        Raises:
            UsageError: as ``predict``.
            LicenseDenied: as ``predict``; also code ``output-policy`` if only labels may leave.
            UnsupportedError: as ``predict``.
            WorkerLost: as ``predict``.
        """
        return self._ask("predict_proba", data)

    def decision_function(self, data: Any) -> Any:
        """Return the decision values for each row, for models that have them.

        Args:
            data: as for ``predict``.

        Raises:
            Error: as ``predict_proba``.
        """
        return self._ask("decision_function", data)

    def transform(self, data: Any) -> Any:
        """Return the transformed rows, for models that transform.

        Args:
            data: as for ``predict``.

        Raises:
            Error: as ``predict_proba``.
        """
        return self._ask("transform", data)

    def explain(self, data: Any) -> Explanation:
        """Return what each column contributed to the score of each row.

        Needs the right ``explain``, and counts each row as one explanation and as one prediction;
        the answers of ``predict`` come along. The base value and the contributions of a
        row add up to the model's raw score: what a regression answers, the decision function
        of a classifier, for forests the probability.

        Args:
            data: as for ``predict``.

        Raises:
            UsageError: the data do not fit the model (codes ``input-...``).
            LicenseDenied: the license does not allow it (``right-not-granted``, ``output-policy``,
                ``explanations-used-up``...); nothing was counted.
            UnsupportedError: this model cannot say (code ``explain-missing``); nothing was counted.
            WorkerLost: as ``predict``.
        """
        is_asked = self._right is not Right.EXPLAIN and _LABELS in self._schema.methods
        method = _LABELS if is_asked else None
        table, answer, outputs = self._exchange(data, lambda number: Explain(id=number, method=method))
        return explanation_of(table, outputs, self._schema, remaining=answer.explanations)

    def receipt(self, data: Any, *, method: str = _LABELS) -> Receipts:
        """Return the answers, and a signed receipt of each: this copy turned this input into this output.

        Counts as ``predict`` does, once. Whoever knows the owner's id can verify the receipts, and learns
        of inputs and outputs only what is shown to it together with the salt.

        Args:
            data: as for ``predict``.
            method: what to ask: ``predict``, ``predict_proba``...

        Raises:
            Error: as ``predict``.
            UnsupportedError: also, if this runtime was not certified yet (code ``receipt-missing``);
                nothing was counted.
        """
        arrays, table = to_inputs(data, self._schema)
        tensors = tuple(from_array(name, array) for name, array in arrays.items())
        frame, answer = self._answer_to(
            lambda number: Predict(id=number, method=method, receipt=True), tensors
        )
        file, salts = receipts_of(self._warrant, answer, tensors, frame.tensors)
        outputs = {tensor.name: to_array(tensor) for tensor in frame.tensors}
        return Receipts(answers=from_outputs(table, outputs, self._schema), file=file, salts=salts)

    def close(self) -> None:
        """End the processes of the model. What was reserved and not used goes back to the budget."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether the model was closed."""
        return not self._finalizer.alive

    def _ask(self, method: str, data: Any) -> Any:
        table, _, outputs = self._exchange(data, lambda number: Predict(id=number, method=method))
        return from_outputs(table, outputs, self._schema)

    def _exchange(
        self, data: Any, message: Callable[[int], Message]
    ) -> tuple[Table, Answer, dict[str, Array]]:
        arrays, table = to_inputs(data, self._schema)
        tensors = tuple(from_array(name, array) for name, array in arrays.items())
        frame, answer = self._answer_to(message, tensors)
        return table, answer, {tensor.name: to_array(tensor) for tensor in frame.tensors}

    def _answer_to(
        self, message: Callable[[int], Message], tensors: tuple[Tensor, ...]
    ) -> tuple[Frame, Answer]:
        frame = self._runtime.ask(message, tensors)
        if not isinstance(frame.message, Answer):
            raise FormatError("the model's runtime answers something else", code="unexpected-message")
        self._info = replace(self._info, remaining=frame.message.remaining)
        return frame, frame.message

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return display.as_text(self._info, closed=self.closed)

    def _repr_html_(self) -> str:
        return display.as_html(self._info, closed=self.closed)


def open(
    reference: str | os.PathLike[str],
    *,
    home: str | os.PathLike[str] | None = None,
    right: Right = Right.PREDICT,
    license: str | None = None,
    purpose: str | None = None,
    passphrase: str | None = None,
    key_passphrase: str | None = None,
    trust_code: bool = False,
    timeout_seconds: float = START_SECONDS,
) -> Model:
    """Open a licensed model in processes of its own.

    Args:
        reference: ``[owner/]name[@version]`` among the licenses of the home, or the path of a
            package.
        home: the directory of this party; by default ``STRONGROOM_HOME``, else the user's data
            directory.
        right: what the session is for; ``predict``, ``evaluate``, or ``explain`` for explanations alone.
        license: id of the license to use, where several fit.
        purpose: what the answers are for, where the license asks.
        passphrase: of the pass-phrase file, if the license came with one; by default the
            environment's (``secret``).
        key_passphrase: of this home's own keys, if they are under one; by default the environment's.
        trust_code: let a model that is a program of its owner run although this system cannot confine it:
            it can then read your files and use your network.
        timeout_seconds: how long loading may take.

    Raises:
        ObjectNotFound: no such home, model or license.
        LicenseDenied: a term of the license says no.
        VerificationError: a signature, an owner or a version does not hold.
        IntegrityError: the package is not what its owner signed.
        FormatError: a file breaks its specification.
        NoMatchingKey: no key or pass-phrase opens it.
        UnsupportedError: the package needs something that is not installed.
        WorkerLost: the processes did not start, or not in time.
    """
    secrets = Secrets.find(passphrase=passphrase, key_passphrase=key_passphrase)
    runtime = RuntimeProcess.start(secrets)
    wish = Wish(
        reference=os.fspath(reference),
        right=right,
        home=None if home is None else str(Path(home).absolute()),
        license=license,
        purpose=purpose,
        trusts_code=trust_code,
    )
    opened = runtime.open(wish, timeout_seconds=timeout_seconds)
    return Model(runtime, opened, right)
