"""Salted commitments to inputs and outputs, row by row (spec/receipt.md, "Values" and "Commitments").

    salts = expand(seed, rows)                               # [(input salt, output salt), ...]
    commit(RECEIPT_INPUT, salts[0][0], tensors)              # one commitment to all of it
    commit_rows(RECEIPT_INPUT, salts, tensors)               # one for each row

Whoever has not the salt learns nothing from a commitment, not even by trying guesses: there are 256
random bits in it. Whoever has salt and values computes it again. The input and the output of one
prediction have salts and labels of their own: one can be shown without the other, and neither as the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from strongroom._encoding import canonical_json
from strongroom.crypto import labels
from strongroom.crypto.digest import Buffer, sha256, sha256_each, shake_256
from strongroom.errors import FormatError

SALT_BYTES: Final = 32
SEED_BYTES: Final = 32
TEXT: Final = "BYTES"
_LENGTH_BYTES: Final = 4
_MOST_EMPTY_ROWS: Final = 1 << 16
_FEW: Final = 64
"""Up to so many tensors, a description is remembered."""
_Said = tuple[tuple[str, str, tuple[int, ...]], ...]
_MISSING: Final = 0xFFFFFFFF
"""The length that stands for a missing text, which has no bytes (spec/worker-protocol.md)."""


class Values(Protocol):
    """A named tensor of raw little-endian bytes; ``worker.frames.Tensor`` is one."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def datatype(self) -> str:
        """One of the names of the Open Inference Protocol."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Row-major."""

    @property
    def data(self) -> Buffer:
        """The elements."""


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Buffer


def expand(seed: bytes, count: int) -> list[tuple[bytes, bytes]]:
    """Return the salts of ``count`` predictions, for input and output.

    Raises:
        FormatError: the seed has another size.
    """
    if len(seed) != SEED_BYTES:
        raise FormatError(f"the seed of salts has {SEED_BYTES} bytes")
    data = shake_256(labels.bind(labels.RECEIPT_SALTS, seed), 2 * SALT_BYTES * count)
    halves = [data[at : at + SALT_BYTES] for at in range(0, len(data), SALT_BYTES)]
    return list(zip(halves[::2], halves[1::2], strict=True))


def commit(label: bytes, salt: bytes, tensors: Sequence[Values]) -> bytes:
    """Return the commitment to tensors as they are, in whatever order they come.

    Raises:
        FormatError: the salt has another size, or a name cannot be written.
    """
    if len(salt) != SALT_BYTES:
        raise FormatError(f"a salt has {SALT_BYTES} bytes")
    ordered = _in_order(tensors)
    return sha256(labels.bind(label, salt, _describe(ordered, None), *[bytes(each.data) for each in ordered]))


def commit_rows(label: bytes, salts: Sequence[bytes], tensors: Sequence[Values]) -> list[bytes]:
    """Return the commitment to each row: what ``commit`` gives for the row alone, with its salt.

    Raises:
        FormatError: a tensor does not have as many rows as salts, or a text does not fill its bytes.
    """
    ordered = _in_order(tensors)
    columns = [split_rows(each, len(salts)) for each in ordered]
    # ``labels.bind`` spelled out: all but salt and data is the same in each row.
    head = labels.bind(label) + _size(SALT_BYTES)
    described = _describe(ordered, 1)
    middle = _size(len(described)) + described
    if len(ordered) == 1 and ordered[0].datatype != TEXT:
        middle += _size(len(columns[0][0]))
        # The usual case, a matrix: a third of the time of what follows.
        rows = zip(salts, columns[0], strict=True)
        return sha256_each([b"".join((head, salt, middle, row)) for salt, row in rows])
    wholes = []
    for salt, *row in zip(salts, *columns, strict=True):
        pieces: list[Buffer] = [head, salt, middle]
        for data in row:
            pieces += (_size(len(data)), data)
        wholes.append(b"".join(pieces))
    return sha256_each(wholes)


def has_rows(tensors: Sequence[Values], count: int) -> bool:
    """Tell whether every tensor has this number of rows, so that each stands for itself."""
    return all(tensor.shape[:1] == (count,) for tensor in tensors)


def take_row(tensors: Sequence[Values], count: int, index: int) -> list[Values]:
    """Return one row of tensors that have ``count`` of them.

    Raises:
        FormatError: a tensor has another number of rows, or a text does not fill its bytes.
    """
    return [
        _Row(each.name, each.datatype, (1, *each.shape[1:]), split_rows(each, count)[index])
        for each in tensors
    ]


def split_rows(tensor: Values, count: int) -> list[memoryview]:
    """Return the bytes of each row of a tensor.

    Raises:
        FormatError: it has another number of rows, or a text does not fill its bytes.
    """
    view = memoryview(tensor.data).cast("B")
    if not count or tensor.shape[:1] != (count,):
        raise FormatError(f"{tensor.name[:64]!r} has not {count} rows", code="receipt-rows")
    if count > max(len(view), _MOST_EMPTY_ROWS):
        # Rows without a byte: a file of a few lines could ask for more of them than there is memory.
        raise FormatError(f"{tensor.name[:64]!r} has too many rows for its bytes", code="receipt-rows")
    if tensor.datatype == TEXT:
        return _split_texts(tensor, view)
    width, rest = divmod(len(view), count)
    if rest:
        raise FormatError(f"the bytes of {tensor.name[:64]!r} do not fill its rows", code="receipt-rows")
    return [view[at : at + width] for at in range(0, width * count, width)] if width else [view] * count


def _split_texts(tensor: Values, view: memoryview) -> list[memoryview]:
    each = math.prod(tensor.shape[1:])
    rows: list[memoryview] = []
    start = offset = seen = 0
    while len(rows) < tensor.shape[0]:
        if seen == each:
            rows.append(view[start:offset])
            start, seen = offset, 0
            continue
        if offset + _LENGTH_BYTES > len(view):
            break
        size = int.from_bytes(view[offset : offset + _LENGTH_BYTES], "little")
        offset += _LENGTH_BYTES + (0 if size == _MISSING else size)
        seen += 1
    if len(rows) != tensor.shape[0] or offset != len(view):
        raise FormatError(f"the text of {tensor.name[:64]!r} does not fill its bytes", code="receipt-rows")
    return rows


def _in_order(tensors: Sequence[Values]) -> list[Values]:
    if len(tensors) < 2:
        return list(tensors)
    ordered = sorted(tensors, key=lambda each: each.name.encode("utf-8", "surrogatepass"))
    if len({each.name for each in ordered}) != len(ordered):
        raise FormatError("a tensor is named twice", code="receipt-rows")
    return ordered


def _describe(tensors: Sequence[Values], rows: int | None) -> bytes:
    """Return the canonical description: names, datatypes and shapes, here with this number of rows."""
    said = tuple(
        (str(each.datatype), each.name, tuple(each.shape) if rows is None else (rows, *each.shape[1:]))
        for each in tensors
    )
    return _described(said) if len(said) <= _FEW else _describe_all(said)


def _describe_all(said: _Said) -> bytes:
    return canonical_json(
        [{"datatype": datatype, "name": name, "shape": list(shape)} for datatype, name, shape in said]
    )


@lru_cache(maxsize=64)
def _described(said: _Said) -> bytes:
    # One row after another is asked for, and all of them look the same.
    return _describe_all(said)


def _size(size: int) -> bytes:
    return size.to_bytes(4, "big")
