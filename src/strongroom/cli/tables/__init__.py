"""Tables on the command line: CSV, Parquet and JSON in and out, one file for each.

    columns = read(data, Kind.CSV, verbatim={"patient"})     # {"patient": ["007", ...], "age": [61, ...]}
    data = write({"patient": ["007"], "prediction": [1]}, Kind.CSV)

Columns have names and one order; a missing value is None. What a reader refuses it names by column and line,
never by value: it may be a patient's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from strongroom.errors import UsageError

Columns = Mapping[str, Any]
"""Columns by name, each a list or a numpy array, all of one length."""


class Kind(StrEnum):
    """How a table is written down."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


_SUFFIXES = {
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
    ".txt": Kind.CSV,
    ".parquet": Kind.PARQUET,
    ".pq": Kind.PARQUET,
    ".json": Kind.JSON,
    ".jsonl": Kind.JSON,
    ".ndjson": Kind.JSON,
}


def kind_of(path: Path, default: Kind | None = None) -> Kind:
    """Tell the kind of a table from its file name.

    Raises:
        UsageError: the name does not tell (code ``table-kind``).
    """
    kind = _SUFFIXES.get(path.suffix.lower(), default)
    if kind is None:
        raise UsageError(
            f"cannot tell from its name what {path} holds",
            code="table-kind",
            hint="say --format csv, or rename it",
        )
    return kind


def read(data: bytes, kind: Kind, *, verbatim: Collection[str] = ()) -> dict[str, Any]:
    """Read a table; the columns in ``verbatim`` keep their exact text where the kind has text only.

    Raises:
        UsageError: it is no such table, or its rows do not fit together (code ``table-malformed``).
        UnsupportedError: the library for this kind is not installed.
    """
    if kind is Kind.CSV:
        from strongroom.cli.tables.csv import read_csv

        return read_csv(data, verbatim=verbatim)
    if kind is Kind.JSON:
        from strongroom.cli.tables.json import read_json

        return read_json(data)
    from strongroom.cli.tables.parquet import read_parquet

    return read_parquet(data)


def write(columns: Columns, kind: Kind) -> bytes:
    """Write a table; a number is written so that reading it gives the same number.

    Raises:
        UnsupportedError: the library for this kind is not installed.
    """
    if kind is Kind.PARQUET:
        from strongroom.cli.tables.parquet import write_parquet

        return write_parquet(columns)
    plain = {name: plain_values(values) for name, values in columns.items()}
    if kind is Kind.CSV:
        from strongroom.cli.tables.csv import write_csv

        return write_csv(plain)
    from strongroom.cli.tables.json import write_json

    return write_json(plain)


def plain_values(values: Any) -> list[Any]:
    """Return a column as Python values, an array of short floats as the shortest decimals that mean them."""
    dtype = getattr(values, "dtype", None)
    if dtype is None:
        return list(values)
    if dtype.kind == "f" and dtype.itemsize < 8:
        return [float(str(value)) for value in values]
    plain: list[Any] = values.tolist()
    return plain
