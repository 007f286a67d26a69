"""The index: one digest for each encrypted segment (spec/package.md, Index).

    index = Index.from_bytes(data, layout)
    index.verify_segment(SegmentKind.PAYLOAD, 7, encrypted)      # raises

Everyone who may open a package knows its content key and could therefore encrypt
other weights under it: the tag of a segment proves nothing against a fellow
recipient. The digest here does, because the owner's signature covers the index.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.digest import DIGEST_BYTES, Buffer, blake3_256
from strongroom.errors import FormatError, IntegrityError
from strongroom.package.layout import Layout, SegmentKind


@dataclass(frozen=True, slots=True)
class Index:
    """The digests of all segments of one package, in file order."""

    layout: Layout
    digests: bytes

    def __post_init__(self) -> None:
        if len(self.digests) != self.layout.index_bytes:
            raise FormatError("an index does not have one digest for each segment", code="index-size")

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Index:
        """Decode the index of a package with the given layout.

        Raises:
            FormatError: not one digest for each segment.
        """
        return cls(layout, data)

    def to_bytes(self) -> bytes:
        """Return the digests, concatenated."""
        return self.digests

    def verify_segment(self, kind: SegmentKind, number: int, encrypted: Buffer) -> None:
        """Check one encrypted segment against its digest.

        Raises:
            IntegrityError: it is not the segment that the owner signed.
        """
        position = number if kind is SegmentKind.PAYLOAD else self._payload_segments + number
        start = position * DIGEST_BYTES
        expected = self.digests[start : start + DIGEST_BYTES]
        if blake3_256(encrypted) != expected:
            raise IntegrityError(
                f"{kind} segment {number} is not the one that the owner signed", code="segment-digest"
            )

    @property
    def _payload_segments(self) -> int:
        return self.layout.segment_count(SegmentKind.PAYLOAD)
