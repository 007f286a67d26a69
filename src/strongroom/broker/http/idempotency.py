"""Writes that are asked again: the same key and the same request get the same answer, and happen once.

    async with memory.turn(principal, key):
        remembered = memory.recall(principal, key, digest)
        ...
        memory.remember(principal, key, digest, status, body)

A write that was repeated after its answer was lost finds the answer here. One that was cut off between
the act and this memory happens again, which changes nothing: acts are named by the digests of
what was signed. Refusals are not kept, since nothing happened.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, Protocol

from strongroom.broker.records import IdempotencyRow
from strongroom.broker.repository import Reading, Writing
from strongroom.errors import StorageUnavailable, UsageError

_KEY: Final = re.compile(r"[!-~]{1,128}")
_SWEEP_EVERY: Final = timedelta(hours=1)


class Answers(Protocol):
    """Where answers are kept."""

    def read(self, look: Callable[[Reading], IdempotencyRow | None]) -> IdempotencyRow | None:
        """Look at the database."""
        ...

    def write(self, do: Callable[[Writing], None]) -> None:
        """Write to the database, durably."""
        ...


class Memory:
    """The answers to writes. ``turn`` belongs to the event loop, the rest to any thread."""

    def __init__(self, answers: Answers, clock: Callable[[], datetime], *, remember_seconds: int) -> None:
        self._answers = answers
        self._clock = clock
        self._life = timedelta(seconds=remember_seconds)
        self._turns: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}
        self._lock = threading.Lock()
        self._swept: datetime | None = None

    @asynccontextmanager
    async def turn(self, principal: str, key: str) -> AsyncIterator[None]:
        """Hold the key: a repetition that comes while the first is under way waits for its answer."""
        lock, waiting = self._turns.get((principal, key), (asyncio.Lock(), 0))
        self._turns[principal, key] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[principal, key]
            if waiting == 1:
                del self._turns[principal, key]
            else:
                self._turns[principal, key] = (lock, waiting - 1)

    def recall(self, principal: str, key: str, digest: str) -> IdempotencyRow | None:
        """Return the answer that a write with this key got, if it got one.

        Raises:
            UsageError: the key came with another request (code ``idempotency-key-reused``).
            StorageUnavailable: the database does not answer.
        """
        row = self._answers.read(lambda kept: kept.answered(principal, key))
        if row is None or row.at < self._clock() - self._life:
            return None
        if row.request != digest:
            raise UsageError(
                "this idempotency key came with another request before",
                code="idempotency-key-reused",
                hint="use a fresh random key for each new request",
            )
        return row

    def remember(self, principal: str, key: str, digest: str, status: int, body: bytes) -> None:
        """Keep an answer. That it cannot be kept is no reason to withhold it: the act is done."""
        now = self._clock()
        row = IdempotencyRow(principal=principal, key=key, request=digest, status=status, body=body, at=now)
        sweep = self._is_time_to_sweep(now)

        def keep(kept: Writing) -> None:
            if sweep:
                kept.forget_answers(now - self._life)
            if kept.answered(principal, key) is None:
                kept.remember_answer(row)

        try:
            self._answers.write(keep)
        except StorageUnavailable:
            return

    def _is_time_to_sweep(self, now: datetime) -> bool:
        with self._lock:
            if self._swept is not None and now - self._swept < _SWEEP_EVERY:
                return False
            self._swept = now
            return True


def verify_key(key: str | None) -> str:
    """Return the key of a write.

    Raises:
        UsageError: it is missing or has another form (code ``idempotency-key-missing``).
    """
    if key is None or not _KEY.fullmatch(key):
        raise UsageError(
            "a write needs an Idempotency-Key of 1 to 128 visible ASCII characters",
            code="idempotency-key-missing",
            hint="send a random one, and the same again when you repeat the request",
        )
    return key


def digest_of(method: str, path: bytes, body: bytes) -> str:
    """Return what tells one request from another, hexadecimal.

    Args:
        method: Its method.
        path: Its path as it came. What a framework makes of it may hold the ``Host`` header, which whoever
            asks can choose.
        body: Its body.
    """
    return hashlib.sha256(method.encode("ascii") + b" " + path + b"\n" + body).hexdigest()
