"""Samples on the command line: a table in a file, as a data frame.

frame = read_sample(Path("patients.csv"))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strongroom.errors import UnsupportedError


def read_sample(path: Path) -> Any:
    """Return the sample as a data frame: the names of its columns become those of the model.

    Raises:
        UnsupportedError: pandas is not installed (code ``extra-missing``).
        FormatError: it is no table.
    """
    from strongroom.cli.tables import kind_of, read

    columns = read(path.read_bytes(), kind_of(path))
    try:
        import pandas
    except ImportError as error:
        raise UnsupportedError(
            "a sample needs pandas, which is not installed",
            code="extra-missing",
            hint="pip install 'strongroom[frames]'",
        ) from error
    return pandas.DataFrame(columns)
