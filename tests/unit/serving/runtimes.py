"""A runtime in memory: answers with twice its input, and dies or waits where a test wants it to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from strongroom.errors import Error
from strongroom.package.contents import Field, Schema
from strongroom.worker.frames import Frame, Tensor
from strongroom.worker.messages import Answer, Message, Opened, Predict
from strongroom.worker.tensor import from_array, to_array
from tests.unit.receipts.making import SEED, receipts_of, warrant

SCHEMA = Schema(
    inputs=[Field(name="X", datatype="FP32", shape=[-1, 2])],
    outputs=[
        Field(name="label", datatype="BYTES", shape=[-1]),
        Field(name="probabilities", datatype="FP32", shape=[-1, 2]),
    ],
    classes=["no", "yes"],
    methods=["predict", "predict_proba"],
)


def opened(schema: Schema = SCHEMA, version: str = "1.0.0") -> Opened:
    return Opened(
        name="risk",
        version=version,
        owner="owner",
        owner_name="hospital",
        package="package",
        license="license",
        level="local",
        schema=schema,
        warrant=warrant(),
    )


@dataclass
class Doubler:
    """Answers ``probabilities`` with twice ``X``."""

    errors: list[Error] = field(default_factory=list)
    """Raised, one after another, before it answers anything."""
    gate: threading.Event | None = None
    """Waited for before each answer."""
    asked: list[str] = field(default_factory=list)
    ended: int = 0
    reply: Callable[[int], Message] = lambda number: Answer(id=number)

    def ask(self, message: Callable[[int], Message], tensors: tuple[Tensor, ...] = ()) -> Frame:
        asked = message(1)
        assert isinstance(asked, Predict)
        self.asked.append(asked.method)
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.errors:
            raise self.errors.pop(0)
        outputs = tuple(from_array("probabilities", to_array(tensor) * 2) for tensor in tensors)
        if asked.receipt:
            file = receipts_of(tensors, outputs, tensors[0].shape[0])
            return Frame(Answer(id=1, receipt=file.batch, salt=SEED.hex()), outputs)
        return Frame(self.reply(1), outputs)

    def end(self) -> None:
        self.ended += 1
