"""Turns: one after the other while that is quick, and never a wait without end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from strongroom.broker.turn import Turn


def test_one_computes_at_a_time() -> None:
    turn = Turn(patience=60)
    inside = threading.Lock()

    def compute(_: int) -> bool:
        with turn.take() as alone:
            assert inside.acquire(blocking=False)
            sum(range(10_000))
            inside.release()
            return alone

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(compute, range(200)))


def test_whoever_waits_too_long_goes_on_without() -> None:
    turn = Turn(patience=0.01)
    with turn.take() as first, turn.take() as second:
        assert (first, second) == (True, False)
    with turn.take() as third:
        assert third


def test_a_failure_ends_the_turn() -> None:
    turn = Turn(patience=0.01)
    with pytest.raises(RuntimeError, match="broken"), turn.take():
        raise RuntimeError("broken")
    with turn.take() as alone:
        assert alone
