"""How owners and partners may be called.

    verify_name("st-georg.north")

A name ends in file names, command lines and messages, and two people compare it by
eye: lower-case ASCII only, so that no two names look alike and none repaints a
terminal or climbs out of a folder (spec/keys.md, section "Names").
"""

from __future__ import annotations

import re
from typing import Final

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, UsageError

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_RULE: Final = (
    "a name has lower-case letters, digits, '.', '_' and '-', and starts and ends with none of the marks"
)


def verify_name(name: str) -> None:
    """Check a name that somebody else chose.

    Raises:
        FormatError: other characters, a mark at an end, empty or too long.
    """
    if len(name) > LIMITS.max_name_chars or not _NAME.fullmatch(name):
        raise FormatError("the name of an owner or partner is not allowed", code="name", hint=_RULE)


def verify_chosen_name(name: str) -> None:
    """Check a name that the caller is choosing now.

    Raises:
        UsageError: other characters, a mark at an end, empty or too long.
    """
    if len(name) > LIMITS.max_name_chars or not _NAME.fullmatch(name):
        raise UsageError(
            f"this name is not allowed; it may have {LIMITS.max_name_chars} characters",
            code="name",
            hint=_RULE,
        )
