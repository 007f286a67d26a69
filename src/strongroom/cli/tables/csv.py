"""Tables as CSV (RFC 4180): UTF-8, a line of names first; separated by comma, semicolon or tab.

    patient,age,bmi
    007,61,24.3

A column is made of whole numbers, of numbers, of true and false, or of text, whichever all its cells fit; an
empty cell is missing. A number that begins with a zero, as 00123, is a code, and its column is text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from strongroom.errors import UsageError

_SEPARATORS: Final = ",;\t"
_INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
_NUMBER: Final = re.compile(
    r"[+-]?((0|[1-9][0-9]*)?(\.[0-9]*)?(e[+-]?[0-9]+)?|inf(inity)?|nan)", re.ASCII | re.IGNORECASE
)
_BOOLEANS: Final = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
_MAX_CELL_CHARS: Final = 1 << 20


def read_csv(data: bytes, *, verbatim: Collection[str] = ()) -> dict[str, Sequence[Any]]:
    """Read a table; columns in ``verbatim`` stay text.

    Raises:
        UsageError: it is no such table (code ``table-malformed``).
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed("is not UTF-8 text", "save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=head.count)
    csv.field_size_limit(_MAX_CELL_CHARS)
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row
        ]
    except csv.Error as error:
        raise _malformed("is not well-formed CSV", "look for a quotation mark that is not closed") from error
    if not rows:
        raise _malformed("is empty", "its first line names the columns")
    names, *cells = rows
    _verify_shape(names, cells)
    columns = zip(*cells, strict=True) if cells else iter([()] * len(names))
    return {
        name: list(column) if name in verbatim else typed(column)
        for name, column in zip(names, columns, strict=True)
    }


def _verify_shape(names: list[str], rows: list[list[str]]) -> None:
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _malformed(f"has two columns named {', '.join(twice)}", "rename one of them")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise _malformed(
                f"has {len(row)} cells in row {number} and {len(names)} names in its first row",
                "every row needs as many cells as there are names",
            )


def typed(cells: Sequence[str]) -> list[Any]:
    """Return the values that the cells of one column stand for."""
    present = {cell for cell in cells if cell}
    if all(_INTEGER.fullmatch(cell) for cell in present):
        return [int(cell) if cell else None for cell in cells]
    if all(_is_number(cell) for cell in present):
        return [float(cell) if cell else None for cell in cells]
    if all(cell in _BOOLEANS for cell in present):
        return [_BOOLEANS[cell] if cell else None for cell in cells]
    return [cell or None for cell in cells]


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None and any(character.isalnum() for character in cell)


def write_csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Write a table."""
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return sink.getvalue().encode("utf-8")


def _malformed(fault: str, hint: str) -> UsageError:
    return UsageError(f"the table {fault}", code="table-malformed", hint=hint)
