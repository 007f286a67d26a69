"""Model versions as numbers that can be compared.

    >>> version_number("1.10.0") > version_number("1.9.0")
    True

The form is that of the package format: three numbers below a million, without signs or
leading zeros.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from strongroom.errors import FormatError

_MOST_REMEMBERED: Final = 256
VersionNumber = tuple[int, int, int]

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_COUNT: Final = 1_000_000


@lru_cache(maxsize=_MOST_REMEMBERED)
def version_number(text: str) -> VersionNumber:
    """Read ``N.N.N``.

    Raises:
        FormatError: any other form.
    """
    parts = text.split(".")
    if len(parts) != 3 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise FormatError(
            "a version is not of the form N.N.N",
            code="version",
            hint="use three numbers, for example 1.4.0",
        )
    major, minor, patch = map(int, parts)
    return major, minor, patch


def next_version(version: VersionNumber) -> VersionNumber:
    """Return the smallest version after this one, if there is one.

    Raises:
        FormatError: there is none.
    """
    major, minor, patch = version
    following = (major * _COUNT + minor) * _COUNT + patch + 1
    rest, patch = divmod(following, _COUNT)
    major, minor = divmod(rest, _COUNT)
    if major == _COUNT:
        raise FormatError("there is no version after the highest one", code="version")
    return major, minor, patch


def version_text(version: VersionNumber) -> str:
    """Write ``N.N.N``."""
    return ".".join(map(str, version))
