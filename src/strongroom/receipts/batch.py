"""Batches: many predictions under one signature of a device key (spec/receipt.md, "Batch").

    entries = make_entries(inputs, outputs, predictions=128, seed=seed)
    signed = sign_document(ReceiptBatch(root=to_hex(root_of(entries)), size=len(entries), ...), device)
    path = path_of(entries, 7)                       # RFC 6962, checked by ``verify_path``

An entry is two commitments. One prediction is a batch with one entry, whose path is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import Final, NamedTuple

from strongroom.crypto import labels
from strongroom.crypto.digest import sha256_each
from strongroom.errors import IntegrityError
from strongroom.log.merkle import leaf_hash, verify_inclusion
from strongroom.receipts.commitment import Values, commit, commit_rows, expand, has_rows

# The members in their order, as ``canonical_json`` would write them.
_FORM: Final = b'{"format":"receipt-entry/v1","input":"%b","output":"%b"}'


class Entry(NamedTuple):
    """What one prediction leaves: two commitments, 32 bytes each."""

    input: bytes
    output: bytes

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form, which is the leaf of the tree."""
        return _FORM % (self.input.hex().encode(), self.output.hex().encode())


def make_entries(
    inputs: Sequence[Values], outputs: Sequence[Values], *, predictions: int, seed: bytes
) -> list[Entry]:
    """Commit to what went in and what came out: row by row where all of it has rows, else as a whole.

    Raises:
        FormatError: the seed has another size, or a text does not fill its bytes.
    """
    if predictions == 1 or not has_rows([*inputs, *outputs], predictions):
        ((input_salt, output_salt),) = expand(seed, 1)
        return [
            Entry(
                commit(labels.RECEIPT_INPUT, input_salt, inputs),
                commit(labels.RECEIPT_OUTPUT, output_salt, outputs),
            )
        ]
    input_salts, output_salts = zip(*expand(seed, predictions), strict=True)
    given = commit_rows(labels.RECEIPT_INPUT, input_salts, inputs)
    left = commit_rows(labels.RECEIPT_OUTPUT, output_salts, outputs)
    return list(starmap(Entry, zip(given, left, strict=True)))


def root_of(entries: Sequence[Entry]) -> bytes:
    """Return the Merkle root over the entries, of which there is at least one."""
    level = sha256_each([b"\x00" + each.to_bytes() for each in entries])
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(entries: Sequence[Entry], index: int) -> list[bytes]:
    """Return the hashes from the sibling of entry ``index`` up to the root."""
    level = [leaf_hash(each.to_bytes()) for each in entries]
    path = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level, index = _above(level), index >> 1
    return path


def verify_path(entry: Entry, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that an entry stands at ``index`` under the root.

    Raises:
        IntegrityError: it does not (code ``receipt-path``).
    """
    try:
        verify_inclusion(leaf_hash(entry.to_bytes()), index=index, size=size, proof=path, root=root)
    except IntegrityError as error:
        raise IntegrityError(
            "a receipt does not belong to the signature that it comes with",
            code="receipt-path",
            hint="ask whoever gave it to you for the whole file",
        ) from error


def _above(level: Sequence[bytes]) -> list[bytes]:
    # A last node without sibling stays as it is: the split of RFC 6962, from below.
    above = sha256_each(
        [b"\x01" + left + right for left, right in zip(level[::2], level[1::2], strict=False)]
    )
    return above if len(level) % 2 == 0 else [*above, level[-1]]
