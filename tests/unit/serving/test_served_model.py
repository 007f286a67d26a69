"""One model for many: turns, a bounded queue, and opening again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from strongroom.errors import Error, FormatError, LicenseDenied, StorageUnavailable, WorkerLost
from strongroom.package.contents import Schema
from strongroom.serving.served_model import ServedModel
from strongroom.worker.messages import Failure, Opened
from strongroom.worker.tensor import from_array, to_array
from tests.unit.serving.runtimes import SCHEMA, Doubler, opened

ROWS = (from_array("X", np.ones((1, 2), np.float32)),)


class World:
    """Runtimes that are opened one after another, and what a person was told."""

    def __init__(self) -> None:
        self.runtimes = [Doubler(), Doubler()]
        self.refusal: Error | None = None
        self.schema: Schema = SCHEMA
        self.said: list[str] = []
        self.opened = 0
        self.model = ServedModel.start(self._open, max_waiting=2, tell=self.said.append)

    def _open(self) -> tuple[Doubler, Opened]:
        if self.refusal is not None:
            raise self.refusal
        self.opened += 1
        return self.runtimes[self.opened - 1], opened(self.schema)

    def ask(self) -> float:
        ((tensor,), _) = asyncio.run(self.model.ask("predict", ROWS))
        return float(to_array(tensor)[0, 0])


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.model.close()


def test_answers(world: World) -> None:
    assert (world.model.name, world.model.version, world.model.ready) == ("risk", "1.0.0", True)
    assert world.ask() == 2


def test_a_refusal_leaves_it_open(world: World) -> None:
    world.runtimes[0].errors = [LicenseDenied("no", code="expired")]
    with pytest.raises(LicenseDenied):
        world.ask()
    assert world.ask() == 2
    assert world.opened == 1


def test_what_died_is_opened_again_by_the_next_request(world: World) -> None:
    world.runtimes[0].errors = [WorkerLost("gone")]
    with pytest.raises(WorkerLost):
        world.ask()
    assert not world.model.ready
    assert world.runtimes[0].ended == 1
    assert world.ask() == 2
    assert world.model.ready
    assert [line.partition(":")[0] for line in world.said] == ["risk", "risk"]


def test_opening_again_is_not_tried_for_each_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.runtimes[0].errors = [WorkerLost("gone")]
    with pytest.raises(WorkerLost):
        world.ask()
    world.refusal = LicenseDenied("no more", code="expired")
    with pytest.raises(LicenseDenied):
        world.ask()
    world.refusal = None
    with pytest.raises(WorkerLost) as refused:
        world.ask()
    assert refused.value.code == "model-not-open"
    world.model._next_try = 0.0
    assert world.ask() == 2


def test_another_model_is_not_served_under_its_name(world: World) -> None:
    world.runtimes[0].errors = [WorkerLost("gone")]
    with pytest.raises(WorkerLost):
        world.ask()
    world.schema = Schema(inputs=[], outputs=[], methods=["predict"])
    with pytest.raises(FormatError) as refused:
        world.ask()
    assert refused.value.code == "model-changed"
    assert world.runtimes[1].ended == 1


def test_an_answer_of_another_kind_is_none(world: World) -> None:
    world.runtimes[0].reply = lambda number: Failure(error="Error", code="x", message="x")
    with pytest.raises(FormatError):
        world.ask()


def test_too_many_are_refused_and_those_who_left_are_not_asked(world: World) -> None:
    runtime = world.runtimes[0]
    runtime.gate = threading.Event()

    async def play() -> None:
        first = asyncio.ensure_future(world.model.ask("predict", ROWS))
        while not runtime.asked:
            await asyncio.sleep(0.01)
        second = asyncio.ensure_future(world.model.ask("transform", ROWS))
        await asyncio.sleep(0)
        with pytest.raises(StorageUnavailable) as refused:
            await world.model.ask("predict", ROWS)
        assert refused.value.code == "model-busy"
        second.cancel()
        # Before the first one is let go: else the thread may take up the second one in between.
        await asyncio.gather(second, return_exceptions=True)
        assert runtime.gate is not None
        runtime.gate.set()
        await first

    asyncio.run(play())
    assert runtime.asked == ["predict"]
    assert world.ask() == 2


def test_closing_ends_the_runtime() -> None:
    world = World()
    world.model.close()
    world.model.close()
    assert world.runtimes[0].ended == 1
