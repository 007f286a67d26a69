"""A transport that answers as a list says, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from strongroom.connection.interface import Collect, Request, Response, Transport

Answer = Response | BaseException | Callable[[Request], Response]


class Scripted(Transport):
    """Gives one answer after the other."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []

    def _send(self, request: Request, collect: Collect) -> Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        response = answer(request) if callable(answer) else answer
        return Response(status=response.status, headers=response.headers, body=collect([response.body]))


def said(body: Any, status: int = 200, **headers: str) -> Response:
    """Make an answer with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=msgspec.json.encode(body))


def problem(
    status: int, code: str, kind: str = "broker-refused", *, hint: str | None = None, **headers: str
) -> Response:
    """Make a problem document."""
    body = {
        "type": f"/problems/{kind}/{code}",
        "title": "No",
        "status": status,
        "code": code,
        "detail": f"refused by {code}",
        "hint": hint,
    }
    return said(body, status, **headers)
