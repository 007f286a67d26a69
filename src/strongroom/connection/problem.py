"""What a broker refuses with, as the error that the caller sees.

    raise to_error(response)                 # LicenseDenied, ObjectNotFound or BrokerRefused

A refusal is a problem document (RFC 9457) with one of our codes. The text is the broker's own, and
a broker is not believed in everything: what it says is cut and cleaned before anybody reads it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from strongroom.connection.interface import Response
from strongroom.errors import BrokerRefused, Error, FormatError, LicenseDenied, ObjectNotFound
from strongroom.protocol.broker import Problem

_MAX_TEXT_CHARS: Final = 1000
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_NOT_FOUND: Final = 404
_LICENSE_KIND: Final = "license-denied"
"""Stands in the type of a problem that a license is the reason of."""


def read_problem(response: Response) -> Problem:
    """Read the problem document of an answer.

    Raises:
        FormatError: it has none (code ``broker-answer``).
    """
    try:
        problem = msgspec.json.decode(response.body, type=Problem)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise FormatError(
            f"the broker refuses with status {response.status} and does not say why",
            code="broker-answer",
            hint="is something else listening at the broker's address?",
        ) from error
    if not _CODE.fullmatch(problem.code):
        raise FormatError("the broker refuses with a code that is none", code="broker-answer")
    return problem


def to_error(response: Response) -> Error:
    """Return the error that an answer stands for.

    Raises:
        FormatError: the answer is no problem document (code ``broker-answer``).
    """
    problem = read_problem(response)
    kind = _kind(response.status, problem)
    hint = None if problem.hint is None else _clean(problem.hint)
    return kind(_clean(problem.detail), code=problem.code, hint=hint)


def _kind(status: int, problem: Problem) -> type[Error]:
    if status == _NOT_FOUND:
        return ObjectNotFound
    if _LICENSE_KIND in problem.type.split("/"):
        return LicenseDenied
    return BrokerRefused


def _clean(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:_MAX_TEXT_CHARS]
