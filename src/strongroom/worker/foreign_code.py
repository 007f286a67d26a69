"""Code of an owner at a partner: where it may run, and what of a worker that runs it is believed.

    verify_code_allowed(statement, report, trusted=False)      # before it is loaded, on both sides
    failure = plain_failure(failure)                            # what it says went wrong, in our words
    verify_answer(schema, "predict", tensors, rows=2)           # nothing but the signed outputs

Once such code has run, its worker is in its hands: it can write any bytes to the channel. So the
supervisor, which the code cannot reach, checks every answer again and takes no text from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from strongroom.errors import Error, FormatError, UnsupportedError, UsageError
from strongroom.hardening.report import Report
from strongroom.package.contents import Field, Schema
from strongroom.package.statement import Statement
from strongroom.worker.frames import ITEM_BYTES, Datatype, Tensor

MAX_TEXT_BYTES: Final = 64 << 20
"""What an answer may hold beyond its numbers: text, and shapes that the schema leaves open."""
_HEAD_ROOM: Final = 4096

_WORDS: Final = {
    "code-failed": (
        "the owner's code failed on this input, or answered something else than its schema says",
        "compare the input with the schema; what the code said stays inside, so ask its owner",
    ),
    "input-datatype": ("an input is of another type than the schema says", "compare both"),
    "input-shape": ("an input is of another shape than the schema says", "compare both"),
    "input-rows": ("the inputs differ in their number of rows, or have none", None),
}
"""The reasons for a refusal that a worker with such code may give: our words for each."""


def verify_code_allowed(statement: Statement, report: Report, *, trusted: bool) -> None:
    """Refuse code of the owner in a process that is not confined, unless the partner trusts it.

    Raises:
        UnsupportedError: code ``code-not-confined``.
    """
    if not statement.carries_code or report.confines_code or trusted:
        return
    missing = ", ".join(measure.value for measure in report.lacking_for_code)
    raise UnsupportedError(
        f"this model is a program of its owner, and here it would not be confined (missing: {missing})",
        code="code-not-confined",
        hint="'strongroom doctor' says how to get what is missing. Only if you trust the owner with the files"
        " and the network of this account: --trust-code",
    )


def plain_failure(error: Error) -> Error:
    """Return the error to tell in place of one that code of the owner may have written."""
    message, hint = _WORDS.get(error.code, _WORDS["code-failed"])
    return UsageError(message, code=error.code if error.code in _WORDS else "code-failed", hint=hint)


def printable_failure(error: Error) -> Error:
    """Return an error from the time of loading, in which nothing acts on a terminal or begins a new line.

    Then there is no data of the partner in the worker yet that it could tell.
    """
    kind = type(error)
    return kind(_printable(str(error)), code=error.code, hint=error.hint and _printable(error.hint))


def _printable(text: str) -> str:
    return "".join(each if each.isascii() and each.isprintable() else " " for each in text)[:500]


def verify_answer(schema: Schema, tensors: Sequence[Tensor], *, rows: int) -> None:
    """Check that an answer holds outputs of the schema, as it describes them, for so many rows.

    Raises:
        FormatError: anything else (code ``answer-schema``).
    """
    fields = {field.name: field for field in schema.outputs}
    if not tensors:
        raise _not_in_schema()
    for tensor in tensors:
        field = fields.get(tensor.name)
        if field is None or field.datatype != tensor.datatype or not _fits(field, tensor.shape, rows):
            raise _not_in_schema()


def _fits(field: Field, shape: Sequence[int], rows: int) -> bool:
    if len(shape) != len(field.shape):
        return False
    wanted = [*([rows] if field.shape[:1] == [-1] else field.shape[:1]), *field.shape[1:]]
    return all(want in (-1, have) for want, have in zip(wanted, shape, strict=True))


def most_answer_bytes(schema: Schema, *, rows: int) -> int:
    """Return how large the body of an honest answer can be: a claim beyond it is not read."""
    known = 0
    for field in schema.outputs:
        sizes = [rows if size == -1 else size for size in field.shape]
        known += math.prod(sizes) * ITEM_BYTES.get(Datatype(field.datatype), 4) + _HEAD_ROOM
    return known + MAX_TEXT_BYTES


def _not_in_schema() -> FormatError:
    return FormatError(
        "the owner's code answered something else than its schema says",
        code="answer-schema",
        hint="ask its owner; nothing was counted",
    )
