"""Where everything stands in a package: pure arithmetic (spec/package.md, Layout).

    layout = Layout(payload_bytes=3_000_000, contents_bytes=812)
    offset, length = layout.segment_range(SegmentKind.PAYLOAD, 2)
    layout.file_bytes(statement_bytes=1200)

    header || payload segments || contents segments || index || statement || trailer

Every offset follows from three numbers: payload bytes, contents bytes and statement
bytes. No offset is stored, so none can lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strongroom._limits import LIMITS
from strongroom.crypto import labels
from strongroom.crypto.digest import DIGEST_BYTES
from strongroom.crypto.segment import KEY_BYTES, encrypted_size
from strongroom.errors import FormatError

FORMAT: Final = "v1-draft"
SEGMENT_BYTES: Final = 1 << 20
"""Plaintext of every segment but the last of its kind."""
HEADER_START: Final = b"strongroom package "
"""What packages of every version start with."""
HEADER: Final = b"strongroom package v1-draft\n\0\0\0\0"
"""The first 32 bytes of every package."""
TRAILER_MAGIC: Final = b"strongroom end v1-draft\n"
TRAILER_BYTES: Final = 8 + len(TRAILER_MAGIC)
DERIVED_START: Final = b"strongroom derived "
"""What derivation files of every version start with."""
FILE_ALIGNMENT: Final = 64
"""Each file of the payload starts at a multiple of this: tensors can be used in place."""
PACKAGE_ID_BYTES: Final = 16


class FileKind(StrEnum):
    """What a file in this layout is: its header and trailer say so."""

    PACKAGE = "package"
    DERIVED = "derived"
    """What a partner derived and no owner has countersigned: no package, whatever it is called."""

    @property
    def header(self) -> bytes:
        """The first 32 bytes."""
        return HEADER if self is FileKind.PACKAGE else DERIVED_START + HEADER[len(HEADER_START) :]

    @property
    def magic(self) -> bytes:
        """The last 24 bytes."""
        return TRAILER_MAGIC if self is FileKind.PACKAGE else b"derivation end v1-draft\n"

    @property
    def max_tail_bytes(self) -> int:
        """The largest signed statement, or record."""
        return LIMITS.max_statement_bytes if self is FileKind.PACKAGE else LIMITS.max_derivation_bytes


class SegmentKind(StrEnum):
    """What a segment holds. The kind ``part`` is reserved for a partner's marked segments."""

    PAYLOAD = "payload"
    CONTENTS = "contents"


@dataclass(frozen=True, slots=True)
class Layout:
    """The arithmetic of one package."""

    payload_bytes: int
    contents_bytes: int

    def __post_init__(self) -> None:
        if not 0 <= self.payload_bytes <= LIMITS.max_payload_bytes:
            raise FormatError("a package has an impossible payload size", code="payload-size")
        if not 1 <= self.contents_bytes <= LIMITS.max_contents_bytes:
            raise FormatError("a package has an impossible contents size", code="contents-size")

    def plain_bytes(self, kind: SegmentKind) -> int:
        """Return the plaintext bytes of all segments of a kind."""
        return self.payload_bytes if kind is SegmentKind.PAYLOAD else self.contents_bytes

    def segment_count(self, kind: SegmentKind) -> int:
        """Return how many segments of a kind there are."""
        return -(-self.plain_bytes(kind) // SEGMENT_BYTES)

    def segment_plain_bytes(self, kind: SegmentKind, number: int) -> int:
        """Return the plaintext bytes of one segment: 1 MiB, or less for the last one.

        Raises:
            ValueError: there is no such segment (a bug of the caller).
        """
        if not 0 <= number < self.segment_count(kind):
            raise ValueError("there is no such segment")
        return min(SEGMENT_BYTES, self.plain_bytes(kind) - number * SEGMENT_BYTES)

    def segment_range(self, kind: SegmentKind, number: int) -> tuple[int, int]:
        """Return offset and length of one encrypted segment in the file.

        Raises:
            ValueError: there is no such segment (a bug of the caller).
        """
        length = encrypted_size(self.segment_plain_bytes(kind, number))
        start = len(HEADER) if kind is SegmentKind.PAYLOAD else self.contents_offset
        return start + number * encrypted_size(SEGMENT_BYTES), length

    @property
    def contents_offset(self) -> int:
        """Offset of the first contents segment."""
        return len(HEADER) + _encrypted_stream_size(self.payload_bytes)

    @property
    def index_offset(self) -> int:
        """Offset of the index."""
        return self.contents_offset + _encrypted_stream_size(self.contents_bytes)

    @property
    def index_bytes(self) -> int:
        """Length of the index: one digest for each segment."""
        return DIGEST_BYTES * sum(self.segment_count(kind) for kind in SegmentKind)

    @property
    def statement_offset(self) -> int:
        """Offset of the signed statement."""
        return self.index_offset + self.index_bytes

    def file_bytes(self, statement_bytes: int) -> int:
        """Return the exact length of the whole file."""
        return self.statement_offset + statement_bytes + TRAILER_BYTES


def trailer_to_bytes(statement_bytes: int, kind: FileKind = FileKind.PACKAGE) -> bytes:
    """Encode the last 32 bytes of a file."""
    return statement_bytes.to_bytes(8, "big") + kind.magic


def trailer_from_bytes(data: bytes, kind: FileKind = FileKind.PACKAGE) -> int:
    """Decode the last 32 bytes of a file; returns the length of the signed statement, or record.

    Raises:
        FormatError: not a trailer, or an impossible length.
    """
    if len(data) != TRAILER_BYTES or data[8:] != kind.magic:
        raise FormatError(
            "a package does not end where it should: it is cut short, or something follows it",
            code="truncated",
            hint="fetch the file again",
        )
    statement_bytes = int.from_bytes(data[:8], "big")
    if not 1 <= statement_bytes <= kind.max_tail_bytes:
        raise FormatError("a package has an impossible statement size", code="statement-size")
    return statement_bytes


def segment_context(package_id: bytes, kind: SegmentKind, number: int) -> bytes:
    """Return what binds an encrypted segment to its package, kind and place.

    Raises:
        ValueError: a package id of another size (a bug of the caller).
    """
    if len(package_id) != PACKAGE_ID_BYTES:
        raise ValueError(f"a package id has {PACKAGE_ID_BYTES} bytes")
    return labels.bind(labels.SEGMENT_CONTEXT, package_id, kind.encode("ascii"), number.to_bytes(8, "big"))


def verify_content_key(content_key: bytes) -> bytes:
    """Check the size of a content key; returns the key.

    Raises:
        FormatError: not 32 bytes.
    """
    if len(content_key) != KEY_BYTES:
        raise FormatError(f"a content key has {KEY_BYTES} bytes", code="content-key-size")
    return content_key


def align(offset: int) -> int:
    """Return the next multiple of 64 at or after an offset of the payload."""
    return -(-offset // FILE_ALIGNMENT) * FILE_ALIGNMENT


def _encrypted_stream_size(plain_bytes: int) -> int:
    # All segments but the last are full, so two products give the sum.
    full, rest = divmod(plain_bytes, SEGMENT_BYTES)
    return full * encrypted_size(SEGMENT_BYTES) + (encrypted_size(rest) if rest else 0)
