"""Offers: a newer checkpoint, with the proof that it continues an older one (C2SP tlog-witness).

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=

    own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1
    20852163
    ...

This is the body of ``add-checkpoint``. A log sends it to witnesses, and to partners who
ask what happened since. What to make of it is in ``witness``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.log.merkle import MAX_SIZE
from strongroom.log.note import Note
from strongroom.log.proof import hashes_from_lines, join_head, split_head

_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Offer:
    """A parsed offer; nothing in it is checked."""

    old_size: int
    """From which size the proof starts."""
    hashes: tuple[bytes, ...]
    note: Note

    @classmethod
    def from_bytes(cls, data: bytes) -> Offer:
        """Parse an offer.

        Raises:
            FormatError: not exactly the form that ``to_bytes`` writes.
        """
        lines, note = split_head(data)
        old = _OLD.fullmatch(lines[0])
        if old is None or int(old[1]) > MAX_SIZE:
            raise FormatError("an offer of a log has no canonical old size", code="log-offer")
        return cls(int(old[1]), hashes_from_lines(lines[1:]), note)

    def to_bytes(self) -> bytes:
        """Return the bytes of the offer."""
        return join_head((f"old {self.old_size}",), self.hashes, self.note)
