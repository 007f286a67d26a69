from __future__ import annotations

import pytest

from strongroom._limits import LIMITS
from strongroom.crypto.segment import encrypted_size
from strongroom.errors import FormatError
from strongroom.package import layout
from strongroom.package.layout import SEGMENT_BYTES, Layout, SegmentKind, align, segment_context

FULL = 1_049_672


def test_header_and_trailer_have_32_bytes() -> None:
    assert len(layout.HEADER) == layout.TRAILER_BYTES == len(layout.trailer_to_bytes(1)) == 32


def test_the_example_of_the_specification() -> None:
    places = Layout(payload_bytes=100, contents_bytes=442)
    assert places.segment_range(SegmentKind.PAYLOAD, 0) == (32, 172)
    assert places.segment_range(SegmentKind.CONTENTS, 0) == (204, 514)
    assert (places.index_offset, places.index_bytes, places.statement_offset) == (718, 64, 782)
    assert places.file_bytes(904) == 1718


@pytest.mark.parametrize(
    ("payload", "segments"),
    [(0, 0), (1, 1), (SEGMENT_BYTES - 1, 1), (SEGMENT_BYTES, 1), (SEGMENT_BYTES + 1, 2)],
)
def test_segments_at_their_boundary(payload: int, segments: int) -> None:
    places = Layout(payload, 1)
    assert places.segment_count(SegmentKind.PAYLOAD) == segments
    assert places.contents_offset == 32 + sum(
        encrypted_size(places.segment_plain_bytes(SegmentKind.PAYLOAD, i)) for i in range(segments)
    )


def test_a_full_segment_has_the_size_of_the_specification() -> None:
    assert encrypted_size(SEGMENT_BYTES) == FULL
    assert Layout(SEGMENT_BYTES * 2, 1).segment_range(SegmentKind.PAYLOAD, 1) == (32 + FULL, FULL)


@pytest.mark.parametrize("number", [-1, 1])
def test_a_segment_that_does_not_exist_has_no_place(number: int) -> None:
    with pytest.raises(ValueError, match="no such segment"):
        Layout(1, 1).segment_range(SegmentKind.PAYLOAD, number)


@pytest.mark.parametrize("payload", [-1, LIMITS.max_payload_bytes + 1])
def test_impossible_payload_sizes_are_refused(payload: int) -> None:
    with pytest.raises(FormatError) as refused:
        Layout(payload, 1)
    assert refused.value.code == "payload-size"


@pytest.mark.parametrize("contents", [-1, 0, LIMITS.max_contents_bytes + 1])
def test_impossible_contents_sizes_are_refused(contents: int) -> None:
    with pytest.raises(FormatError) as refused:
        Layout(0, contents)
    assert refused.value.code == "contents-size"


def test_the_largest_package_has_an_index_of_512_mib() -> None:
    assert Layout(LIMITS.max_payload_bytes, 1).index_bytes == (512 << 20) + 32


def test_trailer_round_trip() -> None:
    assert layout.trailer_from_bytes(layout.trailer_to_bytes(888)) == 888


@pytest.mark.parametrize("size", [0, LIMITS.max_statement_bytes + 1, (1 << 64) - 1])
def test_a_trailer_with_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(FormatError) as refused:
        layout.trailer_from_bytes(layout.trailer_to_bytes(size))
    assert refused.value.code == "statement-size"


@pytest.mark.parametrize("data", [b"", bytes(32), layout.trailer_to_bytes(1)[1:]])
def test_something_else_is_no_trailer(data: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        layout.trailer_from_bytes(data)
    assert refused.value.code == "truncated"


def test_context_names_package_kind_and_number() -> None:
    context = segment_context(b"0123456789abcdef", SegmentKind.PAYLOAD, 258)
    assert context == (
        b"\0\0\0\x23strongroom/package/v1-draft/segment"
        b"\0\0\0\x100123456789abcdef\0\0\0\x07payload\0\0\0\x08\0\0\0\0\0\0\x01\x02"
    )


def test_context_wants_a_whole_package_id() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        segment_context(b"short", SegmentKind.PAYLOAD, 0)


@pytest.mark.parametrize(("offset", "aligned"), [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_align(offset: int, aligned: int) -> None:
    assert align(offset) == aligned


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_content_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(FormatError) as refused:
        layout.verify_content_key(bytes(size))
    assert refused.value.code == "content-key-size"
