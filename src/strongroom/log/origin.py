"""The name of an owner's log: whose it is, and which one.

    >>> str(Origin.from_text("own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1").following)
    'own-aaaaaaaaaaaaaaaaaaaaaaaa/log/2'

The name does not say where the log is served: a broker may move. It begins with the owner
id, so that nobody can pass one owner's log off as another's, and ends with a number that
goes up by one when a restored broker starts a new log (spec/log.md, "Origin").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.keys.identity import verify_owner_id

_ORIGIN: Final = re.compile(r"([a-z2-7-]+)/log/([1-9][0-9]{0,8})")
_MAX_NUMBER: Final = 999_999_999


@dataclass(frozen=True, slots=True)
class Origin:
    """An owner id and the number of the log, from 1."""

    owner: str
    number: int

    def __post_init__(self) -> None:
        verify_owner_id(self.owner)
        if not 1 <= self.number <= _MAX_NUMBER:
            raise FormatError("the number of a log is not positive, or too large", code="log-origin")

    @classmethod
    def from_text(cls, text: str) -> Origin:
        """Read the first line of a checkpoint.

        Raises:
            FormatError: code ``log-origin`` or ``owner-id``: another form.
        """
        match = _ORIGIN.fullmatch(text)
        if match is None:
            raise FormatError("not the name of an owner's log", code="log-origin")
        return cls(match[1], int(match[2]))

    def to_text(self) -> str:
        """Return the first line of a checkpoint, which is also the name of the log's keys."""
        return f"{self.owner}/log/{self.number}"

    def __str__(self) -> str:
        return self.to_text()

    @property
    def following(self) -> Origin:
        """The log that comes after a restore.

        Raises:
            FormatError: there were a billion.
        """
        return Origin(self.owner, self.number + 1)
