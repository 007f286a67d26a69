"""Tables as JSON: a list of objects, or one object for each line; written as a list of objects.

[{"patient": "007", "age": 61}, {"patient": "008", "age": null}]
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from strongroom.errors import UsageError

_HINT: Final = "write a list of objects, [{...}, {...}], or one object for each line"


def read_json(data: bytes) -> dict[str, Sequence[Any]]:
    """Read a table.

    Raises:
        UsageError: it is no such table (code ``table-malformed``).
    """
    rows = _rows(data)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError("the table is no list of objects", code="table-malformed", hint=_HINT)
    names = list(rows[0])
    for number, row in enumerate(rows, start=1):
        if row.keys() != rows[0].keys():
            raise UsageError(
                f"object {number} does not have the same names as the first one",
                code="table-malformed",
                hint="null stands for a missing value",
            )
    return {name: [row[name] for row in rows] for name in names}


def _rows(data: bytes) -> list[Any]:
    try:
        text = data.decode("utf-8-sig").strip()
        if text.startswith("{"):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("the table is not valid JSON", code="table-malformed", hint=_HINT) from error
    return rows if isinstance(rows, list) else []


def write_json(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Write a table as one document."""
    return json.dumps(to_objects(columns), ensure_ascii=False, indent=1).encode("utf-8") + b"\n"


def to_objects(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the rows as JSON values; JSON has no infinity and no NaN, so they are null."""
    return [
        {name: _finite(value) for name, value in zip(columns, row, strict=True)}
        for row in zip(*columns.values(), strict=True)
    ]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
