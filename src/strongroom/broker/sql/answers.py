"""What repeated requests were answered, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select

from strongroom.broker.records import IdempotencyRow
from strongroom.broker.sql.rows import Shape, to_seconds
from strongroom.broker.sql.session import Session
from strongroom.broker.sql.statement import Statement, adding
from strongroom.broker.sql.tables import ANSWER

_ANSWER: Final = Shape(IdempotencyRow, ANSWER)

_ANSWERED: Final = Statement(
    select(*_ANSWER.columns).where(
        ANSWER.c.principal == bindparam("principal"), ANSWER.c.key == bindparam("key")
    )
)
_ADD: Final = adding(ANSWER)
_FORGET: Final = Statement(delete(ANSWER).where(ANSWER.c.at < bindparam("before")))


class AnswerReading(Session):
    """What can be asked about answers."""

    def answered(self, principal: str, key: str) -> IdempotencyRow | None:
        """Return what this request was answered before."""
        return _ANSWER.optional(self.first(_ANSWERED, principal=principal, key=key))


class AnswerWriting(AnswerReading):
    """What can be written about answers."""

    def remember_answer(self, row: IdempotencyRow) -> None:
        """Keep what a request was answered."""
        self.add((_ADD, _ANSWER.to_values(row), "answer"))

    def forget_answers(self, before: datetime) -> None:
        """Drop answers that are older."""
        self.later(_FORGET, [{"before": to_seconds(before)}])
