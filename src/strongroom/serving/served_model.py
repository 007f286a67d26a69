"""One model that is kept open for everybody who may ask: requests take turns, and what dies is opened again.

    model = ServedModel.start(lambda: open_runtime(wish, secrets), limits, tell=print)
    outputs, _ = await model.ask("predict", tensors)
    model.close()

Requests wait in the order in which they came, and no more than ``max_waiting`` of them: what is above is
refused at once, so that memory does not grow. A request whose client has gone before its turn is not
asked and not counted. If the runtime or its worker ends, the requests under way get that error, and the
next one opens the model again; if that fails, it is tried again after a pause, not for each request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from strongroom.errors import Error, FormatError, StorageUnavailable, WorkerLost
from strongroom.package.contents import Schema
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import WORKER_RESTARTED, Answer, Message, Opened, Predict
from strongroom.worker.receipts import receipts_of

_PAUSE_SECONDS: Final = 5.0
"""How long after a failed opening the next one is tried."""


class Runtime(Protocol):
    """An open runtime; ``client.process.RuntimeProcess`` is one."""

    def ask(self, message: Callable[[int], Message], tensors: tuple[Tensor, ...] = ()) -> Frame:
        """Send one request and return its answer."""

    def end(self) -> None:
        """End it."""


Opener = Callable[[], tuple[Runtime, Opened]]
"""Opens the model, which takes as long as it takes; raises whatever refuses."""


@dataclass(frozen=True, slots=True)
class _Open:
    runtime: Runtime
    opened: Opened


class ServedModel:
    """One model, whoever asks. All methods but ``close`` belong to the event loop's thread."""

    def __init__(
        self, opener: Opener, current: _Open, *, max_waiting: int, tell: Callable[[str], None]
    ) -> None:
        """Use ``start``."""
        self._opener = opener
        self._current: _Open | None = current
        self._described = current.opened
        self._max_waiting = max_waiting
        self._tell = tell
        self._waiting = 0
        self._next_try = 0.0
        # One thread: the runtime answers one request after another in any case.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="strongroom-model")

    @classmethod
    def start(cls, opener: Opener, *, max_waiting: int, tell: Callable[[str], None]) -> ServedModel:
        """Open the model for the first time.

        Args:
            opener: What opens it, now and again.
            max_waiting: How many requests may wait or be computed at once.
            tell: Gets one line for each event that a person should know of.

        Raises:
            Error: Whatever the opener refuses with.
        """
        return cls(opener, _Open(*opener()), max_waiting=max_waiting, tell=tell)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._described.name

    @property
    def version(self) -> str:
        """Version of the model."""
        return self._described.version

    @property
    def schema(self) -> Schema:
        """What it takes and gives."""
        return self._described.schema

    @property
    def ready(self) -> bool:
        """Whether it is open; a model that is not may come back with the next request."""
        return self._current is not None

    async def ask(
        self, method: str, tensors: tuple[Tensor, ...], *, receipt: bool = False
    ) -> tuple[tuple[Tensor, ...], dict[str, str]]:
        """Run one method of the model, in turn.

        Returns:
            The outputs; and, with ``receipt``, the receipt file and the salt file as ``receipt`` and
            ``receipt_salts``, else nothing.

        Raises:
            StorageUnavailable: Too many are waiting (code ``model-busy``).
            Error: Whatever the runtime, or opening it again, refuses with.
        """
        if self._waiting >= self._max_waiting:
            raise StorageUnavailable(
                "too many requests are waiting for this model", code="model-busy", hint="try again shortly"
            )
        self._waiting += 1
        try:
            # Cancelled with the request: what has not begun never begins.
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._ask, method, tensors, receipt
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the runtime, after the request that it is answering."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._current is not None:
            self._current.runtime.end()
            self._current = None

    def _ask(
        self, method: str, tensors: tuple[Tensor, ...], receipt: bool
    ) -> tuple[tuple[Tensor, ...], dict[str, str]]:
        current = self._opened()
        try:
            frame = current.runtime.ask(
                lambda number: Predict(id=number, method=method, receipt=receipt), tensors
            )
        except WorkerLost as error:
            if error.code == WORKER_RESTARTED:
                self._tell(f"{self.name}: {error} [{error.code}]")
                raise
            self._current = None
            current.runtime.end()
            self._tell(f"{self.name}: {error}; the next request opens it again [{error.code}]")
            raise
        if not isinstance(frame.message, Answer):
            raise FormatError("the model's runtime answers something else", code="unexpected-message")
        if not receipt:
            return frame.tensors, {}
        file, salts = receipts_of(current.opened.warrant, frame.message, tensors, frame.tensors)
        said = {"receipt": file.to_bytes().decode(), "receipt_salts": salts.to_bytes().decode()}
        return frame.tensors, said

    def _opened(self) -> _Open:
        if self._current is not None:
            return self._current
        if time.monotonic() < self._next_try:
            raise WorkerLost(
                "the model is not open, and opening it has just failed",
                code="model-not-open",
                hint=f"it is tried again within {_PAUSE_SECONDS:g} seconds",
            )
        try:
            current = _Open(*self._opener())
        except Error as error:
            self._next_try = time.monotonic() + _PAUSE_SECONDS
            self._tell(f"{self.name}: not opened: {error} [{error.code}]")
            raise
        if current.opened.schema != self._described.schema or current.opened.name != self.name:
            current.runtime.end()
            raise FormatError("the model has become another one", code="model-changed", hint="start again")
        self._current = current
        self._described = current.opened
        self._tell(f"{self.name}: open again, version {self.version}")
        return current
