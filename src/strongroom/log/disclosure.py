"""What those entitled are given: a record with its salt, in one piece.

    {"format": "log-disclosure/v1", "record": {...}, "salt": "5f0c..."}

    disclosure = Disclosure(record=record, salt=generate_salt())
    entry = disclosure.entry                                  # what goes into the log
    Proof(disclosure.to_bytes(), index, hashes, note)         # what goes to the partner

The entry follows from the two, so it does not travel with them. Whoever erases this
erases what was logged (spec/log.md, "Erasure").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from strongroom._encoding import canonical_json, from_hex, from_wire, to_hex
from strongroom.log.entry import SALT_BYTES, Entry, Record, commit, commit_bytes

_FORM: Final = b'{"format":"log-disclosure/v1","record":%b,"salt":"%b"}'


class _Disclosure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["log-disclosure/v1"]
    record: dict[str, Any]
    salt: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A record and its salt. Its repr shows neither."""

    record: Record
    salt: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Disclosure:
        """Read a disclosure.

        Raises:
            FormatError: not canonical, or a rule of spec/log.md does not hold.
        """
        wire = from_wire(data, _Disclosure)
        record = Record.from_bytes(canonical_json(wire.record))
        return cls(record, from_hex(wire.salt, size=SALT_BYTES))

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form.

        Raises:
            FormatError: the record breaks a rule of spec/log.md, or the salt has another size.
        """
        return self.committed()[1]

    def committed(self) -> tuple[bytes, bytes]:
        """Return the entry and the canonical JSON form of this, for who needs both.

        Raises:
            FormatError: the record breaks a rule of spec/log.md, or the salt has another size.
        """
        record = self.record.to_bytes()
        entry = commit_bytes(record, self.salt).to_bytes()
        # The members in their order, as ``canonical_json`` would write them.
        return entry, _FORM % (record, to_hex(self.salt).encode())

    @property
    def entry(self) -> Entry:
        """The entry of the log that stands for the record.

        Raises:
            FormatError: the record breaks a rule of spec/log.md, or the salt has another size.
        """
        return commit(self.record, self.salt)

    def __repr__(self) -> str:
        return f"Disclosure(kind={self.record.kind.value!r})"
