"""The receipt file: what a stranger is given, and can check with nothing but the owner's id.

    file = ReceiptFile.of(warrant, token, entries)           # all receipts of one batch
    data = file.one(7).to_bytes()                            # one of them, with its Merkle path
    file = ReceiptFile.from_bytes(data)                      # well formed, nothing verified

Nothing in it is secret: no salt, no value, no wrapped key, no invite (spec/receipt.md, "Receipt file").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from strongroom._encoding import from_base64, from_hex, from_wire, to_hex, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto.digest import DIGEST_BYTES
from strongroom.errors import FormatError, UsageError
from strongroom.log.merkle import MAX_PROOF_HASHES
from strongroom.receipts.batch import Entry, path_of


class Warrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public documents from the owner down to the device key, and the package's own."""

    owner: tuple[str, ...]
    """The owner chain, one base64 envelope per version."""
    license: str
    """Token."""
    sublicenses: tuple[str, ...]
    """Tokens, widest first."""
    runtime: str
    """Token by which the holder's organization certifies the device key."""
    statement: str
    """Base64 of the signed statement of the package."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: Literal["receipt-file/v1"]
    warrant: Warrant
    batch: str
    entries: tuple[tuple[str, str], ...]
    index: int | None
    path: tuple[str, ...] | None


class ReceiptFile(msgspec.Struct, frozen=True, kw_only=True):
    """All receipts of one batch, or one of them."""

    warrant: Warrant
    batch: str
    """Token of the batch."""
    entries: tuple[Entry, ...]
    index: int | None = None
    """Which entry of the batch this is; None: all of them are here."""
    path: tuple[bytes, ...] = ()
    """From the sibling of the one entry to the root."""

    @classmethod
    def from_bytes(cls, data: bytes) -> ReceiptFile:
        """Parse a file.

        Raises:
            FormatError: too large, not canonical, or a rule of spec/receipt.md does not hold.
        """
        wire = from_wire(data, _File, max_bytes=LIMITS.max_receipt_file_bytes)
        if not wire.entries or (wire.index is None) != (wire.path is None):
            raise FormatError("a receipt file has no entry, or an index without a path")
        if wire.index is not None and (len(wire.entries) != 1 or wire.index < 0):
            raise FormatError("a receipt file with an index has exactly one entry")
        path = wire.path or ()
        if len(path) > MAX_PROOF_HASHES:
            raise FormatError(f"a path has more than {MAX_PROOF_HASHES} hashes")
        from_base64(wire.warrant.statement)
        return cls(
            warrant=wire.warrant,
            batch=wire.batch,
            entries=tuple(Entry(_digest(given), _digest(left)) for given, left in wire.entries),
            index=wire.index,
            path=tuple(map(_digest, path)),
        )

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(
            _File(
                format="receipt-file/v1",
                warrant=self.warrant,
                batch=self.batch,
                entries=tuple((to_hex(each.input), to_hex(each.output)) for each in self.entries),
                index=self.index,
                path=None if self.index is None else tuple(map(to_hex, self.path)),
            )
        )

    def one(self, index: int) -> ReceiptFile:
        """Return the file of one entry: it tells nothing of the others but how many there are.

        Raises:
            UsageError: there is no such entry here (code ``receipt-index``).
        """
        if self.index == index:
            return self
        if self.index is not None or not 0 <= index < len(self.entries):
            raise no_such_receipt(index)
        return ReceiptFile(
            warrant=self.warrant,
            batch=self.batch,
            entries=(self.entries[index],),
            index=index,
            path=tuple(path_of(self.entries, index)),
        )


def no_such_receipt(index: int) -> UsageError:
    """Return the refusal of an index that a file does not have."""
    return UsageError(
        f"there is no receipt {index} in this file", code="receipt-index", hint="rows are counted from 0"
    )


def at(values: Sequence[object], index: int | None, wanted: int) -> int:
    """Return where in a file of all entries, or of the one at ``index``, a wanted entry stands.

    Raises:
        UsageError: it does not (code ``receipt-index``).
    """
    if index is None and 0 <= wanted < len(values):
        return wanted
    if index is not None and index == wanted:
        return 0
    raise no_such_receipt(wanted)


def _digest(text: str) -> bytes:
    return from_hex(text, size=DIGEST_BYTES)
