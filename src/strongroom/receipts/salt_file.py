"""The salt file: what the holder of receipts keeps, and shows to whom a value may be known.

    salts = SaltFile.of(batch_id, seed, count)               # all of one batch
    salts.one(7, output=False).to_bytes()                    # the salt of one input, and nothing else

With the salt, whoever has a value can show that it is the one, and whoever guesses can try. So it is
given only to whom the value may be shown (spec/receipt.md, "Salt file").
"""

from __future__ import annotations

from typing import Literal

import msgspec

from strongroom._encoding import from_hex, from_wire, to_hex, to_wire
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.license.documents import ReceiptBatch
from strongroom.license.fields import verify_id
from strongroom.receipts.commitment import SALT_BYTES, expand
from strongroom.receipts.receipt_file import at

Salts = tuple[bytes | None, bytes | None]
"""For input and output; None: not told."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal["receipt-salts/v1"]
    batch: str
    index: int | None
    salts: tuple[tuple[str | None, str | None], ...]


class SaltFile(msgspec.Struct, frozen=True, kw_only=True):
    """The salts of all receipts of one batch, or of one of them. Its repr shows none."""

    batch: str
    """Id of the batch."""
    salts: tuple[Salts, ...]
    index: int | None = None

    @classmethod
    def of(cls, batch: str, seed: bytes, count: int) -> SaltFile:
        """Return all salts of a batch.

        Raises:
            FormatError: the seed has another size.
        """
        return cls(batch=batch, salts=tuple(expand(seed, count)))

    @classmethod
    def from_bytes(cls, data: bytes) -> SaltFile:
        """Parse a file.

        Raises:
            FormatError: too large, not canonical, or a rule of spec/receipt.md does not hold.
        """
        wire = from_wire(data, _File, max_bytes=LIMITS.max_receipt_file_bytes)
        verify_id(wire.batch, ReceiptBatch.PREFIX)
        if not wire.salts or (wire.index is not None and (len(wire.salts) != 1 or wire.index < 0)):
            raise FormatError("a salt file has no salts, or an index and more than one entry")
        return cls(
            batch=wire.batch,
            salts=tuple((_salt(given), _salt(left)) for given, left in wire.salts),
            index=wire.index,
        )

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(
            _File(
                format="receipt-salts/v1",
                batch=self.batch,
                index=self.index,
                salts=tuple((_text(given), _text(left)) for given, left in self.salts),
            )
        )

    def one(self, index: int, *, input: bool = True, output: bool = True) -> SaltFile:
        """Return the salts of one receipt, or only that of its input or output.

        Raises:
            UsageError: there is no such receipt here (code ``receipt-index``).
        """
        given, left = self.of_row(index)
        return SaltFile(
            batch=self.batch, index=index, salts=((given if input else None, left if output else None),)
        )

    def of_row(self, index: int) -> Salts:
        """Return the salts of one receipt.

        Raises:
            UsageError: there is no such receipt here (code ``receipt-index``).
        """
        return self.salts[at(self.salts, self.index, index)]

    def __repr__(self) -> str:
        return f"SaltFile(batch={self.batch!r})"


def _salt(text: str | None) -> bytes | None:
    return None if text is None else from_hex(text, size=SALT_BYTES)


def _text(salt: bytes | None) -> str | None:
    return None if salt is None else to_hex(salt)
