"""Writes that are asked again: the same key and the same request get the same answer, and happen once.

    asked = Asked(principal=principal.id, key=key, digest=digest_of("POST", path, body))
    known = memory.recall(asked)
    with memory.keeping(asked, Done, render) as kept:
        service.do(...)
    kept.body

The answer is kept in the very transaction of the act: whenever it is killed, and whichever broker of
several over one database is asked again, either both are there or none. Refusals are not kept, since nothing
happened; nor is what entered nothing into the log, since it changed nothing.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from strongroom.broker.act import Act
from strongroom.broker.besides import besides
from strongroom.broker.records import IdempotencyRow
from strongroom.broker.repository import Reading
from strongroom.errors import UsageError

_KEY: Final = re.compile(r"[!-~]{1,128}")
_SWEEP_EVERY: Final = timedelta(hours=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One write."""

    principal: str
    key: str
    digest: str
    """What tells its request from another."""


class AnsweredError(Exception):
    """An act was done before, and nothing of it is done again: not an error of anybody."""

    def __init__(self, row: IdempotencyRow) -> None:
        super().__init__("answered before")
        self.row = row


class Kept:
    """What one write was answered, once its act is durable."""

    __slots__ = ("body",)

    def __init__(self) -> None:
        self.body: bytes | None = None


class Memory:
    """The answers to writes. Safe to use from several threads."""

    def __init__(
        self,
        view: Callable[[], AbstractContextManager[Reading]],
        clock: Callable[[], datetime],
        *,
        remember_seconds: int,
    ) -> None:
        self._view = view
        self._clock = clock
        self._life = timedelta(seconds=remember_seconds)
        self._lock = threading.Lock()
        self._swept: datetime | None = None

    def recall(self, asked: Asked) -> bytes | None:
        """Return the answer that a write with this key got, if it got one.

        Raises:
            UsageError: the key came with another request (code ``idempotency-key-reused``).
            StorageUnavailable: the database does not answer.
        """
        with self._view() as kept:
            row = kept.answered(asked.principal, asked.key)
        if row is None or self._is_forgotten(row, self._clock()):
            return None
        return answer_of(row, asked)

    @contextmanager
    def keeping(self, asked: Asked, kind: type, render: Callable[[object], bytes]) -> Iterator[Kept]:
        """Keep the answer of the act that is done in this block, in its transaction.

        Args:
            asked: The write.
            kind: What an act returns that is the answer.
            render: Makes the body of the answer from it.

        Raises:
            AnsweredError: within the block, where another had it done meanwhile.
        """
        kept = Kept()

        def around(act: Act, do: Callable[[Act], T]) -> T:
            known = act.kept.answered(asked.principal, asked.key)
            if known is not None and not self._is_forgotten(known, act.now):
                raise AnsweredError(known)
            entries = act.entries
            answer = do(act)
            if isinstance(answer, kind) and act.entries > entries:
                kept.body = render(answer)
                if known is not None or self._is_time_to_sweep(act.now):
                    act.kept.forget_answers(act.now - self._life)
                act.kept.remember_answer(_row(asked, kept.body, act.now))
            return answer

        with besides(around):
            yield kept

    def _is_forgotten(self, row: IdempotencyRow, now: datetime) -> bool:
        return row.at < now - self._life

    def _is_time_to_sweep(self, now: datetime) -> bool:
        with self._lock:
            if self._swept is not None and now - self._swept < _SWEEP_EVERY:
                return False
            self._swept = now
            return True


def answer_of(row: IdempotencyRow, asked: Asked) -> bytes:
    """Return a kept answer.

    Raises:
        UsageError: it was given to another request (code ``idempotency-key-reused``).
    """
    if row.request != asked.digest:
        raise UsageError(
            "this idempotency key came with another request before",
            code="idempotency-key-reused",
            hint="use a fresh random key for each new request",
        )
    return row.body


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


def _row(asked: Asked, body: bytes, now: datetime) -> IdempotencyRow:
    return IdempotencyRow(
        principal=asked.principal, key=asked.key, request=asked.digest, status=200, body=body, at=now
    )
