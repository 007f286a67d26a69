from __future__ import annotations

import pytest

from strongroom.crypto.digest import blake3_256
from strongroom.errors import FormatError, IntegrityError
from strongroom.package.index import Index
from strongroom.package.layout import SEGMENT_BYTES, Layout, SegmentKind

PLACES = Layout(SEGMENT_BYTES + 1, 5)
SEGMENTS = [b"first", b"second", b"contents"]
DIGESTS = b"".join(blake3_256(segment) for segment in SEGMENTS)


def test_round_trip() -> None:
    assert Index.from_bytes(DIGESTS, PLACES).to_bytes() == DIGESTS


@pytest.mark.parametrize("data", [b"", DIGESTS[:-1], DIGESTS + b"\0", DIGESTS[:64], DIGESTS + DIGESTS[:32]])
def test_another_number_of_digests_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        Index.from_bytes(data, PLACES)
    assert refused.value.code == "index-size"


def test_each_segment_has_its_own_digest() -> None:
    index = Index.from_bytes(DIGESTS, PLACES)
    index.verify_segment(SegmentKind.PAYLOAD, 0, SEGMENTS[0])
    index.verify_segment(SegmentKind.PAYLOAD, 1, bytearray(SEGMENTS[1]))
    index.verify_segment(SegmentKind.CONTENTS, 0, memoryview(SEGMENTS[2]))


@pytest.mark.parametrize(
    ("kind", "number", "segment"),
    [
        (SegmentKind.PAYLOAD, 0, b"second"),
        (SegmentKind.PAYLOAD, 1, b"first"),
        (SegmentKind.CONTENTS, 0, b"first"),
        (SegmentKind.PAYLOAD, 0, b"First"),
        (SegmentKind.PAYLOAD, 0, b""),
    ],
)
def test_another_segment_is_refused(kind: SegmentKind, number: int, segment: bytes) -> None:
    with pytest.raises(IntegrityError) as refused:
        Index.from_bytes(DIGESTS, PLACES).verify_segment(kind, number, segment)
    assert refused.value.code == "segment-digest"
    assert f"{kind} segment {number}" in str(refused.value)
